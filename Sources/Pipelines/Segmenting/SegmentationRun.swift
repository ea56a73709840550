import Datasets
import Dispatch
import Files
import Foundation
import Inference
import ModelBundles
import Parallel
import Preprocessing
import Reports
import SegmentationMetrics
import Tensors
import VolumeIO
import Volumes

/// What came of a run over scans.
public struct SegmentationReport: Sendable {
    /// Whether all scans are done.
    public var status: ExitStatus
    /// How well they agree with references, where those were given.
    public var evaluation: EvaluationReport?
}

/// Segments scans and writes what is known of them.
///
/// For each scan come labels, their table, volumes, a picture and the provenance, which is written
/// last; for the run `volumes.tsv`, `qc.tsv`, `report.html`, `failures.tsv`, `run.json` and
/// `dataset_description.json`; with references also what ``evaluate(_:)`` writes. Scans that are done are left out: those with the same bytes, model and options. A scan that fails is
/// named with its reason and the others go on. Ctrl-C leaves no unfinished file and ends the process
/// with status 130.
///
/// - Parameter request: What to do.
/// - Returns: What came of it.
/// - Throws: ``UsageError`` before anything is done where the request cannot be met; errors of the
///   model; `FileWriteError` where the run's own files cannot be written.
public func segmentScans(_ request: SegmentationRequest) throws -> SegmentationReport {
    let run = try SegmentationRun(request)
    return try run.run()
}

/// Loads a model, and calls a name that stands for nothing wrong usage.
func loadModel(_ name: String) throws -> ModelBundle {
    do {
        return try ModelBundle.find(name)
    } catch {
        let standsForNothing =
            error.code == .unknownModel || (error.code == .unreadable && !isDirectory(name))
        guard standsForNothing else { throw error }
        throw UsageError("\(error)")
    }
}

private final class SegmentationRun {
    private let request: SegmentationRequest
    private let scans: [ScanFile]
    private let sources: BIDSSources
    private let references: [LabelMapFile]?
    private let bundle: ModelBundle
    private let options: Provenance.Options
    private let display: ProgressDisplay
    private let output = InterruptibleOutput()
    private let started = Date()
    private var segmenter: Segmenter?
    private var device: Device?
    private var records: [ScanRecord] = []
    private var volumes: [ScanVolumes] = []
    private var qualityInputs: [QualityInput] = []
    private var failures: [ScanFailure] = []
    /// The scan that is being written beside the work on the next one.
    private var pending: PendingWrite?
    /// Of the first scans, what the page without references shows.
    private var pictures: [String: PendingPictures] = [:]
    /// Of all scans that were segmented.
    private var stageSeconds = 0.0
    private let writer: CaseWriter

    /// Checks all that can be checked before the first scan is read.
    init(_ request: SegmentationRequest) throws {
        self.request = request
        let scans = try findScans(
            in: request.inputs, output: request.output, participants: request.participants
        ) { line in
            if request.shows == .progress { complain(line) }
        }
        if request.device != "auto" { _ = try resolveDevice(request.device) }
        let bundle = try loadModel(request.model)
        let available = bundle.card.planes.map(\.plane)
        for plane in request.planes ?? [] where !available.contains(plane) {
            throw UsageError(
                "the model '\(bundle.card.name)' has no \(plane.rawValue) network; choose from "
                    + available.map(\.rawValue).joined(separator: ", "))
        }
        let planes = available.filter { request.planes?.contains($0) ?? true }
        if request.precision == .int8,
            let uncalibrated = bundle.card.uncalibratedPlane(among: planes)
        {
            throw UsageError(
                "the \(uncalibrated.rawValue) network of the model '\(bundle.card.name)' is not "
                    + "calibrated for int8; calibrate it by 'sliceseg calibrate' or choose another "
                    + "--precision")
        }
        if let reference = request.reference {
            guard pathExists(reference) else {
                throw UsageError("the references '\(reference)' do not exist; check the path")
            }
            references = try LabelMapFile.find(at: reference)
        } else {
            references = nil
        }
        try prepareOutputDirectory(request.output)
        let description = joined(request.output, DatasetDescription.fileName)
        if pathExists(description), !holdsOurResults(request.output) {
            throw UsageError(
                "'\(request.output)' is another dataset, as its \(DatasetDescription.fileName) "
                    + "says; choose another output folder")
        }
        self.scans = try namedAsDerivatives(scans, model: bundle.card.name).map { scan in
            var scan = scan
            scan.volume = request.volume
            return scan
        }
        sources = BIDSSources(of: scans, output: request.output)
        self.bundle = bundle
        options = Provenance.Options(
            planes: planes.map(\.rawValue), precision: request.precision.rawValue,
            device: request.device, batchSize: request.batchSize, threads: request.threads,
            volume: request.volume, interpolation: request.interpolation?.rawValue,
            space: request.space == .native ? nil : request.space.rawValue,
            probabilities: request.writesProbabilities ? true : nil,
            testTimeAugmentation: request.mirrors ? "flip" : nil,
            uncertaintySamples: request.uncertaintySamples,
            seed: request.uncertaintySamples.map { _ in request.seed })
        writer = CaseWriter(
            output: request.output, space: request.space, modelName: bundle.card.name,
            modelIdentity: bundle.identity, options: options, table: bundle.card.labels,
            sources: sources, files: output)
        let mode: ProgressDisplay.Mode =
            switch request.shows {
            case .progress: .automatic
            case .quiet: .quiet
            case .json: .json
            }
        display = ProgressDisplay(mode: mode, total: scans.count)
    }

