import Datasets
import Files
import Parallel
import Foundation
import Inference
import ModelBundles
import NeuralNetworks
import Preprocessing
import SegmentationMetrics
import SegmentationModels
import Tensors
import Training
import VolumeIO
import Volumes

/// An error in a training configuration.
public struct TrainingRunError: Error, CustomStringConvertible {
    /// One sentence with a next step.
    public var description: String
}

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
    let beginning = try pretrained.map { PretrainedWeights(try loadModel($0)) }
    let folder = (configurationPath as NSString).deletingLastPathComponent
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

/// The data of a training.
struct TrainingMaterial {
    /// The source of the slices.
    enum Source {
        /// Scans with labels.
        case scans([TrainingCase])
        /// Scans synthesised while the training runs.
        case synthesis(HeadSynthesizer, CaseSource.Synthesis)
    }

    var source: Source
    /// The cases held out.
    var validation: [TrainingCase]

    /// The cases or label maps that are trained on.
    var names: [String] {
        switch source {
        case .scans(let cases): cases.map(\.name)
        case .synthesis(let synthesizer, _): synthesizer.anatomies.map(\.name)
        }
    }

    /// The slices of a plane.
    func slices(
        plane: Plane, architecture: Architecture, outputOfClass: [Int], threadCount: Int
    ) -> any SliceSource {
        let outputs = outputOfClass.map(UInt8.init)
        switch source {
        case .scans(let cases):
            return SliceDataset(
                cases: cases, plane: plane, context: architecture.contextSlices,
                outputOfClass: outputs, multiple: architecture.sizeMultiple)
        case .synthesis(let synthesizer, let options):
            return SyntheticSlices(
                synthesizer, plane: plane, context: architecture.contextSlices,
                outputOfClass: outputs, slicesPerScan: options.slicesPerScan,
                poolSize: options.poolSize, threadCount: threadCount)
        }
    }

    /// Representative volumes in the model's space.
    func volumes(count: Int) -> [Volume] {
        switch source {
        case .scans(let cases): cases.prefix(count).map(\.conformed.volume)
        case .synthesis(let synthesizer, _): (0..<count).map { synthesizer.scan($0).volume }
        }
    }
}

/// Cases that are read when they are first asked for, and once.
final class LazyCases {
    private let load: () throws -> TrainingMaterial
    private var loaded: TrainingMaterial?

    init(_ load: @escaping () throws -> TrainingMaterial) {
        self.load = load
    }

    /// The cases to train on, and those held out.
    func callAsFunction() throws -> TrainingMaterial {
        if let loaded { return loaded }
        let cases = try load()
        loaded = cases
        return cases
    }
}

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
    try FileManager.default.createDirectory(
        atPath: outputDirectory, withIntermediateDirectories: true)
    let lock = try folder.lock()
    defer { lock.release() }
    try folder.check(identity: identity, resume: resume, overwrites: overwrites)
    if !resume { try folder.clear() }
    try writeAtomically(text, to: outputDirectory + "/configuration.yaml")

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
        let classCount = mapping.table.structures.count + 1
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
            report(line(of: $0))
            guard $0.validationDice != nil else { return }
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
            notes: "configuration SHA-256 \(sha256(Data(text.utf8)))"
                + (pretrained.map {
                    ", from the weights of \($0.name) (\($0.identity))"
                } ?? "")),
        accuracy: [])
    card.architecture.classes = mapping.table.structures.count + 1
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

// MARK: - Reading

private func readMapping(_ path: String, relativeTo folder: String) throws -> LabelMapping {
    let path = resolve(path, relativeTo: folder)
    return try LabelMapping.parse(try readText(path), path: path)
}

