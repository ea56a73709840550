internal import NeuralNetworks
internal import Tensors

/// Upsampling, the skip connection, a block and its recalibration.
final class DecoderLevel: Layer {
    private let block: any Block
    private let recalibration: RecalibrationBlock
    private let dropout: Dropout2d
    private let placement: RecalibrationPlacement
    private let growth: Growth
    private let transposed: ConvTranspose2d?
    private let projection: Conv2d?

    private enum Growth {
        case interpolation(UpsamplingInterpolation)
        case learned
        case unpooling
    }

    /// Makes a level for features of `inputChannels` from below and a skip connection of
    /// `skipChannels`, 0 for none.
    init(
        _ architecture: Architecture, inputChannels: Int, skipChannels: Int, channels: Int
    ) throws {
        var grown = inputChannels
        var transposed: ConvTranspose2d?
        var projection: Conv2d?
        switch architecture.decoder {
        case .uNet(_, .bilinear): growth = .interpolation(.bilinear)
        case .uNet(_, .nearest): growth = .interpolation(.nearest)
        case .uNet(_, .transposedConvolution):
            growth = .learned
            grown = channels
            transposed = try ConvTranspose2d(inputChannels, channels, kernel: 2, stride: 2)
        case .sdNet, .denseNet:
            // Without a skip connection there are no indices.
            growth = skipChannels > 0 ? .unpooling : .interpolation(.nearest)
            if skipChannels > 0, inputChannels != skipChannels {
                grown = skipChannels
                projection = try Conv2d(inputChannels, skipChannels, kernel: 1)
            }
        case .average: preconditionFailure("a classifier has no decoder")
        }
        self.transposed = transposed
        self.projection = projection
        let joined = skipChannels + grown
        let kernel = architecture.blockKernel
        switch architecture.decoder {
        case .uNet(let normalization, _):
            block = try UNetBlock(
                inputChannels: joined, channels: channels, kernel: kernel,
                normalization: normalization)
        case .sdNet:
            block = try SDNetBlock(inputChannels: joined, channels: channels, kernel: kernel)
        case .denseNet:
            block = try DenseBlock(inputChannels: joined, channels: channels, kernel: kernel)
        case .average: preconditionFailure("a classifier has no decoder")
        }
        placement = architecture.placement
        recalibration = try RecalibrationBlock(
            architecture.recalibration,
            channels: placement == .afterPoolingAndUpsampling ? grown : channels)
        dropout = Dropout2d(probability: architecture.dropout)
    }

    var parts: [(name: String, part: LayerPart)] {
        var parts: [(name: String, part: LayerPart)] = []
        if let transposed { parts.append(("upsampling", .layer(transposed))) }
        if let projection { parts.append(("projection", .layer(projection))) }
        return parts + [("block", .layer(block)), ("recalibration", .layer(recalibration))]
    }

    func decode<Pass: ForwardPass>(
        _ input: Pass.Value, _ level: EncodedFeatures<Pass.Value>.Level, _ pass: inout Pass
    ) throws -> Pass.Value {
        var grown = try upsampled(input, level, &pass)
        if placement == .afterPoolingAndUpsampling {
            grown = try pass.recalibrate(grown, by: recalibration)
        }
        let joined = try level.skip.map { try pass.concatenate([$0, grown]) } ?? grown
        var output = try block.forward(joined, &pass)
        if placement != .afterPoolingAndUpsampling {
            output = try pass.recalibrate(output, by: recalibration)
        }
        return try pass.drop(output, by: dropout)
    }

    private func upsampled<Pass: ForwardPass>(
        _ input: Pass.Value, _ level: EncodedFeatures<Pass.Value>.Level, _ pass: inout Pass
    ) throws -> Pass.Value {
        switch growth {
        case .interpolation(let interpolation):
            return try pass.upsample(input, by: interpolation, like: level.like)
        case .learned:
            return try transposed.map { try pass.convolveTransposed(input, by: $0) } ?? input
        case .unpooling:
            let projected = try projection.map { try pass.convolve(input, by: $0) } ?? input
            // Where the encoder did not pool its features, the decoder looks for their maxima.
            let indices =
                try level.indices ?? pass.poolWithIndices(level.skip ?? level.like).indices
            return try pass.unpool(projected, indices: indices, like: level.like)
        }
    }
}

extension DecoderKind {
    /// A Boolean value indicating whether maxima are put back where they were.
    var unpools: Bool {
        switch self {
        case .uNet, .average: false
        case .sdNet, .denseNet: true
        }
    }
}
