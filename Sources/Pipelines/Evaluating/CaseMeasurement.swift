import Datasets
import Files
import Foundation
import Parallel
import Preprocessing
import Reports
import SegmentationMetrics
import VolumeIO
import Volumes

/// The ways in which cases are measured.
struct MeasurementOptions {
    /// The convention that is followed, and the tolerance.
    var metrics = MetricOptions()
    /// A Boolean value indicating whether predictions on another grid are carried to the
    /// reference's.
    var resamples = false
    /// A Boolean value indicating whether the caller has an option for that, which a message may
    /// name.
    var canResample = true
}

/// The outcome of measuring matched cases.
struct Measurement {
    /// The cases, those included that could not be measured, or `nil` where there is no table of
    /// structures to report them by.
    var evaluation: Evaluation?
    /// Cases that could not be measured, or not as they should be.
    var failures: [ScanFailure]
    /// Remarks for a reader of the figures.
    var notes: [String]

    /// A Boolean value indicating whether every case could be measured.
    var isComplete: Bool { failures.isEmpty && evaluation?.cases.isEmpty == false }

    var report: EvaluationReport {
        EvaluationReport(
            status: isComplete ? .success : .failure, evaluation: evaluation, notes: notes,
            problems: failures.map { "\($0.scan): \($0.reason)" })
    }
}

extension Evaluation {
    /// Tells of structures that one of two maps lacks; cases without a prediction lack all.
    var presenceNotes: [String] {
        let failed = Set(cases.filter { $0.failure != nil }.map(\.name))
        let mismatches = presenceMismatches.filter {
            !failed.contains($0.name) && !structuresInNoReference.contains($0.structure)
        }
        let notes = [
            (StructurePresence.missing, "in the reference but not in the prediction"),
            (.spurious, "in the prediction but not in the reference"),
        ].compactMap { presence, place -> String? in
            let found = mismatches.filter { $0.presence == presence }
            guard !found.isEmpty else { return nil }
            let structures = Set(found.map(\.structure.index)).count
            let cases = Set(found.map(\.name)).count
            let shown = found.prefix(5).map { "\($0.structure.name) of \($0.name)" }
            return "\(structures) \(structures == 1 ? "structure is" : "structures are") \(place) "
                + "in \(cases) \(cases == 1 ? "case" : "cases"): " + shown.joined(separator: ", ")
                + (found.count > 5 ? ", ... (see presence in metrics_wide.csv)" : "")
        }
        return notes + [noteOnStructuresInNoReference, numberingNote].compactMap(\.self)
    }

    /// A remark where no case has a structure in both maps, and yet both hold several.
    private var numberingNote: String? {
        let compared = cases.filter { $0.failure == nil }
        func labels(_ presence: StructurePresence) -> Set<UInt16> {
            Set(compared.flatMap { $0.structures.filter { $0.presence == presence }.map(\.label) })
        }
        let (missing, spurious) = (labels(.missing), labels(.spurious))
        guard labels(.inBoth).isEmpty, missing.count > 1, spurious.count > 1 else { return nil }
        return "predictions and references have no label value in common (\(spurious.count) and "
            + "\(missing.count) values): these look like two numberings of the same structures; "
            + "bring them to one numbering"
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
    for prediction in matches.unmatchedPredictions { run.addUnmatched(prediction) }
    let cases = matches.unmatchedReferences.map(CaseFiles.init) + matches.pairs.map(CaseFiles.init)
    // The maps of the next case are read while this one is measured.
    let reader = Prefetcher<CaseMaps?>(first: 0, depth: 1) { number in
        cases.indices.contains(number) ? CaseMaps(reading: cases[number]) : nil
    }
    defer { reader.stop() }
    for files in cases {
        guard let maps = reader.next() else { break }
        run.measure(files, maps)
    }
    if cases.isEmpty, !matches.unmatchedPredictions.isEmpty {
        run.fail(
            "all",
            FailureReason(
                sentence: "no prediction has a reference; check that their names agree",
                code: "case.noneMatched", stage: nil))
    }
    return run.measurement(table: table)
}

/// The files of one case to measure.
private struct CaseFiles: Sendable {
    let name: String
    /// The prediction's path, or `nil` where there is none.
    let prediction: String?
    /// The reference's path.
    let reference: String
    /// Why there is no prediction.
    let absence: String
    /// A Boolean value indicating whether the absence is yet to be told: a run over scans has told
    /// it.
    let isAbsenceNew: Bool

