import Dispatch
import Files
import Foundation
import Inference
import ModelBundles
import Parallel
import Reports
import SegmentationMetrics
import Synchronization
import Tensors
import VolumeIO
import Volumes

/// The outcome of a run over scans.
public struct SegmentationReport: Sendable {
    /// Success where all scans are done.
    public var status: ExitStatus
    /// The agreement with references, where those were given.
    public var evaluation: EvaluationReport?
    /// The participants, where the scans are of a BIDS dataset.
    public var participants: [ParticipantOutcome] = []
}

/// Segments scans and writes tables, pictures and records of them.
///
/// For each scan come labels, their table, volumes, a picture and the provenance, which is written
/// last; for the run `volumes.tsv`, `qc.tsv`, `report.html`, `failures.tsv`, `run.json`,
/// `dataset_description.json` and the ledger; with references also what ``evaluate(_:)`` writes. A
/// shard writes the files of its scans and its own ledger, and ``mergeShards(in:arguments:note:)`` the rest.
///
/// Scans that are done are left out: those with the same bytes, model and options whose files are as
/// they were written. A label map that somebody has changed stays, and is measured anew. A scan that
/// fails is named with its reason and the others go on. Ctrl-C leaves no unfinished file and ends the
/// process with status 130, SIGTERM with 143.
///
/// - Parameter request: The request.
/// - Returns: The outcome.
/// - Throws: ``UsageError`` before anything is done where the request cannot be met; ``OutputError``
///   where another process writes to the output; errors of the model; `FileWriteError` where the
///   run's own files cannot be written.
public func segmentScans(_ request: SegmentationRequest) throws -> SegmentationReport {
    let run = try SegmentationRun(request)
    return try run.run()
}

/// A run over scans.
private struct SegmentationRun {
    private let plan: SegmentationPlan
    private let folder: OutputFolder
    private let store: any ResultStore
    /// The same store, where it is a ledger.
    private let ledger: Ledger?
    private let display: ProgressDisplay
    private let started = Date()

    private var request: SegmentationRequest { plan.request }

    /// Checks all that can be checked before the first scan is read, and takes the output folder.
    init(_ request: SegmentationRequest) throws {
        EventLog.begin(request.logFormat ?? .text)
        plan = try SegmentationPlan(request) { line in
            if request.shows == .progress { printError(line) }
        }
        for warning in plan.warnings { printError(warning) }
        // A file that grows beyond a limit is an error to report, not the end of the process.
        signal(SIGXFSZ, SIG_IGN)
        try prepareOutputDirectory(request.output)
        folder = try OutputFolder(
            at: request.output, part: request.partSuffix,
            command: ([ProcessInfo.processInfo.processName] + request.arguments)
                .joined(separator: " "))
        let mode: ProgressDisplay.Mode =
            switch request.shows {
            case .progress: request.logFormat == .json ? .events : .automatic
            case .quiet: request.logFormat == .json ? .events : .quiet
            case .json: .json
            }
        display = ProgressDisplay(mode: mode, total: plan.scans.count) { event in
            if request.shows == .progress || event.kind == .failed { EventLog.write(event) }
        }
        do {
            let opened = try Ledger(
                writing: joined(request.output, Ledger.fileName(part: request.partSuffix)),
                run: plan.ledgerRun, scans: plan.scans,
                fallback: plan.earlierStore)
            (store, ledger) = (opened, opened)
        } catch let error as FileWriteError {
            // Results are known by their own records too.
            display.note("warning: \(error)")
            (store, ledger) = (plan.earlierStore, nil)
        } catch {
            folder.release()
            throw error
        }
    }

