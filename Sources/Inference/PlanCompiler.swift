import NeuralNetworks
import SegmentationModels
import Tensors

/// Why no plan can be made of a network.
struct PlanError: Error, CustomStringConvertible {
    /// The reason.
    var description: String
}

/// Turns a network into the steps of a plan.
///
/// What is computed is what `SegmentationNetwork` computes in inference, layer by layer, found by
/// the architecture and by the names of the weights.
struct PlanCompiler {
    private(set) var buffers: [PlanBuffer] = []
    private(set) var steps: [PlanStep] = []
    /// The convolutions in the order of their steps, by the names of their layers.
    private(set) var convolutions: [Convolution] = []
    private(set) var foldedCount = 0
    /// Steps that are not convolutions.
    var passCount: Int { steps.count - convolutions.count }

    /// A convolution of the plan.
    struct Convolution {
        /// Its layer's name.
        var name: String
        /// Whether it is worth 8-bit integers: what has few channels or a 1x1 kernel is bound by
        /// memory.
        var isHeavy: Bool
    }

    private let architecture: Architecture
    private let weights: [String: Tensor]
    private let inputRanges: [String: ClosedRange<Double>]

    /// The output of a block: a buffer, and a normalisation that its next reader has to apply.
    private struct BlockOutput {
        var buffer: Int
        var pending: PlanAffine?
    }

    /// What an encoder leaves for its decoder.
    private struct Level {
        /// The skip connection, in the lower channels of the decoder's input where that is joined.
        var skip: PlanPlace
        var indices: Int?
    }

    /// Compiles a network for slices of one size; the convolutions with an input range in 8-bit
    /// integers.
    static func compile(
        _ network: SegmentationNetwork, height: Int, width: Int,
        inputRanges: [String: ClosedRange<Double>] = [:]
    ) throws -> PlanCompiler {
        var compiler = try PlanCompiler(network, inputRanges)
        try compiler.compile(height: height, width: width)
        return compiler
    }

    private init(
        _ network: SegmentationNetwork, _ inputRanges: [String: ClosedRange<Double>]
    ) throws {
        architecture = network.architecture
        self.inputRanges = inputRanges
        weights = try Dictionary(
            network.namedParameters.map { ($0.name, try $0.parameter.value.detached()) },
            uniquingKeysWith: { first, _ in first })
    }

    private mutating func compile(height: Int, width: Int) throws {
        let multiple = 1 << architecture.depth
        var size = (
            height: (height + multiple - 1) / multiple * multiple,
            width: (width + multiple - 1) / multiple * multiple
        )
        let input = makeBuffer(architecture.contextSlices, size)
        steps.append(.input(target: whole(input)))
        var hidden = whole(input)
        var levels: [Level] = []
        for depth in 0..<architecture.depth {
            let half = (height: size.height / 2, width: size.width / 2)
            let (level, pooled) = try encode(hidden, "encoders.\(depth)", size: size, half: half)
            levels.append(level)
            hidden = pooled
            size = half
        }
        let bottom = try block([PlanSource(hidden)], "bottleneck.block", size: size)
        hidden = settled(bottom, size: size)
        for depth in 0..<architecture.depth {
            guard let level = levels.popLast() else { break }
            size = (height: 2 * size.height, width: 2 * size.width)
            hidden = try decode(hidden, level, "decoders.\(depth)", size: size)
        }
        let classifier = try layer("classifier")
        steps.append(.classify(source: hidden, classifier))
    }

    // MARK: Encoder and decoder

    /// Whether blocks read their sources through a normalisation and so need no joined input.
    private var joinsInBlock: Bool { architecture.family == .denseNet }
    private var unpools: Bool { architecture.family != .uNet }

    private mutating func encode(
        _ input: PlanPlace, _ name: String, size: (height: Int, width: Int),
        half: (height: Int, width: Int)
    ) throws -> (Level, pooled: PlanPlace) {
        let channels = architecture.channels
        let output = try block([PlanSource(input)], name + ".block", size: size)
        let source = whole(output.buffer)
        let joined = makeBuffer(joinsInBlock ? channels : 2 * channels, size)
        let skip = PlanPlace(buffer: joined, channel: 0, channels: channels)
        let pooled = makePlace(channels, half)
        let indices = unpools ? makeBuffer(channels, half, holdsIndices: true) : nil
        let level = Level(skip: skip, indices: indices)
        let pooling = PlanPooling(target: pooled, indices: indices)
        let recalibration = name + ".recalibration"
        switch architecture.placement {
        case .endOfBlock:
            try recalibrate(
                source, to: skip, output.pending, recalibration, pooling, size: size)
        case .beforePooling:
            steps.append(.join([PlanSource(source)], target: skip, output.pending, slope: 1, nil))
            let unpooled = makePlace(channels, size)
            try recalibrate(
                source, to: unpooled, output.pending, recalibration, pooling, size: size)
        case .afterPoolingAndUpsampling:
            steps.append(
                .join([PlanSource(source)], target: skip, output.pending, slope: 1, pooling))
            guard architecture.recalibration != .none else { break }
            let recalibrated = makePlace(channels, half)
            try recalibrate(pooled, to: recalibrated, nil, recalibration, nil, size: half)
            return (level, recalibrated)
        }
        return (level, pooled)
    }

