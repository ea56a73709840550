import NeuralNetworks
import SegmentationModels
import Tensors

/// Why no plan can be made of a network.
struct PlanError: Error, CustomStringConvertible {
    /// The reason.
    var description: String
}

/// Turns the graph of a network into the steps of a plan, several nodes to a step.
///
/// Folded into a convolution are the normalization and the rectifier that alone read its output.
/// Concatenation, normalization, rectifiers and unpooling are not computed where they stand: they
/// are noted, and the next step that reads the value applies them. Pooling happens as the pooled
/// value is written.
struct PlanCompiler {
    private(set) var buffers: [PlanBuffer] = []
    private(set) var steps: [PlanStep] = []
    /// The convolutions in the order of their steps, by the names of their layers.
    private(set) var convolutions: [Convolution] = []
    private(set) var foldedCount = 0
    /// Multiplications and additions of the convolutions for one slice.
    let operationCount: Int
    /// Steps that are not convolutions.
    var passCount: Int { steps.count - convolutions.count }

    /// A convolution of the plan.
    struct Convolution {
        /// Its layer's name.
        var name: String
        /// A Boolean value indicating whether 8-bit integers pay: what has few channels or a 1x1 kernel is bound by
        /// memory.
        var isHeavy: Bool
    }

    /// A value as the next step may read it: sources side by side, a factor and a summand for each
    /// channel, a rectifier.
    private struct Pending {
        var sources: [PlanSource]
        var affine: PlanAffine?
        var slope = 1.0

        init(_ sources: [PlanSource]) { self.sources = sources }

        /// The place where the value lies as it is, if it lies anywhere.
        var place: PlanPlace? {
            guard sources.count == 1, sources[0].indices == nil, affine == nil, slope == 1 else {
                return nil
            }
            return sources[0].place
        }
    }

    private let graph: NetworkGraph
    private let logits: Int
    private let inputRanges: [String: ClosedRange<Double>]
    private let units: PlanUnits
    /// Units that an earlier step has done.
    private var done: Set<Int> = []
    private var pending: [Int: Pending] = [:]
    /// By vector of means, the value that they are means of.
    private var averaged: [Int: NetworkGraph.Value] = [:]
    /// Copies of values that lie in memory as they are.
    private var places: [Int: PlanPlace] = [:]
    private var joinedBuffers: [Int: Int] = [:]

    /// Compiles a network for slices of one size; the convolutions with an input range in 8-bit
    /// integers.
    static func compile(
        _ network: SegmentationNetwork, height: Int, width: Int,
        inputRanges: [String: ClosedRange<Double>] = [:]
    ) throws -> PlanCompiler {
        let (graph, logits) = try network.graph(height: height, width: width)
        var compiler = PlanCompiler(graph, logits: logits.position, inputRanges)
        for position in compiler.units.indices where !compiler.done.contains(position) {
            try compiler.compile(position)
        }
        return compiler
    }

    private init(
        _ graph: NetworkGraph, logits: Int, _ inputRanges: [String: ClosedRange<Double>]
    ) {
        self.graph = graph
        units = PlanUnits(graph)
        self.logits = logits
        self.inputRanges = inputRanges
        operationCount = graph.convolutionOperationCount
    }

    private func position(_ value: NetworkGraph.Value) -> Int { units.position(value) }

    // MARK: Units

    private mutating func compile(_ unit: Int) throws {
        switch units[unit] {
        case .recalibration(let block): try recalibrate(block)
        case .mixture(let mixture): try mix(mixture)
        case .node(let node): try compile(node)
        }
    }

