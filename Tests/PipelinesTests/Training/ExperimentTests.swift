import Foundation
import Pipelines
import Synchronization
import TestSupport
import Testing

/// Two tiny networks of one family, on heads of 6 mm.
private let experiment = """
    name: pair
    summary: Two networks of four steps.
    cases:
      phantoms: {count: 2, seed: 5, validation: 1}
      labels: labels.tsv
    conform:
      orientation: RAS
      spacingMillimeters: [6, 6, 6]
      intensity: {rule: robust-percentile, lower: 0.5, upper: 99.5}
      marginVoxels: 1
    architecture: {family: uNet, channels: 4, kernel: 3, depth: 1, normalization: batch}
    planes: [{plane: coronal, weight: 1}]
    optimization: {steps: 4, batchSize: 2, checkpointEvery: 2, precision: fp32}
    licence: {weights: MIT, data: none, credit: nobody}
    experiment:
      title: A pair
      families: [{name: u, title: U-Net}]
      recalibrations:
        - {name: none, architecture: {recalibration: none}}
        - {name: scse, title: scSE, architecture: {recalibration: channelAndSpatial}}
    """

@discardableResult
private func run(
    _ text: String = experiment, in directory: String, resume: Bool = false, only: [String] = [],
    killAt line: String? = nil
) throws -> [String] {
    try FileManager.default.createDirectory(
        atPath: directory, withIntermediateDirectories: true)
    try tinyHeadLabels.write(toFile: directory + "/labels.tsv", atomically: true, encoding: .utf8)
    let path = directory + "/pair.yaml"
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    let lines = Mutex([String]())
    try runTraining(
        configurationPath: path, outputDirectory: directory + "/run", resume: resume,
        device: "cpu", threads: 1, only: only
    ) { text in
        lines.withLock { $0.append(text) }
        if let line, text.hasPrefix(line) { kill(getpid(), SIGKILL) }
    }
    return lines.withLock { $0 }
}

private func contents(_ path: String) throws -> String {
    try String(contentsOfFile: path, encoding: .utf8)
}

/// The columns of a row of `table.tsv` that do not tell the time.
private func timelessTable(in directory: String) throws -> [[Substring]] {
    try contents(directory + "/run/table.tsv").split(separator: "\n").map { line in
        let fields = line.split(separator: "\t")
        return Array(fields[..<9] + fields[10...])
    }
}

