import Datasets
import Foundation
import ModelBundles
import Pipelines
import Synchronization
import TestSupport
import Testing
import VolumeIO
import Volumes

/// Two steps on synthetic heads, their coarser copies, and scans synthesised from a label map.
private let configuration = """
    name: mixed
    summary: Two steps on real and synthetic slices.
    cases:
      phantoms: {count: 3, seed: 5, validation: 1}
      labels: labels.tsv
      coarserCopies: {perCase: 1.5, largestIsotropicMillimeters: 8, largestThicknessMillimeters: 9}
      synthesis:
        directory: maps
        labels: maps.tsv
        fraction: 0.5
        slicesPerScan: 8
        poolSize: 1
        options:
          size: {x: 48, y: 48, z: 48}
          spacingMillimeters: 4
          largestIsotropicMillimeters: 6
    conform:
      orientation: RAS
      spacingMillimeters: [4, 4, 4]
      intensity: {rule: percentile, lower: 0.5, upper: 99.5}
      marginVoxels: 1
    architecture: {family: uNet, channels: 4, kernel: 3, depth: 2, normalization: batch}
    planes:
      - {plane: axial, weight: 1}
    optimization: {steps: 2, batchSize: 2, checkpointEvery: 2}
    licence: {weights: MIT, data: none, credit: nobody}
    """

private func table(_ structures: [Structure]) -> String {
    "index\tname\tcolor\n"
        + structures.map { "\($0.index)\t\($0.name)\t\($0.color.hexadecimal)\n" }.joined()
}

/// A head of 1 mm voxels: the inner half is one structure, around it is another.
private func headMap() -> LabelMap {
    let size = GridSize(60, 60, 60)
    var labels = [UInt16](repeating: 0, count: size.count)
    for index in labels.indices {
        let place = SIMD3(index % 60, index / 60 % 60, index / 3600) &- 30
        let distance = (place &* place).wrappedSum()
        labels[index] = distance < 225 ? 2 : distance < 625 ? 3 : 0
    }
    return LabelMap(grid: Grid(size: size, affine: .identity), labels: labels)
}

private func run(in directory: String, mapTable: String) throws -> [String] {
    for (name, text) in [
        ("labels.tsv", table(phantomLabelTable.structures)), ("maps.tsv", mapTable),
        ("mixed.yaml", configuration),
    ] {
        try text.write(toFile: directory + "/" + name, atomically: true, encoding: .utf8)
    }
    try FileManager.default.createDirectory(
        atPath: directory + "/maps", withIntermediateDirectories: true)
    try writeLabelMap(headMap(), to: directory + "/maps/sphere.nii.gz", like: nil)
    let lines = Mutex([String]())
    try runTraining(
        configurationPath: directory + "/mixed.yaml", outputDirectory: directory + "/run",
        resume: false, overwrites: false, from: nil, device: "cpu", threads: nil
    ) { line in lines.withLock { $0.append(line) } }
    return lines.withLock { $0 }
}

struct MixedTrainingTests {
    @Test func `real scans, coarser copies and synthetic scans are trained on together`() throws {
        try withTemporaryDirectory { directory in
            let lines = try run(
                in: directory, mapTable: table(phantomLabelTable.structures))
            #expect(lines.contains("Copies of them at coarser resolutions: 3."))
            #expect(lines.contains("50 % of the slices are synthesised from label maps: 1."))
            let card = try ModelBundle.load(at: directory + "/run/bundle").card
            #expect(card.training.cases == ["phantom-5", "phantom-6", "sphere"])
            #expect(card.training.validationCases == ["phantom-7"])
        }
    }

    @Test func `a table of the maps with other structures is refused`() throws {
        try withTemporaryDirectory { directory in
            let error = try #require(throws: (any Error).self) {
                try run(
                    in: directory, mapTable: table(Array(phantomLabelTable.structures.dropLast())))
            }
            #expect("\(error)".contains("/maps.tsv' names other structures than 'cases.labels'"))
        }
    }
}
