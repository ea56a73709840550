/// The operations that layers are made of; shapes are `[N, C, H, W]`.
extension Tensor {
    /// Convolves with `weight` `[out, in/groups, kH, kW]`.
    ///
    /// Output size per axis: `(size + 2 padding - dilation (k - 1) - 1) / stride + 1`. Where weights are
    /// learnt, 3x3, 5x5 and 7x7 convolutions of stride 1 go by Winograd's algorithm (arXiv:1509.09308,
    /// arXiv:1905.05233), if the processor is faster that way.
    public func convolved(
        weight: Tensor, bias: Tensor?, stride: Int = 1, padding: Int = 0, dilation: Int = 1,
        groups: Int = 1
    ) throws(TensorError) -> Tensor {
        if stride == 1, dilation == 1, groups == 1 {
            return try dispatchOne(
                "sliceseg::convolve", "", .tensor(self), .tensor(weight), .optional(bias),
                .integer(padding))
        }
        return try dispatchOne(
            dilation == 1 ? "conv2d" : "sliceseg::convolve_dilated", "", .tensor(self),
            .tensor(weight), .optional(bias),
            .integers([stride, stride]), .integers([padding, padding]),
            .integers([dilation, dilation]), .integer(groups))
    }

    /// Convolves transposed with `weight` `[in, out/groups, kH, kW]`.
    ///
    /// Output size per axis: `(size - 1) stride - 2 padding + dilation (k - 1) + outputPadding + 1`.
    public func convolvedTransposed(
        weight: Tensor, bias: Tensor?, stride: Int = 1, padding: Int = 0, outputPadding: Int = 0,
        groups: Int = 1, dilation: Int = 1
    ) throws(TensorError) -> Tensor {
        try dispatchOne(
            "conv_transpose2d", "input", .tensor(self), .tensor(weight), .optional(bias),
            .integers([stride, stride]), .integers([padding, padding]),
            .integers([outputPadding, outputPadding]), .integer(groups),
            .integers([dilation, dilation]))
    }

    /// Normalises each channel, by the batch's moments in training and by the running ones else.
    public func batchNormalized(
        weight: Tensor, bias: Tensor, runningMean: Tensor, runningVariance: Tensor,
        isTraining: Bool, momentum: Double, epsilon: Double
    ) throws(TensorError) -> Tensor {
        try dispatchOne(
            "batch_norm", "", .tensor(self), .tensor(weight), .tensor(bias), .tensor(runningMean),
            .tensor(runningVariance), .boolean(isTraining), .real(momentum), .real(epsilon),
            .boolean(true))
    }

    /// `x weightᵀ + bias` for `x` `[…, in]` and `weight` `[out, in]`.
    public func linear(weight: Tensor, bias: Tensor?) throws(TensorError) -> Tensor {
        try dispatchOne("linear", "", .tensor(self), .tensor(weight), .optional(bias))
    }

    /// `max(x, 0)`.
    public func relu() throws(TensorError) -> Tensor { try dispatchOne("relu", "", .tensor(self)) }

    /// `x` where positive, else `weight x`, with one weight or one a channel.
    public func prelu(weight: Tensor) throws(TensorError) -> Tensor {
        try dispatchOne("prelu", "", .tensor(self), .tensor(weight))
    }

    /// `1 / (1 + exp(-x))`.
    public func sigmoid() throws(TensorError) -> Tensor {
        try dispatchOne("sigmoid", "", .tensor(self))
    }

    /// Probabilities over a dimension.
    public func softmax(dimension: Int) throws(TensorError) -> Tensor {
        try dispatchOne("softmax", "int", .tensor(self), .integer(dimension))
    }

    /// Drops whole channels with a probability and scales the rest up.
    public func channelDropout(
        probability: Double, isTraining: Bool
    ) throws(TensorError) -> Tensor {
        try dispatchOne(
            "feature_dropout", "", .tensor(self), .real(probability), .boolean(isTraining))
    }

    /// The largest value of each window and where it was, for ``maxUnpooled(indices:size:)``.
    public func maxPooledWithIndices(
        kernel: Int = 2, stride: Int = 2
    ) throws(TensorError) -> (values: Tensor, indices: Tensor) {
        let results = try dispatch(
            "max_pool2d_with_indices", "",
            [.tensor(self), .integers([kernel, kernel]), .integers([stride, stride])])
        guard results.count == 2, let values = results[0], let indices = results[1] else {
            throw TensorError(
                code: .other, operation: "aten::max_pool2d_with_indices",
                message: "\(results.count) results")
        }
        return (values, indices)
    }

    /// The largest value of each window.
    public func maxPooled(
        kernel: Int = 2, stride: Int = 2, padding: Int = 0
    ) throws(TensorError) -> Tensor {
        try dispatchOne(
            "max_pool2d", "", .tensor(self), .integers([kernel, kernel]),
            .integers([stride, stride]), .integers([padding, padding]))
    }