struct ExperimentTests {
    @Test func `an experiment that was killed goes on and ends as the unbroken one`() async throws {
        try await withTemporaryDirectory { directory in
            let (whole, broken) = (directory + "/whole", directory + "/broken")
            await #expect(processExitsWith: .success) { [whole = whole as String] in
                try run(in: whole)
            }
            await #expect(processExitsWith: .signal(SIGKILL)) { [broken = broken as String] in
                // The second network is at its last step; its checkpoint is that of step 2.
                try run(in: broken, killAt: "u-scse  coronal  step 4/4")
            }
            #expect(
                try timelessTable(in: broken).map { $0[2] } == ["state", "finished", "missing"])
            #expect(try contents(broken + "/run/table.html").contains("missing"))
            let record = try contents(broken + "/run/u-none/network.json")

            await #expect(processExitsWith: .success) { [broken = broken as String] in
                let lines = try run(in: broken, resume: true)
                try #require(lines.contains("u-none is finished."))
                try #require(!lines.contains { $0.hasPrefix("u-none  ") })
                try #require(lines.contains { $0.hasPrefix("u-scse  coronal  step 4/4") })
                try #require(!lines.contains { $0.hasPrefix("u-scse  coronal  step 2/4") })
            }
            #expect(try contents(broken + "/run/u-none/network.json") == record)
            let table = try timelessTable(in: whole)
            #expect(table.map { $0[2] } == ["state", "finished", "finished"])
            #expect(table[1][0...1] == ["U-Net", "none"])
            #expect(table[2][0...1] == ["U-Net", "scSE"])
            #expect(try timelessTable(in: broken) == table)
            for name in ["u-none", "u-scse"] {
                #expect(
                    try contents("\(broken)/run/\(name)/accuracy.tsv")
                        == contents("\(whole)/run/\(name)/accuracy.tsv"))
            }
            #expect(
                try contents("\(whole)/run/u-none/accuracy.tsv")
                    != contents("\(whole)/run/u-scse/accuracy.tsv"))
        }
    }

    @Test func `networks are trained one by one, and only true results are kept`() throws {
        try withTemporaryDirectory { directory in
            var lines = try run(in: directory, only: ["u-scse"])
            #expect(!lines.contains { $0.hasPrefix("u-none") })
            #expect(
                try timelessTable(in: directory).map { $0[2] } == ["state", "missing", "finished"])

            // Accuracy that is not what was measured is measured again, without another step.
            let path = directory + "/run/u-scse/accuracy.tsv"
            let measured = try contents(path)
            try measured.replacing("0.", with: "1.")
                .write(toFile: path, atomically: true, encoding: .utf8)
            lines = try run(in: directory, resume: true, only: ["u-scse"])
            #expect(!lines.contains("u-scse is finished."))
            #expect(!lines.contains { $0.contains("  step ") })
            #expect(try contents(path) == measured)

            // A network of another budget does not count as finished.
            let edited = experiment.replacing("steps: 4", with: "steps: 2")
            try run(edited, in: directory, only: ["u-none"])
            #expect(
                try timelessTable(in: directory).map { $0[2] } == ["state", "finished", "missing"])
        }
    }

    @Test(arguments: [
        (
            "", "", ["u-cse"],
            "'DIR/pair.yaml' holds no network 'u-cse'; --only takes u-none, u-scse"
        ),
        (
            "name: u,", "name: ../u,", [],
            "'DIR/pair.yaml' is not a training configuration: at "
                + "'experiment.families.0.name': '../u' is to name a folder"
        ),
        (
            "recalibration: none}", "recalibratoin: none}", [],
            "'DIR/pair.yaml' is not a training configuration: at 'architecture.recalibratoin': "
                + "unknown option"
        ),
        (
            "title: A pair", "titel: A pair", [],
            "'DIR/pair.yaml' is not a training configuration: at 'experiment.titel': unknown "
                + "option 'titel'"
        ),
        (
            "name: scse", "name: none", [],
            "'DIR/pair.yaml' is not a training configuration: at 'experiment.recalibrations': "
                + "name at least one, and none twice"
        ),
    ])
    func `an experiment that cannot be is refused before any training`(
        place: String, replacement: String, only: [String], sentence: String
    ) throws {
        try withTemporaryDirectory { directory in
            let text =
                place.isEmpty ? experiment : experiment.replacing(place, with: replacement)
            let error = try #require(throws: TrainingRunError.self) {
                try run(text, in: directory, only: only)
            }
            let description = error.description.replacing(directory, with: "DIR")
            #expect(description.hasPrefix(sentence), "\(description)")
            #expect(!FileManager.default.fileExists(atPath: directory + "/run"))
        }
    }

    @Test func `--only needs an experiment`() throws {
        try withTemporaryDirectory { directory in
            let text = experiment.components(separatedBy: "experiment:")[0]
            let error = try #require(throws: TrainingRunError.self) {
                try run(text, in: directory, only: ["u-none"])
            }
            #expect(error.description.hasSuffix("leave out --only"), "\(error)")
        }
    }

    @Test(arguments: ["malc-table", "malc-table-reference"])
    func `the shipped experiments are twelve networks each`(name: String) throws {
        // All networks are read before the first name is looked up.
        let error = try #require(throws: TrainingRunError.self) {
            try runTraining(
                configurationPath: fixturePath("../pipelines/\(name).yaml"), outputDirectory: "/x",
                resume: false, device: "cpu", threads: nil, only: ["?"]
            ) { _ in }
        }
        let names = ["unet", "sdnet", "densenet"].flatMap { family in
            ["none", "cse", "sse", "scse"].map { "\(family)-\($0)" }
        }
        #expect(error.description.hasSuffix("--only takes " + names.joined(separator: ", ")))
    }
}
