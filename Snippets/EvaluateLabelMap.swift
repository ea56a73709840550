// Compares a label map with its reference: Dice coefficient and surface distance of each structure.
import SegmentationMetrics
import VolumeIO
import Volumes

let (prediction, _) = try readLabelMap(at: CommandLine.arguments[1])
let (reference, _) = try readLabelMap(at: CommandLine.arguments[2])
let metrics = caseMetrics(
    of: prediction, against: reference, options: MetricOptions(convention: .surfaceDistance))
for structure in metrics.structures {
    let dice = structure.dice.map { "\($0)" } ?? "undefined"
    let distance = structure.hausdorff95Millimeters.map { "\($0) mm" } ?? "undefined"
    print("\(structure.label): Dice \(dice), HD95 \(distance)")
}
