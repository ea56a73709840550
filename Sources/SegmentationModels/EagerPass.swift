public import NeuralNetworks
public import Tensors

/// A block that one operator with gradients of its own computes in training.
protocol JoinedInTraining: Block {
    /// The block's output by one operator, or `nil` where there is none for this block and image.
    func joined(_ input: Tensor) throws -> Tensor?
}

/// A pass that computes tensors layer by layer.
public struct EagerPass: ForwardPass {
    /// A Boolean value indicating whether the network is being trained.
    public let mode: LayerMode

    /// Makes a pass.
    public init(mode: LayerMode) { self.mode = mode }

    /// See ``ForwardPass``.
    public func shape(of value: Tensor) -> FeatureShape {
        let shape = value.shape
        return FeatureShape(
            channels: shape[1], height: shape.count == 4 ? shape[2] : 1,
            width: shape.count == 4 ? shape[3] : 1)
    }

    /// See ``ForwardPass``.
    public func convolve(_ input: Tensor, by layer: Conv2d) throws -> Tensor { try layer(input) }

    /// See ``ForwardPass``.
    public func convolveTransposed(
        _ input: Tensor, by layer: ConvTranspose2d
    ) throws -> Tensor { try layer(input) }

    /// See ``ForwardPass``.
    public func normalize(_ input: Tensor, by layer: BatchNorm2d) throws -> Tensor {
        try layer(input, mode: mode)
    }

    /// See ``ForwardPass``.
    public func rectify(_ input: Tensor) throws -> Tensor { try input.relu() }

    /// See ``ForwardPass``; one operator does both in training.
    public func normalizeAndRectify(_ input: Tensor, by layer: BatchNorm2d) throws -> Tensor {
        try layer.rectified(input, mode: mode)
    }

    /// See ``ForwardPass``.
    public func rectify(_ input: Tensor, by layer: PReLU) throws -> Tensor { try layer(input) }

    /// See ``ForwardPass``.
    public func drop(_ input: Tensor, by layer: Dropout2d) throws -> Tensor {
        try layer(input, mode: mode)
    }

    /// See ``ForwardPass``.
    public func concatenate(_ inputs: [Tensor]) throws -> Tensor {
        inputs.count == 1 ? inputs[0] : try .concatenated(inputs, dimension: 1)
    }

    /// See ``ForwardPass``.
    public func add(_ left: Tensor, _ right: Tensor) throws -> Tensor { try left + right }

    /// See ``ForwardPass``.
    public func maximum(_ left: Tensor, _ right: Tensor) throws -> Tensor {
        try .maximum(left, right)
    }

    /// See ``ForwardPass``.
    public func multiply(_ left: Tensor, _ right: Tensor) throws -> Tensor { try left * right }

    /// See ``ForwardPass``.
    public func scale(_ input: Tensor, by factors: Tensor) throws -> Tensor {
        let shape = factors.shape
        return try input * (shape.count == 4 ? factors : factors.reshaped(shape + [1, 1]))
    }

    /// See ``ForwardPass``.
    public func pool(_ input: Tensor, by pooling: Pooling2d) throws -> Tensor {
        try pooling(input, mode: mode)
    }

    /// See ``ForwardPass``.
    public func poolWithIndices(
        _ input: Tensor
    ) throws -> (maxima: Tensor, indices: Tensor) {
        let (values, indices) = try input.maxPooledWithIndices()
        return (values, indices)
    }

    /// See ``ForwardPass``.
    public func unpool(
        _ input: Tensor, indices: Tensor, like finer: Tensor
    ) throws -> Tensor {
        try input.maxUnpooled(indices: indices, size: size(of: finer))
    }

    /// See ``ForwardPass``.
    public func upsample(
        _ input: Tensor, by interpolation: UpsamplingInterpolation, like finer: Tensor
    ) throws -> Tensor {
        switch interpolation {
        case .bilinear: try input.upsampledBilinear(size: size(of: finer))
        case .nearest: try input.upsampledNearest(size: size(of: finer))
        }
    }

    /// See ``ForwardPass``.
    public func average(_ input: Tensor) throws -> Tensor { try input.mean(over: [2, 3]) }

    /// See ``ForwardPass``.
    public func connect(_ input: Tensor, by layer: Linear) throws -> Tensor { try layer(input) }

    /// See ``ForwardPass``.
    public func share(_ input: Tensor, among branches: Int) throws -> [Tensor] {
        let shape = input.shape
        let channels = shape[1] / branches
        let shares = try input.reshaped([shape[0], branches, channels]).softmax(dimension: 1)
        return try (0..<branches).map {
            try shares.narrowed(dimension: 1, start: $0, length: 1)
                .reshaped([shape[0], channels])
        }
    }

    /// See ``ForwardPass``.
    public func squash(_ input: Tensor) throws -> Tensor { try input.sigmoid() }

    /// See ``ForwardPass``; one operator does all of scSE in training.
    public mutating func recalibrate(_ input: Tensor, by block: some Block) throws -> Tensor {
        if mode == .training, let block = block as? any JoinedInTraining,
            let joined = try block.joined(input)
        {
            return joined
        }
        return try block.forward(input, &self)
    }

    /// See ``ForwardPass``.
    public mutating func mix(_ branches: [Tensor], by block: some BranchMixing) throws -> Tensor {
        try block.mixed(branches, &self)
    }

    private func size(of value: Tensor) -> (height: Int, width: Int) {
        let shape = value.shape
        return (height: shape[2], width: shape[3])
    }
}

extension Block {
    /// Computes the block's output for an image tensor.
    ///
    /// - Parameters:
    ///   - input: `[N, C, H, W]`.
    ///   - mode: Whether the network is being trained.
    /// - Returns: `[N, C', H', W']`.
    /// - Throws: `TensorError`, for example where memory runs out.
    public func callAsFunction(_ input: Tensor, mode: LayerMode = .inference) throws -> Tensor {
        var pass = EagerPass(mode: mode)
        return try forward(input, &pass)
    }
}
