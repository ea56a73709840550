public import Tensors

/// A reduction of windows of pixels to one: `[N, C, H, W]` to `[N, C, H', W']`.
///
/// `H' = (H + 2 padding - kernel) / stride + 1`, and `W'` likewise.
public final class Pooling2d: ImageLayer {
    /// The reduction of a pooling window.
    public enum Reduction: String, Sendable, Hashable, Codable, CaseIterable {
        /// Its largest value.
        case maximum
        /// Its mean; zeros around the image do not count.
        case average
        /// In training a value drawn with probability in proportion to it, in use the mean by those
        /// probabilities (Zeiler and Fergus, arXiv:1301.3557). Values are to be positive, as after
        /// a rectifier; negative ones are drawn only where there is nothing else.
        case stochastic
    }

    /// The reduction of a pooling window.
    public let reduction: Reduction
    /// Edge length of the windows.
    public let kernel: Int
    /// Step between windows.
    public let stride: Int
    /// Pixels around the image that windows may reach into.
    public let padding: Int

    /// Makes a pooling, of 2x2 squares by default.
    ///
    /// - Precondition: Stochastic pooling is of 2x2 squares.
    public init(
        _ reduction: Reduction, kernel: Int = 2, stride: Int = 2, padding: Int = 0
    ) {
        precondition(
            reduction != .stochastic || (kernel, stride, padding) == (2, 2, 0),
            "stochastic pooling of \(kernel)x\(kernel), stride \(stride)")
        self.reduction = reduction
        self.kernel = kernel
        self.stride = stride
        self.padding = padding
    }

    /// Nothing is learned.
    public var parts: [(name: String, part: LayerPart)] { [] }

    /// The extent of the output for an extent of the input.
    public func outputSize(_ size: Int) -> Int {
        (size + 2 * padding - kernel) / stride + 1
    }

    /// Pools.
    public func callAsFunction(_ input: Tensor, mode: LayerMode) throws -> Tensor {
        switch reduction {
        case .maximum:
            try input.maxPooled(kernel: kernel, stride: stride, padding: padding)
        case .average:
            try input.averagePooled(kernel: kernel, stride: stride, padding: padding)
        case .stochastic:
            try stochastic(input, draws: mode == .training)
        }
    }

    private func stochastic(_ input: Tensor, draws: Bool) throws -> Tensor {
        let shape = input.shape
        let (rows, columns) = (shape[2] / 2, shape[3] / 2)
        let even = try input.narrowed(dimension: 2, start: 0, length: 2 * rows)
            .narrowed(dimension: 3, start: 0, length: 2 * columns)
        let windows = try even.reshaped([shape[0], shape[1], rows, 2, columns, 2])
            .permuted([0, 1, 2, 4, 3, 5]).reshaped([-1, 4])
        // A window without positive values is drawn from evenly.
        let weights = try windows.relu() + 1e-30
        let chances = try weights / weights.sum(over: [1], keepDimensions: true)
        let reduced: Tensor
        if draws {
            let drawn = try chances.detached().drawn()
            reduced = try windows.entries(columns: drawn)
        } else {
            reduced = try (windows * chances).sum(over: [1])
        }
        return try reduced.reshaped([shape[0], shape[1], rows, columns])
    }
}
