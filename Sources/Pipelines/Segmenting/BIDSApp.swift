import Files
import Foundation
import ModelBundles
import Reports
import Volumes

/// The levels of analysis of a BIDS App.
public enum AnalysisLevel: String, Sendable, Hashable, CaseIterable {
    /// Each participant for itself.
    case participant
    /// Tables and the report of all participants.
    case group

    /// The level that a command line of the form `BIDS_DIR OUTPUT LEVEL` names, or `nil` where it is of
    /// another form.
    ///
    /// - Parameter paths: Its arguments without options.
    public init?(paths: [String]) {
        guard paths.count == 3, isDirectory(paths[0]), let level = Self(rawValue: paths[2]) else {
            return nil
        }
        self = level
    }
}

/// Reads the sessions that a BIDS filter file asks for, as BABS hands one to each job.
///
/// - Parameter path: A file of JSON, such as `{"t1w": {"session": "01"}}`.
/// - Returns: The sessions' labels; empty where it names none.
/// - Throws: ``UsageError`` where it cannot be read.
public func sessionLabels(ofFilterFile path: String) throws(UsageError) -> [String] {
    guard let data = FileManager.default.contents(atPath: path),
        let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
    else {
        throw UsageError(
            "the BIDS filter file '\(path)' cannot be read as JSON; check its path and its text",
            code: .input)
    }
    let filters = object.values.compactMap { $0 as? [String: Any] }
    let found = filters.compactMap { $0["session"] }
        .flatMap { ($0 as? [String]) ?? [($0 as? String)].compactMap(\.self) }
    return Set(found).sorted()
}

/// Makes the tables and the report of a group from what its participants' runs have written.
///
/// Only the output folder is read: labels, and the records beside them. Failures are those that the
/// ledgers of participants' runs name.
///
/// - Parameters:
///   - output: The output folder.
///   - model: The model, where it is not a shipped one that the records name.
///   - arguments: The command line, for the record.
///   - note: Called with each line for the user.
/// - Returns: The outcome.
/// - Throws: ``UsageError`` where there are no results; errors of the model; `FileWriteError`.
public func summarizeParticipants(
    in output: String, model: String?, arguments: [String],
    note: @escaping (String) -> Void
) throws -> SegmentationReport {
    let started = Date()
    let names = (FileManager.default.enumerator(atPath: output)?.compactMap { $0 as? String } ?? [])
        .filter { $0.hasPrefix("sub-") && $0.hasSuffix("_dseg.json") }.sorted()
    let records = names.compactMap { name in
        Provenance.read(at: joined(output, name)).map { (String(name.dropLast(10)), $0) }
    }
    guard let first = records.first?.1 else {
        throw UsageError(
            "'\(output)' holds no results of participants; run the level 'participant' first",
            code: .output)
    }
    var request = try SegmentationRequest(paths: [output, output])
    request.model = model ?? first.model.name
    request.planes = first.options.planes
    request.arguments = arguments
    let folder = try OutputFolder(
        at: output, shard: nil, command: "segment-brain ... \(output) group")
    let signals = folder.handleSignals()
    folder.setMessage("Interrupted; run the same command again.")
    defer {
        signals.end()
        folder.release()
    }
    let bundle = try loadModel(request.model)
    if let other = records.first(where: { $0.1.model.identity != bundle.identity }) {
        throw UsageError(
            "'\(other.0)' in '\(output)' is by another model than '\(request.model)'; name the one "
                + "of all participants with --model", code: .model)
    }
    var outcomes: [(scan: ScanFile, outcome: ScanOutcome)] = []
    for (name, record) in records {
        var scan = ScanFile(path: record.scan.path, outputName: scanName(ofDerivative: name))
        scan.fileName = name
        let earlier = SidecarResult(scan: scan, output: output, table: bundle.card.labels)
        outcomes.append((scan, earlier.outcome))
    }
    var known = Set(outcomes.map(\.scan.outputName))
    let whole = Ledger.fileName()
    let ledgers =
        participantLedgers(in: output) + (isRegularFile(joined(output, whole)) ? [whole] : [])
    for path in ledgers {
        for scan in try Ledger(reading: joined(output, path)).scans() {
            guard case .failed? = scan.outcome, let outcome = scan.outcome,
                known.insert(scan.scan.outputName).inserted
            else { continue }
            outcomes.append((scan.scan, outcome))
        }
    }
    let plan = try SegmentationPlan(joining: request, scans: outcomes.map(\.scan))
    let summary = RunSummary(
        outcomes: outcomes, output: output, table: bundle.card.labels, thresholds: plan.thresholds)
    func seconds() -> Double { Date().timeIntervalSince(started) }
    let record = plan.record(of: summary, started: started, seconds: seconds())
    let display = ProgressDisplay(mode: .quiet, total: outcomes.count)
    _ = try plan.writeRunFiles(
        summary, record: record, to: folder, pictures: [:], display: display, seconds: seconds)
    note(
        "\(outcomes.count) scans of \(ParticipantOutcome.all(of: outcomes).count) participants: "
            + "volumes.tsv, qc.tsv and report.html are in '\(output)'.")
    return SegmentationReport(
        status: summary.count(.failed) > 0 ? .failure : .success, evaluation: nil,
        participants: ParticipantOutcome.all(of: outcomes))
}

/// The result that the files beside a label map tell.
private struct SidecarResult {
    let scan: ScanFile
    let output: String
    let table: LabelTable

    var outcome: ScanOutcome {
        let store = SidecarStore(output: output)
        let outputs = ScanOutputs(of: scan, in: output)
        guard let stored = try? store.stored(scan), let labels = stored.outputs.first,
            contentHash(ofFileAt: outputs.labels) == labels.sha256
        else {
            return .failed(
                FailureReason(
                    sentence: "'\(outputs.labels)' is missing or was changed since it was written; "
                        + "run its participant again.", code: "output.changed", stage: nil))
        }
        return measuredResult(of: scan, outputs, table: table).map { .earlier($0) }
            ?? .failed(
                FailureReason(
                    sentence: "'\(outputs.labels)' cannot be read; run its participant again.",
                    code: "volume.unreadable", stage: nil))
    }
}

/// The scan's own name in that of a derivative: without the space and the segmentation.
private func scanName(ofDerivative name: String) -> String {
    let folder = (name as NSString).deletingLastPathComponent
    guard var parts = BIDSName((name as NSString).lastPathComponent) else { return name }
    parts["space"] = nil
    parts["seg"] = nil
    return joined(folder, parts.text)
}

/// The names of ledgers of single participants' and sessions' runs in a folder.
func participantLedgers(in output: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: output)) ?? []).filter { name in
        name.hasSuffix(".sqlite") && ["ledger_sub-", "ledger_ses-"].contains(where: name.hasPrefix)
    }.sorted()
}

/// Has temporary files written to a folder from now on.
///
/// - Parameter path: The folder; made where it is missing.
/// - Throws: `FileWriteError` where it cannot be made.
public func prepareWorkFolder(_ path: String) throws {
    try makeDirectory(path)
    setenv("TMPDIR", absolutePath(path), 1)
}
