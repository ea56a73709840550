public import NeuralNetworks
public import Tensors

/// A recalibrated encoder-decoder that labels every pixel of a slice, or an encoder that labels slices.
///
/// Built from an ``Architecture``: an encoder, a decoder with a level for each of the encoder's, and
/// a 1x1 convolution to the classes. With ``DecoderKind/average`` it is a classifier as the encoder's
/// paper has it: the mean over the slice, and a fully connected layer to the classes. Source: Roy et al., arXiv:1803.02579 (the comparison of three
/// families), with the papers of encoders and decoders at ``EncoderKind`` and ``DecoderKind``.
public final class SegmentationNetwork: ImageLayer, Block {
    /// The architecture it was built from.
    public let architecture: Architecture
    private let encoder: any FeatureEncoder
    private let decoders: [DecoderLevel]
    private let classifier: Classifier

    /// The last layer: of each pixel, or of the mean over the slice.
    private enum Classifier {
        case pixels(Conv2d)
        case slice(Linear)
    }

    /// Makes a network with random weights from the engine's seeded generator.
    ///
    /// - Precondition: `architecture.problem == nil`.
    public init(_ architecture: Architecture) throws {
        precondition(architecture.problem == nil, architecture.problem ?? "")
        self.architecture = architecture
        if case .published(let kind) = architecture.encoder {
            encoder = try kind.makeEncoder(
                recalibration: architecture.recalibration,
                inputChannels: architecture.contextSlices)
        } else {
            encoder = try LevelEncoder(architecture)
        }
        var below = encoder.bottomChannels
        var decoders: [DecoderLevel] = []
        if architecture.classifiesSlices {
            self.decoders = []
            classifier = .slice(try Linear(below, architecture.classes))
            return
        }
        for level in encoder.skipChannels.indices.reversed() {
            let channels = architecture.widths[level]
            decoders.append(
                try DecoderLevel(
                    architecture, inputChannels: below, skipChannels: encoder.skipChannels[level],
                    channels: channels))
            below = channels
        }
        self.decoders = decoders
        classifier = .pixels(try Conv2d(below, architecture.classes, kernel: 1))
    }

    /// Encoders from fine to coarse, bottleneck, decoders from coarse to fine, classifier.
    public var parts: [(name: String, part: LayerPart)] {
        encoderParts + decoders.enumerated().map { ("decoders.\($0)", .layer($1)) }
            + [("classifier", .layer(lastLayer))]
    }

    private var lastLayer: any Layer {
        switch classifier {
        case .pixels(let layer): layer
        case .slice(let layer): layer
        }
    }

    /// The keys of the papers' own networks have always stood without a prefix.
    private var encoderParts: [(name: String, part: LayerPart)] {
        if case .published = architecture.encoder { return [("encoder", .layer(encoder))] }
        return encoder.parts
    }

    /// Describes the network to a pass, on slices that need no padding; of a slice as a whole the
    /// result is a vector.
    public func forward<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> Pass.Value {
        let features = try encoder.encode(input, &pass)
        var hidden = features.bottom
        for (decoder, level) in zip(decoders, features.levels.reversed()) {
            hidden = try decoder.decode(hidden, level, &pass)
        }
        switch classifier {
        case .pixels(let layer): return try pass.convolve(hidden, by: layer)
        case .slice(let layer): return try pass.connect(pass.average(hidden), by: layer)
        }
    }

    /// Computes the logits of each class for each pixel, or for the slice.
    ///
    /// Any height and width will do: the image is padded with zeros at its lower and right edge to
    /// a multiple of ``Architecture/sizeMultiple``, and the logits are cropped back.
    ///
    /// - Parameters:
    ///   - input: `[N, contextSlices, H, W]`.
    ///   - mode: Whether the network is being trained.
    /// - Returns: `[N, classes, H, W]`, of whole slices `[N, classes, 1, 1]`, not yet softmaxed.
    /// - Throws: `TensorError`, for example where memory runs out.
    public func callAsFunction(_ input: Tensor, mode: LayerMode) throws -> Tensor {
        let shape = input.shape
        precondition(
            shape.count == 4 && shape[1] == architecture.contextSlices,
            "input of shape \(shape) for \(architecture.contextSlices) context slices")
        let multiple = architecture.sizeMultiple
        let (height, width) = (shape[2], shape[3])
        let lower = (multiple - height % multiple) % multiple
        let right = (multiple - width % multiple) % multiple
        let padded = lower + right == 0 ? input : try input.padded([0, right, 0, lower])
        var pass = EagerPass(mode: mode)
        let logits = try forward(padded.contiguous(.channelsLast), &pass)
        if architecture.classifiesSlices {
            return try logits.reshaped([shape[0], architecture.classes, 1, 1])
        }
        if lower + right == 0 { return logits }
        return try logits.narrowed(dimension: 2, start: 0, length: height)
            .narrowed(dimension: 3, start: 0, length: width)
    }
}
