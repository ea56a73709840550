import AtomicFiles
import Datasets
import Foundation
import Reports
import SegmentationMetrics
import VolumeIO
import Volumes

/// How well predictions agree with references.
public struct EvaluationReport: Sendable {
    /// Whether every case could be measured.
    public var status: ExitStatus
    /// Dice per structure, as text for the standard output; empty where no case was measured.
    public var table: String
    /// What should be known: predictions without a reference, labels without a name.
    public var notes: [String]
    /// Cases that could not be measured, a sentence each.
    public var problems: [String]
}

/// Measures predictions against references and writes `metrics.tsv`, `summary.json` and
/// `failures.tsv`.
///
/// Cases are matched by name: `1015_dseg`, `1015_seg` and `1015_glm` are case `1015`. A reference
/// without a prediction fails, and so do cases whose grids lie 0.1 mm or more apart.
///
/// - Parameters:
///   - prediction: A label map or a folder of them.
///   - reference: The same.
///   - output: Where the tables go; made where it is missing.
///   - labels: A table of structures (`dseg.tsv`), or `nil` for the one beside the predictions or
///     else the values that occur.
/// - Returns: What was found.
/// - Throws: ``UsageError`` where a path or the table is wrong, `FileWriteError`.
public func evaluate(
    prediction: String, reference: String, output: String, labels: String?
) throws -> EvaluationReport {
    let predictions = try LabelMapFile.find(at: prediction)
    let references = try LabelMapFile.find(at: reference)
    let table = try labels.map { try readLabelTable($0) } ?? tableBeside(predictions)
    try prepareOutputDirectory(output)
    let arePairOfFiles = !isDirectory(prediction) && !isDirectory(reference)
    var matches = LabelMapMatches(
        predictions: predictions, references: references, isSinglePair: arePairOfFiles)
    // One file's prediction says nothing about a folder's other cases.
    if !isDirectory(prediction), !matches.pairs.isEmpty { matches.lonelyReferences = [] }
    let measurement = measure(matches, table: table)
    try measurement.evaluation?.write(to: output)
    try TSVTable.failures(measurement.failures).write(to: joined(output, "failures.tsv"))
    return measurement.report
}

/// What measuring matched cases gave.
struct Measurement {
    /// The cases that could be measured, or `nil` where none could.
    var evaluation: Evaluation?
    /// Cases that could not.
    var failures: [ScanFailure]
    /// What should be known.
    var notes: [String]

    var report: EvaluationReport {
        EvaluationReport(
            status: failures.isEmpty && evaluation != nil ? .success : .failure,
            table: evaluation?.diceTable.rendered(for: TerminalStyle(fileDescriptor: 1)) ?? "",
            notes: notes, problems: failures.map { "\($0.scan): \($0.reason)" })
    }
}

/// Measures matched cases.
///
/// - Parameters:
///   - matches: The cases.
///   - table: The structures to report, or `nil` for all values that occur.
/// - Returns: What was found; each case that cannot be measured is a failure.
func measure(_ matches: LabelMapMatches, table: LabelTable?) -> Measurement {
    var failures = matches.lonelyReferences.map {
        ScanFailure(
            scan: $0.relativeName,
            reason: "there is no prediction for the reference '\($0.path)'; segment its scan or "
                + "move the reference away")
    }
    var notes = matches.lonelyPredictions.map {
        "'\($0.path)' has no reference and is not in the figures"
    }
    var cases: [EvaluatedCase] = []
    var voxelCounts: [Int] = []
    for (prediction, reference) in matches.pairs {
        do {
            let (overlaps, voxelCount) = try overlaps(
                of: prediction.path, against: reference.path)
            cases.append(
                EvaluatedCase(
                    name: prediction.relativeName, predictionFile: prediction.path,
                    referenceFile: reference.path, overlaps: overlaps))
            voxelCounts.append(voxelCount)
        } catch {
            failures.append(
                ScanFailure(scan: prediction.relativeName, reason: sentence(for: error)))
        }
    }
    if matches.pairs.isEmpty, matches.lonelyReferences.isEmpty, !matches.lonelyPredictions.isEmpty {
        failures.append(
            ScanFailure(
                scan: "all", reason: "no prediction has a reference; check that their names agree"))
    }
    let occurring = Set(cases.flatMap { $0.overlaps.map(\.label) }).sorted()
    guard !cases.isEmpty, let table = table ?? tableOfValues(occurring) else {
        return Measurement(evaluation: nil, failures: failures, notes: notes)
    }
    let unnamed = occurring.filter { table[$0] == nil }
    if !unnamed.isEmpty {
        let shown = unnamed.prefix(8).map(String.init).joined(separator: ", ")
        notes.append(
            "\(unnamed.count) label values that are not in the label table are not in the "
                + "figures: \(shown)\(unnamed.count > 8 ? ", ..." : "")")
    }
    for position in cases.indices {
        cases[position].fillIn(table, voxelCount: voxelCounts[position])
    }
    return Measurement(
        evaluation: Evaluation(cases: cases, table: table), failures: failures, notes: notes)
}

/// Why two label maps cannot be compared.
private struct GridMismatch: Error, CustomStringConvertible {
    let description: String
}

private func overlaps(
    of predictionPath: String, against referencePath: String
) throws -> (counts: [OverlapCounts], voxelCount: Int) {
    let (prediction, _) = try readLabelMap(at: predictionPath)
    let (reference, _) = try readLabelMap(at: referencePath)
    guard
        let distance = prediction.grid.largestCornerDistanceMillimeters(from: reference.grid)
    else {
        throw GridMismatch(
            description: "'\(predictionPath)' has \(prediction.grid.size) voxels and "
                + "'\(referencePath)' \(reference.grid.size); resample one to the other's grid")
    }
    guard distance < gridToleranceMillimeters else {
        throw GridMismatch(
            description: "the grids of '\(predictionPath)' and '\(referencePath)' lie "
                + "\(decimals(distance, 2)) mm apart; resample one to the other's grid")
    }
    return (overlapCounts(of: prediction, against: reference), prediction.grid.size.count)
}

extension EvaluatedCase {
    /// Adds counts for structures that neither of the two maps holds.
    fileprivate mutating func fillIn(_ table: LabelTable, voxelCount: Int) {
        let counted = Set(overlaps.map(\.label))
        for structure in table.structures where !counted.contains(structure.index) {
            overlaps.append(
                OverlapCounts(
                    label: structure.index, truePositives: 0, falsePositives: 0,
                    falseNegatives: 0, trueNegatives: voxelCount))
        }
    }
}

// MARK: - Label tables

private func readLabelTable(_ path: String) throws(UsageError) -> LabelTable {
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

/// The table that lies beside the first prediction that has one.
private func tableBeside(_ predictions: [LabelMapFile]) -> LabelTable? {
    for prediction in predictions {
        let folder = (prediction.path as NSString).deletingLastPathComponent
        guard let name = volumeName(ofPath: prediction.path) else { continue }
        let path = joined(folder, name + ".tsv")
        if let table = try? readLabelTable(path) { return table }
    }
    return nil
}

/// A table of bare values, named by their number.
private func tableOfValues(_ values: [UInt16]) -> LabelTable? {
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

/// How far apart the corners of two grids may lie that count as one.
let gridToleranceMillimeters = 0.1

/// A number with a fixed count of decimals.
func decimals(_ value: Double, _ count: Int) -> String { String(format: "%.\(count)f", value) }
