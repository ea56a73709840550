import Dispatch
import Foundation
import Inference
import ModelBundles
import Parallel
import Tensors
import VolumeIO
import Volumes

/// The way of scans through reading, network and writing.
///
/// The next scan is read and the last one is written while the network computes on one. Memory holds
/// the volume and labels of a scan that is being written beside those of the one that is computed, but
/// never both scans' probabilities: where these are written too, nothing else is done meanwhile.
struct ScanPipeline {
    /// Reads a scan, or tells that it is done.
    let prepare: ScanPreparation
    /// Writes one.
    let writer: CaseWriter
    /// The networks.
    let networks: LoadedNetworks
    /// Called with each note on a scan.
    let note: (ScanFile, String) -> Void
    /// Called with each stage and the share of the scan that is done.
    let progress: (ScanFile, ScanStage, Double) -> Void
    /// Called with each volume and its labels.
    let segmented: (ScanFile, Volume, LabelMap) -> Void

    /// Hands each scan through the pipeline.
    ///
    /// - Parameters:
    ///   - scans: The scans.
    ///   - body: Called with each outcome, in the order of the scans, on a thread of the pipeline; what
    ///     it throws stops the run.
    /// - Throws: What `body` throws, and what is wrong with the model or the device, which concerns
    ///   every scan.
    func forEach(
        _ scans: [ScanFile], _ body: @escaping @Sendable (ScanFile, ScanOutcome) throws -> Void
    ) throws {
        let prepare = prepare
        let reader = Prefetcher<PreparedScan?>(first: 0, depth: 1) { number in
            scans.indices.contains(number) ? prepare(scans[number], mayDefer: true) : nil
        }
        defer { reader.stop() }
        let behind = WriteBehind()
        // However this ends, a scan that is being written is written.
        defer { try? behind.finish() }
        for scan in scans {
            progress(scan, .read, 0)
            guard let prepared = reader.next() else { break }
            try hand(prepared, scan, to: behind, body)
        }
        try behind.finish()
    }

    private func hand(
        _ prepared: PreparedScan, _ scan: ScanFile, to behind: WriteBehind,
        _ body: @escaping @Sendable (ScanFile, ScanOutcome) throws -> Void
    ) throws {
        let writer = writer
        switch prepared {
        case .failed(let reason):
            try behind.submit {
                writer.note(scan, .failed(reason))
                try body(scan, .failed(reason))
            }
        case .earlier(let result, let input, let files):
            try behind.submit {
                writer.note(
                    scan, .earlier(result), input: input, files: files.isEmpty ? nil : files)
                try body(scan, .earlier(result))
            }
        case .edited(let result):
            try behind.submit {
                writer.note(scan, .edited(result))
                try body(scan, .edited(result))
            }
        case .changed(let content, let labels, let input):
            try behind.submit {
                let outcome = Self.outcome(of: scan, writer) {
                    .edited(
                        try writer(
                            edited: scan, volume: content.loaded.volume, labels: labels,
                            input: input))
                }
                try body(scan, outcome)
            }
        case .deferred:
            // Read when nothing else is held.
            try behind.finish()
            try hand(prepare(scan, mayDefer: false), scan, to: behind, body)
        case .ready(let ready):
            if let reason = ready.note { note(scan, reason) }
            try segment(scan, ready, behind, body)
        }
    }

    private func segment(
        _ scan: ScanFile, _ ready: ReadyScan, _ behind: WriteBehind,
        _ body: @escaping @Sendable (ScanFile, ScanOutcome) throws -> Void
    ) throws {
        let writer = writer
        // What is wrong with the model or the device concerns every scan.
        let segmenter = try networks.segmenter()
        try? writer.store.begin(scan, input: ready.input)
        let started = Date()
        let memory = MemoryPeak()
        var content = ready.content
        if let checker = try networks.checker(note: { note(scan, $0) }) {
            // A scan that cannot be checked cannot be segmented either, which tells why.
            let check = try? ScanCheck(scan, volume: content.loaded.volume, by: checker)
            content.warnings += check?.warnings ?? []
        }
        var stage = ScanStage.conform
        let segmentation: Segmentation
        do {
            segmentation = try segmenter.segment(content.loaded.volume) { next, fraction in
                stage = ScanStage(next)
                progress(scan, stage, fraction * 0.95)
            }
        } catch {
            let reason = FailureReason(error, about: scan.path, stage: stage)
            try behind.submit {
                writer.note(scan, .failed(reason))
                try body(scan, .failed(reason))
            }
            return
        }
        let segmented = SegmentedCase(
            scan: scan, content: content, input: ready.input,
            changedFiles: ready.changedFiles, labels: segmentation.labels,
            conformed: writer.space == .conformed
                ? (segmentation.conformedScan, segmentation.conformedLabels) : nil,
            uncertainty: segmentation.uncertainty,
            computation: try networks.computation(of: segmentation),
            // To four places, as the provenance tells it to later runs.
            planeDisagreement: segmentation.planeDisagreement.mapValues {
                ($0 * 10_000).rounded() / 10_000
            },
            meanProbability: segmentation.meanProbability.mapValues {
                ($0 * 10_000).rounded() / 10_000
            },
            voxelsMovedToTheirSide: segmentation.voxelsMovedToTheirSide, brain: segmentation.brain,
            restoration: segmentation.restoration, started: started,
            stages: [StageSeconds(stage: .read, seconds: ready.seconds)]
                + segmentation.stageSeconds.map {
                    StageSeconds(stage: ScanStage($0.stage), seconds: $0.seconds)
                }, peakMemoryBytes: memory.bytes)
        progress(scan, .write, 0.95)
        self.segmented(scan, content.loaded.volume, segmentation.labels)
        guard let probabilities = segmentation.probabilities else {
            try behind.submit {
                try body(scan, Self.outcome(of: scan, writer) { .segmented(try writer(segmented)) })
            }
            return
        }
        try behind.finish()
        let outcome = Self.outcome(of: scan, writer) {
            .segmented(try writer(segmented, probabilities: probabilities))
        }
        try behind.submit { try body(scan, outcome) }
    }

