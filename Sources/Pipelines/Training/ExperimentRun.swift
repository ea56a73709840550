import Datasets
import Files
import Foundation
import Tensors
import Training
import Volumes

/// The results of a trained and evaluated network; written last, so that its presence marks a
/// finished network.
struct FinishedNetwork: Codable {
    /// The configuration that it was trained by, see `experimentIdentity`.
    var identity: String
    /// The SHA-256 of its `accuracy.tsv`.
    var accuracySHA256: String
    /// The weights that are learnt.
    var parameters: Int
    /// Seconds of training.
    var trainingSeconds: Double

    static let fileName = "network.json"

    /// Reads the record of a folder; `nil` where the network is not finished, or is one of another
    /// configuration, or its accuracy is not the one that was measured.
    init?(in directory: String, identity: String) {
        guard
            let data = FileManager.default.contents(atPath: directory + "/" + Self.fileName),
            let record = try? JSONDecoder().decode(Self.self, from: data),
            record.identity == identity,
            contentHash(ofFileAt: directory + "/accuracy.tsv") == record.accuracySHA256
        else { return nil }
        self = record
    }

    init(identity: String, accuracySHA256: String, model: TrainedModel) {
        self.identity = identity
        self.accuracySHA256 = accuracySHA256
        parameters = model.parameters
        trainingSeconds = model.seconds
    }

    func write(in directory: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        try writeAtomically(try encoder.encode(self), to: directory + "/" + Self.fileName)
    }
}

/// Trains the networks of an experiment one after the other, each in a folder of its own, and
/// writes the table after each.
///
/// With `resume`, networks that are finished are left alone, and one that was broken off goes on
/// from its checkpoint. Several processes may share a folder as long as `only` gives each network
/// to one of them; the last to end writes the whole table.
func runExperiment(
    _ experiment: Experiment, mapping: LabelMapping, data: String, cases: LazyCases,
    outputDirectory: String, resume: Bool, overwrites: Bool, device: Device, only: [String],
    report: @escaping @Sendable (String) -> Void
) throws {
    try FileManager.default.createDirectory(
        atPath: outputDirectory, withIntermediateDirectories: true)
    for network in experiment.networks where only.isEmpty || only.contains(network.name) {
        let directory = outputDirectory + "/" + network.name
        let identity = try experimentIdentity(of: network.configuration, data: data)
        if resume, FinishedNetwork(in: directory, identity: identity) != nil {
            report("\(network.name) is finished.")
            continue
        }
        report("\(network.name):")
        let model = try trainModel(
            network.configuration, text: network.text, mapping: mapping, data: data, cases: cases,
            outputDirectory: directory, resume: resume, overwrites: overwrites, device: device
        ) { report("\(network.name)  \($0)") }
        guard let accuracy = contentHash(ofFileAt: directory + "/accuracy.tsv") else {
            throw TrainingRunError(
                description: "'\(experiment.path)' holds out no case, so that nothing can be "
                    + "compared; name some in 'cases.validation'")
        }
        try FinishedNetwork(identity: identity, accuracySHA256: accuracy, model: model)
            .write(in: directory)
        try writeTable(of: experiment, data: data, outputDirectory: outputDirectory)
    }
    try writeTable(of: experiment, data: data, outputDirectory: outputDirectory)
    report("Wrote '\(outputDirectory)/table.html'.")
}

/// All that a network and its accuracy depend on.
func experimentIdentity(of configuration: TrainingConfiguration, data: String) throws -> String {
    let planes = configuration.planes.map { "\($0.plane.rawValue) \($0.weight)" }
    let parts = [try trainingIdentity(of: configuration, data: data)] + planes
    return sha256(Data(parts.joined(separator: "\n").utf8))
}
