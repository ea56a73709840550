import Datasets
import Foundation
import NeuralNetworks
import SegmentationMetrics
import Tensors
import Training
import Volumes

/// Trains every plane of a configuration and writes a model bundle.
///
/// A configuration that holds an `experiment` trains each of its networks so, in a folder of its
/// own, and compares them in `table.html`; see `pipelines/malc-table.yaml`.
///
/// Below the output folder lie `configuration.yaml`, a folder a plane with `checkpoint.safetensors`,
/// `best.safetensors` and `log.tsv`, `training.html` (curves, from the first validation on) and
/// `training.json` (versions, seed, time); at the end `bundle/` and, where cases are held out,
/// `accuracy.tsv` (Dice of each structure and held-out case) and in the page the worst slices.
///
/// - Parameters:
///   - configurationPath: A YAML file; see `pipelines/`.
///   - outputDirectory: Made where it is missing.
///   - resume: Whether to go on from the checkpoints of an earlier run of the same configuration and
///     the same cases. One that is refused changes nothing.
///   - overwrites: Whether an earlier training in the folder is replaced; without it and `resume` one
///     is an error.
///   - pretrained: A shipped model's name or a model's folder whose weights are begun with; `nil` for
///     random weights.
///   - device: `auto`, `cpu`, `cuda` or `cuda:i`.
///   - threads: Threads of the network's operations, or `nil` for all cores.
///   - only: Of an experiment, the networks to train; empty for all.
///   - report: Is told each line of progress.
/// - Throws: One sentence on what is wrong with configuration, cases or checkpoints.
public func runTraining(
    configurationPath: String, outputDirectory: String, resume: Bool, overwrites: Bool = false,
    from pretrained: String? = nil, device: String, threads: Int?, only: [String] = [],
    report: @escaping @Sendable (String) -> Void
) throws {
    let layers = try ConfigurationLayers(path: configurationPath)
    let experiment = try Experiment(layers, path: configurationPath)
    try experiment?.check(only)
    let configuration: TrainingConfiguration
    if let experiment {
        configuration = experiment.networks[0].configuration
    } else {
        guard only.isEmpty else {
            throw TrainingRunError(
                description:
                    "'\(configurationPath)' holds no experiment of several networks; leave "
                    + "out --only")
        }
        configuration = try layers.configuration()
    }
    if experiment != nil, pretrained != nil {
        throw TrainingRunError(
            description:
                "'\(configurationPath)' holds an experiment, whose networks differ; --from "
                + "is for a configuration of one network")
    }
    let folder = (configurationPath as NSString).deletingLastPathComponent
    if configuration.task == .classification {
        guard experiment == nil, pretrained == nil else {
            throw TrainingRunError(
                description: "'\(configurationPath)' trains a classifier, which has no experiment "
                    + "and begins with no other model's weights; leave out --from")
        }
        try Engine.load()
        if let threads { try Engine.setThreadCount(threads) }
        try trainClassifier(
            configuration, text: layers.text, folder: folder, outputDirectory: outputDirectory,
            resume: resume, overwrites: overwrites, device: try resolveDevice(device),
            report: report)
        return
    }
    let beginning = try pretrained.map { PretrainedWeights(try loadModel($0)) }
    let mapping = try readMapping(configuration.cases.labels, relativeTo: folder)
    let named = configuration.augmentation.ventricles + configuration.augmentation.whiteMatter
    if let unknown = named.first(where: { !mapping.table.structures.map(\.name).contains($0) }) {
        throw TrainingRunError(
            description:
                "the augmentation in '\(configurationPath)' names '\(unknown)', which is no "
                + "structure of '\(configuration.cases.labels)'; correct the name")
    }
    try Engine.load()
    if let threads { try Engine.setThreadCount(threads) }
    let device = try resolveDevice(device)
    let data = try trainingData(of: configuration.cases, mapping: mapping, folder: folder)
    let cases = LazyCases {
        try loadCases(configuration, mapping: mapping, folder: folder, report: report)
    }
    if let experiment {
        try runExperiment(
            experiment, mapping: mapping, data: data, cases: cases,
            outputDirectory: outputDirectory, resume: resume, overwrites: overwrites,
            device: device, only: only, report: report)
    } else {
        _ = try trainModel(
            configuration, text: layers.text, mapping: mapping, data: data, cases: cases,
            pretrained: beginning, outputDirectory: outputDirectory, resume: resume,
            overwrites: overwrites, device: device, report: report)
    }
}