    func run() throws -> SegmentationReport {
        folder.setLedger(ledger)
        let signals = folder.handleSignals()
        defer {
            signals.end()
            display.end()
            folder.release()
        }
        let start = ContinuousClock.now
        func seconds() -> Double { (ContinuousClock.now - start) / .seconds(1) }
        let recorder = Recorder(plan, folder, display)
        // First, so that the results of a run that is killed are known for what they are.
        try writeDescription()
        let networks = LoadedNetworks(plan.bundle, request)
        let pictures = PictureCollection(isWanted: plan.references == nil && !request.isPart)
        try pipeline(networks, pictures).forEach(plan.scans) { scan, outcome in
            try recorder.record(scan, outcome)
        }
        let summary = recorder.summary
        if request.profiles, summary.count(.done) > 0 {
            display.note(overlap(ofStages: recorder.stageSeconds, in: seconds()))
        }
        let evaluation = try finish(
            summary, networks: networks, pictures: pictures, seconds: seconds)
        try? ledger?.end(seconds: seconds())
        if request.shows == .quiet { tellWhereWarningsAre(summary) }
        let hasFailed = summary.count(.failed) > 0 || evaluation?.status == .failure
        return SegmentationReport(
            status: hasFailed ? .failure : .success, evaluation: evaluation,
            participants: request.isOfParticipants == true
                ? ParticipantOutcome.all(of: summary.outcomes) : [])
    }

    private func pipeline(
        _ networks: LoadedNetworks, _ pictures: PictureCollection
    ) -> ScanPipeline {
        let earlier = EarlierResults(
            output: request.output, store: store, modelIdentity: plan.modelIdentity,
            findsBrain: plan.brainModel != nil,
            options: plan.options, table: plan.bundle.card.labels, verifies: request.verifies)
        return ScanPipeline(
            prepare: ScanPreparation(
                earlier: earlier, overwrites: request.overwrites,
                memory: request.memory ?? MemoryAllowance()
            ) {
                // The engine is loaded while the first scan is read. What is wrong with it is told
                // when the networks are made.
                DispatchQueue.global(qos: .userInitiated).async { try? Engine.loadPlans() }
            },
            writer: CaseWriter(
                output: folder, store: store, space: request.space,
                modelName: plan.bundle.card.name, modelIdentity: plan.bundle.identity,
                brainModel: plan.brainModel.map {
                    ModelRecord(name: $0.card.name, identity: $0.identity)
                },
                options: plan.options, table: plan.bundle.card.labels,
                thresholds: plan.thresholds,
                sources: plan.sources),
            networks: networks,
            note: { display.note("\($0.outputName): \($1)") },
            progress: { scan, stage, fraction in
                if stage == .read { display.begin(scan.outputName) }
                display.advance(scan.outputName, stage: stage.description, fraction: fraction)
            },
            segmented: { scan, volume, labels in pictures.add(scan, volume, labels) })
    }

    /// Says in one line of the standard error where the warnings of a quiet run stand.
    private func tellWhereWarningsAre(_ summary: RunSummary) {
        let count = summary.records.count { $0.warnings?.isEmpty == false }
        let edited = summary.count(.edited)
        let place = request.shard == nil ? "qc.tsv" : "the files NAME_dseg.json"
        if count > 0 {
            printError(
                "\(count) of \(summary.outcomes.count) scans \(count == 1 ? "has" : "have") "
                    + "warnings, see \(place) in '\(request.output)'")
        }
        if edited > 0 {
            printError(
                "\(edited) changed label \(edited == 1 ? "map was" : "maps were") kept; "
                    + "--overwrite moves changed ones aside")
        }
    }

    /// Writes the tables and the page of a run that is no shard.
    private func finish(
        _ summary: RunSummary, networks: LoadedNetworks, pictures: PictureCollection,
        seconds: () -> Double
    ) throws -> EvaluationReport? {
        guard !request.isPart else {
            display.note(summary.sentence(seconds: seconds()))
            display.note(
                request.shard == nil
                    ? "The level 'group' makes tables and the report of all participants."
                    : "Join all shards with 'sliceseg merge \(request.output)'.")
            return nil
        }
        var record = plan.record(of: summary, started: started, seconds: seconds())
        if networks.areLoaded { record.engine = try Engine.name() }
        return try plan.writeRunFiles(
            summary, record: record, to: folder, pictures: pictures.all, display: display,
            seconds: seconds)
    }

