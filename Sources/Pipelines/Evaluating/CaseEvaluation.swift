import Preprocessing
package import SegmentationMetrics
package import Volumes

/// Measures one prediction against its reference, both in memory.
///
/// - Parameters:
///   - prediction: The prediction, on the reference's grid, however its axes are stored.
///   - predictionPath: Its file, or `nil` where it has none.
///   - table: The structures to report, or `nil` for all labels that occur.
///   - reference: The reference.
///   - referencePath: Its file.
///   - options: The convention that is followed, and the tolerance.
/// - Returns: The evaluation by `sliceseg evaluate` of the two as its only case.
/// - Throws: ``UsageError`` where the grids differ or neither map holds a label.
package func caseEvaluation(
    of prediction: LabelMap, at predictionPath: String?, table: LabelTable?,
    against reference: LabelMap, at referencePath: String?, options: MetricOptions
) throws(UsageError) -> Evaluation {
    let predictionName = predictionPath.map { "'\($0)'" } ?? "the prediction"
    let referenceName = referencePath.map { "'\($0)'" } ?? "the reference"
    guard let map = prediction.reordered(onto: reference.grid) else {
        throw UsageError(
            "\(predictionName) (\(prediction.grid.size) voxels) and \(referenceName) "
                + "(\(reference.grid.size)) lie on different grids; resample one to the other's "
                + "grid",
            code: .input)
    }
    let counts = zip(map.voxelCounts(), reference.voxelCounts()).map { $0 + $1 }
    let occurring = (1...UInt16.max).filter { counts[Int($0)] > 0 }
    guard let table = table ?? tableOfValues(occurring) else {
        throw UsageError(
            "neither \(predictionName) nor \(referenceName) holds a label; check the files",
            code: .input)
    }
    var name = "case"
    if let predictionPath {
        name = try LabelMapFile.find(at: predictionPath).first?.relativeName ?? name
    }
    let measured = EvaluatedCase(
        name: name, predictionFile: predictionPath ?? "",
        referenceFile: referencePath ?? "",
        structures: structureMeasurements(
            of: map, against: reference, labels: table.structures.map(\.index),
            options: options))
    var evaluation = Evaluation(cases: [measured], table: table, options: options)
    let unnamed = occurring.filter { table[$0] == nil }
    if !unnamed.isEmpty { evaluation.notes.append(noteOfUnnamed(unnamed)) }
    evaluation.notes += evaluation.presenceNotes
    return evaluation
}