    func run() throws -> SegmentationReport {
        // A file that grows beyond a limit is an error to report, not the end of the process.
        signal(SIGXFSZ, SIG_IGN)
        let signals = output.handleSignals()
        defer { signals.end() }
        defer { display.end() }
        updateInterruptionMessage()
        let clock = ContinuousClock()
        let start = clock.now
        // First, so that the results of a run that is killed are known for what they are.
        try writeDescription()
        try segmentAll()
        if request.profiles, count(.done) > 0 {
            display.note(overlap(ofStages: stageSeconds, in: (clock.now - start) / .seconds(1)))
        }
        var evaluation: EvaluationReport?
        var measurement: Measurement?
        if let references {
            let measured = measureAgainst(references)
            failures += measured.failures
            evaluation = measured.report
            measurement = measured
        }
        let quality = qualityControl(
            of: qualityInputs, table: bundle.card.labels,
            thresholds: QualityThresholds(bundle.card.qualityLimits))
        try writeRecords(measurement, quality, seconds: (clock.now - start) / .seconds(1))
        display.note(summary(seconds: (clock.now - start) / .seconds(1)))
        // Failure is named last, where it is seen.
        for line in qualityText(of: quality) { display.note(line) }
        // Last, as it is the largest: where there is no room for it, all else is there.
        try writePage(of: measurement?.evaluation, quality)
        return SegmentationReport(
            status: failures.isEmpty ? .success : .failure, evaluation: evaluation)
    }

    // MARK: - Scans

    private func segmentAll() throws {
        // The next scan is read while the network computes on this one.
        // The engine is loaded while the first scan is read. What is wrong with it is told when the
        // networks are made.
        let prepare = ScanPreparation(
            output: request.output, overwrites: request.overwrites,
            modelIdentity: bundle.identity, options: options, table: bundle.card.labels
        ) {
            DispatchQueue.global(qos: .userInitiated).async { try? Engine.load() }
        }
        let scans = scans
        let reader = Prefetcher<PreparedScan?>(first: 0, depth: 1) { number in
            scans.indices.contains(number) ? prepare(scans[number]) : nil
        }
        defer { reader.stop() }
        // However this ends, no file is left half-written.
        defer { _ = pending?.wait() }
        for scan in scans {
            display.begin(scan.outputName)
            display.advance(scan.outputName, stage: "read", fraction: 0)
            guard let prepared = reader.next() else { break }
            switch prepared {
            case .failed(let reason):
                try finishWriting()
                try fail(scan, reason)
            case .done(let volumes, let quality):
                try finishWriting()
                try skip(scan, volumes, quality)
            case .ready(let content, let hash, let note, let seconds):
                if let note { display.note("\(scan.outputName): \(note)") }
                // What is wrong with the model or the device concerns every scan.
                let segmenter = try loadedSegmenter()
                try segment(scan, content, hash: hash, readSeconds: seconds, segmenter: segmenter)
            }
        }
        try finishWriting()
    }

