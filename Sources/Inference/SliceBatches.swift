package import SegmentationModels
import Tensors

/// The number of slices computed at once, reduced when memory runs out.
package struct SliceBatches {
    /// The most slices that are computed at once.
    package private(set) var size: Int

    /// Makes batches of at most `size` slices.
    package init(size: Int) { self.size = max(1, size) }

    /// Chooses a size by the memory that a device has free.
    ///
    /// A slice is given room for all its intermediate results at once, in two bytes and, as
    /// convolutions want workspace too, twice; half of the free memory is used.
    ///
    /// - Parameters:
    ///   - freeMemory: Bytes; `nil` where unknown, which gives a slice to each thread.
    ///   - network: The network.
    ///   - height: Pixels down the slices.
    ///   - width: Pixels across the slices.
    /// - Throws: `TensorError` where the network's weights cannot be read.
    package init(freeMemory: Int?, network: SegmentationNetwork, height: Int, width: Int) throws {
        guard let freeMemory else {
            self.init(size: try Engine.threadCount())
            return
        }
        let buffers = try PlanCompiler.compile(network, height: height, width: width).buffers
        let elements = buffers.reduce(0) { $0 + $1.channels * $1.height * $1.width }
        let logits = network.architecture.classes * height * width
        self.init(size: min(64, freeMemory / 2 / (4 * elements + 8 * logits)))
    }

    /// Chooses a size that fits into a budget.
    ///
    /// A slice is given room for all its intermediate results at once, in four bytes.
    ///
    /// - Parameters:
    ///   - size: The size that is wanted.
    ///   - budget: The memory that the process may hold.
    ///   - network: The network.
    ///   - height: Pixels down the slices.
    ///   - width: Pixels across the slices.
    /// - Throws: ``MemoryLimitError`` where not even one slice fits; `TensorError`.
    init(
        size: Int, within budget: MemoryBudget, network: SegmentationNetwork, height: Int,
        width: Int
    ) throws {
        let buffers = try PlanCompiler.compile(network, height: height, width: width).buffers
        let elements = buffers.reduce(0) { $0 + $1.channels * $1.height * $1.width }
        let bytes = 4 * (elements + network.architecture.classes * height * width)
        try budget.reserve(bytes, for: "a slice of \(width) x \(height) pixels")
        self.init(size: min(size, budget.freeBytes / max(1, bytes)))
    }

    /// Computes slices batch by batch.
    ///
    /// A batch for which memory runs out is computed anew in halves, and so are all later ones, so
    /// `body` must change nothing before its last step that can fail.
    ///
    /// - Parameters:
    ///   - count: How many slices there are.
    ///   - release: Gives back what memory can be given back.
    ///   - exceeds: Whether more memory is held than is allowed; later batches are halves then.
    ///   - body: Computes some slices.
    /// - Throws: What `body` throws, memory that runs out for a single slice among it.
    package mutating func forEach(
        of count: Int, release: () throws -> Void, exceeds: () -> Bool = { false },
        _ body: (Range<Int>) throws -> Void
    ) throws {
        var first = 0
        while first < count {
            let slices = first..<min(first + size, count)
            do {
                try body(slices)
                first = slices.upperBound
                if size > 1, exceeds() {
                    try release()
                    size /= 2
                }
            } catch let error as TensorError where error.code == .outOfMemory && slices.count > 1 {
                try release()
                size = slices.count / 2
            }
        }
    }
}
