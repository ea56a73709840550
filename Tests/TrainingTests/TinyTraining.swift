import Datasets
import Foundation
import ModelBundles
import NeuralNetworks
import Preprocessing
import SegmentationModels
import Tensors
import Testing
import Training
import Volumes

/// A configuration for synthetic heads, with some options of the optimization set, in JSON.
func makeConfiguration(
    _ optimization: String, dropout: Double = 0, augmented: Bool = false
) throws -> TrainingConfiguration {
    let augmentation =
        augmented
        ? "{}"
        : """
        {"affineProbability": 0, "elasticProbability": 0, "gammaProbability": 0,
         "contrastProbability": 0, "biasProbability": 0, "blurProbability": 0,
         "noiseProbability": 0}
        """
    let text = """
        {
          "name": "tiny", "summary": "Synthetic heads.",
          "cases": {"labels": "phantom.tsv",
                    "phantoms": {"count": 3, "seed": 1, "validation": 1}},
          "conform": {"orientation": "RAS", "spacingMillimeters": [8, 8, 8], "marginVoxels": 1,
                      "intensity": {"rule": "robust-percentile", "lower": 0.5, "upper": 99.5}},
          "architecture": {"family": "uNet", "channels": 6, "kernel": 3, "depth": 2,
                           "contextSlices": 3, "normalization": "batch", "dropout": \(dropout)},
          "planes": [{"plane": "axial", "weight": 1}],
          "optimization": \(optimization),
          "augmentation": \(augmentation),
          "licence": {"weights": "MIT", "data": "none", "credit": "nobody"}
        }
        """
    return try JSONDecoder().decode(TrainingConfiguration.self, from: Data(text.utf8))
}

/// Small synthetic heads.
func makeCases(_ seeds: [UInt64], conform: ConformSpecification) throws -> [TrainingCase] {
    try seeds.map { seed in
        let (scan, labels) = makePhantom(
            seed: seed,
            options: PhantomOptions(
                size: GridSize(22, 26, 22), spacingMillimeters: SIMD3(8, 8, 8),
                contrasts: [.t1Weighted], skullProbability: 0))
        return try TrainingCase(
            name: "phantom-\(seed)", scan: scan, labels: labels, table: phantomLabelTable,
            conform: conform)
    }
}

/// The classes of the tiny networks.
let classCount = phantomLabelTable.structures.count + 1

/// The architecture with the classes of the synthetic heads.
func architecture(of configuration: TrainingConfiguration) -> Architecture {
    var architecture = configuration.architecture
    architecture.classes = classCount
    return architecture
}

/// Trains an axial network on two small heads in a folder.
@discardableResult
func train(
    _ configuration: TrainingConfiguration, in directory: String, identity: String = "tiny",
    resume: Bool = false, validation: Bool = false,
    report: (TrainingProgress) -> Void = { _ in }
) throws -> SegmentationNetwork {
    try FileManager.default.createDirectory(
        atPath: directory, withIntermediateDirectories: true)
    let trainer = PlaneTrainer(
        configuration: configuration, plane: .axial,
        architecture: architecture(of: configuration), outputOfClass: Array(0..<classCount),
        table: phantomLabelTable, directory: directory,
        identity: identity, device: .cpu)
    let network = configuration.architecture
    let source = SliceDataset(
        cases: try makeCases([1, 2], conform: configuration.conform), plane: .axial,
        context: network.contextSlices, outputOfClass: (0..<classCount).map(UInt8.init),
        multiple: network.sizeMultiple)
    return try trainer.train(
        source: source,
        validation: validation ? makeCases([9], conform: configuration.conform) : [],
        resume: resume, report: report
    ).network
}

/// The weights of the loss, worked out anew: the median of the frequencies of the classes that
/// occur over each one's own.
func expectedClassWeights(
    _ dataset: SliceDataset, bounds: ClosedRange<Double>
) -> [Float] {
    let occurring = dataset.classCounts.filter { $0 > 0 }.map(Double.init).sorted()
    let count = occurring.count
    let median = (occurring[(count - 1) / 2] + occurring[count / 2]) / 2
    return dataset.classCounts.map { pixels in
        guard pixels > 0 else { return 0 }
        let weight = median / Double(pixels)
        return Float(
            weight < bounds.lowerBound
                ? bounds.lowerBound : weight > bounds.upperBound ? bounds.upperBound : weight)
    }
}

/// The slices that `train` learns from.
func makeDataset(_ configuration: TrainingConfiguration) throws -> SliceDataset {
    SliceDataset(
        cases: try makeCases([1, 2], conform: configuration.conform), plane: .axial,
        context: configuration.architecture.contextSlices,
        outputOfClass: (0..<classCount).map(UInt8.init),
        multiple: 1 << configuration.architecture.depth)
}
