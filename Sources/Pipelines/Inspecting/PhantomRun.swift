import Datasets
import Files
import Foundation
import VolumeIO
import Volumes

/// Writes synthetic heads and their labels, stored in varied orientations and contrasts.
///
/// Scans are `phantom-001.nii.gz` and so on, label maps `phantom-001_dseg.nii.gz`. The same count and
/// seed give the same files.
///
/// - Parameters:
///   - output: The folder of the scans; made where it is missing.
///   - references: That of the label maps, or `nil` for `references` below it.
///   - count: How many.
///   - seed: Which ones; head `i` has seed `seed + i`.
///   - overwrites: Whether files that are there are replaced.
/// - Returns: The scans' files.
/// - Throws: ``UsageError`` where an argument is wrong or a file is there, `FileWriteError`.
public func writePhantoms(
    to output: String, references: String?, count: Int, seed: UInt64, overwrites: Bool
) throws -> [String] {
    guard (1...100_000).contains(count) else {
        throw UsageError("--count must be 1 to 100000, not \(count)")
    }
    let references = references ?? joined(output, "references")
    let digits = max(3, String(count).count)
    let files = (1...count).map { number in
        let text = String(number)
        let name = "phantom-" + String(repeating: "0", count: digits - text.count) + text
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
    try prepareOutputDirectory(output)
    try prepareOutputDirectory(references)
    for (number, file) in files.enumerated() {
        let headSeed = seed &+ UInt64(number)
        var generator = SeededGenerator(seed: headSeed ^ 0x6f72_6965_6e74)
        let orientation = Orientation.allCases.randomElement(using: &generator) ?? .ras
        let phantom = makePhantom(
            seed: headSeed, options: PhantomOptions(orientation: orientation))
        try writeVolume(phantom.scan, to: file.scan, like: nil, storedAs: .int16)
        try writeLabelMap(
            phantom.labels, to: file.labels, like: nil, table: phantomLabelTable)
    }
    return files.map(\.scan)
}
