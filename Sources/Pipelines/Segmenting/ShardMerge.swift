import Files
import Foundation
import ModelBundles
import Reports

/// Joins the shards of a run: their ledgers to one, and their scans to the tables and the page of a
/// run.
///
/// - Parameters:
///   - output: The output folder.
///   - arguments: The command line, for the record.
///   - note: Called with each line for the user.
/// - Returns: The outcome of the run.
/// - Throws: ``OutputError`` where shards or scans are missing, which it names, or a shard is still
///   being written; ``UsageError`` where there is no shard; `FileWriteError`.
public func mergeShards(
    in output: String, arguments: [String] = [], note: @escaping (String) -> Void = { _ in }
) throws -> SegmentationReport {
    let started = Date()
    let folder = try OutputFolder(
        at: output, shard: nil, command: "sliceseg merge \(output)")
    let signals = folder.handleSignals()
    folder.setMessage("Interrupted; run the same command again.")
    defer {
        signals.end()
        folder.release()
    }
    let shards = try ShardLedgers(in: output)
    let (run, scans) = try shards.checkedRun()
    let plan = try SegmentationPlan(joining: run.request, scans: scans.map(\.scan))
    guard plan.modelIdentity == run.modelIdentity else {
        throw OutputError(
            code: .incomplete, path: output,
            description: "the model '\(run.request.model)' is no longer the one that the shards "
                + "were segmented with; restore it, or run all shards again.")
    }
    let summary = RunSummary(
        outcomes: scans.compactMap { scan in scan.outcome.map { (scan.scan, $0) } }, output: output,
        table: plan.bundle.card.labels, thresholds: plan.thresholds)
    var joinedRun = plan.ledgerRun
    joinedRun.started = run.started
    let ledger = try Ledger(
        writing: joined(output, Ledger.fileName()), run: joinedRun, scans: plan.scans,
        fallback: SidecarStore(output: output))
    folder.setLedger(ledger)
    try ledger.join(shards.ledgers.map(\.ledger))
    func seconds() -> Double { Date().timeIntervalSince(started) }
    var record = plan.record(of: summary, started: started, seconds: seconds())
    record.arguments = arguments
    let display = ProgressDisplay(mode: .quiet, total: scans.count)
    let evaluation = try plan.writeRunFiles(
        summary, record: record, to: folder, pictures: [:], display: display, seconds: seconds)
    try ledger.end(seconds: seconds())
    folder.remove(shards.ledgers.map(\.ledger.path))
    note(summary.sentence(seconds: seconds()))
    let hasFailed = summary.count(.failed) > 0 || evaluation?.status == .failure
    return SegmentationReport(status: hasFailed ? .failure : .success, evaluation: evaluation)
}

/// The ledgers of all shards of an output folder.
struct ShardLedgers {
    /// The shards that are there, by their number.
    let ledgers: [(shard: Shard, ledger: Ledger)]
    private let output: String

    /// Opens them.
    ///
    /// - Parameter output: The output folder.
    /// - Throws: ``UsageError`` where there is none; ``OutputError`` where they are of several runs.
    init(in output: String) throws {
        self.output = output
        let names = (try? FileManager.default.contentsOfDirectory(atPath: output)) ?? []
        ledgers = try names.compactMap(Shard.init(ledgerName:)).sorted { $0.number < $1.number }
            .map { ($0, try Ledger(reading: joined(output, Ledger.fileName(shard: $0)))) }
        guard let first = ledgers.first else {
            throw UsageError(
                "'\(output)' holds no shard; name the output folder of runs with --shard",
                code: .output)
        }
        if let other = ledgers.first(where: { $0.shard.count != first.shard.count }) {
            throw OutputError(
                code: .incomplete, path: output,
                description:
                    "'\(output)' holds the shards \(first.shard) and \(other.shard) of two "
                    + "divisions; move the ledgers of one of them away.")
        }
    }

    /// The run that they are the shards of, and all its scans in order.
    ///
    /// - Throws: ``OutputError`` where a shard or the outcome of a scan is missing.
    func checkedRun() throws -> (LedgerRun, [LedgerScan]) {
        let present = Set(ledgers.map(\.shard.number))
        let count = ledgers[0].shard.count
        let missing = (1...count).filter { !present.contains($0) }
        guard missing.isEmpty else {
            throw incomplete(
                "lacks the shards " + listed(missing.map { "\($0)/\(count)" })
                    + "; run them, then merge again")
        }
        var runs: [LedgerRun] = []
        var scans: [LedgerScan] = []
        for (shard, ledger) in ledgers {
            guard let run = try ledger.lastRun() else {
                throw incomplete("has an empty ledger of shard \(shard); run it again")
            }
            runs.append(run)
            scans += try ledger.scans()
        }
        let (first, rest) = (runs[0], runs.dropFirst())
        guard rest.allSatisfy({ $0.modelIdentity == first.modelIdentity }) else {
            throw incomplete("has shards of different models; run them all with one")
        }
        guard rest.allSatisfy({ $0.options.agree(with: first.options) }) else {
            throw incomplete("has shards with different options; run them all with the same")
        }
        let left = scans.filter { $0.outcome == nil }.map(\.scan.outputName)
        guard left.isEmpty else {
            throw incomplete("lacks the outcomes of " + listed(left) + "; run their shards again")
        }
        guard runs.allSatisfy({ $0.scanCount == scans.count }) else {
            let counts = Set(runs.map { String($0.scanCount) }).sorted()
            throw incomplete(
                "has shards that saw \(listed(counts)) scans, and \(scans.count) outcomes; run all "
                    + "shards again on the same input")
        }
        var run = first
        // ISO 8601 in UTC: the least text is the earliest time.
        run.started = runs.map(\.started).min() ?? first.started
        return (run, scans.sorted { $0.position < $1.position })
    }

    private func incomplete(_ problem: String) -> OutputError {
        OutputError(code: .incomplete, path: output, description: "'\(output)' \(problem).")
    }
}

/// The first of some names, and how many more there are.
func listed(_ names: [String]) -> String {
    names.prefix(10).joined(separator: ", ")
        + (names.count > 10 ? " and \(names.count - 10) more" : "")
}
