import Preprocessing
public import Volumes

/// Slices of synthetic scans, drawn while the training runs.
///
/// A window of `poolSize` scans moves along the numbered scans of a ``HeadSynthesizer``; each batch
/// draws its slices from the scans in the window. The window moves so that every scan gives
/// `slicesPerScan` slices on average, and by the batch's number alone: a training that goes on after
/// a break sees what the unbroken one would have seen.
public final class SyntheticSlices: SliceSource {
    private let context: Int
    private let slicesPerScan: Int
    private let layout: SliceLayout
    private let scans: ScanPool<SlicedScan>

    /// Rows of a slice.
    public var height: Int { layout.height }
    /// Columns of a slice.
    public var width: Int { layout.width }
    /// The number of voxels of the label maps that belong to each output.
    public let classCounts: [Int]

    /// Makes a source.
    ///
    /// - Parameters:
    ///   - synthesizer: Draws the scans.
    ///   - plane: How they are cut.
    ///   - context: How many neighbouring slices make an image; odd.
    ///   - outputOfClass: The network output that each class is trained as.
    ///   - slicesPerScan: How many slices a scan gives on average before another takes its place.
    ///   - poolSize: How many scans a batch draws from.
    ///   - threadCount: How many scans are drawn at once, ahead of need.
    public init(
        _ synthesizer: HeadSynthesizer, plane: Plane, context: Int, outputOfClass: [UInt8],
        slicesPerScan: Int, poolSize: Int, threadCount: Int
    ) {
        precondition(slicesPerScan > 0, "no slice of a scan")
        self.context = context
        self.slicesPerScan = slicesPerScan
        let layout = SliceLayout(
            plane: plane, orientation: .ras, size: synthesizer.options.size)
        self.layout = layout
        var counts = [Int](repeating: 0, count: Int(outputOfClass.max() ?? 0) + 1)
        for (member, count) in synthesizer.classCounts.enumerated() {
            counts[Int(outputOfClass[member])] += count
        }
        classCounts = counts
        let outputCount = counts.count
        scans = ScanPool(size: poolSize, threadCount: threadCount) { number in
            let scan = synthesizer.scan(number)
            return SlicedScan(
                voxels: scan.volume.voxels,
                outputs: scan.classes.map { outputOfClass[Int($0)] }, layout: layout,
                outputCount: outputCount)
        }
    }

    /// Draws a batch.
    public func batch(
        number: Int, size: Int, seed: UInt64, balancedFraction: Double, augmenter: SliceAugmenter
    ) -> SliceBatch {
        var generator = SeededGenerator(seed: seed, number: number)
        let pool = scans.window(from: number * size / slicesPerScan)
        var batch = SliceBatch(
            images: [], classes: [], count: size, context: context, height: height, width: width)
        let pixels = layout.voxelsPerSlice
        batch.images.reserveCapacity(size * context * pixels)
        batch.classes.reserveCapacity(size * pixels)
        var image = [Float](repeating: 0, count: context * pixels)
        var classes = [UInt8](repeating: 0, count: pixels)
        for _ in 0..<size {
            let scan = pool[Int(generator.next() % UInt64(pool.count))]
            var slice = Int.random(in: 0..<layout.sliceCount, using: &generator)
            let isBalanced = generator.happens(balancedFraction)
            let structure = scan.structures.randomElement(using: &generator)
            if isBalanced, let structure,
                let chosen = scan.slicesOfOutput[structure].randomElement(using: &generator)
            {
                slice = chosen
            } else if let chosen = scan.shown.randomElement(using: &generator),
                generator.happens(0.9)
            {
                // Slices beyond the brain are all alike: few are enough.
                slice = chosen
            }
            image.withUnsafeMutableBufferPointer {
                layout.copySlice(slice, context: context, from: scan.voxels, into: $0)
            }
            classes.withUnsafeMutableBufferPointer {
                layout.copyLabels(slice, from: scan.outputs, into: $0)
            }
            augmenter.augment(
                image: &image, labels: &classes, context: context, height: height, width: width,
                using: &generator)
            batch.images += image
            batch.classes += classes
        }
        return batch
    }
}

/// A scan and where its structures are seen.
private struct SlicedScan: Sendable {
    let voxels: [Float]
    let outputs: [UInt8]
    /// The slices that show enough of each output.
    let slicesOfOutput: [[Int]]
    /// The outputs that some slice shows, without background.
    let structures: [Int]
    /// The slices that show any structure.
    let shown: [Int]

    /// An output counts as shown from this many pixels on.
    private static let fewestPixels = 10

    init(voxels: [Float], outputs: [UInt8], layout: SliceLayout, outputCount: Int) {
        var slicesOfOutput = [[Int]](repeating: [], count: outputCount)
        var shown: [Int] = []
        var classes = [UInt8](repeating: 0, count: layout.voxelsPerSlice)
        for slice in 0..<layout.sliceCount {
            classes.withUnsafeMutableBufferPointer {
                layout.copyLabels(slice, from: outputs, into: $0)
            }
            var counts = [Int](repeating: 0, count: outputCount)
            for value in classes { counts[Int(value)] += 1 }
            for output in 1..<outputCount where counts[output] >= Self.fewestPixels {
                slicesOfOutput[output].append(slice)
            }
            if counts[0] < classes.count { shown.append(slice) }
        }
        self.voxels = voxels
        self.outputs = outputs
        self.slicesOfOutput = slicesOfOutput
        self.shown = shown
        structures = (1..<outputCount).filter { !slicesOfOutput[$0].isEmpty }
    }
}
