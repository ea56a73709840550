import Foundation
import Pipelines
import SegmentationModels
import TestSupport
import Testing
import Training
import Volumes

private let base = """
    name: base
    summary: The base.
    cases:
      directory: scans
      labels: labels.tsv
      validation: ["1", "2"]
    conform:
      orientation: RAS
      spacingMillimeters: [1, 1, 1]
      intensity: {rule: min-max}
      marginVoxels: 1
    architecture: {family: uNet, channels: 8, kernel: 3}
    planes: [{plane: coronal, weight: 0.5}, {plane: axial, weight: 0.5}]
    optimization: {steps: 7, learningRate: 0.5}
    licence: {weights: MIT, data: none, credit: nobody}
    """

/// Writes files below a folder and lays the first over its bases.
private func layers(
    _ files: KeyValuePairs<String, String>, in directory: String
) throws -> ConfigurationLayers {
    for (name, text) in files {
        let url = URL(filePath: directory + "/" + name)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: url, atomically: true, encoding: .utf8)
    }
    return try ConfigurationLayers(path: directory + "/" + files[0].key)
}

struct ConfigurationLayersTests {
    @Test func `maps merge at every depth, and lists replace`() throws {
        try withTemporaryDirectory { directory in
            let top = """
                base: middle.yaml
                name: top
                planes: [{plane: sagittal, weight: 1}]
                """
            let middle = """
                base: base.yaml
                name: middle
                cases: {validation: ["3"]}
                architecture: {channels: 16}
                optimization: {steps: 9}
                """
            let layers = try layers(
                ["top.yaml": top, "middle.yaml": middle, "base.yaml": base], in: directory)
            let configuration = try layers.configuration()
            #expect(configuration.name == "top")
            #expect(configuration.summary == "The base.")
            #expect(configuration.planes.map(\.plane) == [.sagittal])
            #expect(configuration.cases.validation == ["3"])
            #expect(configuration.cases.directory == "scans")
            #expect(configuration.architecture.widths[0] == 16)
            #expect(configuration.architecture.kernel == 3)
            #expect(configuration.optimization.steps == 9)
            #expect(configuration.optimization.learningRate == 0.5)

            // What is written beside a model's weights says the same without the other files.
            let alone = try layersOfText(layers.text, in: directory)
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            #expect(
                try encoder.encode(alone.configuration()) == encoder.encode(configuration))
            #expect(!layers.text.contains("base:"))
        }
    }

    private func layersOfText(_ text: String, in directory: String) throws -> ConfigurationLayers {
        try layers(["alone.yaml": text], in: directory)
    }

    @Test func `a file without a base is taken letter by letter`() throws {
        try withTemporaryDirectory { directory in
            let text = try layers(["base.yaml": base], in: directory).text
            #expect(text == base)
        }
    }

    @Test func `paths count from the folder of the file that names them`() throws {
        try withTemporaryDirectory { directory in
            let configuration = try layers(
                [
                    "jobs/small/top.yaml": "base: ../base.yaml\ncases: {labels: own.tsv}",
                    "jobs/base.yaml": base,
                ], in: directory
            ).configuration()
            #expect(configuration.cases.directory == "../scans")
            #expect(configuration.cases.labels == "own.tsv")
        }
    }

    @Test(arguments: [
        (
            "base: top.yaml", "",
            "'DIR/top.yaml' builds on 'DIR/top.yaml', which builds on it in turn"
        ),
        (
            "base: base.yaml", "base: top.yaml",
            "'DIR/base.yaml' builds on 'DIR/top.yaml', which builds on it in turn"
        ),
        ("base: none.yaml", "", "'DIR/none.yaml' cannot be read"),
        ("base: [base.yaml]", "", "'DIR/top.yaml' is not a training configuration: at 'base': "),
        (
            "base: base.yaml\noptimization: {stepz: 1}", base,
            "'DIR/top.yaml' is not a training configuration: at 'optimization.stepz': unknown "
                + "option 'stepz'"
        ),
        (
            "base: base.yaml\nname: top", base.replacing("steps: 7", with: "stepz: 7"),
            "'DIR/base.yaml' is not a training configuration: at 'optimization.stepz': unknown "
                + "option 'stepz'"
        ),
        ("base: base.yaml", "a: [", "'DIR/base.yaml' is not a training configuration: "),
        ("base: base.yaml", "- a", "'DIR/base.yaml' is not a training configuration: it is no map"),
        ("base: base.yaml\nname: a\nname: b", base, "'DIR/top.yaml' is not a training "),
    ])
    func `what cannot be laid over one another is refused by the file's name`(
        top: String, base: String, sentence: String
    ) throws {
        try withTemporaryDirectory { directory in
            let error = try #require(throws: TrainingRunError.self) {
                _ = try layers(["top.yaml": top, "base.yaml": base], in: directory).configuration()
            }
            let text = error.description.replacing(directory, with: "DIR")
            #expect(text.hasPrefix(sentence), "\(text)")
        }
    }
}
