import AtomicFiles
import Datasets
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
/// grids lie 0.1 mm or more apart fails too and is not measured, unless resampling is allowed.
///
/// - Parameter request: What to measure.
/// - Returns: What was found.
/// - Throws: ``UsageError`` where a path or the table is wrong, `FileWriteError`.
public func evaluate(_ request: EvaluationRequest) throws -> EvaluationReport {
    let predictions = try LabelMapFile.find(at: request.prediction)
    let references = try LabelMapFile.find(at: request.reference)
    let table = try request.labels.map { try readLabelTable($0) } ?? tableOfFiles(predictions)
    try prepareOutputDirectory(request.output)
    let options = MeasurementOptions(metrics: request.metrics, resamples: request.resamples)
    let measurement = measure(
        matched(predictions, at: request.prediction, to: references, at: request.reference),
        table: table, options: options)
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
            let comparison = EvaluationComparison(of: evaluation, against: compared)
            try comparison.comparisonTable.write(to: joined(request.output, "comparison.tsv"))
            report.comparison = comparison.rendered(for: TerminalStyle(fileDescriptor: 1))
            report.notes += comparison.unpairedReferences.map {
                "'\($0)' was measured in one of the runs only and is not compared"
            }
        }
    }
    if request.writesPage {
        let page = evaluation.report(
            title: "Segmentations against references",
            summary: "\(evaluation.cases.count) cases of '\(request.prediction)', measured against "
                + "'\(request.reference)'.",
            provenance: [
                ReportFact(name: "Software", value: "SliceSeg \(softwareVersion)"),
                ReportFact(name: "Predictions", value: absolutePath(request.prediction)),
                ReportFact(name: "References", value: absolutePath(request.reference)),
            ])
        try page.write(to: request.output) { shown in
            evaluation.cases.first { $0.name == shown.name }.map { reportVolumes(of: $0) }
        }
    }
    return report
}

/// What a page shows of a case; files that have gone since are left out.
///
/// - Parameters:
///   - evaluated: The case.
///   - scan: Its scan, where it is known.
/// - Returns: The volumes, all on one grid.
func reportVolumes(of evaluated: EvaluatedCase, scan: Volume? = nil) -> ReportVolumes {
    let reference = (try? readLabelMap(at: evaluated.referenceFile))?.0
    var prediction = (try? readLabelMap(at: evaluated.predictionFile))?.0
    guard let grid = scan?.grid ?? reference?.grid else {
        return ReportVolumes(prediction: prediction)
    }
    if let map = prediction, !map.grid.agrees(with: grid) {
        prediction = resampled(map, to: grid)
    }
    let isShown = reference?.grid.agrees(with: grid) == true
    return ReportVolumes(
        scan: scan, prediction: prediction,
        reference: isShown ? reference : reference.map { resampled($0, to: grid) })
}

extension EvaluationReport {
    /// Takes over what measuring the other run has told.
    fileprivate mutating func add(_ other: Measurement, at path: String) {
        problems += other.failures.map { "\($0.scan) of '\(path)': \($0.reason)" }
        notes += other.notes
        if other.evaluation == nil || !other.failures.isEmpty { status = .failure }
    }
}

extension Grid {
    /// Whether two grids lie within the tolerance, axis by axis.
    fileprivate func agrees(with other: Grid) -> Bool {
        size == other.size && areSameGrid(self, other)
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

/// How cases are measured.
struct MeasurementOptions {
    /// Whose definitions are followed, and the tolerance.
    var metrics = MetricOptions()
    /// Whether predictions on another grid are carried to the reference's.
    var resamples = false
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
            json: evaluation?.strictSummaryJSON, notes: notes + oneSidedNotes,
            problems: failures.map { "\($0.scan): \($0.reason)" })
    }

    /// Tells of structures that one of two maps lacks; cases without a prediction lack all.
    private var oneSidedNotes: [String] {
        let failed = Set(evaluation?.cases.filter { $0.failure != nil }.map(\.name) ?? [])
        let oneSided = evaluation?.oneSidedStructures.filter { !failed.contains($0.name) } ?? []
        return [
            (StructurePresence.missing, "in the reference but not in the prediction"),
            (.spurious, "in the prediction but not in the reference"),
        ].compactMap { presence, place in
            let found = oneSided.filter { $0.presence == presence }
            guard !found.isEmpty else { return nil }
            let shown = found.prefix(5).map { "\($0.structure.name) of \($0.name)" }
            return "\(found.count) \(found.count == 1 ? "structure is" : "structures are") "
                + "\(place): " + shown.joined(separator: ", ")
                + (found.count > 5 ? ", ... (see presence in metrics_wide.csv)" : "")
        }
    }
}

/// Measures matched cases.
///
/// - Parameters:
///   - matches: The cases. A prediction without a path is that of a scan whose segmentation failed.
///   - table: The structures to report, or `nil` for all values that occur.
///   - options: How cases are measured.
/// - Returns: What was found; each case that cannot be measured is a failure.
func measure(
    _ matches: LabelMapMatches, table: LabelTable?,
    options: MeasurementOptions = MeasurementOptions()
) -> Measurement {
    var run = MeasuringRun(labels: table?.structures.map(\.index), options: options)
    run.notes = matches.lonelyPredictions.filter { !$0.path.isEmpty }.map {
        "'\($0.path)' has no reference and is not in the figures"
    }
    for reference in matches.lonelyReferences {
        let reason =
            "there is no prediction for the reference '\(reference.path)'; segment its scan or "
            + "move the reference away"
        run.fail(reference.relativeName, reason)
        run.measureFailure(reference.relativeName, reference: reference, reason: reason)
    }
    for (prediction, reference) in matches.pairs {
        run.measure(prediction, against: reference)
    }
    if matches.pairs.isEmpty, matches.lonelyReferences.isEmpty, !matches.lonelyPredictions.isEmpty {
        run.fail("all", "no prediction has a reference; check that their names agree")
    }
    return run.measurement(table: table)
}

