import Preprocessing
public import Volumes

/// A conformed scan and what kind of scan it is.
public struct ClassifiedScan: Sendable {
    /// The name, for reports.
    public var name: String
    /// Intensities from 0 up, in RAS orientation.
    public var volume: Volume
    /// The position of its kind; `nil` where it is none of them.
    public var kind: Int?

    /// Makes a scan of its parts.
    public init(name: String, volume: Volume, kind: Int?) {
        self.name = name
        self.volume = volume
        self.kind = kind
    }
}

/// Slices of scans, each with one class: the scan's kind and, where that is learnt, the way in which the
/// slice lies.
///
/// Slices are cut along all three axes of the scan. Where the way they lie is learnt, the scan is turned
/// to one of its 48 orientations first; so a network sees every way to store it.
public final class ClassifiedSlices: SliceSource {
    /// Rows of a slice.
    public let height: Int
    /// Columns of a slice.
    public var width: Int { height }
    /// Equal counts, as every class is drawn alike.
    public let classCounts: [Int]
    private let slices: ContentSlices
    private let slicesPerScan: Int
    private let orientationCount: Int
    private let scans: ScanPool<Content>

    /// A scan and what it shows.
    private struct Content: Sendable {
        var scan: ClassifiedScan
        var box: VoxelBox
    }

    /// Makes a source.
    ///
    /// - Parameters:
    ///   - kindCount: How many kinds there are.
    ///   - tellsOrientation: Whether the class of a slice tells the way it lies, too.
    ///   - window: Rows and columns of a slice.
    ///   - context: How many neighbouring slices make an image; odd.
    ///   - slicesPerScan: How many slices a scan gives on average before another takes its place.
    ///   - poolSize: How many scans a batch draws from.
    ///   - threadCount: How many scans are made at once, ahead of need.
    ///   - scan: Gives the scan of a number: the same whenever it is asked for.
    public init(
        kindCount: Int, tellsOrientation: Bool, window: Int, context: Int, slicesPerScan: Int,
        poolSize: Int, threadCount: Int, scan: @escaping @Sendable (Int) -> ClassifiedScan
    ) {
        precondition(slicesPerScan > 0, "no slice of a scan")
        height = window
        slices = ContentSlices(window: window, context: context)
        self.slicesPerScan = slicesPerScan
        orientationCount = tellsOrientation ? SliceOrientation.count : 1
        classCounts = Array(repeating: 1, count: 1 + kindCount * orientationCount)
        scans = ScanPool(size: poolSize, threadCount: threadCount) { number in
            let scan = scan(number)
            return Content(scan: scan, box: ContentSlices.content(of: scan.volume))
        }
    }

    /// Draws a batch; there are no structures to balance.
    public func batch(
        number: Int, size: Int, seed: UInt64, balancedFraction: Double, augmenter: SliceAugmenter
    ) -> SliceBatch {
        var generator = SeededGenerator(seed: seed, number: number)
        let pool = scans.window(from: number * size / slicesPerScan)
        var batch = SliceBatch(
            images: [], classes: [], count: size, context: slices.context, height: height,
            width: width)
        batch.images.reserveCapacity(size * slices.context * height * width)
        for _ in 0..<size {
            let content = pool[Int(generator.next() % UInt64(pool.count))]
            let stackAxis = Int(generator.next() % 3)
            let fraction = 0.2 + 0.6 * Double(generator.unit())
            let turned = Orientation.allCases[Int(generator.next() % 48)]
            let orientation = orientationCount > 1 ? turned : .ras
            var image = slices.picture(
                of: content.scan.volume, content: content.box,
                permutation: AxisPermutation(from: .ras, to: orientation), stackAxis: stackAxis,
                fraction: fraction)
            var labels = [UInt8](repeating: 0, count: height * width)
            augmenter.augment(
                image: &image, labels: &labels, context: slices.context, height: height,
                width: width, using: &generator)
            batch.images += image
            batch.classes.append(
                content.scan.kind.map { kind in
                    UInt8(
                        1 + kind * orientationCount
                            + (orientationCount > 1
                                ? SliceOrientation(of: orientation, stackAxis: stackAxis).index
                                : 0))
                } ?? 0)
        }
        return batch
    }
}
