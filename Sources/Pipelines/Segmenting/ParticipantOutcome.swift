import Foundation

/// The outcome of a participant.
public struct ParticipantOutcome: Sendable, Hashable {
    /// The participant, `sub-01`.
    public var name: String
    /// The number of its scans that have labels.
    public var done: Int
    /// The codes of its failures.
    public var failures: [String]

    /// The line that a run ends with: stable, for programs that read logs.
    public var line: String {
        let count = done + failures.count
        let scans = "\(count) \(count == 1 ? "scan" : "scans")"
        if failures.isEmpty { return "\(name): success, \(scans)" }
        return "\(name): failure, \(failures.count) of \(scans) ("
            + Set(failures).sorted().joined(separator: ", ") + ")"
    }

    /// The outcomes of the participants of some scans, in the order of the scans.
    static func all(
        of outcomes: [(scan: ScanFile, outcome: ScanOutcome)]
    ) -> [ParticipantOutcome] {
        var result: [ParticipantOutcome] = []
        var positions: [String: Int] = [:]
        for (scan, outcome) in outcomes {
            let name = scan.outputName.split(separator: "/").first.map(String.init) ?? ""
            let position = positions[name] ?? result.count
            if position == result.count {
                positions[name] = position
                result.append(ParticipantOutcome(name: name, done: 0, failures: []))
            }
            if case .failed(let reason) = outcome {
                result[position].failures.append(reason.code)
            } else {
                result[position].done += 1
            }
        }
        return result
    }
}