/// Cases as they are measured one by one.
private struct MeasuringRun {
    let labels: [UInt16]?
    let options: MeasurementOptions
    var notes: [String] = []
    private var failures: [ScanFailure] = []
    private var cases: [(measured: EvaluatedCase, voxelCount: Int)] = []
    private var names: Set<String> = []
    /// The values in the maps of all cases.
    private var occurring: Set<UInt16> = []

    init(labels: [UInt16]?, options: MeasurementOptions) {
        self.labels = labels
        self.options = options
    }

    mutating func fail(_ name: String, _ reason: String) {
        failures.append(ScanFailure(scan: name, reason: reason))
    }

    mutating func measure(_ file: LabelMapFile, against referenceFile: LabelMapFile) {
        let name = file.relativeName
        guard !file.path.isEmpty else {
            // The run has told why.
            measureFailure(name, reference: referenceFile, reason: "the scan was not segmented")
            return
        }
        var prediction: LabelMap
        do {
            (prediction, _) = try readLabelMap(at: file.path)
        } catch {
            let reason = sentence(for: error)
            fail(name, reason)
            measureFailure(name, reference: referenceFile, reason: reason)
            return
        }
        do {
            let (reference, _) = try readLabelMap(at: referenceFile.path)
            if options.resamples, prediction.grid != reference.grid {
                if !areSameGrid(prediction.grid, reference.grid) {
                    notes.append("'\(file.path)' was resampled to the grid of its reference")
                    prediction = resampled(prediction, to: reference.grid)
                }
            } else if let mismatch = mismatch(
                of: prediction.grid, at: file.path, with: reference.grid, at: referenceFile.path)
            {
                fail(name, mismatch)
                return
            }
            add(
                name, prediction: prediction, file: file.path, reference: reference,
                referenceFile: referenceFile.path)
        } catch {
            fail(name, sentence(for: error))
        }
    }

    /// Measures a case without a prediction: an empty one stands for it.
    mutating func measureFailure(
        _ name: String, reference referenceFile: LabelMapFile, reason: String
    ) {
        do {
            let (reference, _) = try readLabelMap(at: referenceFile.path)
            let nothing = LabelMap(
                grid: reference.grid,
                labels: [UInt16](repeating: 0, count: reference.grid.size.count))
            add(
                name, prediction: nothing, file: "", reference: reference,
                referenceFile: referenceFile.path, failure: reason)
        } catch {
            notes.append(
                "\(name): the reference cannot be read either and is not in the figures: "
                    + sentence(for: error))
        }
    }

    private mutating func add(
        _ name: String, prediction: LabelMap, file: String, reference: LabelMap,
        referenceFile: String, failure: String? = nil
    ) {
        // Two files may differ in their ending only.
        var uniqueName = name
        var number = 1
        while !names.insert(uniqueName).inserted {
            number += 1
            uniqueName = "\(name) (\(number))"
        }
        for map in [prediction, reference] {
            let counts = map.voxelCounts()
            for value in counts.indices.dropFirst() where counts[value] > 0 {
                occurring.insert(UInt16(value))
            }
        }
        let metrics = structureMetrics(
            of: prediction, against: reference, labels: labels, options: options.metrics)
        cases.append(
            (
                EvaluatedCase(
                    name: uniqueName, predictionFile: file, referenceFile: referenceFile,
                    structures: metrics, failure: failure), reference.grid.size.count
            ))
    }

    func measurement(table: LabelTable?) -> Measurement {
        var notes = notes
        let occurring = occurring.sorted()
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
        let indices = table.structures.map(\.index)
        let filled = cases.map { evaluated, voxelCount in
            var evaluated = evaluated
            let measured = Set(evaluated.structures.map(\.label))
            evaluated.structures += metricsOfAbsent(
                indices.filter { !measured.contains($0) }, voxelCount: voxelCount,
                options: options.metrics)
            return evaluated
        }
        return Measurement(
            evaluation: Evaluation(cases: filled, table: table, options: options.metrics),
            failures: failures, notes: notes)
    }
}

/// The metrics of structures that neither of a case's maps holds.
private func metricsOfAbsent(
    _ labels: [UInt16], voxelCount: Int, options: MetricOptions
) -> [StructureMetrics] {
    let nothing = LabelMap(grid: Grid(size: GridSize(1, 1, 1), affine: .identity), labels: [0])
    return structureMetrics(of: nothing, against: nothing, labels: labels, options: options).map {
        var metrics = $0
        metrics.counts.trueNegatives = voxelCount
        return metrics
    }
}

private func areSameGrid(_ a: Grid, _ b: Grid) -> Bool {
    a.largestCornerDistanceMillimeters(from: b).map { $0 < gridToleranceMillimeters } ?? false
}

/// Why two label maps cannot be compared, or `nil` where they can.
private func mismatch(
    of prediction: Grid, at predictionPath: String, with reference: Grid, at referencePath: String
) -> String? {
    guard let distance = prediction.largestCornerDistanceMillimeters(from: reference) else {
        return "'\(predictionPath)' has \(prediction.size) voxels and '\(referencePath)' "
            + "\(reference.size); resample one to the other's grid, or allow it with --resample."
    }
    guard distance >= gridToleranceMillimeters else { return nil }
    return "the grids of '\(predictionPath)' and '\(referencePath)' lie "
        + "\(decimals(distance, 2)) mm apart; resample one to the other's grid, or allow it with "
        + "--resample."
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