    init(_ pair: (prediction: LabelMapFile, reference: LabelMapFile)) {
        name = pair.prediction.relativeName
        prediction = pair.prediction.path.isEmpty ? nil : pair.prediction.path
        reference = pair.reference.path
        absence = "the scan was not segmented"
        isAbsenceNew = false
    }

    init(unmatched reference: LabelMapFile) {
        name = reference.relativeName
        prediction = nil
        self.reference = reference.path
        absence =
            "there is no prediction for the reference '\(reference.path)'; segment its scan or "
            + "move the reference away"
        isAbsenceNew = true
    }
}

/// A case's maps as far as they can be read.
private struct CaseMaps: Sendable {
    typealias Reading = Result<
        (map: LabelMap, values: [UInt16], roundedVoxelCount: Int), any Error
    >

    /// `nil` where there is none.
    let prediction: Reading?
    let reference: Reading

    /// Reads both files at once, each with the values that occur in it.
    init(reading files: CaseFiles) {
        let paths = [files.reference] + [files.prediction].compactMap(\.self)
        let readings = concurrentMap(count: paths.count) { number in
            Reading {
                let loaded = try LoadedLabelMap(readingFrom: paths[number])
                let counts = loaded.map.voxelCounts()
                let values = (1...UInt16.max).filter { counts[Int($0)] > 0 }
                return (loaded.map, values, loaded.roundedVoxelCount)
            }
        }
        reference = readings[0]
        prediction = readings.count > 1 ? readings[1] : nil
    }
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
    private var unmeasured: [UnmeasuredCase] = []
    /// Cases whose two files hold the same bytes.
    private var identical: [String] = []

    init(labels: [UInt16]?, options: MeasurementOptions) {
        self.labels = labels
        self.options = options
    }

    mutating func fail(_ name: String, _ reason: FailureReason, state: CaseState? = nil) {
        failures.append(ScanFailure(scan: name, reason))
        if let state {
            unmeasured.append(UnmeasuredCase(name: name, state: state, reason: reason.sentence))
        }
    }

    /// Takes in a prediction without a reference: it is in no figure, but was asked for.
    mutating func addUnmatched(_ prediction: LabelMapFile) {
        let reason =
            prediction.path.isEmpty
            ? "the scan was not segmented and has no reference"
            : "'\(prediction.path)' has no reference and is not in the figures"
        unmeasured.append(
            UnmeasuredCase(name: prediction.relativeName, state: .noReference, reason: reason))
        if !prediction.path.isEmpty { notes.append(reason) }
    }

    mutating func measure(_ files: CaseFiles, _ maps: CaseMaps) {
        let name = files.name
        guard let path = files.prediction, let reading = maps.prediction else {
            if files.isAbsenceNew {
                fail(
                    name,
                    FailureReason(
                        sentence: files.absence, code: "case.noPrediction", stage: nil))
            }
            measureFailure(files, maps, reason: files.absence, state: .noPrediction)
            return
        }
        do {
            let prediction = try reading.get()
            do {
                let reference = try maps.reference.get()
                noteRounding(prediction.roundedVoxelCount, in: path)
                noteRounding(reference.roundedVoxelCount, in: files.reference)
                guard
                    let map = comparable(
                        prediction.map, at: path, with: reference.map.grid, of: files)
                else { return }
                occurring.formUnion(prediction.values)
                occurring.formUnion(reference.values)
                if map.labels == reference.map.labels, areSameBytes(path, files.reference) {
                    identical.append(name)
                }
                add(name, prediction: map, file: path, reference: reference.map, files: files)
            } catch {
                fail(
                    name, FailureReason(error, about: files.reference, stage: .read),
                    state: .unreadableReference)
            }
        } catch {
            let reason = FailureReason(error, about: path, stage: .read)
            fail(name, reason)
            measureFailure(
                files, maps, reason: reason.sentence, state: .unreadablePrediction)
        }
    }

    private mutating func noteRounding(_ count: Int, in path: String) {
        guard count > 0 else { return }
        notes.append("'\(path)' holds labels that are off by rounding in \(count) voxels")
    }

    /// A prediction on its reference's grid, or `nil` where it may not be compared, which is told.
    private mutating func comparable(
        _ prediction: LabelMap, at path: String, with reference: Grid, of files: CaseFiles
    ) -> LabelMap? {
        if let reordered = prediction.reordered(onto: reference) { return reordered }
        if options.resamples {
            notes.append("'\(path)' was resampled to the grid of its reference")
            return resampled(prediction, to: reference)
        }
        let step =
            "resample one to the other's grid"
            + (options.canResample ? ", or allow it with --resample" : "")
        let reason = mismatch(of: prediction.grid, at: path, with: reference, at: files.reference)
        fail(
            files.name,
            FailureReason(sentence: "\(reason); \(step).", code: "case.otherGrid", stage: nil),
            state: .otherGrid)
        return nil
    }

