import Preprocessing
public import Volumes

/// A batch of training slices.
public struct SliceBatch: Sendable {
    /// `[count, context, height, width]`, row by row.
    public var images: [Float]
    /// The class of each pixel, `[count, height, width]`, or of each slice, `[count]`.
    public var classes: [UInt8]
    /// The number of slices.
    public var count: Int
    /// Neighbouring slices that each image holds.
    public var context: Int
    /// Rows.
    public var height: Int
    /// Columns.
    public var width: Int

    /// The shape of the classes, with one pixel where slices have a class as a whole.
    package var classShape: [Int] {
        classes.count == count ? [count, 1, 1] : [count, height, width]
    }
}

/// A source of training batches.
public protocol SliceSource: Sendable {
    /// Rows of a slice.
    var height: Int { get }
    /// Columns of a slice.
    var width: Int { get }
    /// The number of voxels that belong to each output of the network.
    var classCounts: [Int] { get }

    /// Draws a batch by its number.
    ///
    /// - Parameters:
    ///   - number: Which batch of the training it is.
    ///   - size: How many slices it holds.
    ///   - seed: The training's seed.
    ///   - balancedFraction: The part of the slices that is drawn by first drawing a structure, all
    ///     alike, and then a slice that shows it.
    ///   - augmenter: Varies each slice.
    /// - Returns: The batch: the same for a number and seed, whatever was drawn before.
    func batch(
        number: Int, size: Int, seed: UInt64, balancedFraction: Double, augmenter: SliceAugmenter
    ) -> SliceBatch
}

/// The slices of all training cases in one plane, each in the middle of a window of one size.
///
/// Batches are drawn by their number: batch 17 of a seed is the same slices with the same
/// variations in any run, on any thread, so that a training that goes on after a break sees what
/// the unbroken one would have seen.
public struct SliceDataset: SliceSource {
    /// Rows of the window.
    public let height: Int
    /// Columns of the window.
    public let width: Int
    /// The number of voxels of all slices that belong to each class.
    public let classCounts: [Int]
    private let cases: [SlicedCase]
    private let context: Int
    private let slices: [(caseIndex: Int, slice: Int)]
    /// The slices in which a class has enough pixels to learn from.
    private let slicesOfClass: [[Int]]

    /// A case with what its plane makes of it.
    private struct SlicedCase: Sendable {
        var voxels: [Float]
        var classes: [UInt8]
        var layout: SliceLayout
    }

    /// A class counts as present in a slice from this many pixels on.
    private static let fewestPixels = 10

    /// Cuts the cases.
    ///
    /// - Parameters:
    ///   - cases: At least one.
    ///   - plane: How they are cut.
    ///   - context: How many neighbouring slices make an image; odd.
    ///   - outputOfClass: The network output that each class is trained as.
    ///   - multiple: Height and width of the window are multiples of this.
    public init(
        cases: [TrainingCase], plane: Plane, context: Int, outputOfClass: [UInt8],
        multiple: Int
    ) {
        precondition(!cases.isEmpty, "no training case")
        let outputs = Int(outputOfClass.max() ?? 0) + 1
        var slices: [(caseIndex: Int, slice: Int)] = []
        var slicesOfClass = [[Int]](repeating: [], count: outputs)
        var classCounts = [Int](repeating: 0, count: outputs)
        let sliced = cases.map { trainingCase in
            let volume = trainingCase.conformed.volume
            return SlicedCase(
                voxels: volume.voxels,
                classes: trainingCase.classes.map { outputOfClass[Int($0)] },
                layout: SliceLayout(
                    plane: plane, orientation: volume.grid.orientation, size: volume.grid.size))
        }
        for (caseIndex, sliced) in sliced.enumerated() {
            var classes = [UInt8](repeating: 0, count: sliced.layout.voxelsPerSlice)
            for slice in 0..<sliced.layout.sliceCount {
                classes.withUnsafeMutableBufferPointer {
                    sliced.layout.copyLabels(slice, from: sliced.classes, into: $0)
                }
                var counts = [Int](repeating: 0, count: outputs)
                for value in classes { counts[Int(value)] += 1 }
                for output in 0..<outputs {
                    classCounts[output] += counts[output]
                    if counts[output] >= Self.fewestPixels {
                        slicesOfClass[output].append(slices.count)
                    }
                }
                slices.append((caseIndex, slice))
            }
        }
        func window(_ extent: (SliceLayout) -> Int) -> Int {
            let largest = sliced.map { extent($0.layout) }.max() ?? 1
            return (largest + multiple - 1) / multiple * multiple
        }
        self.cases = sliced
        height = window(\.height)
        width = window(\.width)
        self.context = context
        self.slices = slices
        self.slicesOfClass = slicesOfClass
        self.classCounts = classCounts
    }

