import Datasets
import Files
import Foundation
import Inference
import ModelBundles
import NeuralNetworks
import SegmentationMetrics
import SegmentationModels
import Tensors
import Training
import Volumes

/// The result of a training apart from the files it writes.
struct TrainedModel {
    /// The weights that are learnt, of all planes.
    var parameters: Int
    /// Seconds of training, of all planes.
    var seconds: Double
}

/// Trains every plane of a configuration and writes everything below a folder.
func trainModel(
    _ configuration: TrainingConfiguration, text: String, mapping: LabelMapping, data: String,
    cases: LazyCases, pretrained: PretrainedWeights? = nil, outputDirectory: String, resume: Bool,
    overwrites: Bool, device: Device, report: @escaping @Sendable (String) -> Void
) throws -> TrainedModel {
    let started = ContinuousClock().now
    let identity = try trainingIdentity(
        of: configuration, data: data, pretrained: pretrained)
    let folder = TrainingFolder(outputDirectory, planes: configuration.planes)
    try folder.check(identity: identity, resume: resume, overwrites: overwrites)
    // Before anything is written: what is wrong with the cases leaves an earlier training alone.
    let material = try cases()
    let validation = material.validation
    let lock = try folder.begin(
        identity: identity, text: text, resume: resume, overwrites: overwrites)
    defer { lock.release() }

    var record = TrainingRunRecord(
        configuration: configuration, text: text, device: device,
        threads: try Engine.threadCount(), engine: try Engine.versionDescription(),
        cases: material.names, heldOutCases: validation.map(\.name))
    let page = TrainingPageWriter(
        directory: outputDirectory, configuration: configuration, text: text,
        table: mapping.table)
    try page.write(record, accuracy: nil)
    var networks: [PlaneNetwork] = []
    var planeModels: [PlaneModel] = []
    var seconds = 0.0
    var trainableCounts: [Int] = []
    for options in configuration.planes {
        let outputClasses =
            options.plane == .sagittal ? sagittalOutputs(of: mapping.table) : nil
        let classCount = mapping.table.classCount
        var architecture = configuration.architecture
        architecture.classes = outputClasses?.count ?? classCount
        let outputOfClass = outputOfClass(outputClasses, classCount: classCount)
        let directory = outputDirectory + "/" + options.plane.rawValue
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        let beginning =
            networks.first { $0.plane == options.beginsWith }.map {
                PretrainedWeights($0, table: mapping.table, name: configuration.name)
            } ?? pretrained
        let trainer = PlaneTrainer(
            configuration: configuration, plane: options.plane, architecture: architecture,
            outputOfClass: outputOfClass, table: mapping.table, directory: directory,
            identity: identity, device: device, pretrained: beginning)
        var pageError: (any Error)?
        let result = try trainer.train(
            source: material.slices(
                plane: options.plane, architecture: architecture, outputOfClass: outputOfClass,
                threadCount: try Engine.threadCount()),
            validation: validation, resume: resume,
            begin: { report(line(of: $0, plane: options.plane, model: beginning?.name ?? "")) }
        ) {
            report($0.line(name: "\(options.plane.rawValue)  ", measure: "Dice"))
            guard $0.validation != nil else { return }
            do { try page.write(record, accuracy: nil) } catch { pageError = error }
        }
        if let pageError { throw pageError }
        seconds += result.seconds
        trainableCounts.append(result.network.trainableCount)
        var calibration = Calibration(of: result.network)
        for volume in material.volumes(count: calibrationScanCount) {
            try calibration.observe(volume, plane: options.plane)
        }
        record.secondsOfPlane[options.plane.rawValue] = result.seconds.rounded()
        networks.append(
            PlaneNetwork(
                plane: options.plane, network: result.network, weight: options.weight,
                outputOfClass: outputOfClass))
        planeModels.append(
            PlaneModel(
                plane: options.plane, aggregationWeight: options.weight,
                weightsFile: "weights-\(options.plane.rawValue).safetensors", sha256: "",
                outputClasses: outputClasses, inputRanges: calibration.inputRanges()))
    }

    var card = ModelCard(
        name: configuration.name, summary: configuration.summary,
        architecture: configuration.architecture, conform: configuration.conform,
        brainExtraction: configuration.brainExtraction, labels: mapping.table, planes: planeModels,
        licence: configuration.licence,
        training: TrainingRecord(
            cases: material.names, validationCases: validation.map(\.name),
            steps: configuration.optimization.steps,
            batchSize: configuration.optimization.batchSize,
            seed: configuration.optimization.seed, seconds: seconds.rounded(),
            software: "SliceSeg \(softwareVersion), LibTorch \(try Engine.versionDescription())",
            notes: trainingNotes(configuration, text: text, pretrained: pretrained)),
        accuracy: [])
    card.architecture.classes = mapping.table.classCount
    var accuracy: MeasuredAccuracy?
    if !validation.isEmpty {
        let measured = try measureAccuracy(
            networks, cases: validation, table: mapping.table,
            dataset: configuration.cases.name ?? configuration.name,
            device: device, precision: configuration.optimization.precision,
            tablePath: outputDirectory + "/accuracy.tsv", report: report)
        card.accuracy = measured.records
        // Synthetic scans are cut, thick and noisy on purpose: no sample of good ones.
        if case .scans = material.source { card.qualityLimits = measured.qualityLimits }
        accuracy = measured
    }
    record.isFinished = true
    try page.write(record, accuracy: accuracy)
    let bundle = try ModelBundle.write(
        card: card, networks: networks.map { ($0.plane, $0.network) },
        to: outputDirectory + "/bundle")
    let elapsed = (ContinuousClock().now - started) / .seconds(1)
    report(
        "Wrote the model '\(card.name)' to '\(bundle.directory)' after "
            + String(format: "%.0f s (%.0f s of training in all).", elapsed, seconds))
    let parameters = trainableCounts.reduce(0, +)
    return TrainedModel(parameters: parameters, seconds: seconds)
}

