import Inference
import ModelBundles
import NeuralNetworks
import Preprocessing
import TestSupport
import Tensors
import Testing
import VolumeIO
import Volumes

/// The parts of the labels that are equal: of all voxels, and as the mean Dice of the structures.
private func agreement(_ a: LabelMap, _ b: LabelMap) -> (voxels: Double, dice: Double) {
    let equal = zip(a.labels, b.labels).count { $0 == $1 }
    var inBoth: [UInt16: Int] = [:]
    for (left, right) in zip(a.labels, b.labels) where left == right {
        inBoth[left, default: 0] += 1
    }
    let (first, second) = (a.voxelCounts(), b.voxelCounts())
    let scores = (1..<max(first.count, second.count)).compactMap { label -> Double? in
        let left = label < first.count ? first[label] : 0
        let right = label < second.count ? second[label] : 0
        guard left + right > 0 else { return nil }
        return 2 * Double(inBoth[UInt16(label)] ?? 0) / Double(left + right)
    }
    return (
        Double(equal) / Double(a.labels.count), scores.reduce(0, +) / Double(scores.count)
    )
}

/// The middle of a real scan, thin enough for a test.
private func middleOfScan() throws -> Volume {
    let path = try #require(sharedDataPath("malc/train/1015_SS.nii.gz"))
    let scan = try readVolume(at: path).volume
    let size = scan.grid.size
    var box = VoxelBox(all: size)
    box.lower.z = size.z / 2 - 12
    box.upper.z = size.z / 2 + 12
    let grid = scan.grid.cropped(to: box)
    let plane = size.x * size.y
    return Volume(
        grid: grid, voxels: Array(scan.voxels[box.lower.z * plane..<box.upper.z * plane]))
}

/// `brain-mri` without the model that finds the brain, for which the slab is too thin.
private func networksAlone(_ options: SegmenterOptions) throws -> Segmenter {
    try withTemporaryDirectory { folder in
        let shipped = try ModelBundle.find("brain-mri")
        var card = shipped.card
        card.brainExtraction = nil
        let networks = try card.planes.map { ($0.plane, try shipped.makeNetwork(for: $0.plane)) }
        let bundle = try ModelBundle.write(
            card: card, networks: networks, to: folder + "/model")
        return try Segmenter(bundle: bundle, options: options)
    }
}

@Suite(.enabled(if: sharedDataPath("malc/train") != nil, "../shared/data/malc is absent"))
struct ShippedPlanTests {
    private static func labels(
        of scan: Volume, _ precision: Precision, compiles: Bool = true, batchSize: Int = 4
    ) throws -> LabelMap {
        let segmenter = try networksAlone(
            SegmenterOptions(
                planes: [.axial], precision: precision, batchSize: batchSize, compiles: compiles))
        let segmentation = try segmenter.segment(scan)
        #expect(segmentation.computation.hasPrefix(compiles ? "compiled plan" : "layer by layer"))
        return segmentation.labels
    }

    @Test func `a shipped model's plan labels a real scan as its layers do`() throws {
        let scan = try middleOfScan()
        let expected = try Self.labels(of: scan, .fp32, compiles: false)
        #expect(expected.voxelCounts().count { $0 > 100 } > 15, "a brain should be seen")
        let single = try agreement(Self.labels(of: scan, .fp32), expected)
        #expect(single.voxels >= 0.9999)
        #expect(single.dice >= 0.999)
        let half = try agreement(Self.labels(of: scan, .bf16), expected)
        #expect(half.voxels >= 0.995)
        #expect(half.voxels < 1, "bf16 seems not to be in use")
        #expect(half.dice >= 0.99)
        let integers = try agreement(Self.labels(of: scan, .int8), expected)
        #expect(integers.voxels >= 0.995)
        #expect(integers.voxels < half.voxels, "int8 seems not to be in use")
        #expect(integers.dice >= 0.98)
    }

    @Test func `threads and slices in a call change no label of a real scan`() async {
        // In a process of its own: the number of threads is the engine's, for all.
        await #expect(processExitsWith: .success) {
            let scan = try middleOfScan()
            for precision in [Precision.auto, .int8] {
                try Engine.setThreadCount(1)
                let expected = try Self.labels(of: scan, precision, batchSize: 1)
                for (threads, batchSize) in [(1, 8), (2, 3), (2, 8)] {
                    try Engine.setThreadCount(threads)
                    let labels = try Self.labels(of: scan, precision, batchSize: batchSize)
                    #expect(
                        labels == expected, "\(precision), \(threads) threads, \(batchSize) slices")
                }
            }
        }
    }
}
