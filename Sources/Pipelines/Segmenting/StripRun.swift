import Dispatch
import Files
import Foundation
import Inference
import ModelBundles
import Parallel
import Preprocessing
import Reports
import Tensors
import VolumeIO
import Volumes

/// Finds the brain in scans and writes its mask and the scan without all else.
///
/// For each scan come `NAME_desc-brain_mask.nii.gz`, `NAME_desc-brain.nii.gz` and, last,
/// `NAME_desc-brain_mask.json`; for the run `failures.tsv` and, with BIDS, `dataset_description.json`. Scans that are
/// done are left out: those with the same bytes, model and dilation. A scan that fails is named with its
/// reason and the others go on.
///
/// - Parameter request: What to do.
/// - Returns: Whether all scans are done.
/// - Throws: ``UsageError`` before anything is done where the request cannot be met; errors of the
///   model; `FileWriteError` where the run's own files cannot be written.
public func stripScans(_ request: StripRequest) throws -> ExitStatus {
    try StripRun(request).run()
}

/// `NAME_desc-brain_mask.json`: from what and how a brain was found.
struct BrainProvenance: Codable {
    var software: String
    var version: String
    var scan: Provenance.Scan
    var model: ModelRecord
    var dilationMillimeters: Double
    var volume: Int?
    var mask: Provenance.Labels
    var brain: Provenance.Labels
    /// The mask's volume.
    var volumeCubicMillimeters: Double
    /// A Boolean value indicating whether the scan showed nothing but a brain.
    var isAlreadyStripped: Bool
    var seconds: Double
    var warnings: [String]
    /// The mask type that BIDS requires.
    var type = "Brain"
    var sources: [String]?

    enum CodingKeys: String, CodingKey {
        case software, version, scan, model, dilationMillimeters, volume, mask, brain
        case volumeCubicMillimeters, isAlreadyStripped, seconds, warnings
        case type = "Type"
        case sources = "Sources"
    }
}

private final class StripRun {
    private let request: StripRequest
    private let scans: [ScanFile]
    private let sources: BIDSSources
    private let bundle: ModelBundle
    private let display: ProgressDisplay
    private let output: OutputFolder
    private var extractor: BrainExtractor?
    private var failures: [ScanFailure] = []
    /// The stage of the scan at work.
    private var stage = ScanStage.read
    private var counts = (done: 0, skipped: 0)

    init(_ request: StripRequest) throws {
        self.request = request
        var selection = ScanSelection()
        selection.participants = request.participants
        let found = try findScans(
            in: request.inputs, output: request.output, selection: selection
        ) { line in
            if request.shows == .progress { printError(line) }
        }
        for warning in found.warnings { printError(warning) }
        scans = found.scans.map { scan in
            var scan = scan
            scan.volume = request.volume
            return scan
        }
        if request.device != "auto" { _ = try resolveDevice(request.device) }
        bundle = try loadModel(request.model)
        try prepareOutputDirectory(request.output)
        let description = joined(request.output, DatasetDescription.fileName)
        if pathExists(description), !holdsOurResults(request.output) {
            throw UsageError(
                "'\(request.output)' is another dataset, as its \(DatasetDescription.fileName) "
                    + "says; choose another output folder")
        }
        sources = BIDSSources(of: scans, output: request.output)
        output = try OutputFolder(
            at: request.output, shard: nil,
            command: CommandLine.arguments.joined(separator: " "))
        let mode: ProgressDisplay.Mode =
            switch request.shows {
            case .progress: .automatic
            case .quiet: .quiet
            case .json: .json
            }
        display = ProgressDisplay(mode: mode, total: scans.count)
    }