private func loadCases(
    _ configuration: TrainingConfiguration, mapping: LabelMapping, folder: String,
    report: (String) -> Void
) throws -> TrainingMaterial {
    let source = configuration.cases
    var training: [TrainingCase] = []
    var validation: [TrainingCase] = []
    func add(_ name: String, scan: Volume, labels: LabelMap, isHeldOut: Bool) throws {
        let prepared = try TrainingCase(
            name: name, scan: scan, labels: mapping.apply(to: labels), table: mapping.table,
            conform: configuration.conform)
        if isHeldOut { validation.append(prepared) } else { training.append(prepared) }
    }
    if let synthesis = source.synthesis {
        return try synthesisMaterial(
            synthesis, mapping: mapping, folder: folder, report: report)
    }
    let tablePath = resolve(source.labels, relativeTo: folder)
    var check = CaseCheck(mapping: mapping, tablePath: tablePath)
    if let phantoms = source.phantoms {
        for number in 0..<phantoms.count {
            let seed = phantoms.seed &+ UInt64(number)
            let (scan, labels) = makePhantom(seed: seed)
            try add(
                "phantom-\(seed)", scan: scan, labels: labels,
                isHeldOut: number >= phantoms.count - phantoms.validation)
        }
    } else {
        let files = try caseFiles(of: source, relativeTo: folder)
        let heldOut = Set(source.validation ?? [])
        if let unknown = heldOut.subtracting(files.map(\.name)).sorted().first {
            let place = source.directory.map { "'\($0)'" } ?? "'cases.files'"
            throw TrainingRunError(
                description: "the held-out case '\(unknown)' is not in \(place); correct "
                    + "'cases.validation' in the configuration")
        }
        for file in files {
            let scan = try readVolume(at: file.scanPath)
            let labels = try LoadedLabelMap(readingFrom: file.labelPath)
            let isHeldOut = heldOut.contains(file.name)
            try check.add(file, scan: scan.volume, labels: labels, isHeldOut: isHeldOut)
            try add(file.name, scan: scan.volume, labels: labels.map, isHeldOut: isHeldOut)
        }
    }
    guard !training.isEmpty else {
        throw TrainingRunError(
            description: "every case is held out; leave some for training in 'cases.validation'")
    }
    report("\(training.count) cases to train on, \(validation.count) held out.")
    let census = ClassCensus(of: training, table: mapping.table)
    for line in check.notes + census.lines { report(line) }
    try census.check(tablePath: tablePath)
    return TrainingMaterial(source: .scans(training), validation: validation)
}

/// Reads the label maps of a configuration that synthesises its scans.
func readSynthesis(
    configurationPath: String, isHeldOut: Bool
) throws -> (synthesizer: HeadSynthesizer, mapping: LabelMapping) {
    let configuration = try ConfigurationLayers(path: configurationPath).configuration()
    let folder = (configurationPath as NSString).deletingLastPathComponent
    guard let source = configuration.cases.synthesis else {
        throw TrainingRunError(
            description: "'\(configurationPath)' synthesises no scans; give one with "
                + "'cases.synthesis', such as pipelines/brain-any.yaml")
    }
    let mapping = try readMapping(configuration.cases.labels, relativeTo: folder)
    let anatomies = try readAnatomies(source, folder: folder)
        .filter { source.validation.contains($0.name) == isHeldOut }
    guard !anatomies.isEmpty else {
        throw TrainingRunError(
            description: "'\(configurationPath)' holds no label map out; leave out --held-out")
    }
    return (
        HeadSynthesizer(
            anatomies: anatomies, options: source.options, mapping: mapping,
            seed: source.seed &+ (isHeldOut ? 1 : 0)),
        mapping
    )
}

private func readAnatomies(
    _ source: CaseSource.Synthesis, folder: String
) throws -> [HeadAnatomy] {
    let directory = resolve(source.directory, relativeTo: folder)
    let files = ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? [])
        .filter { !$0.hasPrefix(".") }.sorted()
        .compactMap { file in
            volumeName(ofPath: file).map { (name: $0, path: directory + "/" + file) }
        }
    guard !files.isEmpty else {
        throw TrainingRunError(
            description:
                "'\(directory)' holds no label map; correct 'cases.synthesis.directory' in "
                + "the configuration")
    }
    if let unknown = Set(source.validation).subtracting(files.map(\.name)).sorted().first {
        throw TrainingRunError(
            description: "the held-out label map '\(unknown)' is not in '\(directory)'; correct "
                + "'cases.synthesis.validation' in the configuration")
    }
    return try concurrentMap(count: files.count) { index in
        Result {
            try HeadAnatomy(
                name: files[index].name, labels: readLabelMap(at: files[index].path).0)
        }
    }.map { try $0.get() }
}