    private mutating func compile(_ node: NetworkGraph.Node) throws {
        let output = node.outputs[0]
        let inputs = node.inputs
        switch node.operation {
        case .input:
            let image = makePlace(graph.shape(of: output))
            steps.append(.input(target: image))
            try hold(output, Pending([PlanSource(image)]))
        case .convolution(let layer): try convolve(inputs[0], layer, node)
        case .transposedConvolution(let layer): try convolveTransposed(inputs[0], layer, node)
        case .normalization(let layer):
            var value = try readable(inputs[0])
            if value.affine != nil || value.slope != 1 {
                value = Pending([PlanSource(try place(of: inputs[0]))])
            }
            value.affine = try PlanAffine(layer)
            foldedCount += 1
            try hold(output, value)
        case .rectification: try rectify(inputs[0], slope: 0, output)
        case .learnedRectification(let layer):
            try rectify(inputs[0], slope: try layer.sharedSlope(), output)
        case .concatenation:
            if units.readersOf(output).allSatisfy({ units.appliesPending($0) }) {
                let all = try inputs.flatMap { try sources(of: $0) }
                if all.count <= mostSources {
                    try hold(output, Pending(all))
                    return
                }
            }
            let buffer = joinedBuffer(output.position)
            for input in inputs { try join(input, in: output.position) }
            try hold(output, Pending([PlanSource(whole(buffer))]))
        case .addition:
            let terms = try inputs.map { try place(of: $0) }
            let followers = units.followers(of: node)
            var (result, slope) = (output, 1.0)
            if followers.normalization == nil, let rectifier = followers.rectifier {
                (result, slope) = (followers.output, try rectifier.slope())
                done.formUnion(followers.units)
            }
            let target = targetPlace(of: result)
            steps.append(.add(terms, target: target, slope: slope))
            try hold(result, Pending([PlanSource(target)]))
        case .pooling(let layer):
            // Windows of 2x2 are done when what they read is written.
            let target = targetPlace(of: output)
            steps.append(
                .pool(
                    source: try place(of: inputs[0]), target: target,
                    PlanReduction(layer.reduction), kernel: layer.kernel, stride: layer.stride,
                    padding: layer.padding))
            try hold(output, Pending([PlanSource(target)]))
        case .poolingWithIndices:
            throw PlanError(description: "plans have no such pooling as that of this network")
        case .unpooling:
            let indices = places[inputs[1].position]
            try hold(
                output, Pending([PlanSource(try place(of: inputs[0]), indices: indices?.buffer)]))
        case .interpolation(let interpolation):
            let source = try place(of: inputs[0])
            let finer = graph.shape(of: output)
            guard finer.height == 2 * graph.shape(of: inputs[0]).height else {
                throw PlanError(description: "plans upsample by two only")
            }
            let target = targetPlace(of: output)
            switch interpolation {
            case .bilinear: steps.append(.interpolate(source: source, target: target))
            case .nearest: steps.append(.repeat(source: source, target: target))
            }
            try hold(output, Pending([PlanSource(target)]))
        case .dropout: break
        case .average: averaged[output.position] = inputs[0]
        case .connection(let layer):
            guard output.position == logits, let source = averaged[inputs[0].position] else {
                throw PlanError(description: "plans have no such fully connected layer")
            }
            steps.append(.classifySlice(source: try place(of: source), try PlanWeights(layer)))
        case .maximum, .product, .scaling, .shares, .sigmoid:
            throw PlanError(
                description:
                    "plans have no step for '\(node.operation.name)' outside of recalibration")
        }
    }

    private mutating func rectify(
        _ input: NetworkGraph.Value, slope: Double, _ output: NetworkGraph.Value
    ) throws {
        var value = try readable(input)
        if value.slope != 1 { value = Pending([PlanSource(try place(of: input))]) }
        value.slope = slope
        try hold(output, value)
    }

    // MARK: Values

    /// Keeps a value, and writes it where a concatenation wants it or where it is pooled.
    private mutating func hold(_ output: NetworkGraph.Value, _ value: Pending) throws {
        let position = position(output)
        pending[position] = value
        if let place = value.place { places[position] = places[position] ?? place }
        let isPooled = unitThatPools(output) != nil
        guard isPooled || units.joinedAt[position].map({ !lies(value.place, at: $0) }) ?? false
        else {
            return
        }
        let target = targetPlace(of: output)
        steps.append(
            .join(
                value.sources, target: target, value.affine, slope: value.slope,
                makePooling(of: output)))
        places[position] = target
    }

