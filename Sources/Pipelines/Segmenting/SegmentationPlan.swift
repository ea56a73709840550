import Files
import Foundation
import Inference
import ModelBundles
import Reports
import SegmentationMetrics
import Tensors
import VolumeIO

/// A request with all that was found for it: scans, model, references.
struct SegmentationPlan: Sendable {
    /// The request.
    let request: SegmentationRequest
    /// The scans of this process.
    let scans: [ScanFile]
    /// Their places among all scans.
    let positions: [Int]
    /// All scans, those of other shards included.
    let scanCount: Int
    /// One sentence for each omitted input, with the reason.
    let warnings: [String]
    /// The BIDS datasets that they come from.
    let sources: BIDSSources
    /// The references, where some are given.
    let references: [LabelMapFile]?
    /// The model.
    let bundle: ModelBundle
    /// The model that finds the brain first, where the other one's card asks for one.
    let brainModel: ModelBundle?
    /// The options as records have them.
    let options: Provenance.Options

    /// The thresholds of quality control, from the model card.
    var thresholds: QualityThresholds { QualityThresholds(bundle.card.qualityLimits) }

    /// Finds scans, model and references, and checks that they go together.
    ///
    /// Nothing is written.
    ///
    /// - Parameters:
    ///   - request: The request.
    ///   - note: Called with what takes a while.
    /// - Throws: ``UsageError`` where the request cannot be met; errors of the model.
    init(_ request: SegmentationRequest, note: (String) -> Void = { _ in }) throws {
        let search = try findScans(
            in: request.inputs, output: request.output, selection: request.selection, note: note)
        let found = search.scans
        warnings = search.warnings
        if request.device != "auto" { _ = try resolveDevice(request.device) }
        let bundle = try loadModel(request.model)
        let planes = try request.segmenterOptions(on: .cpu).validatedPlanes(of: bundle.card)
        if let reference = request.reference {
            guard pathExists(reference) else {
                throw UsageError("the references '\(reference)' do not exist; check the path")
            }
            references = try LabelMapFile.find(at: reference)
        } else {
            references = nil
        }
        let description = joined(request.output, DatasetDescription.fileName)
        if pathExists(description), !holdsOurResults(request.output) {
            throw UsageError(
                "'\(request.output)' is another dataset, as its \(DatasetDescription.fileName) "
                    + "says; choose another output folder", code: .output)
        }
        try checkShards(of: request)
        var scans = try namedAsDerivatives(found, model: bundle.card.name)
        for index in scans.indices { scans[index].volume = request.volume }
        scanCount = scans.count
        self.request = request
        self.bundle = bundle
        brainModel = try bundle.brainModel()
        sources = BIDSSources(of: found, output: request.output)
        options = Provenance.Options(request, planes: planes)
        let store = request.retriesFailed ? earlierResults(of: request) : nil
        positions = scans.indices.filter { index in
            let scan = scans[index]
            if let shard = request.shard, !shard.contains(scan.outputName) { return false }
            guard let store else { return true }
            guard let stored = try? store.stored(scan) else { return false }
            return stored.failure != nil || !stored.ownLabels.isEmpty
        }
        self.scans = positions.map { scans[$0] }
    }

    /// The plan of a run whose shards are to be joined.
    ///
    /// - Parameters:
    ///   - request: The request of any of them.
    ///   - scans: The scans of all.
    /// - Throws: ``UsageError`` where the references have gone; errors of the model.
    init(joining request: SegmentationRequest, scans: [ScanFile]) throws {
        var request = request
        request.shard = nil
        self.request = request
        self.scans = scans
        positions = Array(scans.indices)
        scanCount = scans.count
        warnings = []
        bundle = try loadModel(request.model)
        brainModel = try bundle.brainModel()
        let planes = try request.segmenterOptions(on: .cpu).validatedPlanes(of: bundle.card)
        references = try request.reference.map { try LabelMapFile.find(at: $0) }
        sources = BIDSSources(of: scans, output: request.output)
        options = Provenance.Options(request, planes: planes)
    }

    /// The results of earlier runs: in the ledger of a whole run, beside it in their own records.
    var earlierStore: any ResultStore { earlierResults(of: request) }

