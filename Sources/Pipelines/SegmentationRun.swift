import AtomicFiles
import Datasets
import Foundation
import Inference
import ModelBundles
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
            probabilities: request.writesProbabilities ? true : nil)
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
        var evaluation: EvaluationReport?
        var measurement: Measurement?
        if let references {
            let measured = measureAgainst(references)
            failures += measured.failures
            evaluation = measured.report
            measurement = measured
        }
        let quality = qualityControl(of: qualityInputs, table: bundle.card.labels)
        try writeRecords(measurement, quality, seconds: (clock.now - start) / .seconds(1))
        display.note(summary(seconds: (clock.now - start) / .seconds(1)))
        // Last, as it is the largest: where there is no room for it, all else is there.
        try writePage(of: measurement?.evaluation, quality)
        return SegmentationReport(
            status: failures.isEmpty ? .success : .failure, evaluation: evaluation)
    }

    // MARK: - Scans

    private func segmentAll() throws {
        // The next scan is read while the network computes on this one.
        let prepare = ScanPreparation(
            output: request.output, overwrites: request.overwrites,
            modelIdentity: bundle.identity, options: options, table: bundle.card.labels)
        let scans = scans
        let reader = BatchPrefetcher<PreparedScan?>(first: 0, depth: 1) { number in
            scans.indices.contains(number) ? prepare(scans[number]) : nil
        }
        defer { reader.stop() }
        for scan in scans {
            display.begin(scan.outputName)
            display.advance(scan.outputName, stage: "read", fraction: 0)
            guard let prepared = reader.next() else { break }
            switch prepared {
            case .failed(let reason): try fail(scan, reason)
            case .done(let volumes, let quality): try skip(scan, volumes, quality)
            case .ready(let content, let hash, let note, let seconds):
                if let note { display.note("\(scan.outputName): \(note)") }
                // What is wrong with the model or the device concerns every scan.
                let segmenter = try loadedSegmenter()
                do {
                    try segment(
                        scan, content, hash: hash, readSeconds: seconds, segmenter: segmenter)
                } catch {
                    output.rollBack()
                    try fail(scan, sentence(for: error, about: scan.path))
                }
            }
            updateInterruptionMessage()
        }
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
                keepsProbabilities: request.writesProbabilities))
        self.device = device
        segmenter = loaded
        return loaded
    }

    private func segment(
        _ scan: ScanFile, _ content: ScanContent, hash: String, readSeconds: Double,
        segmenter: Segmenter
    ) throws {
        let loaded = content.loaded
        let clock = ContinuousClock()
        let (start, startDate) = (clock.now, Date())
        let name = scan.outputName
        let segmentation = try segmenter.segment(loaded.volume) { [display] stage, fraction in
            display.advance(name, stage: stage.description, fraction: fraction * 0.95)
        }
        display.advance(name, stage: "write", fraction: 0.95)
        let writing = clock.now
        let table = bundle.card.labels
        let measured = structureVolumes(
            of: segmentation.labels, labels: table.structures.map(\.index))
        let warnings = content.warnings + warnings(of: loaded, volumes: measured)
        let outputs = ScanOutputs(of: scan, in: request.output)
        try makeDirectory(outputs.folder)
        try output.write(outputs.table) { try writeAtomically(bidsTable(of: table), to: $0) }
        try output.write(outputs.volumes) {
            try TSVTable.volumes(measured, table: table).write(to: $0)
        }
        let statistics = FreeSurferStatistics(
            scan: name, volumes: measured, table: table,
            voxelVolumeCubicMillimeters: segmentation.labels.grid.voxelVolumeCubicMillimeters,
            labelFile: (outputs.labels as NSString).lastPathComponent,
            software: "SliceSeg \(softwareVersion)")
        try output.write(outputs.statistics) { try writeAtomically(statistics.text, to: $0) }
        let picture = qualityControlPicture(
            scan: loaded.volume, labels: segmentation.labels, table: table, title: name)
        let png = try picture.pngData()
        try output.write(outputs.picture) { try writeAtomically(png, to: $0) }
        try output.write(outputs.labels) {
            try writeLabelMap(
                segmentation.labels, to: $0, like: loaded.header, table: table)
        }
        try writeAdditional(segmentation, like: loaded.header, to: outputs)
        guard let labelHash = contentHash(ofFileAt: outputs.labels) else {
            throw FileWriteError(path: outputs.labels, errorNumber: EIO)
        }
        let end = clock.now
        let seconds = readSeconds + (end - start) / .seconds(1)
        let stages =
            [StageSeconds(stage: "read", seconds: rounded(readSeconds))]
            + segmentation.stageSeconds.map {
                StageSeconds(stage: $0.stage.description, seconds: rounded($0.seconds))
            } + [StageSeconds(stage: "write", seconds: rounded((end - writing) / .seconds(1)))]
        var provenance = Provenance(
            software: "SliceSeg", version: softwareVersion,
            scan: .init(path: absolutePath(scan.path), sha256: hash),
            model: .init(name: bundle.card.name, identity: bundle.identity), options: options,
            computation: .init(
                device: device?.description ?? request.device,
                precision: segmentation.precision.rawValue,
                engine: "LibTorch " + (try Engine.versionDescription()),
                threads: try Engine.threadCount(), path: segmentation.computation),
            labels: .init(
                file: (outputs.labels as NSString).lastPathComponent, sha256: labelHash),
            started: timestamp(startDate), seconds: rounded(seconds),
            stages: stages,
            warnings: warnings,
            planeDisagreement: segmentation.planeDisagreement.isEmpty
                ? nil
                : Dictionary(
                    uniqueKeysWithValues: segmentation.planeDisagreement.map {
                        (String($0), ($1 * 10_000).rounded() / 10_000)
                    }))
        provenance.restoration = segmentation.restoration.rawValue
        switch scan.origin {
        case .bids(let source):
            provenance.bidsDescription = "Segmentation by the model '\(bundle.card.name)'"
            provenance.bidsSources = [sources.address(of: source)]
            provenance.bidsSpatialReference = sources.address(of: source)
        case .dicom(let series):
            provenance.scan.series = series.name
            provenance.scan.converter = "dcm2niix \(series.converter.version)"
        case .volume, .unreadable: break
        }
        let text = try jsonText(provenance)
        try output.write(outputs.provenance) { try writeAtomically(text, to: $0) }
        output.commit()

        volumes.append(ScanVolumes(scan: name, volumes: measured))
        qualityInputs.append(
            QualityInput(
                name: name, segmentation: segmentation.labels, table: table,
                planeDisagreement: provenance.disagreementOfLabel))
        for warning in warnings { display.note("\(name): warning: \(warning)") }
        display.finish(name, note: decimals(seconds, 1) + " s")
        if request.profiles {
            for line in profile(of: stages, path: segmentation.computation) { display.note(line) }
        }
        try record(
            ScanRecord(
                name: name, scan: scan.path, status: .done, labels: outputs.labels,
                warnings: warnings.isEmpty ? nil : warnings, seconds: rounded(seconds),
                stages: request.profiles ? stages : nil))
    }

    /// Writes what is asked for beside the labels on the scan's own grid.
    private func writeAdditional(
        _ segmentation: Segmentation, like header: VolumeHeader, to outputs: ScanOutputs
    ) throws {
        let table = bundle.card.labels
        if request.space == .conformed {
            try output.write(outputs.conformedScan) {
                try writeVolume(
                    segmentation.conformedScan, to: $0, like: nil, storedAs: .float32)
            }
            try output.write(outputs.conformedLabels) {
                try writeLabelMap(segmentation.conformedLabels, to: $0, like: nil, table: table)
            }
        }
        guard let probabilities = segmentation.probabilities else { return }
        let (space, count) = (request.space, probabilities.classCount)
        let grid = space == .native ? segmentation.labels.grid : segmentation.conformedLabels.grid
        try output.write(outputs.probabilities(in: space)) { path in
            try writeProbabilities(
                on: grid, classCount: count, to: path, like: space == .native ? header : nil
            ) { first in
                // A few at a time, so that memory holds no more.
                try probabilities.volumes(ofClasses: first..<min(first + 4, count), in: space)
            }
        }
        let description = Provenance.Probabilities(
            labelMap: ["Background"] + table.structures.map(\.name),
            description: "Probabilities by the model '\(bundle.card.name)', a volume for each class"
        )
        let text = try jsonText(description)
        try output.write(outputs.probabilitiesDescription(in: space)) {
            try writeAtomically(text, to: $0)
        }
    }

    private func warnings(of loaded: LoadedVolume, volumes: [StructureVolume]) -> [String] {
        var warnings: [String] = []
        if loaded.nanVoxelCount > 0 {
            warnings.append("\(loaded.nanVoxelCount) voxels are not a number and counted as 0")
        }
        if loaded.header.affineSource == .assumed {
            warnings.append(
                "the header gives no orientation, so left and right are an assumption; "
                    + "check them in the picture")
        }
        if volumes.allSatisfy({ $0.voxelCount == 0 }) {
            warnings.append("no structure was found; look at the picture and at the model's card")
        }
        return warnings
    }

    private func skip(
        _ scan: ScanFile, _ measured: [StructureVolume], _ quality: QualityInput
    ) throws {
        volumes.append(ScanVolumes(scan: scan.outputName, volumes: measured))
        qualityInputs.append(quality)
        display.skip(scan.outputName, reason: "done before")
        let outputs = ScanOutputs(of: scan, in: request.output)
        try record(
            ScanRecord(
                name: scan.outputName, scan: scan.path, status: .skipped, labels: outputs.labels))
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
        matches.lonelyReferences = []
        return measure(matches, table: bundle.card.labels)
    }

    private func writePage(of evaluation: Evaluation?, _ quality: [ScanQuality]) throws {
        let page = SegmentationPage(
            model: bundle, planes: options.planes, references: request.reference,
            scans: scans, records: records, output: request.output, quality: quality)
        if let evaluation {
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
        try TSVTable.qualityControl(quality).write(to: joined(folder, "qc.tsv"))
        let suspicious = quality.filter { !$0.flags.isEmpty }
        if let worst = suspicious.first {
            display.note(
                "Look at \(suspicious.count) of \(quality.count) scans first, see qc.tsv; the "
                    + "worst is \(worst.name): \(worst.flags[0].reason)")
        }
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
