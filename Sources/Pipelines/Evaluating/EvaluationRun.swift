import Datasets
import Files
import Foundation
import Preprocessing
import Reports
import SegmentationMetrics
import VolumeIO
package import Volumes

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
/// - Throws: ``UsageError`` where a path or the table is wrong, and where the output folder is that of a
///   segmentation, whose page and failures would be replaced; `FileWriteError`.
public func evaluate(_ request: EvaluationRequest) throws -> EvaluationReport {
    let predictions = try LabelMapFile.find(at: request.prediction)
    let references = try LabelMapFile.find(at: request.reference)
    let table = try request.labels.map { try readLabelTable($0) } ?? tableOfFiles(predictions)
    let participants = try participants(of: request)
    let compared = try request.against.map { try LabelMapFile.find(at: $0) }
    try checkForOtherResults(in: request.output)
    try prepareOutputDirectory(request.output)
    let options = MeasurementOptions(metrics: request.metrics, resamples: request.resamples)
    var measurement = measure(
        matched(predictions, at: request.prediction, to: references, at: request.reference),
        table: table, options: options)
    if let participants, let choice = request.group {
        try measurement.group(by: choice, of: participants)
    }
    var report = measurement.report
    if let against = request.against, let compared, let table = measurement.evaluation?.table {
        let other = measure(
            matched(compared, at: against, to: references, at: request.reference),
            table: table, options: options)
        report.add(other, at: against)
        report.compare(with: other.evaluation)
    }
    report.evaluation?.notes = report.notes
    try removeFigures(in: request.output)
    try TSVTable.failures(measurement.failures).write(to: joined(request.output, "failures.tsv"))
    try report.evaluation?.write(to: request.output)
    try report.differences?.comparisonTable.write(to: joined(request.output, "comparison.tsv"))
    if request.writesPage { try report.writePage(request) }
    return report
}

/// Refuses the folder of a segmentation's results: its files have the same names.
private func checkForOtherResults(in folder: String) throws(UsageError) {
    guard isRegularFile(joined(folder, "run.json")) else { return }
    throw UsageError(
        "'\(folder)' holds the results of segment-brain, whose report.html and failures.tsv would be "
            + "replaced; name another folder with --output, such as '\(joined(folder, "evaluation"))'"
    )
}

/// Removes what an earlier comparison wrote, so that no figure of it stays beside those of this one.
private func removeFigures(in folder: String) throws(FileWriteError) {
    for name in Evaluation.fileNames + ["comparison.tsv", "report.html"] {
        let path = joined(folder, name)
        guard unlink(path) != 0, errno != ENOENT else { continue }
        throw FileWriteError(path: path, errorNumber: errno)
    }
}

extension EvaluationReport {
    /// Compares the run with another one that was measured alike.
    fileprivate mutating func compare(with other: Evaluation?) {
        guard let evaluation, let other else { return }
        let differences = EvaluationComparison(of: evaluation, against: other)
        notes += differences.unpairedReferences.map {
            "'\($0)' was measured in one of the runs only and is not compared"
        }
        self.differences = differences
    }

    /// Writes `report.html` and its pictures.
    fileprivate func writePage(_ request: EvaluationRequest) throws {
        guard let evaluation else { return }
        var page = evaluation.report(
            title: "Segmentations against references",
            summary: "'\(request.prediction)' measured against '\(request.reference)': "
                + "\(evaluation.coverageDescription).",
            provenance: [
                ReportFact(name: "Software", value: "SliceSeg \(softwareVersion)"),
                ReportFact(name: "Predictions", value: absolutePath(request.prediction)),
                ReportFact(name: "References", value: absolutePath(request.reference)),
            ])
        page.comparison = differences
        page.comparedRun = request.against ?? ""
        try page.write(to: request.output) { shown in
            try evaluation.cases.first { $0.name == shown.name }.flatMap {
                try ReportPictures(of: reportVolumes(of: $0))
            }
        }
    }
}

/// The participants that group the cases, or `nil` where these are not to be grouped.
private func participants(of request: EvaluationRequest) throws(UsageError) -> ParticipantsTable? {
    switch (request.participants, request.group) {
    case (nil, nil): return nil
    case (let path?, let choice?):
        let table = try ParticipantsTable(readingFrom: path)
        try table.check(choice)
        return table
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
        guard let cases = evaluation?.cases.map(\.name), !cases.isEmpty else { return }
        let (groups, found) = try participants.groups(of: cases, by: choice)
        evaluation?.groups = groups
        notes += found
    }
}

/// The volumes of a case that a page shows; files missing by now are left out.
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
        if !other.isComplete { status = .failure }
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
    if !isDirectory(predictionPath), !matches.pairs.isEmpty { matches.unmatchedReferences = [] }
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
    predictions.lazy.compactMap { labelTable(besideLabelMapAt: $0.path) }.first
        ?? predictions.lazy.compactMap { try? embeddedLabelTable(at: $0.path) }.first
}

private func labelTable(besideLabelMapAt path: String) -> LabelTable? {
    guard let name = volumeName(ofPath: path) else { return nil }
    let folder = (path as NSString).deletingLastPathComponent
    return try? readLabelTable(joined(folder, name + ".tsv"))
}

/// The label table that lies beside a label map, else the one that its header holds.
///
/// - Parameter path: The label map's file.
/// - Returns: The table, or `nil` where there is none.
package func labelTable(ofLabelMapAt path: String) -> LabelTable? {
    labelTable(besideLabelMapAt: path) ?? (try? embeddedLabelTable(at: path)) ?? nil
}