    private mutating func decode(
        _ input: PlanPlace, _ level: Level, _ name: String, size: (height: Int, width: Int)
    ) throws -> PlanPlace {
        let channels = architecture.channels
        let recalibration = name + ".recalibration"
        let recalibratesInput =
            architecture.placement == .afterPoolingAndUpsampling
            && architecture.recalibration != .none
        var sources = [PlanSource(level.skip)]
        if joinsInBlock && !recalibratesInput {
            sources.append(PlanSource(input, indices: level.indices))
        } else {
            // Into the upper channels of the joined input, or where the block can read it.
            let grown =
                joinsInBlock
                ? makePlace(channels, size)
                : PlanPlace(buffer: level.skip.buffer, channel: channels, channels: channels)
            if recalibratesInput {
                let raw = makePlace(channels, size)
                try grow(input, to: raw, level, name, size: size)
                try recalibrate(raw, to: grown, nil, recalibration, nil, size: size)
            } else {
                try grow(input, to: grown, level, name, size: size)
            }
            sources.append(PlanSource(grown))
        }
        if !joinsInBlock { sources = [PlanSource(whole(level.skip.buffer))] }
        let output = try block(sources, name + ".block", size: size)
        guard architecture.placement != .afterPoolingAndUpsampling,
            architecture.recalibration != .none
        else { return settled(output, size: size) }
        let target = makePlace(channels, size)
        try recalibrate(
            whole(output.buffer), to: target, output.pending, recalibration, nil, size: size)
        return target
    }

    private mutating func grow(
        _ input: PlanPlace, to target: PlanPlace, _ level: Level, _ name: String,
        size: (height: Int, width: Int)
    ) throws {
        if unpools {
            steps.append(
                .join(
                    [PlanSource(input, indices: level.indices)], target: target, nil, slope: 1, nil)
            )
            return
        }
        switch architecture.upsampling {
        case .bilinear: steps.append(.interpolate(source: input, target: target))
        case .nearest: steps.append(.repeat(source: input, target: target))
        case .transposedConvolution:
            // Its squares do not overlap: a 1x1 convolution to each pixel of the square.
            let half = (height: size.height / 2, width: size.width / 2)
            let transposed = try layer(name + ".upsampling")
            let channels = architecture.channels
            let weight = try transposed.weight.permuted([2, 3, 1, 0]).contiguous()
                .reshaped([4 * channels, channels, 1, 1])
            let bias = try transposed.bias.elements(as: Float.self)
            let squares = PlanWeights(
                weight: weight, bias: try vector(bias + bias + bias + bias))
            let output = convolve(
                input.buffer, squares, name + ".upsampling", slope: 1, size: half)
            steps.append(.spread(source: whole(output), target: target))
        }
    }

    /// The place of a block's output with its pending normalisation applied.
    private mutating func settled(
        _ output: BlockOutput, size: (height: Int, width: Int)
    ) -> PlanPlace {
        guard output.pending != nil else { return whole(output.buffer) }
        let target = makePlace(architecture.channels, size)
        steps.append(
            .join([PlanSource(whole(output.buffer))], target: target, output.pending, slope: 1, nil)
        )
        return target
    }

    // MARK: Blocks

    /// A block on what it sees side by side: one whole buffer, but for dense blocks.
    private mutating func block(
        _ sources: [PlanSource], _ name: String, size: (height: Int, width: Int)
    ) throws -> BlockOutput {
        switch architecture.family {
        case .uNet:
            var buffer = sources[0].place.buffer
            for position in 1...2 {
                var convolution = try layer("\(name).convolution\(position)")
                if architecture.normalization == .batch {
                    convolution = try folded(
                        convolution, try normalization("\(name).normalization\(position)"))
                }
                buffer = convolve(
                    buffer, convolution, "\(name).convolution\(position)", slope: 0, size: size)
            }
            return BlockOutput(buffer: buffer)
        case .sdNet:
            let buffer = convolve(
                sources[0].place.buffer, try layer(name + ".convolution"), name + ".convolution",
                slope: try slope(name + ".activation"), size: size)
            foldedCount += 1
            return BlockOutput(buffer: buffer, pending: try normalization(name + ".normalization"))
        case .denseNet:
            let slope = try slope(name + ".activation")
            var collected = sources
            var buffer = 0
            for position in 1...3 {
                let channels = collected.reduce(0) { $0 + $1.place.channels }
                let joined = makeBuffer(channels, size)
                steps.append(
                    .join(
                        collected, target: whole(joined),
                        try normalization("\(name).normalization\(position)"), slope: slope, nil))
                foldedCount += 1
                let layerName = "\(name).convolution\(position)"
                buffer = convolve(
                    joined, try layer(layerName), layerName, slope: 1, size: size)
                collected.append(PlanSource(whole(buffer)))
            }
            return BlockOutput(buffer: buffer)
        }
    }