    /// The mean of each window; zeros around the image do not count.
    public func averagePooled(
        kernel: Int = 2, stride: Int = 2, padding: Int = 0
    ) throws(TensorError) -> Tensor {
        try dispatchOne(
            "avg_pool2d", "", .tensor(self), .integers([kernel, kernel]),
            .integers([stride, stride]), .integers([padding, padding]), .boolean(false),
            .boolean(false))
    }

    /// A column of each row of `[P, K]`, drawn with probability in proportion to its entry, as
    /// `int64` from the engine's seeded generator.
    public func drawn() throws(TensorError) -> Tensor {
        try dispatchOne("multinomial", "", .tensor(self), .integer(1), .boolean(true))
            .reshaped([-1])
    }

    /// Puts each value back where its maximum was, in an image of zeros of `[height, width]`.
    public func maxUnpooled(
        indices: Tensor, size: (height: Int, width: Int)
    ) throws(TensorError) -> Tensor {
        try dispatchOne(
            "max_unpool2d", "", .tensor(self), .tensor(indices),
            .integers([size.height, size.width]))
    }

    /// Resizes by linear interpolation between pixel centres (corners not aligned).
    public func upsampledBilinear(size: (height: Int, width: Int)) throws(TensorError) -> Tensor {
        try dispatchOne(
            "upsample_bilinear2d", "", .tensor(self), .integers([size.height, size.width]),
            .boolean(false))
    }

    /// Resizes by repeating the nearest pixel.
    public func upsampledNearest(size: (height: Int, width: Int)) throws(TensorError) -> Tensor {
        try dispatchOne(
            "upsample_nearest2d", "", .tensor(self), .integers([size.height, size.width]))
    }

    /// The mean of `-w[t] log softmax(x)[t]` over pixels, divided by the sum of the weights.
    ///
    /// - Parameters:
    ///   - target: `int64` class indices `[N, H, W]`.
    ///   - weight: One weight a class, or `nil` for 1.
    /// - Returns: A scalar.
    /// - Throws: ``TensorError`` where shapes or types do not fit.
    public func crossEntropy(target: Tensor, weight: Tensor?) throws(TensorError) -> Tensor {
        try dispatchOne(
            "cross_entropy_loss", "", .tensor(self), .tensor(target), .optional(weight))
    }
}

/// Fused operators of training, which pass over memory fewer times; see `Sources/CTorch/library/training`.
extension Tensor {
    /// A Boolean value indicating whether the fused operators accept this image: float32 or bfloat16, on the CPU.
    public var allowsJoinedOperators: Bool {
        device == .cpu && [.float32, .bfloat16].contains(elementType)
    }

    /// `x (s + q)`, squeeze & excitation of channels and pixels together.
    ///
    /// `s = σ(W₂ ReLU(W₁ z + b₁) + b₂)` for each channel, with its mean `z` over the pixels, and
    /// `q = σ(w x + b)` for each pixel; sums are formed in float32.
    ///
    /// - Parameters:
    ///   - reduce: `W₁` `[hidden, C]` and `b₁` `[hidden]`.
    ///   - expand: `W₂` `[C, hidden]` and `b₂` `[C]`.
    ///   - squeeze: `w` `[1, C, 1, 1]` and `b` `[1]`.
    /// - Returns: `[N, C, H, W]`, the channels of a pixel side by side.
    /// - Throws: ``TensorError`` where ``allowsJoinedOperators`` is false or shapes do not fit.
    public func recalibrated(
        reduce: (weight: Tensor, bias: Tensor), expand: (weight: Tensor, bias: Tensor),
        squeeze: (weight: Tensor, bias: Tensor)
    ) throws(TensorError) -> Tensor {
        try dispatchOne(
            "sliceseg::recalibrate", "", .tensor(self), .tensor(reduce.weight),
            .tensor(reduce.bias), .tensor(expand.weight), .tensor(expand.bias),
            .tensor(squeeze.weight), .tensor(squeeze.bias))
    }

    /// `max(0, y)` with `y` normalised by the batch's moments, which also move the running ones.
    ///
    /// - Throws: ``TensorError`` where ``allowsJoinedOperators`` is false or shapes do not fit.
    public func batchNormalizedAndRectified(
        weight: Tensor, bias: Tensor, runningMean: Tensor, runningVariance: Tensor,
        momentum: Double, epsilon: Double
    ) throws(TensorError) -> Tensor {
        try dispatchOne(
            "sliceseg::normalize_and_rectify", "", .tensor(self), .tensor(weight), .tensor(bias),
            .tensor(runningMean), .tensor(runningVariance), .real(momentum), .real(epsilon))
    }
}

/// Operators for losses over rows of logits `[P, K]`.
extension Tensor {
    /// Logarithms of the softmax over the last dimension.
    public func logSoftmax() throws(TensorError) -> Tensor {
        try dispatchOne("log_softmax", "int", .tensor(self), .integer(-1))
    }