    func run() throws -> ExitStatus {
        // A file that grows beyond a limit is an error to report, not the end of the process.
        signal(SIGXFSZ, SIG_IGN)
        let signals = output.handleSignals()
        defer {
            signals.end()
            display.end()
            output.release()
        }
        output.setMessage(
            "Interrupted: run the same command again to go on; '\(request.output)' holds what is "
                + "done.")
        // Other folders of stripped scans are no dataset, but scans to go on with.
        if !sources.isEmpty {
            try writeAtomically(
                try jsonText(DatasetDescription.segmentations(of: sources)),
                to: joined(request.output, DatasetDescription.fileName))
        }
        let clock = ContinuousClock()
        let start = clock.now
        for scan in scans {
            display.begin(scan.outputName)
            stage = .read
            do {
                try strip(scan)
            } catch let error as InfrastructureError {
                throw error.cause
            } catch {
                try fail(scan, FailureReason(error, about: scan.path, stage: stage))
            }
        }
        try TSVTable.failures(failures).write(to: joined(request.output, "failures.tsv"))
        display.note(
            "\(scans.count) \(scans.count == 1 ? "scan" : "scans"): \(counts.done) stripped, "
                + "\(counts.skipped) done before, \(failures.count) failed, in "
                + decimals((clock.now - start) / .seconds(1), 1)
                + " s. Results are in '\(request.output)'.")
        return failures.isEmpty ? .success : .failure
    }

    /// An error that concerns every scan.
    private struct InfrastructureError: Error {
        var cause: any Error
    }

    private func strip(_ scan: ScanFile) throws {
        let name = scan.outputName
        let outputs = BrainOutputs(of: scan, in: request.output)
        let hash = contentHash(of: scan)
        if !request.overwrites, let hash, isDone(outputs, scanHash: hash) {
            counts.skipped += 1
            display.skip(name, reason: "done before")
            try display.record(
                ScanRecord(name: name, scan: scan.path, status: .skipped, labels: outputs.mask))
            return
        }
        let clock = ContinuousClock()
        let begun = clock.now
        enter(.read, of: name, fraction: 0)
        let content = try ScanContent(of: scan)
        guard let hash else {
            throw UsageError("'\(scan.path)' cannot be read a second time; run again")
        }
        let extractor = try loadedExtractor()
        let volume = content.loaded.volume
        stage = .brain
        let brain = try extractor.brain(of: volume) { [display] fraction in
            display.advance(name, stage: "brain", fraction: 0.1 + 0.8 * fraction)
        }
        enter(.write, of: name, fraction: 0.9)
        let mask = brain.labels(on: volume)
        let stripped = without(volume, brain: mask)
        let warnings = content.warnings + content.loaded.warnings
        var seconds = 0.0
        try output.replace(marker: outputs.provenance) { staged in
            try staged.write(outputs.mask) {
                try writeLabelMap(
                    mask, to: $0, like: content.loaded.header, table: bundle.card.labels)
            }
            try staged.write(outputs.scan) {
                try writeVolume(
                    stripped, to: $0, like: content.loaded.header,
                    storedAs: content.loaded.header.storedType.holding(stripped.voxels))
            }
            let provenance = try provenance(
                of: scan, hash: hash, brain, mask, staged.files, warnings,
                seconds: (clock.now - begun) / .seconds(1))
            seconds = provenance.seconds
            let text = try jsonText(provenance)
            try staged.write(outputs.provenance) { try writeAtomically(text, to: $0) }
        }
        for warning in warnings { display.note("\(name): warning: \(warning)") }
        counts.done += 1
        display.finish(name, note: decimals(seconds, 1) + " s")
        try display.record(
            ScanRecord(
                name: name, scan: scan.path, status: .done, labels: outputs.mask,
                warnings: warnings.isEmpty ? nil : warnings, seconds: seconds))
    }

    /// The scan with 0 wherever there is no brain.
    private func without(_ volume: Volume, brain mask: LabelMap) -> Volume {
        let kept = VoxelMask(size: mask.grid.size, values: mask.labels.map { $0 > 0 ? 1 : 0 })
            .dilated(byMillimeters: request.dilationMillimeters, spacing: mask.grid.spacing)
        var stripped = volume
        for index in stripped.voxels.indices
        where kept.values[index] == 0 || !stripped.voxels[index].isFinite {
            stripped.voxels[index] = 0
        }
        return stripped
    }

