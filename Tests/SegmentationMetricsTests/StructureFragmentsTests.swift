import SegmentationMetrics
import Testing
import Volumes

struct StructureFragmentsTests {
    struct Example: Decodable {
        struct Found: Decodable {
            var label: UInt16
            var voxelCount: Int
            var fragmentCount: Int
            var largestVoxelCount: Int
        }

        var size: [Int]
        var labels: [UInt16]
        var fragments: [Found]
    }

    private func map(_ size: GridSize, _ labels: [UInt16]) -> LabelMap {
        LabelMap(grid: Grid(size: size, affine: .identity), labels: labels)
    }

    @Test func `fragments agree with scipy's labelling of each structure`() throws {
        for example in try statisticsFixture("fragments.json", as: [Example].self) {
            let size = GridSize(example.size[0], example.size[1], example.size[2])
            let found = structureFragments(of: map(size, example.labels))
            let expected = example.fragments.map {
                StructureFragments(
                    label: $0.label, voxelCount: $0.voxelCount, fragmentCount: $0.fragmentCount,
                    largestVoxelCount: $0.largestVoxelCount)
            }
            #expect(found == expected, "\(size)")
        }
    }

    @Test func `voxels that share only a corner are one fragment, across rows' ends none`() {
        let corner = map(GridSize(2, 2, 2), [1, 0, 0, 0, 0, 0, 0, 1])
        #expect(structureFragments(of: corner)[0].fragmentCount == 1)
        // The last voxel of a row and the first of the next are no neighbours.
        let wrapped = map(GridSize(3, 2, 1), [0, 0, 5, 5, 0, 0])
        #expect(structureFragments(of: wrapped)[0].fragmentCount == 2)
        let slices = map(GridSize(1, 3, 2), [0, 0, 5, 5, 0, 0])
        #expect(structureFragments(of: slices)[0].fragmentCount == 2)
    }

    @Test func `runs that end together still touch the next ones at their corners`() {
        // Two diagonals that cross between the rows.
        let crossed = map(GridSize(4, 2, 1), [1, 1, 2, 2, 2, 2, 1, 1])
        #expect(structureFragments(of: crossed).map(\.fragmentCount) == [1, 1])
    }

    @Test func `asked for labels, it answers in their order, also for a missing one`() {
        let found = structureFragments(
            of: map(GridSize(7, 1, 1), [3, 0, 3, 3, 65535, 0, 3]), labels: [65535, 9, 3])
        #expect(found.map(\.label) == [65535, 9, 3])
        #expect(found.map(\.fragmentCount) == [1, 0, 3])
        #expect(found.map(\.fractionOutsideLargest) == [0, 0, 0.5])
    }

    @Test func `background has no fragments`() async {
        await #expect(processExitsWith: .failure) {
            _ = structureFragments(
                of: LabelMap(
                    grid: Grid(size: GridSize(1, 1, 1), affine: .identity), labels: [0]),
                labels: [0])
        }
    }
}
