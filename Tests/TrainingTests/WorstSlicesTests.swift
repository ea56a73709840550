import Datasets
import Preprocessing
import Testing
import Training
import Volumes

struct WorstSlicesTests {
    private static func spoilt(_ truth: [UInt8], slices: [Int], of size: GridSize) -> [UInt8] {
        var classes = truth
        let area = size.x * size.y
        for slice in slices {
            // Every second voxel of the slice is called background.
            for voxel in stride(from: slice * area, to: (slice + 1) * area, by: 2) {
                classes[voxel] = 0
            }
        }
        return classes
    }

    @Test func `the slices that were spoilt are found, worst first, none beside another`() throws {
        let configuration = try makeConfiguration(#"{"steps": 1}"#)
        let trainingCase = try #require(makeCases([4], conform: configuration.conform).first)
        let size = trainingCase.conformed.volume.grid.size
        // Storage is RAS here: slice k of the third axis lies k slices above the lowest.
        let (first, second) = (size.z / 2 - 3, size.z / 2 + 3)
        var classes = Self.spoilt(
            trainingCase.classes, slices: [first, first + 1, second], of: size)
        let area = size.x * size.y
        for voxel in first * area..<(first + 1) * area { classes[voxel] = 0 }
        let worst = worstSlices(of: trainingCase, classes: classes, plane: .axial, count: 2)
        #expect(worst.map(\.index) == [first, second])
        #expect(worst.first?.meanDice == 0)
        // Half of each structure is found and none too much: 2 (n/2) / (n + n/2) = 2/3.
        let dice = try #require(worst.last?.meanDice)
        #expect(abs(dice - 2.0 / 3) < 0.06)
        #expect(worst.allSatisfy { $0.plane == .axial && $0.structureCount > 0 })
    }

    @Test func `where all is right no slice is below 1`() throws {
        let configuration = try makeConfiguration(#"{"steps": 1}"#)
        let trainingCase = try #require(makeCases([4], conform: configuration.conform).first)
        for plane in [Plane.axial, .coronal, .sagittal] {
            let worst = worstSlices(
                of: trainingCase, classes: trainingCase.classes, plane: plane, count: 3)
            #expect(!worst.isEmpty && worst.allSatisfy { $0.meanDice == 1 })
        }
    }
}
