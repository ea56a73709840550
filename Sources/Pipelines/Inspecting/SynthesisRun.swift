import Datasets
import Files
import Foundation
import Preprocessing
import Training
import VolumeIO
import Volumes

/// Writes scans as a training would synthesise them, with their labels.
///
/// Scans are `synthetic-001.nii.gz` and so on, label maps `synthetic-001_dseg.nii.gz`, in the space
/// and intensities of the model.
///
/// - Parameters:
///   - configurationPath: A training's configuration with `cases.synthesis`.
///   - output: The folder of the scans; made where it is missing.
///   - references: That of the label maps, or `nil` for `references` below it.
///   - count: How many.
///   - isHeldOut: Whether they are of the label maps that the training holds out.
///   - overwrites: Whether files that are there are replaced.
/// - Returns: The scans' files.
/// - Throws: ``UsageError`` where an argument is wrong or a file is there, what is wrong with the
///   configuration, `FileWriteError`.
public func writeSyntheticScans(
    configurationPath: String, to output: String, references: String?, count: Int,
    isHeldOut: Bool, overwrites: Bool
) throws -> [String] {
    guard (1...100_000).contains(count) else {
        throw UsageError("--count must be 1 to 100000, not \(count)")
    }
    let references = references ?? joined(output, "references")
    let files = (1...count).map { number in
        let text = String(number)
        let name = "synthetic-" + String(repeating: "0", count: max(0, 3 - text.count)) + text
        return (
            scan: joined(output, name + ".nii.gz"),
            labels: joined(references, name + "_dseg.nii.gz")
        )
    }
    if !overwrites,
        let existing = files.flatMap({ [$0.scan, $0.labels] }).first(where: pathExists)
    {
        throw UsageError(
            "'\(existing)' is there already; choose another folder, or --overwrite to replace it")
    }
    let (synthesizer, mapping) = try readSynthesis(
        configurationPath: configurationPath, isHeldOut: isHeldOut)
    try prepareOutputDirectory(output)
    try prepareOutputDirectory(references)
    for (number, file) in files.enumerated() {
        let scan = synthesizer.scan(number)
        let labelOfClass = mapping.table.labelOfClass
        try writeVolume(scan.volume, to: file.scan, like: nil, storedAs: .float32)
        try writeLabelMap(
            LabelMap(
                grid: scan.volume.grid, labels: scan.classes.map { labelOfClass[Int($0)] }),
            to: file.labels, like: nil, table: mapping.table)
    }
    return files.map(\.scan)
}