    private func loadedSegmenter() throws -> Segmenter {
        if let segmenter { return segmenter }
        if let threads = request.threads { try Engine.setThreadCount(threads) }
        let device = try resolveDevice(request.device)
        let loaded = try Segmenter(
            bundle: bundle,
            options: SegmenterOptions(
                planes: request.planes, device: device, precision: request.precision,
                batchSize: request.batchSize, interpolation: request.interpolation,
                keepsProbabilities: request.writesProbabilities, mirrors: request.mirrors,
                sampleCount: request.uncertaintySamples ?? 0, sampleSeed: request.seed))
        self.device = device
        segmenter = loaded
        return loaded
    }

    /// Segments a scan, and writes it while the next one is computed.
    ///
    /// At most one scan is being written: memory holds its volume and labels beside those of the
    /// scan that is computed, but never both scans' class scores. Where these are written too, nothing
    /// else is done meanwhile.
    private func segment(
        _ scan: ScanFile, _ content: ScanContent, hash: String, readSeconds: Double,
        segmenter: Segmenter
    ) throws {
        let name = scan.outputName
        let startDate = Date()
        let segmentation: Segmentation
        var recordingError: (any Error)?
        do {
            segmentation = try segmenter.segment(content.loaded.volume) {
                [display] stage, fraction in
                display.advance(name, stage: stage.description, fraction: fraction * 0.95)
                do {
                    if pending?.isFinished == true { try finishWriting() }
                } catch {
                    recordingError = error
                    throw error
                }
            }
        } catch {
            if let recordingError { throw recordingError }
            try finishWriting()
            try fail(scan, sentence(for: error, about: scan.path))
            return
        }
        let segmented = SegmentedCase(
            scan: scan, content: content, hash: hash, labels: segmentation.labels,
            conformed: request.space == .conformed
                ? (segmentation.conformedScan, segmentation.conformedLabels) : nil,
            uncertainty: segmentation.uncertainty,
            computation: .init(
                device: device?.description ?? request.device,
                precision: segmentation.precision.rawValue,
                engine: "LibTorch " + (try Engine.versionDescription()),
                threads: try Engine.threadCount(), path: segmentation.computation),
            // To four places, as the provenance tells it to later runs.
            planeDisagreement: segmentation.planeDisagreement.mapValues {
                ($0 * 10_000).rounded() / 10_000
            },
            restoration: segmentation.restoration, started: startDate,
            stages: [StageSeconds(stage: "read", seconds: rounded(readSeconds))]
                + segmentation.stageSeconds.map {
                    StageSeconds(stage: $0.stage.description, seconds: rounded($0.seconds))
                })
        try finishWriting()
        display.advance(name, stage: "write", fraction: 0.95)
        if references == nil, pictures.count < SegmentationPage.largestPictureCount {
            let shown = ReportVolumes(
                scan: content.loaded.volume, prediction: segmentation.labels)
            pictures[name] = Background { Result { try ReportPictures(of: shown) } }
        }
        guard let probabilities = segmentation.probabilities else {
            pending = PendingWrite(segmented, by: writer)
            return
        }
        let written: WrittenCase
        do {
            written = try writer(segmented, probabilities: probabilities)
        } catch {
            try fail(scan, sentence(for: error, about: scan.path))
            return
        }
        try succeed(written)
    }

    /// Waits for the scan that is being written, if any, and records what came of it.
    private func finishWriting() throws {
        guard let pending else { return }
        self.pending = nil
        switch pending.wait() {
        case .written(let written): try succeed(written)
        case .failed(let reason): try fail(pending.scan, reason)
        }
    }

    private func succeed(_ written: WrittenCase) throws {
        volumes.append(written.volumes)
        qualityInputs.append(written.quality)
        var entry = written.record
        for warning in entry.warnings ?? [] { display.note("\(entry.name): warning: \(warning)") }
        display.finish(entry.name, note: decimals(entry.seconds ?? 0, 1) + " s")
        stageSeconds += written.stages.reduce(0) { $0 + $1.seconds }
        if request.profiles {
            for line in profile(of: written.stages, path: written.path) { display.note(line) }
            entry.stages = written.stages
        }
        try record(entry)
    }