    private mutating func recalibrate(
        _ source: PlanPlace, to target: PlanPlace, _ pending: PlanAffine?, _ name: String,
        _ pooling: PlanPooling?, size: (height: Int, width: Int)
    ) throws {
        let kind = architecture.recalibration
        guard kind != .none else {
            steps.append(.join([PlanSource(source)], target: target, pending, slope: 1, pooling))
            return
        }
        let hasChannel = kind != .spatial
        let hasSpatial = kind != .channel
        let reduce = hasChannel ? try layer(name + ".channel.reduce") : nil
        let expand = hasChannel ? try layer(name + ".channel.expand") : nil
        let spatial = hasSpatial ? try layer(name + ".spatial.squeeze") : nil
        let combination: PlanCombination =
            switch architecture.combination {
            case .addition: .addition
            case .maximum: .maximum
            case .product: .product
            case .concatenation: .concatenation
            }
        guard kind == .channelAndSpatial, combination == .concatenation else {
            steps.append(
                .recalibrate(
                    source: source, target: target, pending, reduce: reduce, expand: expand,
                    spatial: spatial, combination, pooling))
            return
        }
        let both = makeBuffer(2 * architecture.channels, size)
        steps.append(
            .recalibrate(
                source: source, target: whole(both), pending, reduce: reduce, expand: expand,
                spatial: spatial, combination, nil))
        let fused = convolve(
            both, try layer(name + ".fuse"), name + ".fuse", slope: 1, size: size)
        steps.append(.join([PlanSource(whole(fused))], target: target, nil, slope: 1, pooling))
    }

    // MARK: Pieces

    private mutating func makeBuffer(
        _ channels: Int, _ size: (height: Int, width: Int), holdsIndices: Bool = false
    ) -> Int {
        buffers.append(
            PlanBuffer(
                channels: channels, height: size.height, width: size.width,
                holdsIndices: holdsIndices))
        return buffers.count - 1
    }

    /// A new buffer, all of it.
    private mutating func makePlace(
        _ channels: Int, _ size: (height: Int, width: Int)
    ) -> PlanPlace {
        let buffer = makeBuffer(channels, size)
        return whole(buffer)
    }

    private func whole(_ buffer: Int) -> PlanPlace {
        PlanPlace(buffer: buffer, channel: 0, channels: buffers[buffer].channels)
    }

    private mutating func convolve(
        _ source: Int, _ weights: PlanWeights, _ name: String, slope: Double,
        size: (height: Int, width: Int)
    ) -> Int {
        let shape = weights.weight.shape
        let target = makeBuffer(shape[0], size)
        let isHeavy = shape[1] >= 16 && shape[2] > 1
        steps.append(
            .convolve(
                source: source, target: target, weights, slope: slope,
                inputRange: isHeavy ? inputRanges[name] : nil))
        convolutions.append(Convolution(name: name, isHeavy: isHeavy))
        return target
    }

    private func parameter(_ name: String) throws -> Tensor {
        guard let tensor = weights[name] else {
            throw PlanError(description: "the network has no '\(name)'")
        }
        return try tensor.converted(to: .float32, on: .cpu)
    }

    private func layer(_ name: String) throws -> PlanWeights {
        PlanWeights(
            weight: try parameter(name + ".weight"), bias: try parameter(name + ".bias"))
    }

    private func slope(_ name: String) throws -> Double {
        try parameter(name + ".weight").item()
    }

    private func vector(_ values: [Float]) throws -> Tensor {
        try Tensor(values, shape: [values.count])
    }

    /// Normalisation by the running moments as a factor and a summand for each channel.
    private func normalization(_ name: String) throws -> PlanAffine {
        let weight = try parameter(name + ".weight").elements(as: Double.self)
        let bias = try parameter(name + ".bias").elements(as: Double.self)
        let mean = try parameter(name + ".running_mean").elements(as: Double.self)
        let variance = try parameter(name + ".running_var").elements(as: Double.self)
        let scale = zip(weight, variance).map { weight, variance in
            weight / (variance + BatchNorm2d.standardEpsilon).squareRoot()
        }
        let shift = zip(zip(bias, mean), scale).map { pair, scale in pair.0 - pair.1 * scale }
        return PlanAffine(
            scale: try vector(scale.map { Float($0) }), shift: try vector(shift.map { Float($0) }))
    }

    /// A convolution with the normalisation that follows it.
    private mutating func folded(
        _ convolution: PlanWeights, _ normalization: PlanAffine
    ) throws -> PlanWeights {
        foldedCount += 1
        let scale = normalization.scale
        return PlanWeights(
            weight: try convolution.weight * scale.reshaped([scale.count, 1, 1, 1]),
            bias: try convolution.bias * scale + normalization.shift)
    }
}