    /// The entropy of each row of `[P, K]` taken as parts of its sum, in nats.
    public func entropyOfRows() throws(TensorError) -> Tensor {
        let sums = try sum(over: [1], keepDimensions: true) + 1e-30
        let parts = try self / sums
        let logarithms = try dispatchOne("log", "", .tensor(parts + 1e-30))
        return try (parts * logarithms).sum(over: [1]) * -1
    }

    /// e to the power of every element.
    public func exponential() throws(TensorError) -> Tensor {
        try dispatchOne("exp", "", .tensor(self))
    }

    /// Of each row the entry that `columns` (`int64`, `[P]`) names.
    public func entries(columns: Tensor) throws(TensorError) -> Tensor {
        let positions = try columns.reshaped([-1, 1])
        return try dispatchOne("gather", "", .tensor(self), .integer(1), .tensor(positions))
            .reshaped([-1])
    }

    /// The sum of the values that belong to each class.
    ///
    /// - Parameters:
    ///   - members: The class of each value, `int64`, `[P]`.
    ///   - classes: How many classes there are.
    /// - Returns: One sum a class.
    /// - Throws: ``TensorError`` where the shapes do not fit.
    public func summed(byClass members: Tensor, classes: Int) throws(TensorError) -> Tensor {
        let empty = try Tensor.zeros([classes], type: elementType, device: device)
        return try dispatchOne(
            "index_add", "", .tensor(empty), .integer(0), .tensor(members), .tensor(self))
    }

    /// The entries at `indices` (`int64`, `[P]`) along the first dimension.
    public func lookedUp(_ indices: Tensor) throws(TensorError) -> Tensor {
        try dispatchOne("index_select", "", .tensor(self), .integer(0), .tensor(indices))
    }

    /// Returns the number of occurrences of each of `count` classes in this `int64` tensor.
    public func classCounts(_ count: Int) throws(TensorError) -> Tensor {
        try dispatchOne("bincount", "", .tensor(self), .none, .integer(count))
    }

    /// 1 where an element is above a number, else 0, in single precision.
    public func isAbove(_ threshold: Double) throws(TensorError) -> Tensor {
        try dispatchOne("gt", "Scalar", .tensor(self), .real(threshold)).converted(to: .float32)
    }
}

/// Operators for optimizers, over whole lists of tensors at once.
extension Tensor {
    /// The Euclidean norm of all elements of a list of tensors together, as a scalar.
    public static func globalNorm(_ tensors: [Tensor]) throws(TensorError) -> Tensor {
        let norms = try dispatch("_foreach_norm", "Scalar", [.tensors(tensors)]).compactMap(\.self)
        let stacked = try dispatchOne("stack", "", .tensors(norms))
        return try dispatchOne("linalg_vector_norm", "", .tensor(stacked))
    }

    /// Multiplies each tensor of a list by a factor.
    public static func scaleInPlace(
        _ tensors: [Tensor], by factor: Double
    ) throws(TensorError) {
        _ = try dispatch("_foreach_mul_", "Scalar", [.tensors(tensors), .real(factor)])
    }

    /// Adds a number to each tensor of a list.
    public static func addInPlace(
        _ number: Double, to tensors: [Tensor]
    ) throws(TensorError) {
        _ = try dispatch("_foreach_add_", "Scalar", [.tensors(tensors), .real(number)])
    }

    /// Moves each target toward its source: `target += fraction (source - target)`.
    public static func interpolateInPlace(
        _ targets: [Tensor], toward sources: [Tensor], fraction: Double
    ) throws(TensorError) {
        _ = try dispatch(
            "_foreach_lerp_", "Scalar", [.tensors(targets), .tensors(sources), .real(fraction)])
    }

    /// One step of AdamW on every parameter at once.
    public static func adamWStep(
        parameters: [Tensor], gradients: [Tensor], firstMoments: [Tensor],
        secondMoments: [Tensor], steps: [Tensor], learningRate: Double, betas: (Double, Double),
        weightDecay: Double, epsilon: Double
    ) throws(TensorError) {
        _ = try dispatch(
            "_fused_adamw_", "",
            [
                .tensors(parameters), .tensors(gradients), .tensors(firstMoments),
                .tensors(secondMoments), .tensors([]), .tensors(steps), .real(learningRate),
                .real(betas.0), .real(betas.1), .real(weightDecay), .real(epsilon),
                .boolean(false), .boolean(false),
            ])
    }

    /// One step of stochastic gradient descent with momentum on every parameter at once.
    public static func stochasticGradientStep(
        parameters: [Tensor], gradients: [Tensor], momenta: [Tensor], learningRate: Double,
        momentum: Double, weightDecay: Double, isNesterov: Bool, isFirstStep: Bool
    ) throws(TensorError) {
        _ = try dispatch(
            "_fused_sgd_", "",
            [
                .tensors(parameters), .tensors(gradients), .tensors(momenta), .real(weightDecay),
                .real(momentum), .real(learningRate), .real(0), .boolean(isNesterov),
                .boolean(false), .boolean(isFirstStep),
            ])
    }
}
