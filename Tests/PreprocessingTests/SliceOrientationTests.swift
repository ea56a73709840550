import Preprocessing
import Testing
import Volumes

/// A volume whose voxels hold where they lie: 1 more a voxel to the right, 100 to the front, 10,000 up.
private func coordinates(_ size: GridSize) -> Volume {
    var voxels = [Float](repeating: 0, count: size.count)
    for k in 0..<size.z {
        for j in 0..<size.y {
            for i in 0..<size.x {
                voxels[size.offset(i, j, k)] = Float(1 + i + 100 * j + 10_000 * k)
            }
        }
    }
    return Volume(grid: Grid(size: size, affine: .identity), voxels: voxels)
}

struct SliceOrientationTests {
    @Test func `a volume's mirror image has the same slices, and no other volume has`() {
        var signatures: [[SliceOrientation]: Int] = [:]
        for orientation in Orientation.allCases {
            let slices = (0..<3).map { SliceOrientation(of: orientation, stackAxis: $0) }
            let mirrored = (0..<3).map { SliceOrientation(of: orientation.mirrored, stackAxis: $0) }
            #expect(slices == mirrored)
            signatures[slices, default: 0] += 1
        }
        #expect(signatures.count == 24)
        #expect(signatures.values.allSatisfy { $0 == 2 })
        #expect(Set(signatures.keys.joined().map(\.index)) == Set(0..<16))
        #expect(Orientation.distinguishable.count == 24)
        #expect(Set(Orientation.distinguishable.map(\.mirrored)).count == 24)
        #expect(Set(SliceOrientation.names).count == 16)
    }

    /// Its words against pictures in which right, front and top are known from the voxels' values.
    @Test(arguments: Orientation.allCases)
    func `names say where front and top are in the picture`(orientation: Orientation) throws {
        let volume = coordinates(GridSize(9, 9, 9))
        let slices = ContentSlices(window: 9, context: 1)
        for axis in 0..<3 {
            let picture = slices.picture(
                of: volume, content: VoxelBox(all: volume.grid.size),
                permutation: AxisPermutation(from: .ras, to: orientation), stackAxis: axis,
                fraction: 0.5)
            let toTheRight = abs(picture[4 * 9 + 5] - picture[4 * 9 + 4])
            let downward = abs(picture[5 * 9 + 4] - picture[4 * 9 + 4])
            let steps: Set<Float> = [toTheRight, downward]
            let name = SliceOrientation.names[
                SliceOrientation(of: orientation, stackAxis: axis).index]
            // A step of 100 is one to the front, of 10,000 one up.
            let plane =
                steps == [1, 100] ? "axial" : steps == [1, 10_000] ? "coronal" : "sagittal"
            #expect(name.hasPrefix(plane))
            for (step, word) in [(Float(100), "front"), (10_000, "top")] where steps.contains(step)
            {
                let isAcross = toTheRight == step
                let grows =
                    isAcross
                    ? picture[4 * 9 + 5] > picture[4 * 9 + 4]
                    : picture[5 * 9 + 4] > picture[4 * 9 + 4]
                let direction =
                    isAcross ? (grows ? "to the right" : "to the left") : (grows ? "down" : "up")
                if plane == "coronal" && word == "front" { continue }
                #expect(name.contains("\(word) \(direction)"), "\(orientation) \(axis): \(name)")
            }
        }
    }

    @Test func `pictures are slices of the volume as it would be stored`() {
        let volume = coordinates(GridSize(7, 9, 11))
        let content = VoxelBox(all: volume.grid.size)
        let slices = ContentSlices(window: 16, context: 3)
        for orientation in Orientation.allCases {
            let permutation = AxisPermutation(from: .ras, to: orientation)
            let stored = permutation.applied(to: volume)
            let identity = AxisPermutation(from: .ras, to: .ras)
            for axis in 0..<3 {
                let picture = slices.picture(
                    of: volume, content: content, permutation: permutation, stackAxis: axis,
                    fraction: 0.25)
                let expected = slices.picture(
                    of: stored, content: VoxelBox(all: stored.grid.size), permutation: identity,
                    stackAxis: axis, fraction: 0.25)
                #expect(picture == expected)
                #expect(picture.count { $0 > 0 } > 3 * 50)
            }
        }
    }
}
