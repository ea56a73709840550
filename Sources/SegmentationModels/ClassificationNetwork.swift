public import NeuralNetworks

/// An encoder that stands alone as a classifier of images, as its paper defines it: the mean of its
/// coarsest features over the image, and a fully connected layer to the classes.
public final class ClassificationNetwork: Block {
    /// The encoder.
    public let kind: PublishedEncoder
    /// Channels of the images.
    public let inputChannels: Int
    private let encoder: any FeatureEncoder
    private let classifier: Linear

    /// Makes a network with random weights from the engine's seeded generator.
    ///
    /// - Parameters:
    ///   - kind: The encoder.
    ///   - classes: The classes to tell apart.
    ///   - inputChannels: Channels of the images, 3 for those of the papers.
    ///   - recalibration: The blocks that it carries.
    /// - Throws: `TensorError` where the engine is missing.
    public init(
        _ kind: PublishedEncoder, classes: Int, inputChannels: Int = 3,
        recalibration: Recalibration = .none
    ) throws {
        self.kind = kind
        self.inputChannels = inputChannels
        encoder = try kind.makeEncoder(recalibration: recalibration, inputChannels: inputChannels)
        classifier = try Linear(encoder.bottomChannels, classes)
    }

    /// The encoder's parts and the classifier.
    public var parts: [(name: String, part: LayerPart)] {
        [("encoder", .layer(encoder)), ("classifier", .layer(classifier))]
    }

    /// Describes the network to a pass; the result is a vector of logits.
    public func forward<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> Pass.Value {
        let features = try encoder.encode(input, &pass)
        return try pass.connect(pass.average(features.bottom), by: classifier)
    }

    /// The layers as they are applied to an image.
    ///
    /// - Parameters:
    ///   - height: Pixels down the image.
    ///   - width: Pixels across the image.
    /// - Returns: The graph and its output, the logits.
    /// - Throws: Never; noting layers cannot fail, computing them can.
    public func graph(
        height: Int, width: Int
    ) throws -> (graph: NetworkGraph, logits: NetworkGraph.Value) {
        var graph = NetworkGraph(
            of: self, input: FeatureShape(channels: inputChannels, height: height, width: width))
        let logits = try forward(graph.image, &graph)
        return (graph, logits)
    }
}
