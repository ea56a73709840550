import Testing
import Volumes

struct GridTests {
    let grid = Grid(
        size: GridSize(4, 5, 6),
        affine: Affine(spacing: SIMD3(-1, 2, 3), translation: SIMD3(10, 20, 30)))

    @Test func `the first axis varies fastest`() {
        #expect(grid.size.count == 120)
        #expect(grid.size.offset(1, 0, 0) == 1)
        #expect(grid.size.offset(0, 1, 0) == 4)
        #expect(grid.size.offset(0, 0, 1) == 20)
        var volume = Volume(grid: grid, voxels: (0..<120).map(Float.init))
        #expect(volume[3, 4, 5] == 119)
        volume[1, 2, 3] = -1
        #expect(volume.voxels[1 + 8 + 60] == -1)
    }

    @Test func `a voxel's volume is the determinant's size`() {
        #expect(grid.voxelVolumeCubicMillimeters == 6)
        #expect(grid.spacing == SIMD3(1, 2, 3))
    }

    @Test func `cropping keeps every voxel in its place`() {
        let box = VoxelBox(lower: SIMD3(1, 2, 3), upper: SIMD3(3, 5, 4))
        let cropped = grid.cropped(to: box)
        #expect(cropped.size == GridSize(2, 3, 1))
        #expect(cropped.affine(SIMD3(0, 0, 0)) == grid.affine(SIMD3(1, 2, 3)))
        #expect(cropped.affine(SIMD3(1, 2, 0)) == grid.affine(SIMD3(2, 4, 3)))
    }

    @Test func `a box grows up to the edge and not beyond`() {
        let box = VoxelBox(lower: SIMD3(1, 2, 3), upper: SIMD3(3, 5, 4))
        let grown = box.expanded(by: 2, within: grid.size)
        #expect(grown == VoxelBox(lower: SIMD3(0, 0, 1), upper: SIMD3(4, 5, 6)))
        #expect(grown.fits(in: grid.size))
        #expect(VoxelBox(all: grid.size).size == grid.size)
        #expect(!VoxelBox(lower: .zero, upper: SIMD3(4, 5, 7)).fits(in: grid.size))
        #expect(!VoxelBox(lower: SIMD3(2, 0, 0), upper: SIMD3(2, 5, 6)).fits(in: grid.size))
    }

    @Test func `grids are as far apart as their farthest corners`() throws {
        var other = grid
        #expect(grid.largestCornerDistanceMillimeters(from: other) == 0)
        other.affine[2, 2] = 3.1  // five steps of 0.1 mm at the far end
        let distance = try #require(grid.largestCornerDistanceMillimeters(from: other))
        #expect(abs(distance - 0.5) < 1e-12)
        other.size.z = 5
        #expect(grid.largestCornerDistanceMillimeters(from: other) == nil)
    }

    @Test func `labels are counted`() {
        var map = LabelMap(grid: grid, labels: [UInt16](repeating: 0, count: 120))
        map[0, 0, 0] = 17
        map[3, 4, 5] = 65535
        let counts = map.voxelCounts()
        #expect(counts.count == 65536)
        #expect(counts[0] == 118 && counts[17] == 1 && counts[65535] == 1)
    }

    @Test func `a volume with another number of voxels stops the program`() async {
        await #expect(processExitsWith: .failure) {
            _ = Volume(
                grid: Grid(size: GridSize(2, 2, 2), affine: .identity), voxels: [1, 2, 3])
        }
    }
}