    /// Returns whether a place is the part of a concatenation that it was made for.
    private func lies(_ place: PlanPlace?, at part: (joined: Int, channel: Int)) -> Bool {
        guard let place, let buffer = joinedBuffers[part.joined] else { return false }
        return place.buffer == buffer && place.channel == part.channel
    }

    /// Writes a part of a concatenation that does not lie in it yet.
    private mutating func join(_ input: NetworkGraph.Value, in joined: Int) throws {
        let position = position(input)
        if let part = units.joinedAt[position], part.joined == joined,
            lies(places[position], at: part)
        {
            return
        }
        let target = PlanPlace(
            buffer: joinedBuffer(joined), channel: units.channel(of: input, in: joined),
            channels: graph.shape(of: input).channels)
        let value = try readable(input)
        steps.append(
            .join(value.sources, target: target, value.affine, slope: value.slope, nil))
    }

    /// The value as a step may read it: where it lies in memory if it does.
    private func readable(_ value: NetworkGraph.Value) throws -> Pending {
        let position = position(value)
        if let place = places[position] { return Pending([PlanSource(place)]) }
        guard let pending = pending[position] else {
            throw PlanError(description: "a layer reads what was not computed")
        }
        return pending
    }

    /// The sources to read a value by, without normalization or rectifier.
    private mutating func sources(of value: NetworkGraph.Value) throws -> [PlanSource] {
        let readable = try readable(value)
        if readable.affine == nil, readable.slope == 1 { return readable.sources }
        return [PlanSource(try place(of: value))]
    }

    /// A place in memory that holds the value as it is.
    private mutating func place(of value: NetworkGraph.Value) throws -> PlanPlace {
        let position = position(value)
        if let place = places[position] { return place }
        let target = try written(value)
        places[position] = target
        return target
    }

    /// A copy of a value in a buffer of its own.
    private mutating func written(_ value: NetworkGraph.Value) throws -> PlanPlace {
        let readable = try readable(value)
        let target = makePlace(graph.shape(of: value))
        steps.append(
            .join(readable.sources, target: target, readable.affine, slope: readable.slope, nil))
        return target
    }

    /// A buffer that holds the value and nothing else.
    private mutating func buffer(of value: NetworkGraph.Value) throws -> Int {
        let position = position(value)
        for place in [pending[position]?.place, places[position]] {
            if let place, place.channels == buffers[place.buffer].channels { return place.buffer }
        }
        return try written(value).buffer
    }

    /// The place where a step writes a value: in the concatenation that it is a part of, or anywhere.
    private mutating func targetPlace(of value: NetworkGraph.Value) -> PlanPlace {
        let shape = graph.shape(of: value)
        guard let part = units.joinedAt[position(value)] else { return makePlace(shape) }
        return PlanPlace(
            buffer: joinedBuffer(part.joined), channel: part.channel, channels: shape.channels)
    }

    private mutating func joinedBuffer(_ joined: Int) -> Int {
        if let buffer = joinedBuffers[joined] { return buffer }
        let buffer = makeBuffer(graph.shape(of: NetworkGraph.Value(position: joined)))
        joinedBuffers[joined] = buffer
        return buffer
    }

    /// The pooling of a value that no step has done yet, where one can do it beside another.
    private func unitThatPools(_ value: NetworkGraph.Value) -> Int? {
        units.readersOf(value).first { !done.contains($0) && units.pooling($0) != nil }
    }

