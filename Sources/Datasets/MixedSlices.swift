/// Slices of real scans and of synthetic ones, together in each batch.
///
/// Real scans teach a contrast and a protocol, synthetic ones anatomies, resolutions and masks that
/// the few real ones lack.
public struct MixedSlices: SliceSource {
    /// Rows of the window that holds the slices of both.
    public let height: Int
    /// Columns of the window.
    public let width: Int
    private let real: SliceDataset
    private let synthetic: SyntheticSlices
    private let syntheticFraction: Double

    /// Joins two sources.
    ///
    /// - Parameters:
    ///   - real: Slices of scans.
    ///   - synthetic: Slices of synthetic scans, of the same outputs and context.
    ///   - syntheticFraction: The part of each batch that is synthetic, above 0 and below 1; what
    ///     is left of a slice is one slice more in so many batches.
    public init(_ real: SliceDataset, _ synthetic: SyntheticSlices, syntheticFraction: Double) {
        precondition(syntheticFraction > 0 && syntheticFraction < 1, "\(syntheticFraction) of all")
        self.real = real
        self.synthetic = synthetic
        self.syntheticFraction = syntheticFraction
        height = max(real.height, synthetic.height)
        width = max(real.width, synthetic.width)
    }

    /// The voxels of the real scans, which tell the classes' weights.
    public var classCounts: [Int] { real.classCounts }

    /// Draws a batch: real slices first, then synthetic ones, whose variation is in their synthesis
    /// and which the augmenter leaves as they are.
    public func batch(
        number: Int, size: Int, seed: UInt64, balancedFraction: Double, augmenter: SliceAugmenter
    ) -> SliceBatch {
        // The synthetic slices of all batches up to a number are the rounded part of all slices.
        func total(_ batches: Int) -> Int { Int(Double(batches * size) * syntheticFraction) }
        let syntheticCount = total(number + 1) - total(number)
        var batch = SliceBatch(
            images: [], classes: [], count: size, context: 0, height: height, width: width)
        for (source, count, augmenter) in [
            (real as any SliceSource, size - syntheticCount, augmenter),
            (synthetic, syntheticCount, SliceAugmenter(.none)),
        ] where count > 0 {
            let part = source.batch(
                number: number, size: count, seed: seed, balancedFraction: balancedFraction,
                augmenter: augmenter)
            batch.context = part.context
            let size = (height: part.height, width: part.width)
            let window = (height: height, width: width)
            batch.images += centred(part.images, size: size, in: window, background: 0)
            batch.classes += centred(part.classes, size: size, in: window, background: 0)
        }
        return batch
    }
}