    private func provenance(
        of scan: ScanFile, hash: String, _ brain: ExtractedBrain, _ mask: LabelMap,
        _ files: [StagedFiles.File], _ warnings: [String], seconds: Double
    ) throws -> BrainProvenance {
        func labels(_ file: StagedFiles.File) throws -> Provenance.Labels {
            guard let hash = contentHash(ofFileAt: file.stagedPath) else {
                throw FileWriteError(path: file.path, errorNumber: EIO)
            }
            return .init(file: (file.path as NSString).lastPathComponent, sha256: hash)
        }
        var provenance = BrainProvenance(
            software: "SliceSeg", version: softwareVersion,
            scan: .init(path: absolutePath(scan.path), sha256: hash),
            model: .init(name: bundle.card.name, identity: bundle.identity),
            dilationMillimeters: request.dilationMillimeters, volume: request.volume,
            mask: try labels(files[0]), brain: try labels(files[1]),
            volumeCubicMillimeters: Double(mask.labels.count { $0 > 0 })
                * mask.grid.voxelVolumeCubicMillimeters,
            isAlreadyStripped: brain.isAlreadyStripped, seconds: rounded(seconds),
            warnings: warnings)
        switch scan.origin {
        case .bids(let source): provenance.sources = [sources.address(of: source)]
        case .dicom(let series):
            provenance.scan.series = series.name
            provenance.scan.converter = "dcm2niix \(series.converter.version)"
        case .volume, .unreadable: break
        }
        return provenance
    }

    private func isDone(_ outputs: BrainOutputs, scanHash: String) -> Bool {
        guard let earlier = decodeJSON(BrainProvenance.self, at: outputs.provenance) else {
            return false
        }
        return earlier.scan.sha256 == scanHash && earlier.model.identity == bundle.identity
            && earlier.dilationMillimeters == request.dilationMillimeters
            && earlier.volume == request.volume
            && contentHash(ofFileAt: outputs.mask) == earlier.mask.sha256
            && contentHash(ofFileAt: outputs.scan) == earlier.brain.sha256
    }

    private func loadedExtractor() throws -> BrainExtractor {
        if let extractor { return extractor }
        do {
            if let threads = request.threads { try Engine.setThreadCount(threads) }
            let loaded = try BrainExtractor(
                bundle: bundle,
                options: SegmenterOptions(
                    device: try resolveDevice(request.device), precision: request.precision))
            extractor = loaded
            return loaded
        } catch {
            throw InfrastructureError(cause: error)
        }
    }

    private func enter(_ stage: ScanStage, of name: String, fraction: Double) {
        self.stage = stage
        display.advance(name, stage: "\(stage)", fraction: fraction)
    }

    private func fail(_ scan: ScanFile, _ failure: FailureReason) throws {
        failures.append(ScanFailure(scan: scan.outputName, failure))
        let reason = failure.sentence
        display.fail(scan.outputName, reason: reason)
        if request.shows == .json { printError("\(scan.outputName): failed: \(reason)") }
        try display.record(
            ScanRecord(name: scan.outputName, scan: scan.path, status: .failed, reason: reason))
    }
}

extension StoredType {
    /// This type where it holds all of some numbers as they are, else single precision.
    fileprivate func holding(_ numbers: [Float]) -> StoredType {
        let range: ClosedRange<Float>
        switch self {
        case .uint8: range = 0...255
        case .int8: range = -128...127
        case .int16: range = -32768...32767
        case .uint16: range = 0...65535
        // Beyond 24 bits single precision has rounded numbers already.
        case .int32, .uint32, .int64, .uint64, .float32, .float64: return .float32
        }
        return numbers.allSatisfy { range.contains($0) && $0 == $0.rounded() } ? self : .float32
    }
}