    /// The pooling of a value that is about to be written.
    private mutating func makePooling(of value: NetworkGraph.Value) -> PlanPooling? {
        guard let unit = unitThatPools(value), let node = units.pooling(unit) else { return nil }
        done.insert(unit)
        let shape = graph.shape(of: node.outputs[0])
        let target = makePlace(shape)
        places[node.outputs[0].position] = target
        guard node.outputs.count == 2 else { return PlanPooling(target: target) }
        let indices = makeBuffer(shape, holdsIndices: true)
        places[node.outputs[1].position] = PlanPlace(
            buffer: indices, channel: 0, channels: shape.channels)
        return PlanPooling(target: target, indices: indices)
    }

    // MARK: Convolutions

    private mutating func convolve(
        _ input: NetworkGraph.Value, _ layer: Conv2d, _ node: NetworkGraph.Node
    ) throws {
        let weights = try PlanWeights(layer)
        guard layer.isPlain else {
            try convolveFreely(try buffer(of: input), layer, weights, node)
            return
        }
        if node.outputs[0].position == logits, weights.weight.shape[2] == 1 {
            steps.append(.classify(source: try place(of: input), weights))
            return
        }
        try convolve(
            try buffer(of: input), weights, name: node.name, into: node.outputs[0], after: node)
    }

    private mutating func convolve(
        _ source: Int, _ weights: PlanWeights, name: String, into output: NetworkGraph.Value,
        after node: NetworkGraph.Node
    ) throws {
        let (weights, slope, result) = try folded(weights, followersOf: node)
        let target = step(source, weights, name, slope: slope, graph.shape(of: output))
        try hold(result, Pending([PlanSource(whole(target))]))
    }

    /// A convolution with a stride, with gaps between its taps, in groups, or that changes the size
    /// otherwise.
    private mutating func convolveFreely(
        _ source: Int, _ layer: Conv2d, _ weights: PlanWeights, _ node: NetworkGraph.Node
    ) throws {
        let (weights, slope, result) = try folded(weights, followersOf: node)
        let target = makePlace(graph.shape(of: node.outputs[0]))
        steps.append(
            .convolveFreely(
                source: whole(source), target: target, weights, stride: layer.stride,
                dilation: layer.dilation, padding: layer.padding, groups: layer.groups,
                slope: slope))
        convolutions.append(Convolution(name: node.name, isHeavy: false))
        try hold(result, Pending([PlanSource(target)]))
    }

    /// Folds the normalization and the rectifier that alone read a convolution into it.
    private mutating func folded(
        _ weights: PlanWeights, followersOf node: NetworkGraph.Node
    ) throws -> (weights: PlanWeights, slope: Double, result: NetworkGraph.Value) {
        var weights = weights
        let followers = units.followers(of: node)
        if let normalization = followers.normalization {
            foldedCount += 1
            weights = try weights.scaled(by: PlanAffine(normalization))
        }
        done.formUnion(followers.units)
        return (weights, try followers.rectifier.map { try $0.slope() } ?? 1, followers.output)
    }

    /// A convolution's step.
    private mutating func step(
        _ source: Int, _ weights: PlanWeights, _ name: String, slope: Double, _ size: FeatureShape
    ) -> Int {
        let shape = weights.weight.shape
        let target = makeBuffer(
            FeatureShape(channels: shape[0], height: size.height, width: size.width))
        let isHeavy = shape[1] >= 16 && shape[2] > 1
        steps.append(
            .convolve(
                source: source, target: target, weights, slope: slope,
                inputRange: isHeavy ? inputRanges[name] : nil))
        convolutions.append(Convolution(name: name, isHeavy: isHeavy))
        return target
    }

