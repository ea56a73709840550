import Files
import Foundation
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

/// All that a network and its accuracy depend on.
func experimentIdentity(of configuration: TrainingConfiguration, data: String) throws -> String {
    let planes = configuration.planes.map { "\($0.plane.rawValue) \($0.weight)" }
    let parts = [try trainingIdentity(of: configuration, data: data)] + planes
    return sha256(Data(parts.joined(separator: "\n").utf8))
}
