import Datasets
import Files
import Foundation
import Preprocessing
import Reports
import SegmentationMetrics
import VolumeIO
import Volumes

/// How well predictions agree with references.
public struct EvaluationReport: Sendable {
    /// Whether every case could be measured.
    public var status: ExitStatus
    /// Dice and more per structure, as text for the standard output; empty where no case was
    /// measured.
    public var table: String
    /// How two runs differ, likewise; empty where there is but one.
    public var comparison = ""
    /// Dice per structure and group, likewise; empty where cases are not grouped.
    public var groups = ""
    /// The summary in strict JSON, or `nil` where no case was measured.
    public var json: String?
    /// What should be known: predictions without a reference, labels without a name.
    public var notes: [String]
    /// Cases that could not be measured, a sentence each.
    public var problems: [String]
}

/// Measures predictions against references and writes `metrics.tsv`, `metrics_wide.csv`,
/// `statistics.tsv`, `summary.json` and `failures.tsv`; `comparison.tsv` where there is another run,
/// and `report.html` where it is wanted.
///
/// Cases are matched by name: `1015_dseg`, `1015_seg` and `1015_glm` are case `1015`. A reference
/// without a prediction that can be read fails and counts as if nothing had been found. A case whose
/// grids lie a tenth of a voxel or more apart, however their axes are stored, fails too and is not
/// measured, unless resampling is allowed.
/// Cases that a table of participants does not know are named and in no group.
///
/// - Parameter request: What to measure.
/// - Returns: What was found.
/// - Throws: ``UsageError`` where a path or the table is wrong, `FileWriteError`.
public func evaluate(_ request: EvaluationRequest) throws -> EvaluationReport {
    let predictions = try LabelMapFile.find(at: request.prediction)
    let references = try LabelMapFile.find(at: request.reference)
    let table = try request.labels.map { try readLabelTable($0) } ?? tableOfFiles(predictions)
    let participants = try participants(of: request)
    try prepareOutputDirectory(request.output)
    let options = MeasurementOptions(metrics: request.metrics, resamples: request.resamples)
    var measurement = measure(
        matched(predictions, at: request.prediction, to: references, at: request.reference),
        table: table, options: options)
    var comparison: EvaluationComparison?
    if let participants, let choice = request.group {
        try measurement.group(by: choice, of: participants)
    }
    try measurement.evaluation?.write(to: request.output)
    try TSVTable.failures(measurement.failures).write(to: joined(request.output, "failures.tsv"))
    var report = measurement.report
    guard let evaluation = measurement.evaluation else { return report }
    if let against = request.against {
        let predictions = try LabelMapFile.find(at: against)
        let other = measure(
            matched(predictions, at: against, to: references, at: request.reference),
            table: evaluation.table, options: options)
        report.add(other, at: against)
        if let compared = other.evaluation {
            let differences = EvaluationComparison(of: evaluation, against: compared)
            try differences.comparisonTable.write(to: joined(request.output, "comparison.tsv"))
            report.comparison = differences.rendered(for: TerminalStyle(fileDescriptor: 1))
            report.notes += differences.unpairedReferences.map {
                "'\($0)' was measured in one of the runs only and is not compared"
            }
            comparison = differences
        }
    }
    if request.writesPage {
        var page = evaluation.report(
            title: "Segmentations against references",
            summary: "\(evaluation.cases.count) cases of '\(request.prediction)', measured against "
                + "'\(request.reference)'.",
            provenance: [
                ReportFact(name: "Software", value: "SliceSeg \(softwareVersion)"),
                ReportFact(name: "Predictions", value: absolutePath(request.prediction)),
                ReportFact(name: "References", value: absolutePath(request.reference)),
            ])
        page.comparison = comparison
        page.comparedRun = request.against ?? ""
        try page.write(to: request.output) { shown in
            try evaluation.cases.first { $0.name == shown.name }.flatMap {
                try ReportPictures(of: reportVolumes(of: $0))
            }
        }
    }
    return report
}