    /// A transposed convolution of 2x2 squares, which do not overlap: a 1x1 convolution to each pixel
    /// of the square.
    private mutating func convolveTransposed(
        _ input: NetworkGraph.Value, _ layer: ConvTranspose2d, _ node: NetworkGraph.Node
    ) throws {
        let weight = try layer.weight.exact()
        guard layer.stride == 2, layer.padding == 0, layer.outputPadding == 0,
            weight.shape[2] == 2
        else {
            throw PlanError(description: "plans have no transposed convolution as '\(node.name)'")
        }
        let (inputs, outputs) = (weight.shape[0], weight.shape[1])
        let bias = try layer.bias.exact().elements(as: Float.self)
        let squares = PlanWeights(
            weight: try weight.permuted([2, 3, 1, 0]).contiguous()
                .reshaped([4 * outputs, inputs, 1, 1]),
            bias: try .vector(bias + bias + bias + bias))
        let spread = step(
            try buffer(of: input), squares, node.name, slope: 1, graph.shape(of: input))
        let target = targetPlace(of: node.outputs[0])
        steps.append(.spread(source: whole(spread), target: target))
        try hold(node.outputs[0], Pending([PlanSource(target)]))
    }

    // MARK: Recalibration

    private mutating func recalibrate(_ recalibrated: NetworkGraph.Recalibrated) throws {
        let block = recalibrated.block
        var value = try pending[position(recalibrated.input)] ?? readable(recalibrated.input)
        if value.sources.count != 1 || value.sources[0].indices != nil || value.slope != 1 {
            value = Pending([PlanSource(try place(of: recalibrated.input))])
        }
        let reduce = try block.channel.map { try PlanWeights($0.reduce) }
        let expand = try block.channel.map { try PlanWeights($0.expand) }
        let spatial = try block.spatial.map { try PlanWeights($0.squeeze) }
        var combination = PlanCombination.addition
        if case .channelAndSpatial(_, let chosen) = block.kind {
            combination =
                switch chosen {
                case .addition: .addition
                case .maximum: .maximum
                case .product: .product
                case .concatenation: .concatenation
                }
        }
        let source = value.sources[0].place
        guard let fuse = block.fuse else {
            let target = targetPlace(of: recalibrated.output)
            steps.append(
                .recalibrate(
                    source: source, target: target, value.affine, reduce: reduce, expand: expand,
                    spatial: spatial, combination, makePooling(of: recalibrated.output)))
            try hold(recalibrated.output, Pending([PlanSource(target)]))
            return
        }
        let both = makePlace(doubled(graph.shape(of: recalibrated.output)))
        steps.append(
            .recalibrate(
                source: source, target: both, value.affine, reduce: reduce, expand: expand,
                spatial: spatial, combination, nil))
        let name = graph.nodes[recalibrated.nodes.upperBound - 1].name
        let fused = step(
            both.buffer, try PlanWeights(fuse), name, slope: 1,
            graph.shape(of: recalibrated.output))
        try hold(recalibrated.output, Pending([PlanSource(whole(fused))]))
    }

    /// Mixes branches by a softmax over what the mean of their sum selects.
    private mutating func mix(_ mixture: NetworkGraph.Mixed) throws {
        let block = mixture.block
        let target = targetPlace(of: mixture.output)
        steps.append(
            .select(
                try mixture.branches.map { try place(of: $0) }, target: target,
                reduce: try PlanWeights(block.reduce).scaled(by: PlanAffine(block.normalization)),
                select: try PlanWeights(block.select)))
        try hold(mixture.output, Pending([PlanSource(target)]))
    }

    // MARK: Buffers

    private mutating func makeBuffer(_ shape: FeatureShape, holdsIndices: Bool = false) -> Int {
        buffers.append(
            PlanBuffer(
                channels: shape.channels, height: shape.height, width: shape.width,
                holdsIndices: holdsIndices))
        return buffers.count - 1
    }

    /// A new buffer, all of it.
    private mutating func makePlace(_ shape: FeatureShape) -> PlanPlace {
        PlanPlace(buffer: makeBuffer(shape), channel: 0, channels: shape.channels)
    }

    private func whole(_ buffer: Int) -> PlanPlace {
        PlanPlace(buffer: buffer, channel: 0, channels: buffers[buffer].channels)
    }

    private func doubled(_ shape: FeatureShape) -> FeatureShape {
        FeatureShape(channels: 2 * shape.channels, height: shape.height, width: shape.width)
    }
}

/// The most sources that a step joins.
private let mostSources = 4