    private func writeDescription() throws {
        // Shards write the same at the same time.
        let path = joined(request.output, DatasetDescription.fileName)
        let text = try jsonText(DatasetDescription.segmentations(of: plan.sources))
        guard !request.isPart || !pathExists(path) else { return }
        try folder.write(text, to: path)
        if !plan.sources.isEmpty {
            try folder.write(bidsIgnoredFiles, to: joined(request.output, ".bidsignore"))
        }
    }
}

/// The outcomes of a run as they come, on whichever thread, and what is shown of them.
private final class Recorder: Sendable {
    private struct State {
        var outcomes: [(scan: ScanFile, outcome: ScanOutcome)] = []
        var done = 0
        var stageSeconds = 0.0
    }

    private let state = Mutex(State())
    private let plan: SegmentationPlan
    private let folder: OutputFolder
    private let display: ProgressDisplay

    init(_ plan: SegmentationPlan, _ folder: OutputFolder, _ display: ProgressDisplay) {
        self.plan = plan
        self.folder = folder
        self.display = display
        updateInterruptionMessage(done: 0)
    }

    /// The summary of all outcomes so far.
    var summary: RunSummary {
        RunSummary(
            outcomes: state.withLock(\.outcomes), output: plan.request.output,
            table: plan.bundle.card.labels, thresholds: plan.thresholds,
            profiles: plan.request.profiles)
    }

    /// The stages of all scans that were segmented.
    var stageSeconds: Double { state.withLock(\.stageSeconds) }

    /// Shows an outcome and keeps it.
    func record(_ scan: ScanFile, _ outcome: ScanOutcome) throws {
        let name = scan.outputName
        switch outcome {
        case .segmented(let result):
            for warning in result.warnings { display.note("\(name): warning: \(warning)") }
            display.finish(name, note: decimals(result.seconds ?? 0, 1) + " s")
            if plan.request.profiles {
                for line in profile(of: result.stages, path: result.computation) {
                    display.note(line)
                }
            }
        case .earlier(let result):
            for warning in result.warnings { display.note("\(name): warning: \(warning)") }
            display.skip(name, reason: "done before")
        case .edited(let result):
            for warning in result.warnings { display.note("\(name): warning: \(warning)") }
            display.skip(
                name, reason: "its label map was changed and is kept; --overwrite moves it aside")
        case .failed(let reason):
            display.fail(name, reason: reason.sentence)
            if plan.request.shows == .json { printError("\(name): failed: \(reason.sentence)") }
        }
        let done = state.withLock { state in
            state.outcomes.append((scan, outcome))
            if case .segmented(let result) = outcome {
                state.stageSeconds += result.stages.reduce(0) { $0 + $1.seconds }
            }
            // Counted here, as a count of all for each scan would take longer with each.
            if outcome.status != .failed { state.done += 1 }
            return state.done
        }
        updateInterruptionMessage(done: done)
        if plan.request.shows == .json {
            try display.record(summary.judgedRecord(of: scan, outcome))
        }
    }

    private func updateInterruptionMessage(done: Int) {
        folder.setMessage(
            "Interrupted: \(done) of \(plan.scans.count) scans are done in "
                + "'\(plan.request.output)'; run the same command again to go on.")
    }
}

/// The pictures of the first scans for a page without references, coded beside other work.
final class PictureCollection {
    private let isWanted: Bool
    /// The pending pictures by scan.
    private(set) var all: [String: PendingPictures] = [:]

    init(isWanted: Bool) { self.isWanted = isWanted }

    /// Begins to code the pictures of a scan.
    func add(_ scan: ScanFile, _ volume: Volume, _ labels: LabelMap) {
        guard isWanted, all.count < SegmentationPage.largestPictureCount else { return }
        let shown = ReportVolumes(scan: volume, prediction: labels)
        all[scan.outputName] = Background { Result { try ReportPictures(of: shown) } }
    }
}