    /// The number of slices.
    public var count: Int { slices.count }

    /// Draws a batch.
    ///
    /// - Parameters:
    ///   - number: Which batch of the training it is.
    ///   - size: How many slices it holds.
    ///   - seed: The training's seed.
    ///   - balancedFraction: The part of the slices that is drawn by first drawing a structure, all
    ///     alike, and then a slice that shows it; the others are drawn from all slices alike.
    ///   - augmenter: Varies each slice.
    /// - Returns: The batch.
    public func batch(
        number: Int, size: Int, seed: UInt64, balancedFraction: Double, augmenter: SliceAugmenter
    ) -> SliceBatch {
        var generator = SeededGenerator(seed: seed, number: number)
        var batch = SliceBatch(
            images: [], classes: [], count: size, context: context, height: height, width: width)
        batch.images.reserveCapacity(size * context * height * width)
        batch.classes.reserveCapacity(size * height * width)
        let structures = slicesOfClass.indices.dropFirst().filter { !slicesOfClass[$0].isEmpty }
        for _ in 0..<size {
            var chosen = Int.random(in: 0..<slices.count, using: &generator)
            let isBalanced = Double.random(in: 0..<1, using: &generator) < balancedFraction
            if isBalanced, let structure = structures.randomElement(using: &generator),
                let slice = slicesOfClass[structure].randomElement(using: &generator)
            {
                chosen = slice
            }
            var (image, classes) = windowed(chosen)
            augmenter.augment(
                image: &image, labels: &classes, context: context, height: height, width: width,
                using: &generator)
            batch.images += image
            batch.classes += classes
        }
        return batch
    }

    /// A slice in the middle of the window, with background around it.
    private func windowed(_ number: Int) -> (image: [Float], classes: [UInt8]) {
        let (caseIndex, slice) = slices[number]
        let sliced = cases[caseIndex]
        let layout = sliced.layout
        var image = [Float](repeating: 0, count: context * layout.voxelsPerSlice)
        var classes = [UInt8](repeating: 0, count: layout.voxelsPerSlice)
        image.withUnsafeMutableBufferPointer {
            layout.copySlice(slice, context: context, from: sliced.voxels, into: $0)
        }
        classes.withUnsafeMutableBufferPointer {
            layout.copyLabels(slice, from: sliced.classes, into: $0)
        }
        let size = (height: layout.height, width: layout.width)
        let window = (height: height, width: width)
        return (
            centred(image, size: size, in: window, background: 0),
            centred(classes, size: size, in: window, background: 0)
        )
    }
}

/// Puts images one after another into the middle of a window, with background around each.
func centred<Value>(
    _ values: [Value], size: (height: Int, width: Int), in window: (height: Int, width: Int),
    background: Value
) -> [Value] {
    if size == window { return values }
    let images = values.count / (size.height * size.width)
    var result = [Value](repeating: background, count: images * window.height * window.width)
    let top = (window.height - size.height) / 2
    let left = (window.width - size.width) / 2
    for image in 0..<images {
        for row in 0..<size.height {
            let source = (image * size.height + row) * size.width
            let target = (image * window.height + row + top) * window.width + left
            result.replaceSubrange(
                target..<target + size.width, with: values[source..<source + size.width])
        }
    }
    return result
}