    /// The outcome of writing a scan.
    private static func outcome(
        of scan: ScanFile, _ writer: CaseWriter, _ write: () throws -> ScanOutcome
    ) -> ScanOutcome {
        do {
            return try write()
        } catch {
            let reason = FailureReason(error, about: scan.path, stage: .write)
            writer.note(scan, .failed(reason))
            return .failed(reason)
        }
    }
}

/// The networks of a run, which are loaded when the first scan needs them.
final class LoadedNetworks {
    private let bundle: ModelBundle
    private let request: SegmentationRequest
    private var loaded: (segmenter: Segmenter, device: Device)?
    private var loadedChecker: ScanClassifier??

    init(_ bundle: ModelBundle, _ request: SegmentationRequest) {
        self.bundle = bundle
        self.request = request
    }

    /// A Boolean value indicating whether any scan has needed them.
    var areLoaded: Bool { loaded != nil }

    /// The networks.
    func segmenter() throws -> Segmenter {
        if let loaded { return loaded.segmenter }
        if let threads = request.threads { try Engine.setThreadCount(threads) }
        let device = try resolveDevice(request.device)
        let segmenter = try Segmenter(bundle: bundle, options: request.segmenterOptions(on: device))
        // The scan that is read first is a small part of what is held now.
        segmenter.memory = (request.memory ?? MemoryAllowance()).budget(
            holding: MemoryBudget.residentBytes() ?? 0)
        loaded = (segmenter, device)
        return segmenter
    }

    /// The network that looks at scans of heads first; `nil` where the model is for other scans, or that
    /// is not wanted.
    ///
    /// - Parameter note: Is told once where the model that checks is not among the shipped ones.
    /// - Returns: The network.
    /// - Throws: Errors of its bundle and of the engine.
    func checker(note: (String) -> Void) throws -> ScanClassifier? {
        if let loadedChecker { return loadedChecker }
        let isWanted = bundle.card.brainExtraction != nil && request.checksScans != false
        let isThere = ModelBundle.shippedNames().contains(checkModel)
        if isWanted, !isThere {
            note("scans are not checked, as the model '\(checkModel)' is not among the models")
        }
        let checker =
            try isWanted && isThere ? ScanClassifier(bundle: .shipped(named: checkModel)) : nil
        loadedChecker = .some(checker)
        return checker
    }

    /// The record of how a scan was computed.
    func computation(of segmentation: Segmentation) throws -> Provenance.Computation {
        Provenance.Computation(
            device: loaded?.device.description ?? request.device,
            precision: segmentation.precision.rawValue,
            engine: try Engine.name(),
            threads: try Engine.threadCount(), path: segmentation.computation)
    }
}

extension SegmentationRequest {
    /// The options of the segmenter.
    func segmenterOptions(on device: Device) -> SegmenterOptions {
        SegmenterOptions(
            planes: planes, device: device, precision: precision, batchSize: batchSize,
            interpolation: interpolation,
            keepsProbabilities: writesProbabilities || derivativesFor != nil, mirrors: mirrors,
            sampleCount: uncertaintySamples ?? 0, sampleSeed: seed)
    }
}

/// The most memory that the process holds from a point in time on.
struct MemoryPeak {
    /// Begins anew, where the system allows it.
    init() { try? Data("5".utf8).write(to: URL(filePath: "/proc/self/clear_refs")) }

    /// The peak so far, or `nil` where the system does not tell it.
    var bytes: Int? {
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
            let kibibytes = line.split(separator: " ").compactMap({ Int($0) }).first
        else { return nil }
        return kibibytes * 1024
    }
}