/// Reads the label maps that scans are synthesised from.
private func synthesisMaterial(
    _ source: CaseSource.Synthesis, mapping: LabelMapping, folder: String,
    report: (String) -> Void
) throws -> TrainingMaterial {
    let anatomies = try readAnatomies(source, folder: folder)
    let heldOut = Set(source.validation)
    let training = anatomies.filter { !heldOut.contains($0.name) }
    guard !training.isEmpty else {
        throw TrainingRunError(
            description: "every label map is held out; leave some for training in "
                + "'cases.synthesis.validation'")
    }
    // Validation scans are the same in every run: each map has its own synthesizer and seed.
    let validation = anatomies.filter { heldOut.contains($0.name) }.flatMap { anatomy in
        let synthesizer = HeadSynthesizer(
            anatomies: [anatomy], options: source.options, mapping: mapping,
            seed: source.seed &+ 1)
        return (0..<source.scansPerHeldOutMap).map { number in
            TrainingCase(
                name: "\(anatomy.name)-\(number + 1)", scan: synthesizer.scan(number),
                table: mapping.table)
        }
    }
    report(
        "\(training.count) label maps to synthesise scans from, \(validation.count) scans of "
            + "\(heldOut.count) others held out.")
    return TrainingMaterial(
        source: .synthesis(
            HeadSynthesizer(
                anatomies: training, options: source.options, mapping: mapping, seed: source.seed),
            source),
        validation: validation)
}

/// The scans and label maps of a folder or of a list.
func caseFiles(of source: CaseSource, relativeTo folder: String) throws -> [CaseFiles] {
    guard let listed = source.files else {
        return try CaseFiles.find(
            in: resolve(source.directory ?? "", relativeTo: folder),
            scanSuffix: source.scanSuffix ?? "", labelSuffix: source.labelSuffix ?? "_dseg")
    }
    var names: Set<String> = []
    return try listed.map { files in
        guard names.insert(files.name).inserted else {
            throw TrainingRunError(
                description: "two cases are called '\(files.name)'; correct 'cases.files' in the "
                    + "configuration")
        }
        return CaseFiles(
            name: files.name, scanPath: resolve(files.scan, relativeTo: folder),
            labelPath: resolve(files.labels, relativeTo: folder))
    }
}

// MARK: - Planes

/// The outputs of a sagittal network: left and right structures look alike from the side, so each
/// pair of `Left-X` and `Right-X` shares one.
private func sagittalOutputs(of table: LabelTable) -> [[Int]] {
    var outputs: [[Int]] = [[0]]
    var outputOfName: [String: Int] = [:]
    for (position, structure) in table.structures.enumerated() {
        var name = structure.name
        for side in ["Left-", "Right-"] where name.hasPrefix(side) {
            name = String(name.dropFirst(side.count))
        }
        if let output = outputOfName[name] {
            outputs[output].append(position + 1)
        } else {
            outputOfName[name] = outputs.count
            outputs.append([position + 1])
        }
    }
    return outputs
}

private func line(of progress: TrainingProgress) -> String {
    let minutes = progress.secondsLeft / 60
    let dice = progress.validationDice.map { String(format: "  validation Dice %.4f", $0) } ?? ""
    return "\(progress.plane.rawValue)  step \(progress.step)/\(progress.steps)  "
        + String(
            format: "loss %.4f  rate %.5f  %.1f slices/s  %.1f min left", progress.loss,
            progress.learningRate, progress.slicesPerSecond, minutes) + dice
}

/// What a plane's network took over from another model.
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
