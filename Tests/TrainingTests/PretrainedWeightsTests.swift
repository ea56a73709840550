import Foundation
import ModelBundles
import NeuralNetworks
import SegmentationModels
import TestSupport
import Tensors
import Testing
import Training
import Volumes

private let names = ["Left-Thalamus", "Right-Thalamus", "Brain-Stem"]

/// Structures of the names, with made-up labels.
private func table(_ names: [String]) throws -> LabelTable {
    try #require(
        LabelTable(
            names.enumerated().map { position, name in
                Structure(
                    index: UInt16(position + 1), name: name,
                    color: LabelColor(red: UInt8(position), green: 1, blue: 2))
            }))
}

private func architecture(outputs: Int, channels: Int = 6) -> Architecture {
    Architecture(
        family: .uNet(), classes: outputs, channels: channels, kernel: 3, depth: 1, contextSlices: 1
    )
}

/// A bundle of a coronal network with random weights for the three structures.
private func makeBundle(in directory: String) throws -> ModelBundle {
    let configuration = try makeConfiguration("{}")
    let card = ModelCard(
        name: "begun", summary: "Random weights.", architecture: architecture(outputs: 4),
        conform: configuration.conform, labels: try table(names),
        planes: [PlaneModel(plane: .coronal)], licence: configuration.licence,
        training: TrainingRecord(
            cases: [], validationCases: [], steps: 1, batchSize: 1, seed: 1, seconds: 1,
            software: "a test", notes: ""))
    return try ModelBundle.write(
        card: card, networks: [(.coronal, SegmentationNetwork(card.architecture))],
        to: directory + "/bundle", keepsSinglePrecision: true)
}

/// The logits of a network for one random image, one list an output.
private func logits(_ network: SegmentationNetwork, _ image: Tensor) throws -> [[Float]] {
    let values = try withoutGradients {
        try network(image, mode: .inference).contiguous()
    }
    let all: [Float] = try values.elements()
    let outputs = values.shape[1]
    let pixels = all.count / outputs
    return (0..<outputs).map { Array(all[($0 * pixels)..<(($0 + 1) * pixels)]) }
}

struct PretrainedWeightsTests {
    @Test func `outputs follow the names of structures, wherever they stand in the table`() throws {
        try withTemporaryDirectory { directory in
            let bundle = try makeBundle(in: directory)
            let target = try table([
                "Brain-Stem", "Left-Caudate", "Left-Thalamus", "Right-Thalamus",
            ])
            let network = try SegmentationNetwork(architecture(outputs: 5))
            let image = try Tensor.randomNormal([1, 1, 16, 16])
            let before = try logits(network, image)
            let transfer = try PretrainedWeights(bundle).copy(
                into: network, plane: .coronal, outputOfClass: Array(0..<5), table: target)
            #expect(transfer.newOutputs == ["Left-Caudate"])
            #expect(transfer.plane == .coronal)

            let known = try logits(bundle.makeNetwork(for: .coronal), image)
            let copied = try logits(network, image)
            #expect(largestDifference(copied[0], known[0]) < 1e-5)
            #expect(largestDifference(copied[1], known[3]) < 1e-5)
            #expect(largestDifference(copied[3], known[1]) < 1e-5)
            #expect(largestDifference(copied[4], known[2]) < 1e-5)
            #expect(copied[2] != before[2], "its features come from the model")
        }
    }

    @Test func `an output of both sides begins between those of left and right`() throws {
        try withTemporaryDirectory { directory in
            let bundle = try makeBundle(in: directory)
            let network = try SegmentationNetwork(architecture(outputs: 3))
            let transfer = try PretrainedWeights(bundle).copy(
                into: network, plane: .sagittal, outputOfClass: [0, 1, 1, 2],
                table: table(names))
            #expect(transfer.plane == .coronal, "the model has no sagittal network")
            #expect(transfer.newOutputs.isEmpty)
            let image = try Tensor.randomNormal([1, 1, 16, 16])
            let known = try logits(bundle.makeNetwork(for: .coronal), image)
            let copied = try logits(network, image)
            let middle = zip(known[1], known[2]).map { ($0 + $1) / 2 }
            #expect(largestDifference(copied[1], middle) < 1e-5, "the classifier is linear")
            #expect(largestDifference(copied[2], known[3]) < 1e-5)
        }
    }

    @Test func `another architecture is refused with what differs`() throws {
        try withTemporaryDirectory { directory in
            let bundle = try makeBundle(in: directory)
            let network = try SegmentationNetwork(architecture(outputs: 4, channels: 8))
            let error = #expect(throws: TrainingError.self) {
                try PretrainedWeights(bundle).copy(
                    into: network, plane: .coronal, outputOfClass: Array(0..<4),
                    table: table(names))
            }
            let text = try #require(error?.description)
            #expect(text.contains("the network of 'begun' is another than the configuration's"))
            #expect(text.contains("in shape [6,") && text.contains("not [8,"))
            #expect(text.contains(directory + "/bundle"))
        }
    }
}

private func largestDifference(_ first: [Float], _ second: [Float]) -> Float {
    zip(first, second).map { abs($0 - $1) }.max() ?? .infinity
}