    /// Measures a case without a prediction: an empty one stands for it.
    private mutating func measureFailure(
        _ files: CaseFiles, _ maps: CaseMaps, reason: String, state: CaseState
    ) {
        do {
            let reference = try maps.reference.get()
            occurring.formUnion(reference.values)
            let grid = reference.map.grid
            let nothing = LabelMap(
                grid: grid, labels: [UInt16](repeating: 0, count: grid.size.count))
            add(
                files.name, prediction: nothing, file: "", reference: reference.map, files: files,
                failure: reason, state: state)
        } catch {
            let reason =
                "the reference cannot be read either and is not in the figures: "
                + userMessage(for: error)
            notes.append("\(files.name): \(reason)")
            unmeasured.append(
                UnmeasuredCase(name: files.name, state: .unreadableReference, reason: reason))
        }
    }

    private mutating func add(
        _ name: String, prediction: LabelMap, file: String, reference: LabelMap,
        files: CaseFiles, failure: String? = nil, state: CaseState = .measured
    ) {
        // Two files may differ in their ending only.
        var uniqueName = name
        var number = 1
        while !names.insert(uniqueName).inserted {
            number += 1
            uniqueName = "\(name) (\(number))"
        }
        let metrics = structureMeasurements(
            of: prediction, against: reference, labels: labels, options: options.metrics)
        cases.append(
            (
                EvaluatedCase(
                    name: uniqueName, predictionFile: file, referenceFile: files.reference,
                    structures: metrics, failure: failure, state: state),
                reference.grid.size.count
            ))
    }

    func measurement(table: LabelTable?) -> Measurement {
        var notes = notes
        let occurring = occurring.sorted()
        guard let table = table ?? tableOfValues(occurring) else {
            return Measurement(evaluation: nil, failures: failures, notes: notes)
        }
        let unnamed = occurring.filter { table[$0] == nil }
        if !unnamed.isEmpty { notes.append(noteOfUnnamed(unnamed)) }
        if !identical.isEmpty {
            let shown = identical.prefix(5).joined(separator: ", ")
            notes.append(
                "prediction and reference are the same file, byte for byte, in \(identical.count) "
                    + (identical.count == 1 ? "case" : "cases")
                    + ": \(shown)\(identical.count > 5 ? ", ..." : "")")
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
        var evaluation = Evaluation(
            cases: filled, table: table, options: options.metrics, unmeasured: unmeasured)
        notes += evaluation.presenceNotes
        evaluation.notes = notes
        return Measurement(evaluation: evaluation, failures: failures, notes: notes)
    }
}

/// Tells of label values without a name.
func noteOfUnnamed(_ values: [UInt16]) -> String {
    let shown = values.prefix(8).map(String.init).joined(separator: ", ")
    return "\(values.count) label values that are not in the label table are not in the figures: "
        + "\(shown)\(values.count > 8 ? ", ..." : "")"
}

/// The metrics of structures that neither of a case's maps holds.
private func metricsOfAbsent(
    _ labels: [UInt16], voxelCount: Int, options: MetricOptions
) -> [StructureMeasurement] {
    let nothing = LabelMap(grid: Grid(size: GridSize(1, 1, 1), affine: .identity), labels: [0])
    return structureMeasurements(of: nothing, against: nothing, labels: labels, options: options)
        .map {
            var metrics = $0
            metrics.counts.trueNegatives = voxelCount
            return metrics
        }
}

/// The reason why two label maps on different grids cannot be compared, without the next step.
private func mismatch(
    of prediction: Grid, at predictionPath: String, with reference: Grid, at referencePath: String
) -> String {
    guard let distance = prediction.largestCornerDistanceMillimeters(from: reference) else {
        return "'\(predictionPath)' has \(prediction.size) voxels and '\(referencePath)' "
            + "\(reference.size)"
    }
    return "the grids of '\(predictionPath)' and '\(referencePath)' lie "
        + "\(legible(distance)) mm apart"
}

/// Returns whether two files hold the same bytes.
private func areSameBytes(_ first: String, _ second: String) -> Bool {
    guard let hash = contentHash(ofFileAt: first) else { return false }
    return hash == contentHash(ofFileAt: second)
}

/// A distance with two decimals, or more where it is small.
func legible(_ millimeters: Double) -> String {
    decimals(millimeters, millimeters < 0.1 ? 4 : 2)
}