// MARK: - Planes

/// The outputs of a sagittal network: left and right structures look alike from the side, so each
/// pair shares one.
private func sagittalOutputs(of table: LabelTable) -> [[Int]] {
    var outputs: [[Int]] = [[0]]
    var outputOfName: [String: Int] = [:]
    for (position, structure) in table.structures.enumerated() {
        let name = structure.nameWithoutSide
        if let output = outputOfName[name] {
            outputs[output].append(position + 1)
        } else {
            outputOfName[name] = outputs.count
            outputs.append([position + 1])
        }
    }
    return outputs
}

extension TrainingProgress {
    /// A line for a terminal or a log.
    func line(name: String = "", measure: String) -> String {
        "\(name)step \(step)/\(steps)  "
            + String(
                format: "loss %.4f  rate %.5f  %.1f slices/s  %.1f min left", loss, learningRate,
                slicesPerSecond, secondsLeft / 60)
            + (validation.map { "  validation \(measure) " + String(format: "%.4f", $0) } ?? "")
    }
}

/// The configuration's hash, the planes that were trained otherwise than the rest, and the model that
/// the training began with, for the model card.
private func trainingNotes(
    _ configuration: TrainingConfiguration, text: String, pretrained: PretrainedWeights?
) -> String {
    var notes = ["configuration SHA-256 \(sha256(Data(text.utf8)))"]
    for options in configuration.planes where options.identity != options.plane.rawValue {
        notes.append(options.identity.replacing("/", with: " "))
    }
    if let pretrained {
        notes.append("from the weights of \(pretrained.name) (\(pretrained.identity))")
    }
    return notes.joined(separator: ", ")
}

/// A line that tells a plane's beginning with the weights of another model.
private func line(
    of transfer: PretrainedWeights.Transfer, plane: Plane, model: String
) -> String {
    var text =
        "\(plane.rawValue)  begins with the \(transfer.plane.rawValue) weights of "
        + "'\(model)'"
    if !transfer.newOutputs.isEmpty {
        text += "; new: \(transfer.newOutputs.joined(separator: ", "))"
    }
    return text
}
