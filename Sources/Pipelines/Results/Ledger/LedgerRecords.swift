import Foundation
import SQLite

/// A run as a ledger has it.
struct LedgerRun: Sendable, Codable {
    /// The version of the program.
    var version = softwareVersion
    /// The command line.
    var arguments: [String]
    /// The request.
    var request: SegmentationRequest
    /// The model's name and identity.
    var modelName: String
    var modelIdentity: String
    /// The options.
    var options: Provenance.Options
    /// The shard, or `nil` where it is a whole run.
    var shard: Shard?
    /// All scans of the run, those of other shards included.
    var scanCount: Int
    /// The places of a shard's scans among them.
    var positions: [Int]?
    /// The time and the machine of its start.
    var started = timestamp(Date())
    var host = ProcessInfo.processInfo.hostName
    var process = getpid()
    /// The time of its end and its duration; `nil` if it did not end.
    var ended: String?
    var seconds: Double?
}

/// A scan of a run as a ledger has it.
struct LedgerScan: Sendable {
    var scan: ScanFile
    /// Its place among all scans of the run, those of other shards included.
    var position: Int
    var state: StoredResult.State
    /// A Boolean value indicating whether its outcome is that of the last run.
    var isSettled: Bool
    /// A Boolean value indicating whether that run found it done.
    var wasSkipped: Bool
    var started: String?
    var seconds: Double?
    var result: CaseResult?
    /// A Boolean value indicating whether the ledger has a result, which need not have been read.
    var hasResult = false
    var failure: FailureReason?

    /// A Boolean value indicating whether it has labels.
    var isDone: Bool { isSettled && hasResult && (state == .done || state == .edited) }

    /// The outcome, or `nil` where it is left to do.
    var outcome: ScanOutcome? {
        guard isSettled else { return nil }
        switch state {
        case .done: return result.map { wasSkipped ? .earlier($0) : .segmented($0) }
        case .edited: return result.map { .edited($0) }
        case .failed: return failure.map { .failed($0) }
        case .waiting, .running, .committing: return nil
        }
    }
}

extension StoredResult.State {
    /// Reads the state from a row of the table `scan`.
    init(_ row: SQLiteRow) throws { self = Self(rawValue: try row.value("state")) ?? .waiting }
}

extension LedgerScan {
    /// Reads what every query has, from a row of the table `scan`.
    init(_ row: SQLiteRow, run: Int64) throws {
        let settled: Int64? = row["settled"]
        let status: String? = row["status"]
        self.init(
            scan: ScanFile(path: try row.value("path"), outputName: try row.value("name")),
            position: try row.value("position"), state: try StoredResult.State(row),
            isSettled: settled == run, wasSkipped: status == ScanRecord.Status.skipped.rawValue,
            started: row["started"], seconds: row["seconds"])
    }
}

func encodedForLedger(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
}

func decodedFromLedger<Value: Decodable>(_ text: String?) -> Value? {
    text.flatMap { try? JSONDecoder().decode(Value.self, from: Data($0.utf8)) }
}