    private func skip(
        _ scan: ScanFile, _ measured: [StructureVolume], _ quality: QualityInput
    ) throws {
        volumes.append(ScanVolumes(scan: scan.outputName, volumes: measured))
        qualityInputs.append(quality)
        display.skip(scan.outputName, reason: "done before")
        let outputs = ScanOutputs(of: scan, in: request.output)
        // What was told of the scan's file is told again.
        let warnings = Provenance.read(at: outputs.provenance)?.warnings
        for warning in warnings ?? [] { display.note("\(scan.outputName): warning: \(warning)") }
        var entry = ScanRecord(
            name: scan.outputName, scan: scan.path, status: .skipped, labels: outputs.labels)
        entry.warnings = warnings
        try record(entry)
    }

    private func fail(_ scan: ScanFile, _ reason: String) throws {
        failures.append(ScanFailure(scan: scan.outputName, reason: reason))
        display.fail(scan.outputName, reason: reason)
        if request.shows == .json { complain("\(scan.outputName): failed: \(reason)") }
        try record(
            ScanRecord(
                name: scan.outputName, scan: scan.path, status: .failed, reason: reason))
    }

    private func record(_ record: ScanRecord) throws {
        records.append(record)
        updateInterruptionMessage()
        try display.record(record)
    }

    // MARK: - The run

    private func measureAgainst(_ references: [LabelMapFile]) -> Measurement {
        // A scan that failed has no label map and counts all the same.
        let predictions = records.map {
            LabelMapFile(path: $0.labels ?? "", relativeName: $0.name)
        }
        var matches = LabelMapMatches(predictions: predictions, references: references)
        // References of scans that are not in this run say nothing about it.
        matches.unmatchedReferences = []
        return measure(
            matches, table: bundle.card.labels, options: MeasurementOptions(canResample: false))
    }

    private func writePage(of evaluation: Evaluation?, _ quality: [ScanQuality]) throws {
        let page = SegmentationPage(
            model: bundle, planes: options.planes, references: request.reference,
            scans: scans, records: records, output: request.output, quality: quality,
            pictures: pictures)
        if let evaluation, !evaluation.cases.isEmpty {
            try page.write(evaluation)
        } else {
            try page.write(failures: failures)
        }
    }

    private func writeRecords(
        _ measurement: Measurement?, _ quality: [ScanQuality], seconds: Double
    ) throws {
        let counts = RunRecord.Counts(
            scans: scans.count, done: count(.done), skipped: count(.skipped),
            failed: count(.failed))
        let record = RunRecord(
            software: "SliceSeg", version: softwareVersion,
            engine: segmenter == nil ? nil : "LibTorch " + (try Engine.versionDescription()),
            arguments: request.arguments,
            model: .init(name: bundle.card.name, identity: bundle.identity), options: options,
            started: timestamp(started), seconds: rounded(seconds), counts: counts, scans: records)
        let folder = request.output
        try TSVTable.failures(failures).write(to: joined(folder, "failures.tsv"))
        try TSVTable.volumes(ofScans: volumes, table: bundle.card.labels)
            .write(to: joined(folder, "volumes.tsv"))
        try measurement?.evaluation?.write(to: folder)
        let warnings = Dictionary(
            records.map { ($0.name, $0.warnings ?? []) }, uniquingKeysWith: { first, _ in first })
        try TSVTable.qualityControl(quality, warnings: warnings)
            .write(to: joined(folder, "qc.tsv"))
        try writeAtomically(try jsonText(record), to: joined(folder, "run.json"))
    }

    private func writeDescription() throws {
        try writeAtomically(
            try jsonText(DatasetDescription.segmentations(of: sources)),
            to: joined(request.output, DatasetDescription.fileName))
        if !sources.isEmpty {
            try writeAtomically(bidsIgnoredFiles, to: joined(request.output, ".bidsignore"))
        }
    }

    private func count(_ status: ScanRecord.Status) -> Int {
        records.count { $0.status == status }
    }

    private func summary(seconds: Double) -> String {
        "\(scans.count) \(scans.count == 1 ? "scan" : "scans"): \(count(.done)) segmented, "
            + "\(count(.skipped)) done before, \(count(.failed)) failed, in "
            + decimals(seconds, 1) + " s. Results are in '\(request.output)'."
    }

    private func updateInterruptionMessage() {
        let done = count(.done) + count(.skipped)
        output.setMessage(
            "Interrupted: \(done) of \(scans.count) scans are done in '\(request.output)'; run "
                + "the same command again to go on.")
    }
}
