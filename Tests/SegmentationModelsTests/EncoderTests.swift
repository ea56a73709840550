import Foundation
import NeuralNetworks
import SegmentationModels
import TensorTestSupport
import Tensors
import TestSupport
import Testing

/// What PyTorch computes for the published encoders: fixtures/networks/encoders.json.
private struct EncoderFixtures: Decodable {
    var encoders: [Row]

    struct Row: Decodable, CustomTestStringConvertible {
        var encoder: PublishedEncoder
        var recalibration: String
        var parameters: Int
        var classifier: NumberedResults
        var uNet: NumberedResults
        var sdNet: NumberedResults

        var testDescription: String { "\(encoder.rawValue) \(recalibration)" }
        var kind: Recalibration {
            recalibration == "se" ? .squeezeAndExcitation() : .none
        }
    }
}

/// The largest difference of an output, relative to the largest value.
///
/// Random weights amplify the rounding of double precision from block to block: SE-ResNet-101 comes
/// to 7e-5, most networks to less than 1e-13.
private let largestOutputError = 1e-4

@Suite(.serialized) struct `Published encoders against PyTorch` {
    private static let rows: [EncoderFixtures.Row] = {
        let fixtures: EncoderFixtures? = try? decodeFixture("networks/encoders.json")
        return fixtures?.encoders ?? []
    }()

    @Test func `are all there`() {
        #expect(Set(Self.rows.map(\.encoder)) == Set(PublishedEncoder.allCases))
    }

    @Test(arguments: rows)
    fileprivate func `a classifier has the published parameters, outputs and gradients`(
        row: EncoderFixtures.Row
    ) throws {
        let whole = try withoutRandomWeights {
            try classifier(row.encoder, classes: 1000, recalibration: row.kind)
        }
        #expect(whole.trainableCount == row.parameters)
        let network = try withoutRandomWeights {
            try classifier(row.encoder, classes: 10, recalibration: row.kind)
        }
        let errors = try largestError(of: network, row.classifier) { images, mode in
            try network(images, mode: mode).reshaped([images.shape[0], 10])
        }
        print("\(row.testDescription): output \(errors.output), gradients \(errors.gradient)")
        #expect(errors.output < largestOutputError)
        #expect(errors.gradient < 1e-6)
    }

    @Test(arguments: rows)
    fileprivate func
        `a segmentation network has PyTorch's outputs and gradients under both decoders`(
            row: EncoderFixtures.Row
        ) throws
    {
        for (decoder, expected) in [
            (DecoderKind.uNet(normalization: .batch), row.uNet), (.sdNet, row.sdNet),
        ] {
            let network = try withoutRandomWeights {
                try SegmentationNetwork(
                    Architecture(
                        encoder: .published(row.encoder), decoder: decoder, classes: 3,
                        widths: Array(repeating: 32, count: row.encoder.levelCount), kernel: 3,
                        contextSlices: 3, recalibration: row.kind))
            }
            let errors = try largestError(of: network, expected) { try network($0, mode: $1) }
            print(
                "\(row.testDescription) under \(decoder.name): output \(errors.output), "
                    + "gradients \(errors.gradient)")
            #expect(errors.output < largestOutputError)
            // Normalized over a batch of two, the vectors of SKNet-101's 33 selections amplify
            // rounding; over four, as in the classifier above, its gradients agree to 2e-10.
            #expect(errors.gradient < (row.encoder == .skNet101 ? 1e-2 : 1e-6))
        }
    }

    @Test(arguments: PublishedEncoder.allCases)
    func `take any size and give the same back`(encoder: PublishedEncoder) throws {
        let network = try SegmentationNetwork(
            Architecture(
                encoder: .published(encoder), decoder: .sdNet, classes: 4,
                widths: Array(repeating: 8, count: encoder.levelCount), kernel: 3,
                recalibration: .none))
        for (height, width) in [(1, 1), (37, 50), (65, 33)] {
            let logits = try withoutGradients {
                try network(Tensor.randomNormal([1, 1, height, width]), mode: .inference)
            }
            #expect(logits.shape == [1, 4, height, width])
        }
        let classifier = try classifier(encoder, classes: 5, images: 1)
        let (graph, logits) = try classifier.graph(height: 51, width: 77)
        #expect(graph.shape(of: logits).channels == 5)
        let vector = try withoutGradients {
            try classifier(Tensor.randomNormal([2, 1, 51, 77]), mode: .inference)
        }
        #expect(vector.shape == [2, 5, 1, 1])
    }

    @Test(arguments: [
        // torchvision's and the papers' counts, 3 channels and 1,000 classes.
        (PublishedEncoder.resNet50, Recalibration.none, 25_557_032),
        (.resNet101, .none, 44_549_160), (.resNet152, .none, 60_192_808),
        (.resNeXt50, .none, 25_028_904), (.denseNet121, .none, 7_978_856),
        (.denseNet169, .none, 14_149_480), (.denseNet201, .none, 20_013_928),
        (.resNet50, .squeezeAndExcitation(), 28_088_024),
        (.resNeXt50, .squeezeAndExcitation(), 27_559_896),
    ])
    func `have the parameters of the papers`(
        encoder: PublishedEncoder, recalibration: Recalibration, expected: Int
    ) throws {
        let network = try withoutRandomWeights {
            try classifier(encoder, classes: 1000, recalibration: recalibration)
        }
        #expect(network.trainableCount == expected)
    }
}

/// The encoder as its paper's classifier.
private func classifier(
    _ encoder: PublishedEncoder, classes: Int, images: Int = 3,
    recalibration: Recalibration = .none
) throws -> SegmentationNetwork {
    try SegmentationNetwork(
        Architecture(
            encoder: .published(encoder), decoder: .average, classes: classes,
            widths: Array(repeating: 1, count: encoder.levelCount), contextSlices: images,
            recalibration: recalibration))
}