    /// The identity of both models.
    var modelIdentity: String {
        combinedIdentity(bundle.identity, brain: brainModel?.identity)
    }

    /// The run as the ledger has it.
    var ledgerRun: LedgerRun {
        LedgerRun(
            arguments: request.arguments, request: request, modelName: bundle.card.name,
            modelIdentity: modelIdentity, options: options, shard: request.shard,
            scanCount: scanCount, positions: positions)
    }

    /// The record of the run.
    func record(of summary: RunSummary, started: Date, seconds: Double) -> RunRecord {
        RunRecord(
            software: "SliceSeg", version: softwareVersion, engine: nil,
            arguments: request.arguments,
            model: .init(name: bundle.card.name, identity: bundle.identity), options: options,
            started: timestamp(started), seconds: rounded(seconds), counts: summary.counts,
            scans: summary.records)
    }

    /// Measures the labels against references, and writes the tables and the page of a run.
    ///
    /// - Parameters:
    ///   - summary: The outcomes.
    ///   - record: The record of the run.
    ///   - folder: The output.
    ///   - pictures: By scan, pictures that are there already.
    ///   - display: Shows what to look at.
    ///   - seconds: The time that has passed.
    /// - Returns: The agreement with references, where there are some.
    /// - Throws: `FileWriteError`.
    func writeRunFiles(
        _ summary: RunSummary, record: RunRecord, to folder: OutputFolder,
        pictures: [String: PendingPictures], display: ProgressDisplay, seconds: () -> Double
    ) throws -> EvaluationReport? {
        let measurement = references.map { measure(summary, against: $0) }
        let quality = summary.quality
        let files = RunFiles(
            folder: folder, summary: summary, record: record, measurement: measurement,
            quality: quality)
        try files.writeTables()
        display.note(summary.sentence(seconds: seconds()))
        try files.writePage(
            SegmentationPage(
                model: bundle, planes: options.planes, references: request.reference,
                scans: summary.outcomes.map(\.scan), records: record.scans, quality: quality,
                pictures: pictures))
        // Failure is named last, where it is seen.
        for line in qualityText(of: quality) { display.note(line) }
        return measurement?.report
    }

    private func measure(_ summary: RunSummary, against references: [LabelMapFile]) -> Measurement {
        // A scan that failed has no label map and counts all the same.
        let predictions = summary.records.map {
            LabelMapFile(path: $0.labels ?? "", relativeName: $0.name)
        }
        var matches = LabelMapMatches(predictions: predictions, references: references)
        // References of scans that are not in this run say nothing about it.
        matches.unmatchedReferences = []
        return Pipelines.measure(
            matches, table: bundle.card.labels, options: MeasurementOptions(canResample: false))
    }
}

/// The results of earlier runs in the ledger of a whole run and in the records beside label maps.
private func earlierResults(of request: SegmentationRequest) -> any ResultStore {
    let sidecars = SidecarStore(output: request.output)
    let names = request.isPart ? [request.partSuffix, ""] : [""]
    var store: any ResultStore = sidecars
    for part in names.reversed() {
        let path = joined(request.output, Ledger.fileName(part: part))
        // The ledger that is being written asks itself.
        let isOwn = part == request.partSuffix && !request.retriesFailed
        guard !isOwn, isRegularFile(path) else { continue }
        if let ledger = try? Ledger(reading: path, fallback: store) { store = ledger }
    }
    return store
}

/// Checks that a folder is not being divided in another way.
private func checkShards(of request: SegmentationRequest) throws(UsageError) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: request.output)) ?? []
    for other in names.compactMap(Shard.init(ledgerName:)).sorted(by: { $0.number < $1.number }) {
        guard let shard = request.shard else {
            throw UsageError(
                "'\(request.output)' holds shards, such as \(other), that are not joined; run "
                    + "'sliceseg merge' first, or name the shard with --shard", code: .output)
        }
        guard shard.count == other.count else {
            throw UsageError(
                "'\(request.output)' holds a shard \(other), so that \(shard) would overlap; use "
                    + "the same number of shards, or join them with 'sliceseg merge'",
                code: .output)
        }
    }
}
