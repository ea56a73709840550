import Datasets
import Foundation
import Pipelines
import Synchronization
import Volumes

/// The table of the synthetic heads as a file.
let tinyHeadLabels =
    "index\tname\tcolor\n"
    + phantomLabelTable.structures.map { "\($0.index)\t\($0.name)\t\($0.color.hexadecimal)\n" }
    .joined()

/// A configuration of three planes and three steps; heads of 4 mm.
let tinyHeadConfiguration = """
    name: tiny-heads
    summary: Three steps on synthetic heads.
    cases:
      phantoms: {count: 3, seed: 5, validation: 1}
      labels: labels.tsv
    conform:
      orientation: RAS
      spacingMillimeters: [4, 4, 4]
      intensity: {rule: robust-percentile, lower: 0.5, upper: 99.5}
      marginVoxels: 1
    architecture: {family: uNet, channels: 4, kernel: 3, depth: 2, normalization: batch}
    planes:
      - {plane: coronal, weight: 0.4}
      - {plane: axial, weight: 0.4}
      - {plane: sagittal, weight: 0.2}
    optimization: {steps: 3, batchSize: 2, checkpointEvery: 2}
    licence: {weights: MIT, data: none, credit: nobody}
    """

/// Writes a configuration and its label table, and trains.
func trainTinyHeads(
    _ text: String = tinyHeadConfiguration, in directory: String, resume: Bool = false,
    overwrites: Bool = false, from pretrained: String? = nil, output: String = "run",
    files: [String] = []
) throws -> [String] {
    try tinyHeadLabels.write(toFile: directory + "/labels.tsv", atomically: true, encoding: .utf8)
    let path = directory + "/tiny.yaml"
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    for file in files {
        let url = URL(filePath: directory + "/" + file)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data().write(to: url)
    }
    let lines = Mutex([String]())
    try runTraining(
        configurationPath: path, outputDirectory: directory + "/" + output, resume: resume,
        overwrites: overwrites, from: pretrained, device: "cpu", threads: nil
    ) { line in lines.withLock { $0.append(line) } }
    return lines.withLock { $0 }
}
