import Datasets
import Files
import Foundation
import Inference
import ModelBundles
import NeuralNetworks
import Preprocessing
import Reports
import SegmentationModels
import Tensors
import Training
import Volumes

/// Trains a classifier of scans and writes everything below a folder, as for segmentation;
/// `accuracy.tsv` has the answer for each scan that is held out.
func trainClassifier(
    _ configuration: TrainingConfiguration, text: String, folder: String,
    outputDirectory: String, resume: Bool, overwrites: Bool, device: Device,
    report: @escaping @Sendable (String) -> Void
) throws {
    let scans = try ClassifiedScans(configuration, folder: folder, report: report)
    let identity = try trainingIdentity(of: configuration, data: scans.data)
    let training = TrainingFolder(outputDirectory, planes: configuration.planes)
    try training.check(identity: identity, resume: resume, overwrites: overwrites)
    let lock = try training.begin(
        identity: identity, text: text, resume: resume, overwrites: overwrites)
    defer { lock.release() }

    let classes = scans.classes
    let table = classes.labelTable
    var record = TrainingRunRecord(
        configuration: configuration, text: text, device: device,
        threads: try Engine.threadCount(), engine: try Engine.versionDescription(),
        cases: scans.names, heldOutCases: scans.validation.map(\.name))
    let page = TrainingPageWriter(
        directory: outputDirectory, configuration: configuration, text: text, table: table)
    try page.write(record, accuracy: nil)

    let plane = configuration.planes[0].plane
    var architecture = configuration.architecture
    architecture.classes = table.classCount
    let directory = joined(outputDirectory, plane.rawValue)
    try FileManager.default.createDirectory(
        atPath: directory, withIntermediateDirectories: true)
    let trainer = PlaneTrainer(
        configuration: configuration, plane: plane, architecture: architecture,
        outputOfClass: Array(0..<table.classCount), table: table, directory: directory,
        identity: identity, device: device)
    let pool = configuration.cases.synthesis?.poolSize ?? 24
    let source = ClassifiedSlices(
        kindCount: classes.kinds.count, tellsOrientation: classes.tellsOrientation,
        window: classes.windowVoxels, context: architecture.contextSlices,
        slicesPerScan: configuration.cases.synthesis?.slicesPerScan ?? 8, poolSize: pool,
        threadCount: try Engine.threadCount(), scan: scans.scan)
    func answers(_ network: SegmentationNetwork) throws -> [ClassifierAnswer] {
        try scans.validation.enumerated().map { number, scan in
            try ClassifierAnswer(of: scan, number: number, by: network, classes, on: device)
        }
    }
    var pageError: (any Error)?
    let result = try trainer.train(
        source: source,
        measure: scans.validation.isEmpty
            ? nil : { network in ClassifierAnswer.accuracy(of: try answers(network)) },
        resume: resume
    ) {
        report($0.line(measure: "accuracy"))
        guard $0.validation != nil else { return }
        do { try page.write(record, accuracy: nil) } catch { pageError = error }
    }
    if let pageError { throw pageError }
    record.secondsOfPlane[plane.rawValue] = result.seconds.rounded()

    var card = ModelCard(
        name: configuration.name, summary: configuration.summary, architecture: architecture,
        conform: configuration.conform, classification: classes, labels: table,
        planes: [PlaneModel(plane: plane)],
        licence: configuration.licence,
        training: TrainingRecord(
            cases: scans.names, validationCases: scans.validation.map(\.name),
            steps: configuration.optimization.steps,
            batchSize: configuration.optimization.batchSize,
            seed: configuration.optimization.seed, seconds: result.seconds.rounded(),
            software: "SliceSeg \(softwareVersion), LibTorch \(try Engine.versionDescription())",
            notes: "configuration SHA-256 \(sha256(Data(text.utf8)))"))
    if !scans.validation.isEmpty {
        let answers = try answers(result.network)
        try ClassifierAnswer.table(of: answers, classes)
            .write(to: joined(outputDirectory, "accuracy.tsv"))
        card.accuracy = [ClassifierAnswer.record(of: answers, configuration, classes)]
        report(
            String(
                format: "Held-out scans classified right: %.4f.",
                ClassifierAnswer.accuracy(of: answers)))
    }
    record.isFinished = true
    try page.write(record, accuracy: nil)
    let bundle = try ModelBundle.write(
        card: card, networks: [(plane, result.network)], to: joined(outputDirectory, "bundle"))
    report("Wrote the model '\(card.name)' to '\(bundle.directory)'.")
}

/// A network's answer for a scan whose kind is known.
private struct ClassifierAnswer {
    var name: String
    /// The scan's kind and its way to lie, as it was turned.
    var kind: Int?
    var stored: Orientation
    var answer: ScanClassification

    /// Asks a network about a scan; where the way it lies is told, the scan is turned first, each to
    /// another orientation.
    init(
        of scan: ClassifiedScan, number: Int, by network: SegmentationNetwork,
        _ classes: ScanClasses, on device: Device
    ) throws {
        name = scan.name
        kind = scan.kind
        stored = classes.tellsOrientation ? Orientation.allCases[number * 7 % 48] : .ras
        answer = try ScanClassifier.classification(
            of: scan.volume, classes: classes, context: network.architecture.contextSlices,
            as: stored
        ) { images in
            try withoutGradients {
                try network(images.converted(to: .float32, on: device), mode: .inference)
            }
        }
    }

    /// The answer's way to lie, of the two that look alike the one on the scan's side.
    private var toldOrientation: Orientation? {
        guard let told = answer.orientation?.directions else { return nil }
        return told.mirrored == stored ? stored : told
    }

    var isRight: Bool {
        answer.kind == kind && (kind == nil || (toldOrientation ?? stored) == stored)
    }

    static func accuracy(of answers: [ClassifierAnswer]) -> Double {
        Double(answers.count(where: \.isRight)) / Double(max(1, answers.count))
    }

    static func table(of answers: [ClassifierAnswer], _ classes: ScanClasses) -> TSVTable {
        func name(_ kind: Int?) -> String {
            kind.map { classes.kinds[$0] } ?? ClassSource.noneName
        }
        return TSVTable(
            columns: [
                "scan", "class", "told_class", "orientation", "told_orientation", "probability",
            ],
            rows: answers.map { answer in
                let told = answer.answer.kind
                return [
                    .text(answer.name), .text(name(answer.kind)), .text(name(told)),
                    .text("\(answer.stored)"),
                    answer.toldOrientation.map { .text("\($0)") } ?? .missing,
                    .fixed(
                        told.map { answer.answer.kindProbabilities[$0] }
                            ?? answer.answer.noneProbability, decimals: 4),
                ]
            })
    }

    static func record(
        of answers: [ClassifierAnswer], _ configuration: TrainingConfiguration,
        _ classes: ScanClasses
    ) -> AccuracyRecord {
        var perKind: [String: Double] = [:]
        for (position, kind) in classes.kinds.enumerated() {
            let own = answers.filter { $0.kind == position }
            if !own.isEmpty { perKind[kind] = accuracy(of: own) }
        }
        return AccuracyRecord(
            dataset: configuration.cases.name ?? configuration.name, cases: answers.map(\.name),
            metric: "accuracy", mean: accuracy(of: answers), perStructure: perKind,
            notes: classes.tellsOrientation
                ? "Right are scans whose kind and orientation, up to mirroring, are told; each was "
                    + "turned to another orientation." : "")
    }
}
