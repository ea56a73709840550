import TestSupport
import Testing
import VolumeIO
import Volumes

struct WriteProbabilitiesTests {
    private let grid = Grid(
        size: GridSize(5, 4, 3),
        affine: Affine(spacing: SIMD3(1, 1.5, 2), translation: SIMD3(-3, 4, 5)))

    @Test(arguments: ["p_probseg.nii", "p_probseg.nii.gz"], [1, 2, 3])
    func `probabilities come back as a series within half a step`(
        name: String, atOnce: Int
    ) throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/" + name
            let values: [[UInt16]] = (0..<5).map { member in
                (0..<60).map { UInt16(truncatingIfNeeded: $0 * 1091 + member * 13) }
            }
            var asked: [Int] = []
            try writeProbabilities(on: grid, classCount: 5, to: path, like: nil) { first in
                asked.append(first)
                return Array(values[first..<min(first + atOnce, 5)])
            }
            #expect(asked == Array(stride(from: 0, to: 5, by: atOnce)))
            for number in 0..<5 {
                let read = try readVolume(at: path, volume: number)
                #expect(read.header.volumeCount == 5)
                #expect(read.header.storedType == .uint16)
                #expect(read.volume.grid == grid)
                for (found, stored) in zip(read.volume.voxels, values[number]) {
                    #expect(abs(Double(found) - Double(stored) / 65535) < 1e-7)
                }
            }
        }
    }

    @Test func `a scan's header lends its geometry`() throws {
        try withTemporaryDirectory { directory in
            let scan = directory + "/scan.nii"
            try writeVolume(
                Volume(grid: grid, voxels: (0..<60).map(Float.init)), to: scan, like: nil,
                storedAs: .int16)
            let header = try readVolumeHeader(at: scan)
            let path = directory + "/p.nii.gz"
            try writeProbabilities(on: grid, classCount: 2, to: path, like: header) { _ in
                [[UInt16]](repeating: [UInt16](repeating: 65535, count: 60), count: 2)
            }
            let read = try readVolume(at: path, volume: 1)
            // From qform_code to the end of the srows.
            #expect(read.header.bytes[252..<328] == header.bytes[252..<328])
            #expect(read.volume.voxels.allSatisfy { $0 == 1 })
        }
    }

    @Test func `MGH is refused with the way out`() throws {
        let error = #expect(throws: VolumeIOError.self) {
            try writeProbabilities(on: grid, classCount: 1, to: "p.mgz", like: nil) { _ in [] }
        }
        #expect(error?.description.contains(".nii.gz") == true)
    }
}
