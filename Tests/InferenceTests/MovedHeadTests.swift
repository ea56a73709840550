import Datasets
import Foundation
import Inference
import ModelBundles
import TestSupport
import Testing
import VolumeIO
import Volumes

/// A shipped model on scans that lie elsewhere, are tilted, or are stored otherwise.
struct MovedHeadTests {
    private static let head = makePhantom(
        seed: 9100, options: PhantomOptions(contrasts: [.t1Weighted], skullProbability: 0))

    private static func segmenter() throws -> Segmenter {
        try Segmenter(
            bundle: .find("phantom"), options: SegmenterOptions(precision: .fp32))
    }

    private static func meanDice(_ a: [UInt16], _ b: [UInt16]) -> Double {
        let structures = phantomLabelTable.structures.map(\.index)
        let values = structures.map { index in
            let both = zip(a, b).count { $0 == index && $1 == index }
            let sum = a.count { $0 == index } + b.count { $0 == index }
            return sum == 0 ? 1 : 2 * Double(both) / Double(sum)
        }
        return values.reduce(0, +) / Double(values.count)
    }

    /// World-space distance between the centres of all that two maps label.
    private static func centroidDistance(_ a: LabelMap, _ b: LabelMap) -> Double {
        let centers = [a, b].map { map in
            var sum = SIMD3<Double>.zero
            var count = 0.0
            for (offset, label) in map.labels.enumerated() where label > 0 {
                let rest = offset / map.grid.size.x
                sum += map.grid.affine(
                    SIMD3(
                        Double(offset % map.grid.size.x), Double(rest % map.grid.size.y),
                        Double(rest / map.grid.size.y)))
                count += 1
            }
            return sum / count
        }
        return (centers[0] - centers[1]).length
    }

    /// Tilts within what the model has seen in training, far shifts, and a mirrored storage.
    @Test(arguments: [(0.0, 0.0, 250.0), (5.0, -4.0, 0.0), (-6.0, 3.0, -80.0)])
    func `a moved head is labelled nearly as well, and where it is`(
        aboutX: Double, aboutZ: Double, shift: Double
    ) throws {
        let (scan, truth) = Self.head
        let segmenter = try Self.segmenter()
        let still = try segmenter.segment(scan).labels
        let expected = Self.meanDice(still.labels, truth.labels)
        #expect(expected > 0.75)
        let (a, b) = (aboutX * .pi / 180, aboutZ * .pi / 180)
        let motion = Affine(
            columns: [
                SIMD3(cos(b), sin(b), 0),
                SIMD3(-cos(a) * sin(b), cos(a) * cos(b), sin(a)),
                SIMD3(sin(a) * sin(b), -sin(a) * cos(b), cos(a)),
            ], translation: SIMD3(shift, -shift / 2, shift / 3))
        let grid = Grid(size: scan.grid.size, affine: motion * scan.grid.affine)
        let moved = try segmenter.segment(Volume(grid: grid, voxels: scan.voxels))
        #expect(moved.labels.grid == grid)
        let dice = Self.meanDice(moved.labels.labels, truth.labels)
        #expect(dice > expected - 0.05, "\(dice) after \(expected)")
        // A quarter of a voxel of 2 mm farther than where it was.
        let distance = Self.centroidDistance(
            moved.labels, LabelMap(grid: grid, labels: truth.labels))
        #expect(distance < Self.centroidDistance(still, truth) + 0.5)
    }

    @Test(
        .enabled(
            if: sharedDataPath("malc/train") != nil,
            "needs the challenge's scans in ../shared/data/malc/train"))
    func `a real scan times 1000 has the same labels, on its own grid and tilted`() throws {
        let path = try #require(sharedDataPath("malc/train")) + "/1017_SS.nii.gz"
        let whole = try readVolume(at: path).volume
        // A slab is enough, and quick.
        let box = Self.middleSlab(of: whole.grid.size, thickness: 24)
        let slab = Volume(grid: whole.grid.cropped(to: box), voxels: cropped(whole, to: box))
        #expect(slab.voxels.allSatisfy { $0 == $0.rounded() && abs($0) < 16_000 })
        let tilt = Affine(
            columns: [SIMD3(0.995, 0.0998, 0), SIMD3(-0.0998, 0.995, 0), SIMD3(0, 0, 1)],
            translation: .zero)
        let segmenter = try Self.segmenter()
        for affine in [slab.grid.affine, tilt * slab.grid.affine] {
            let grid = Grid(size: slab.grid.size, affine: affine)
            let labels = try segmenter.segment(Volume(grid: grid, voxels: slab.voxels)).labels
            let times1000 = try segmenter.segment(
                Volume(grid: grid, voxels: slab.voxels.map { $0 * 1000 })
            ).labels
            let differing = zip(labels.labels, times1000.labels).count { $0 != $1 }
            #expect(differing == 0)
            #expect(Set(labels.labels).count > 3)
        }
    }

    private static func middleSlab(of size: GridSize, thickness: Int) -> VoxelBox {
        let from = (size.z - thickness) / 2
        return VoxelBox(
            lower: SIMD3(0, 0, from), upper: SIMD3(size.x, size.y, from + thickness))
    }

    private func cropped(_ volume: Volume, to box: VoxelBox) -> [Float] {
        // The box holds whole slices of the third axis.
        let slice = volume.grid.size.x * volume.grid.size.y
        return Array(volume.voxels[box.lower.z * slice..<box.upper.z * slice])
    }
}
