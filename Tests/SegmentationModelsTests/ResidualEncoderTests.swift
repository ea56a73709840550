import Foundation
import NeuralNetworks
import SegmentationModels
import TensorTestSupport
import Tensors
import Testing

/// Two residual stages of unequal widths above a bottleneck, under a U-Net's decoder.
private let architecture = Architecture(
    encoder: .residual(), decoder: .uNet(normalization: .batch), classes: 3, widths: [4, 6, 10],
    kernel: 3, recalibration: .none)

@Suite struct `An encoder of residual stages` {
    @Test func `has the parameters of its convolutions, shortcuts and normalizations`() throws {
        // A stage from i to o channels: 3x3 twice and two normalizations; where i is not o, a 1x1
        // with its own.
        func stage(_ i: Int, _ o: Int) -> Int {
            9 * (i * o + o * o) + 4 * o + (i == o ? 0 : i * o + 2 * o)
        }
        // A level of the decoder: two 3x3 with biases, two normalizations.
        func level(_ i: Int, _ o: Int) -> Int { 9 * (i * o + o * o) + 2 * o + 4 * o }
        let encoder = stage(1, 4) + stage(4, 6) + stage(6, 10)
        let decoder = level(10 + 6, 6) + level(6 + 4, 4)
        let network = try SegmentationNetwork(architecture)
        #expect(network.trainableCount == encoder + decoder + 4 * 3 + 3)
        #expect(
            network.namedParameters.contains {
                $0.name == "encoders.1.block.shortcut.convolution.weight"
                    && $0.parameter.value.shape == [6, 4, 1, 1]
            })
    }

    @Test func `is counted by its convolutions`() throws {
        func stage(_ i: Int, _ o: Int) -> Int { 9 * (i * o + o * o) + (i == o ? 0 : i * o) }
        func level(_ i: Int, _ o: Int) -> Int { 9 * (i * o + o * o) }
        let network = try SegmentationNetwork(architecture)
        let fine = stage(1, 4) + level(10, 4) + 12
        let middle = stage(4, 6) + level(16, 6)
        let coarse = stage(6, 10)
        #expect(
            try network.operationCount(height: 16, width: 8)
                == 2 * (128 * fine + 32 * middle + 8 * coarse))
    }

    @Test func `is described by the shapes of its levels`() throws {
        let (graph, logits) = try SegmentationNetwork(architecture).graph(height: 15, width: 8)
        #expect(graph.shape(of: logits) == FeatureShape(channels: 3, height: 16, width: 8))
        func shape(_ name: String) throws -> FeatureShape {
            graph.shape(of: try #require(graph.nodes.first { $0.name == name }).outputs[0])
        }
        #expect(
            try shape("encoders.1.block.convolution2")
                == FeatureShape(channels: 6, height: 8, width: 4))
        #expect(
            try shape("bottleneck.block.shortcut.convolution")
                == FeatureShape(channels: 10, height: 4, width: 2))
        #expect(
            try shape("decoders.0.block.convolution1")
                == FeatureShape(channels: 6, height: 8, width: 4))
    }

    @Test(arguments: [
        DecoderKind.uNet(normalization: .batch, upsampling: .transposedConvolution), .sdNet,
        .denseNet,
    ])
    func `learns to tell dark from bright under every decoder`(decoder: DecoderKind) throws {
        var architecture = architecture
        architecture.decoder = decoder
        architecture.classes = 2
        let network = try SegmentationNetwork(architecture)
        let optimizer = try AdamW(network.trainableParameters, learningRate: 0.02)
        let image = try Tensor.randomNormal([2, 1, 16, 16])
        let target = try Tensor(
            try image.elements(as: Float.self).map { Int64($0 > 0 ? 1 : 0) }, shape: [2, 16, 16])
        var losses: [Double] = []
        for _ in 0..<60 {
            try network.clearGradients()
            let loss = try SegmentationLoss(classWeights: nil)(
                logits: network(image, mode: .training), target: target)
            losses.append(try loss.item())
            try loss.backward()
            try optimizer.step()
        }
        #expect(losses.suffix(3).max() ?? 1 < 0.4 * losses[0], "\(losses)")
    }

    @Test func `comes back from JSON with its widths`() throws {
        var mixed = architecture
        mixed.decoder = .sdNet
        for expected in [mixed, architecture] {
            let data = try JSONEncoder().encode(expected)
            #expect(try JSONDecoder().decode(Architecture.self, from: data) == expected)
        }
    }
}
