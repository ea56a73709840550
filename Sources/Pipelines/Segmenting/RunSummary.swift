import Files
import Foundation
import ModelBundles
import Reports
import SegmentationMetrics
import Volumes

/// The tables of a run, made of the outcomes of its scans alone.
struct RunSummary {
    /// The scans with their outcomes, in order.
    let outcomes: [(scan: ScanFile, outcome: ScanOutcome)]
    /// The output folder.
    let output: String
    /// The structures.
    let table: LabelTable
    /// The thresholds of quality control.
    let thresholds: QualityThresholds
    /// The seconds of each stage are recorded too.
    var profiles = false

    /// The record of each scan.
    var records: [ScanRecord] {
        outcomes.map { record(of: $0.scan, $0.outcome) }
    }

    /// The record of one scan with what is unusual about it alone, without the other scans.
    func judgedRecord(of scan: ScanFile, _ outcome: ScanOutcome) -> ScanRecord {
        var record = record(of: scan, outcome)
        if let input = outcome.result?.quality {
            record.add(qualityControl(of: [input], table: table, thresholds: thresholds))
        }
        return record
    }

    /// The record of one scan.
    func record(of scan: ScanFile, _ outcome: ScanOutcome) -> ScanRecord {
        var record = ScanRecord(name: scan.outputName, scan: scan.path, status: outcome.status)
        if case .failed(let reason) = outcome {
            record.reason = reason.sentence
            record.code = reason.code
        }
        guard let result = outcome.result else { return record }
        record.labels = ScanOutputs(of: scan, in: output).labels
        record.warnings = result.warnings.isEmpty ? nil : result.warnings
        if case .segmented = outcome {
            record.seconds = result.seconds
            if profiles { record.stages = result.stages }
        }
        return record
    }

    /// The volumes of each scan that has results.
    var volumes: [ScanVolumes] {
        outcomes.compactMap { scan, outcome in
            outcome.result.map { result in
                ScanVolumes(
                    scan: scan.outputName, volumes: result.volumes,
                    cut: Set(
                        result.quality.measurements.filter { $0.edgeVoxelCount > 0 }.map(\.label)),
                    warnings: result.warnings)
            }
        }
    }

    /// The scans that failed.
    var failures: [ScanFailure] {
        outcomes.compactMap { scan, outcome in
            guard case .failed(let reason) = outcome else { return nil }
            return ScanFailure(scan: scan.outputName, reason)
        }
    }

    /// Quality control, the most suspicious scan first.
    var quality: [ScanQuality] {
        qualityControl(
            of: outcomes.compactMap { $0.outcome.result?.quality }, table: table,
            thresholds: thresholds)
    }

    /// The number of scans that ended in a state.
    func count(_ status: ScanRecord.Status) -> Int {
        outcomes.count { $0.outcome.status == status }
    }

    /// The counts as `run.json` has them.
    var counts: RunRecord.Counts {
        RunRecord.Counts(
            scans: outcomes.count, done: count(.done), skipped: count(.skipped),
            failed: count(.failed), edited: count(.edited) == 0 ? nil : count(.edited))
    }

    /// The sentence at the end of a run.
    func sentence(seconds: Double) -> String {
        let counts = counts
        let edited = counts.edited.map { ", \($0) edited and kept" } ?? ""
        return "\(counts.scans) \(counts.scans == 1 ? "scan" : "scans"): \(counts.done) "
            + "segmented, \(counts.skipped) done before\(edited), \(counts.failed) failed, in "
            + decimals(seconds, 1) + " s. Results are in '\(output)'."
    }
}

/// A run's own files: its tables, its record and its page.
struct RunFiles {
    /// The files that a run may write beside those of its scans.
    ///
    /// All of an earlier run are removed before new ones are written, so that a folder never holds
    /// figures that are not of its last run.
    static let names = [
        "failures.tsv", "volumes.tsv", "qc.tsv", "run.json", "report.html", "metrics.tsv",
        "metrics_wide.csv", "statistics.tsv", "summary.json",
    ]

    let folder: OutputFolder
    let summary: RunSummary
    let record: RunRecord
    let measurement: Measurement?
    let quality: [ScanQuality]

    /// The record with the flags of quality control.
    private var judgedRecord: RunRecord {
        var record = record
        let judged = Dictionary(
            quality.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for position in record.scans.indices {
            guard let found = judged[record.scans[position].name] else { continue }
            record.scans[position].add([found])
        }
        return record
    }

    /// All failures: of scans, then of measuring them.
    var failures: [ScanFailure] { summary.failures + (measurement?.failures ?? []) }

    /// Writes the tables and the record.
    func writeTables() throws {
        func path(_ name: String) -> String { joined(folder.path, name) }
        try folder.replace { files in
            try files.write(path("failures.tsv")) { try TSVTable.failures(failures).write(to: $0) }
            try files.write(path("volumes.tsv")) {
                try TSVTable.volumes(ofScans: summary.volumes, table: summary.table).write(to: $0)
            }
            let warnings = Dictionary(
                summary.records.map { ($0.name, $0.warnings ?? []) },
                uniquingKeysWith: { first, _ in first })
            try files.write(path("qc.tsv")) {
                try TSVTable.qualityControl(quality, warnings: warnings).write(to: $0)
            }
            if let evaluation = measurement?.evaluation {
                try files.writeFolder(folder.path) { try evaluation.write(to: $0) }
            }
            let text = try jsonText(judgedRecord)
            try files.write(path("run.json")) { try writeAtomically(text, to: $0) }
            let written = Set(files.files.map(\.path))
            folder.remove(Self.names.map(path).filter { !written.contains($0) })
        }
    }

    /// Writes the page, which is the largest: where there is no room for it, all else is there.
    func writePage(_ page: SegmentationPage) throws {
        let pictures = joined(folder.path, SegmentationPage.folderOfPictures)
        let earlier = (try? FileManager.default.contentsOfDirectory(atPath: pictures)) ?? []
        try folder.replace { files in
            try files.writeFolder(folder.path) { target in
                if let evaluation = measurement?.evaluation, !evaluation.cases.isEmpty {
                    try page.write(evaluation, to: target)
                } else {
                    try page.write(failures: failures, to: target)
                }
            }
            let written = Set(files.files.map(\.path))
            let stale = earlier.filter { $0.wholeMatch(of: /case-[0-9]{4,}\.js/) != nil }
            folder.remove(stale.map { joined(pictures, $0) }.filter { !written.contains($0) })
        }
        rmdir(pictures)
    }
}

extension ScanRecord {
    /// Takes over the flags of the scan's judgement.
    fileprivate mutating func add(_ judgements: [ScanQuality]) {
        let reasons = judgements.flatMap { $0.flags.map(\.reason) }
        flags = reasons.isEmpty ? nil : reasons
    }
}