/// The participants that group the cases, or `nil` where these are not to be grouped.
private func participants(of request: EvaluationRequest) throws(UsageError) -> ParticipantsTable? {
    switch (request.participants, request.group) {
    case (nil, nil): return nil
    case (let path?, .some): return try ParticipantsTable(readingFrom: path)
    case (_?, nil):
        throw UsageError("name the column of the participants that groups them with --group")
    case (nil, _?):
        throw UsageError("--group needs a table of participants; name it with --participants")
    }
}

extension Measurement {
    /// Groups the cases, and notes those without a group.
    fileprivate mutating func group(
        by choice: String, of participants: ParticipantsTable
    ) throws(UsageError) {
        guard let cases = evaluation?.cases.map(\.name) else { return }
        let (groups, found) = try participants.groups(of: cases, by: choice)
        evaluation?.groups = groups
        notes += found
    }
}

/// What a page shows of a case; files that have gone since are left out.
///
/// - Parameters:
///   - evaluated: The case.
///   - scan: Its scan, where it is known.
/// - Returns: The volumes, all on one grid.
func reportVolumes(of evaluated: EvaluatedCase, scan: Volume? = nil) -> ReportVolumes {
    let reference = (try? readLabelMap(at: evaluated.referenceFile))?.0
    let prediction = (try? readLabelMap(at: evaluated.predictionFile))?.0
    guard let grid = scan?.grid ?? reference?.grid else {
        return ReportVolumes(prediction: prediction)
    }
    func shown(_ map: LabelMap) -> LabelMap {
        map.reordered(onto: grid) ?? resampled(map, to: grid)
    }
    return ReportVolumes(
        scan: scan, prediction: prediction.map(shown), reference: reference.map(shown))
}

extension EvaluationReport {
    /// Takes over what measuring the other run has told.
    fileprivate mutating func add(_ other: Measurement, at path: String) {
        problems += other.failures.map { "\($0.scan) of '\(path)': \($0.reason)" }
        notes += other.notes
        if other.evaluation == nil || !other.failures.isEmpty { status = .failure }
    }
}

/// Matches what two paths hold.
private func matched(
    _ predictions: [LabelMapFile], at predictionPath: String, to references: [LabelMapFile],
    at referencePath: String
) -> LabelMapMatches {
    let arePairOfFiles = !isDirectory(predictionPath) && !isDirectory(referencePath)
    var matches = LabelMapMatches(
        predictions: predictions, references: references, isSinglePair: arePairOfFiles)
    // One file's prediction says nothing about a folder's other cases.
    if !isDirectory(predictionPath), !matches.pairs.isEmpty { matches.lonelyReferences = [] }
    return matches
}

// MARK: - Label tables

func readLabelTable(_ path: String) throws(UsageError) -> LabelTable {
    guard isRegularFile(path), let data = FileManager.default.contents(atPath: path),
        let text = String(data: data, encoding: .utf8)
    else {
        throw UsageError("the label table '\(path)' cannot be read; name a dseg.tsv in UTF-8")
    }
    do {
        return try labelTable(fromBIDS: text, path: path)
    } catch {
        throw UsageError("\(error)")
    }
}

/// The table that lies beside the first prediction that has one, else the one that its header holds.
private func tableOfFiles(_ predictions: [LabelMapFile]) -> LabelTable? {
    for prediction in predictions {
        let folder = (prediction.path as NSString).deletingLastPathComponent
        guard let name = volumeName(ofPath: prediction.path) else { continue }
        let path = joined(folder, name + ".tsv")
        if let table = try? readLabelTable(path) { return table }
    }
    for prediction in predictions {
        if let table = try? embeddedLabelTable(at: prediction.path) { return table }
    }
    return nil
}

/// A table of bare values, named by their number.
func tableOfValues(_ values: [UInt16]) -> LabelTable? {
    LabelTable(
        values.map { value in
            // Neighbouring values get colors far apart.
            let mixed = UInt32(value) &* 2_654_435_761
            return Structure(
                index: value, name: "label-\(value)",
                color: LabelColor(
                    red: UInt8(64 + mixed >> 8 & 127), green: UInt8(64 + mixed >> 16 & 127),
                    blue: UInt8(64 + mixed >> 24 & 127)))
        })
}
