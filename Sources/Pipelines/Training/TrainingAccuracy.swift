import Datasets
import Files
import Foundation
import Inference
import ModelBundles
import Preprocessing
import Reports
import SegmentationMetrics
import Tensors
import Training
import Volumes

/// The accuracy on the held-out cases.
struct MeasuredAccuracy {
    /// The records for all planes together and for each alone, as in the model card.
    var records: [AccuracyRecord] = []
    /// The same as the page's columns.
    var columns: [TrainingPage.Accuracy] = []
    /// Thresholds of quality control by the held-out cases, or `nil` for the standard ones.
    var qualityLimits: QualityLimits?
    /// The slices on which prediction and reference agree least.
    var worst: [SliceComparison] = []
}

/// Measures Dice on the held-out cases for each plane alone and for all together.
///
/// A sagittal network alone cannot tell left from right: its slices are taken from all planes
/// together, unless it is the only one.
func measureAccuracy(
    _ networks: [PlaneNetwork], cases: [TrainingCase], table: LabelTable, dataset: String,
    device: Device, precision: Precision, tablePath: String, report: (String) -> Void
) throws -> MeasuredAccuracy {
    let single = networks.filter { $0.plane != .sagittal || networks.count == 1 }
    var views: [(name: String, networks: [PlaneNetwork], planes: [Plane])] = []
    if networks.count > 1 {
        let others = networks.map(\.plane).filter { !single.map(\.plane).contains($0) }
        views.append(("all planes", networks, others))
    }
    views += single.map { ($0.plane.rawValue, [$0], [$0.plane]) }
    var rows = "planes\tcase\tindex\tname\tdice\n"
    var measured = MeasuredAccuracy()
    for view in views {
        let predictor = VolumePredictor(
            networks: view.networks, classCount: table.classCount, device: device,
            precision: precision, batchSize: 4)
        var all: [[Double]] = table.structures.map { _ in [] }
        var predictions: [[UInt8]] = []
        var inputs: [QualityInput] = []
        for trainingCase in cases {
            let measuresQuality = view.networks.count == networks.count
            let prediction = try predictor.prediction(
                of: trainingCase.conformed.volume,
                measuresDisagreement: measuresQuality && networks.count > 1)
            let classes = prediction.classes
            predictions.append(classes)
            if measuresQuality {
                inputs.append(qualityInput(of: prediction, trainingCase, table: table))
            }
            let dice = structureDice(of: trainingCase, classes: classes, table: table)
            for (position, structure) in table.structures.enumerated() {
                let value = dice[position].map { String(format: "%.4f", $0) } ?? "n/a"
                rows +=
                    "\(view.name)\t\(trainingCase.name)\t\(structure.index)\t"
                    + "\(structure.name)\t\(value)\n"
                if let defined = dice[position] { all[position].append(defined) }
            }
        }
        if !inputs.isEmpty {
            measured.qualityLimits = QualityLimits(ofValidationCases: inputs, table: table)
        }
        for plane in view.planes {
            measured.worst += comparisons(
                of: cases, predictions: predictions, plane: plane, table: table)
        }
        let means = all.map { mean(of: $0) }
        let overall = mean(of: means.compactMap(\.self)) ?? 0
        measured.columns.append(
            TrainingPage.Accuracy(name: view.name, mean: overall, perStructure: means))
        measured.records.append(
            record(
                of: view.name, overall: overall, means: means, cases: cases, table: table,
                dataset: dataset))
        report(
            "Held-out Dice, \(view.name): "
                + String(format: "%.4f", overall) + " over \(counted(means.count { $0 != nil })).")
    }
    try writeAtomically(rows, to: tablePath)
    return measured
}

/// The measurements of a prediction that quality control judges.
private func qualityInput(
    of prediction: VolumePrediction, _ trainingCase: TrainingCase, table: LabelTable
) -> QualityInput {
    let labelOfClass = table.labelOfClass
    var disagreement: [UInt16: Double] = [:]
    for (member, value) in prediction.planeDisagreement.enumerated() where member > 0 {
        disagreement[labelOfClass[member]] = value
    }
    return QualityInput(
        name: trainingCase.name,
        segmentation: LabelMap(
            grid: trainingCase.conformed.volume.grid,
            labels: prediction.classes.map { labelOfClass[Int($0)] }),
        table: table, planeDisagreement: disagreement)
}

/// A number of structures as words.
private func counted(_ structures: Int) -> String {
    "\(structures) \(structures == 1 ? "structure" : "structures")"
}

private func record(
    of view: String, overall: Double, means: [Double?], cases: [TrainingCase], table: LabelTable,
    dataset: String
) -> AccuracyRecord {
    var perStructure: [String: Double] = [:]
    for (structure, value) in zip(table.structures, means) {
        if let value { perStructure[structure.name] = (value * 1e4).rounded() / 1e4 }
    }
    return AccuracyRecord(
        dataset: dataset, cases: cases.map(\.name), metric: "Dice",
        mean: (overall * 1e4).rounded() / 1e4, perStructure: perStructure,
        notes: "\(view); validation on cases held out of training, on the scans' own grids; mean "
            + "over structures of the mean over cases")
}

/// The six worst slices of a plane over all cases, as pictures.
private func comparisons(
    of cases: [TrainingCase], predictions: [[UInt8]], plane: Plane, table: LabelTable
) -> [SliceComparison] {
    let count = 6
    let worst = cases.indices.flatMap { position in
        worstSlices(
            of: cases[position], classes: predictions[position], plane: plane, count: count
        ).map { (position: position, slice: $0) }
    }.sorted { $0.slice.meanDice < $1.slice.meanDice }.prefix(count)
    let labelOfClass = table.labelOfClass
    return worst.map { position, slice in
        let volume = cases[position].conformed.volume
        func map(_ classes: [UInt8]) -> LabelMap {
            LabelMap(grid: volume.grid, labels: classes.map { labelOfClass[Int($0)] })
        }
        return SliceComparison(
            scan: volume, prediction: map(predictions[position]),
            reference: map(cases[position].classes), table: table, plane: plane,
            index: slice.index,
            caption: "\(cases[position].name), \(plane.rawValue) \(slice.index + 1): "
                + String(format: "Dice %.3f", slice.meanDice)
                + " over \(counted(slice.structureCount))")
    }
}
