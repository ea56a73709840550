import Files
import Foundation
import Inference
import Reports
import Tensors
import Training
import Volumes

/// `training.json`: what a training was made of, for machines.
struct TrainingRunRecord: Codable {
    var name: String
    var software: String
    var engine: String
    var processor: String
    var device: String
    var threads: Int
    var precision: String
    var seed: UInt64
    var configurationSHA256: String
    var cases: [String]
    var heldOutCases: [String]
    /// Seconds of work on each plane's network that is finished.
    var secondsOfPlane: [String: Double] = [:]
    var isFinished = false

    init(
        configuration: TrainingConfiguration, text: String, device: Device, threads: Int,
        engine: String, cases: [String], heldOutCases: [String]
    ) {
        name = configuration.name
        software = "SliceSeg \(softwareVersion)"
        self.engine = "LibTorch \(engine)"
        processor = processorName()
        self.device = "\(device)"
        self.threads = threads
        precision = configuration.optimization.precision.resolved(on: device).rawValue
        seed = configuration.optimization.seed
        configurationSHA256 = sha256(Data(text.utf8))
        self.cases = cases
        self.heldOutCases = heldOutCases
    }

    var facts: [(name: String, value: String)] {
        let minutes = secondsOfPlane.sorted { $0.key < $1.key }
            .map { "\($0.key) " + String(format: "%.1f min", $0.value / 60) }
        return [
            ("Software", "\(software), \(engine)"),
            ("Machine", "\(processor), \(device), \(threads) threads, \(precision)"),
            ("Seed", "\(seed)"), ("Trained on", cases.joined(separator: ", ")),
            ("Held out", heldOutCases.isEmpty ? "none" : heldOutCases.joined(separator: ", ")),
            (
                "Time of training",
                minutes.isEmpty ? "not finished" : minutes.joined(separator: ", ")
            ),
            ("Configuration", "SHA-256 \(configurationSHA256)"),
        ]
    }
}

/// Writes `training.html` and `training.json` from the logs of the planes' networks.
struct TrainingPageWriter {
    var directory: String
    var configuration: TrainingConfiguration
    var text: String
    var table: LabelTable

    /// Writes both files anew; the accuracy is known at the end.
    func write(_ record: TrainingRunRecord, accuracy: MeasuredAccuracy?) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try writeAtomically(
            String(decoding: try encoder.encode(record), as: UTF8.self) + "\n",
            to: directory + "/training.json")
        let networks = configuration.planes.map { options in
            TrainingPage.Network(
                name: options.plane.rawValue,
                rows: readTrainingLog(
                    at: "\(directory)/\(options.plane.rawValue)/log.tsv"))
        }
        var page = TrainingPage(
            title: "Training of \(configuration.name)",
            lead: configuration.summary + (record.isFinished ? "" : " Not finished yet."),
            networks: networks, table: table, accuracy: accuracy?.columns ?? [],
            worst: accuracy?.worst ?? [], facts: record.facts, configuration: text)
        page.isOfClassifier = configuration.task == .classification
        try writeAtomically(try page.html(), to: directory + "/training.html")
    }
}

/// The rows of a training's log; none where it is missing.
func readTrainingLog(at path: String) -> [TrainingPage.Row] {
    (TSVReader(contentsOfFile: path)?.rows ?? []).compactMap { row in
        func number(_ column: String) -> Double? { row[column].flatMap(Double.init) }
        guard let step = number("step"), let loss = number("loss"),
            let rate = number("learning_rate"), let speed = number("slices_per_second")
        else { return nil }
        return TrainingPage.Row(
            step: step, loss: loss, learningRate: rate, slicesPerSecond: speed,
            validation: number("validation_dice") ?? number("validation_accuracy"))
    }
}
