import Foundation
import ModelBundles
import Preprocessing
import SegmentationModels
import Volumes

/// The bytes of a safetensors file with a header that a test makes up.
func safeTensorsBytes(header: String, dataCount: Int, headerLength: UInt64? = nil) -> [UInt8] {
    let length = headerLength ?? UInt64(header.utf8.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(header.utf8)
        + [UInt8](repeating: 0, count: dataCount)
}

/// The error that a body throws, if it is one of ModelBundles.
func bundleError(_ body: () throws -> Void) throws -> ModelBundleError? {
    do {
        try body()
        return nil
    } catch let error as ModelBundleError {
        return error
    }
}

/// A text file with one text replaced, which must be there.
func replace(_ text: String, with replacement: String, inFileAt path: String) throws {
    let url = URL(filePath: path)
    let content = try String(contentsOf: url, encoding: .utf8)
    guard content.contains(text) else { throw MissingText(text: text) }
    try content.replacing(text, with: replacement).write(
        to: url, atomically: false, encoding: .utf8)
}

struct MissingText: Error {
    var text: String
}

/// A card for two hemispheres and a brain stem, with a coronal and a sagittal network.
func tinyCard(architecture: Architecture? = nil, name: String = "tiny") throws -> ModelCard {
    let labels = LabelTable(
        ["Left-Hippocampus", "Right-Hippocampus", "Brain-Stem"].enumerated().map {
            Structure(
                index: [17, 53, 16][$0], name: $1,
                color: LabelColor(red: 220, green: UInt8(60 * $0), blue: 20))
        })
    let orientation = Orientation("LIA")
    guard let labels, let orientation else { throw MissingText(text: "labels") }
    return ModelCard(
        name: name, summary: "Random weights / for tests.",
        architecture: architecture
            ?? Architecture(
                family: .sdNet, classes: 4, channels: 4, kernel: 3, depth: 2, contextSlices: 3),
        conform: ConformSpecification(
            orientation: orientation, spacingMillimeters: SIMD3(1, 1.5, 1),
            intensity: .robustPercentile(lower: 0.5, upper: 99.5), marginVoxels: 4),
        labels: labels,
        planes: [
            PlaneModel(plane: .coronal),
            PlaneModel(
                plane: .sagittal, aggregationWeight: 0.5, outputClasses: [[0], [1, 2], [3]],
                inputRanges: ["encoders.1.block.convolution": -0.1...6.3]),
        ],
        licence: Licence(weights: "MIT", data: "none", credit: "nobody"),
        training: TrainingRecord(
            cases: ["a"], validationCases: ["b"], steps: 3, batchSize: 2, seed: .max, seconds: 1.5,
            software: "tests", notes: ""),
        accuracy: [
            AccuracyRecord(
                dataset: "none", cases: ["b"], metric: "Dice", mean: 0.5,
                perStructure: ["Brain-Stem": 0.5], notes: "")
        ])
}

/// A network of random weights for each plane of a card.
func randomNetworks(of card: ModelCard) throws -> [(Plane, SegmentationNetwork)] {
    try card.planes.compactMap { entry in
        try card.architecture(of: entry.plane).map { (entry.plane, try SegmentationNetwork($0)) }
    }
}
