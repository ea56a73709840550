import Datasets
import Foundation
import ModelBundles
import Pipelines
import Synchronization
import TestSupport
import Testing
import VolumeIO
import Volumes

private func configuration(_ classes: String) -> String {
    """
    name: bodies
    summary: Balls and rods.
    task: classification
    cases:
      validation: [\(classes.contains("table") ? "scans/ball/7.nii.gz, scans/rod/7.nii.gz" : "ball/7, rod/7, none/7")]
      classes: {\(classes), windowVoxels: 16, slicesPerAxis: 3}
    conform:
      orientation: RAS
      spacingMillimeters: [2, 2, 2]
      intensity: {rule: percentile, lower: 0.5, upper: 99.5}
      marginVoxels: 1
    architecture: {family: residual, widths: [8, 16], kernel: 3, recalibration: none}
    optimization: {steps: 60, batchSize: 12, learningRate: 0.01, classWeights: [1, 1], diceFactor: 0,
      logitAdjustment: 0, averaging: 0.9, checkpointEvery: 30, validateEvery: 30}
    licence: {weights: MIT, data: none, credit: nobody}
    """
}

/// Balls, rods and flat noise of 2 mm voxels, each in a folder.
private func writeScans(in directory: String) throws {
    let size = GridSize(16, 16, 16)
    for kind in ["ball", "rod", "none"] {
        try FileManager.default.createDirectory(
            atPath: "\(directory)/scans/\(kind)", withIntermediateDirectories: true)
        for number in 0..<8 {
            var generator = SeededGenerator(seed: UInt64(number + kind.utf8.count * 100))
            var voxels = [Float](repeating: 0, count: size.count)
            for index in voxels.indices {
                let place = SIMD3(
                    Float(index % 16) - 7.5, Float(index / 16 % 16) - 7.5,
                    Float(index / 256) - 7.5)
                let square = place * place
                let isInside =
                    switch kind {
                    case "ball": square.sum() < 36
                    case "rod": min(square.x, square.y, square.z) < 2 && max(square.x, square.y) < 9
                    default: false
                    }
                voxels[index] = (isInside ? 100 : 10) + 5 * generator.gaussian()
            }
            try writeVolume(
                Volume(
                    grid: Grid(
                        size: size,
                        affine: Affine(
                            columns: [SIMD3(2, 0, 0), SIMD3(0, 2, 0), SIMD3(0, 0, 2)],
                            translation: .zero)), voxels: voxels),
                to: "\(directory)/scans/\(kind)/\(number).nii.gz", like: nil, storedAs: .float32)
        }
    }
}

private func train(_ text: String, in directory: String, resume: Bool = false) throws -> [String] {
    try text.write(toFile: directory + "/bodies.yaml", atomically: true, encoding: .utf8)
    let lines = Mutex([String]())
    try runTraining(
        configurationPath: directory + "/bodies.yaml", outputDirectory: directory + "/run",
        resume: resume, device: "cpu", threads: nil
    ) { line in lines.withLock { $0.append(line) } }
    return lines.withLock { $0 }
}

struct ClassifierTrainingTests {
    @Test func `scans in folders of classes are learnt, kept in a bundle, and told by it`() throws {
        try withTemporaryDirectory { directory in
            try writeScans(in: directory)
            let lines = try train(configuration("directory: scans"), in: directory)
            #expect(lines.contains { $0.hasPrefix("Classes: none, ball, rod;") })
            #expect(lines.contains("Held-out scans classified right: 1.0000."))
            let bundle = try ModelBundle.load(at: directory + "/run/bundle")
            #expect(bundle.card.classification?.kinds == ["ball", "rod"])
            #expect(bundle.card.accuracy.first?.mean == 1)
            let rows = try String(contentsOfFile: directory + "/run/accuracy.tsv", encoding: .utf8)
                .split(separator: "\n").map { $0.split(separator: "\t") }
            #expect(rows.count == 4)
            for row in rows.dropFirst() { #expect(row[1] == row[2]) }
            // Again, from its last checkpoint: nothing is left to do, and all is the same.
            _ = try train(configuration("directory: scans"), in: directory, resume: true)
            let again = try ModelBundle.load(at: directory + "/run/bundle")
            #expect(again.card.planes == bundle.card.planes)

            var request = try CheckRequest(inputs: [directory + "/scans/rod/7.nii.gz"])
            request.model = directory + "/run/bundle"
            request.table = directory + "/checks.tsv"
            #expect(try checkScans(request) == .success)
            let table = try String(contentsOfFile: directory + "/checks.tsv", encoding: .utf8)
            #expect(table.contains("\trod\t"))
        }
    }

    @Test func `scans of a table are learnt`() throws {
        try withTemporaryDirectory { directory in
            try writeScans(in: directory)
            var rows = "scan\tclass\n"
            for kind in ["ball", "rod"] {
                for number in 0..<8 { rows += "scans/\(kind)/\(number).nii.gz\t\(kind)\n" }
            }
            try rows.write(
                toFile: directory + "/classes.tsv", atomically: true, encoding: .utf8)
            let lines = try train(configuration("table: classes.tsv"), in: directory)
            #expect(lines.contains("Held-out scans classified right: 1.0000."))
        }
    }

    @Test func `another orientation than RAS is refused`() throws {
        try withTemporaryDirectory { directory in
            let text = configuration("directory: scans").replacing("RAS", with: "LIA")
            let error = try #require(throws: (any Error).self) { try train(text, in: directory) }
            #expect("\(error)".contains("RAS, not LIA"), "\(error)")
        }
    }

    @Test(arguments: [
        ("directory: nowhere", "nowhere' cannot be read"),
        ("table: classes.tsv", "columns 'scan' and 'class'"),
        ("shapesFraction: 0.1", "directory and table"),
    ])
    func `what is wrong with the classes is told`(classes: String, expected: String) throws {
        try withTemporaryDirectory { directory in
            try "scan\tkind\na.nii\tball\n".write(
                toFile: directory + "/classes.tsv", atomically: true, encoding: .utf8)
            let error = try #require(throws: (any Error).self) {
                try train(configuration(classes), in: directory)
            }
            #expect("\(error)".contains(expected), "\(error)")
            #expect(!FileManager.default.fileExists(atPath: directory + "/run"))
        }
    }
}
