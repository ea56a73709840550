import Datasets
import Foundation
import Inference
import ModelBundles
import Preprocessing
import SegmentationModels
import Testing
import Training
import Volumes

private let complete = """
    {
      "name": "tiny", "summary": "Synthetic heads.",
      "cases": {"labels": "phantom.tsv", "directory": "cases", "validation": ["1015"]},
      "conform": {"orientation": "LIA", "spacingMillimeters": [1, 2, 3], "marginVoxels": 1,
                  "intensity": {"rule": "min-max"}},
      "architecture": {"family": "sdNet", "channels": 6},
      "planes": [{"plane": "axial", "weight": 1}, {"plane": "sagittal", "weight": 0.5}],
      "licence": {"weights": "MIT", "data": "none", "credit": "nobody"}
    }
    """

private func decode(_ text: String) throws -> TrainingConfiguration {
    try JSONDecoder().decode(TrainingConfiguration.self, from: Data(text.utf8))
}

/// What a configuration with a line replaced or added is refused with.
private func refusal(_ text: String) throws -> (path: String, problem: String) {
    let error = try #require(throws: DecodingError.self) { try decode(text) }
    switch error {
    case .dataCorrupted(let context), .typeMismatch(_, let context), .valueNotFound(_, let context):
        return (
            context.codingPath.map(\.stringValue).joined(separator: "."), context.debugDescription
        )
    case .keyNotFound(let key, let context):
        let path = context.codingPath + [key]
        return (path.map(\.stringValue).joined(separator: "."), "missing")
    @unknown default: return ("", "\(error)")
    }
}

private func with(optimization: String) -> String {
    complete.replacing(#""licence""#, with: #""optimization": \#(optimization), "licence""#)
}

struct TrainingConfigurationTests {
    @Test func `what is left out takes its default`() throws {
        let configuration = try decode(complete)
        #expect(configuration.name == "tiny")
        #expect(configuration.cases.directory == "cases")
        #expect(configuration.cases.validation == ["1015"])
        #expect(configuration.cases.phantoms == nil)
        #expect(configuration.conform.orientation.description == "LIA")
        #expect(configuration.conform.spacingMillimeters == SIMD3(1, 2, 3))
        #expect(configuration.architecture.widths == [6, 6, 6, 6, 6])
        #expect(configuration.architecture.depth == 4)
        #expect(configuration.planes.map(\.plane) == [.axial, .sagittal])
        #expect(configuration.planes.map(\.weight) == [1, 0.5])
        #expect(configuration.optimization == OptimizationOptions())
        #expect(configuration.augmentation == AugmentationOptions())
        #expect(configuration.licence.weights == "MIT")
    }

    @Test func `options that are given are taken`() throws {
        let options = try decode(
            with(
                optimization: """
                    {"steps": 5, "batchSize": 2, "optimizer": "sgd", "learningRate": 0.1,
                     "weightDecay": 0, "schedule": "polynomial", "warmUp": 0, "gradientNorm": 1,
                     "averaging": 0, "classWeights": [0, 3], "logitAdjustment": 0.25,
                     "diceFactor": 0, "balancedFraction": 1, "precision": "bf16", "seed": 77,
                     "checkpointEvery": 9, "validateEvery": 11}
                    """)
        ).optimization
        var expected = OptimizationOptions()
        expected.steps = 5
        expected.batchSize = 2
        expected.optimizer = .sgd
        expected.learningRate = 0.1
        expected.weightDecay = 0
        expected.schedule = .polynomial
        expected.warmUp = 0
        expected.gradientNorm = 1
        expected.averaging = 0
        expected.classWeights = [0, 3]
        expected.logitAdjustment = 0.25
        expected.diceFactor = 0
        expected.balancedFraction = 1
        expected.precision = .bf16
        expected.seed = 77
        expected.checkpointEvery = 9
        expected.validateEvery = 11
        #expect(options == expected)
    }

    @Test(arguments: [
        (#""name""#, #""nam": 1, "name""#, "nam"),
        (#""cases": {"#, #""cases": {"validaton": ["1"], "#, "validaton"),
        (#""family""#, #""chanels": 3, "family""#, "chanels"),
        (#""licence""#, #""optimization": {"stepz": 3}, "licence""#, "stepz"),
        (#""licence""#, #""augmentation": {"gama": [1, 2]}, "licence""#, "gama"),
    ])
    func `an unknown option is refused by its name`(
        place: String, replacement: String, name: String
    ) throws {
        let (_, problem) = try refusal(complete.replacing(place, with: replacement))
        #expect(problem.contains("'\(name)'"), "\(problem)")
    }

    @Test func `every option of an architecture is known`() throws {
        // What encoding writes are all the options there are.
        let architecture = try decode(complete).architecture
        let data = try JSONEncoder().encode(architecture)
        let text = complete.replacing(
            #"{"family": "sdNet", "channels": 6}"#, with: String(decoding: data, as: UTF8.self))
        #expect(try decode(text).architecture == architecture)
    }

    @Test(arguments: [
        #""steps": 0"#, #""steps": -1"#, #""batchSize": 0"#, #""learningRate": 0"#,
        #""learningRate": -1"#, #""weightDecay": -0.1"#, #""warmUp": 1"#, #""warmUp": -0.1"#,
        #""gradientNorm": 0"#, #""averaging": 1"#, #""averaging": -0.1"#, #""classWeights": [1]"#,
        #""classWeights": [2, 1]"#, #""classWeights": [-1, 1]"#, #""classWeights": [0, 0]"#,
        #""logitAdjustment": 1.1"#, #""logitAdjustment": -1"#, #""diceFactor": -1"#,
        #""balancedFraction": 1.5"#, #""balancedFraction": -1"#, #""checkpointEvery": 0"#,
        #""validateEvery": -1"#,
    ])
    func `a number out of range is refused`(option: String) throws {
        let (path, problem) = try refusal(with(optimization: "{\(option)}"))
        #expect(path == "optimization")
        #expect(problem.hasPrefix("a number is out of range"), "\(problem)")
        let name = option.split(separator: "\"")[0]
        #expect(problem.contains(name), "\(problem)")
    }

    @Test(arguments: [
        (#""optimizer": "adam""#, "optimization.optimizer"),
        (#""schedule": "cosin""#, "optimization.schedule"),
        (#""steps": "many""#, "optimization.steps"),
    ])
    func `a value of another kind is refused by its place`(option: String, place: String) throws {
        #expect(try refusal(with(optimization: "{\(option)}")).path == place)
    }

    @Test(arguments: ["name", "summary", "cases", "conform", "architecture", "planes", "licence"])
    func `a part that is missing is named`(part: String) throws {
        var object = try #require(
            JSONSerialization.jsonObject(with: Data(complete.utf8)) as? [String: Any])
        object[part] = nil
        let text = String(
            decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
        #expect(try refusal(text) == (part, "missing"))
    }

    @Test(arguments: [
        ("[]", "name each plane once, and at least one"),
        (
            #"[{"plane": "axial", "weight": 1}, {"plane": "axial", "weight": 2}]"#,
            "name each plane once, and at least one"
        ),
        (
            #"[{"plane": "axial", "weight": 0}]"#,
            "the weight 0.0 of the axial plane is not a positive number"
        ),
    ])
    func `planes that cannot be are refused`(planes: String, sentence: String) throws {
        let text = complete.replacing(
            #"[{"plane": "axial", "weight": 1}, {"plane": "sagittal", "weight": 0.5}]"#,
            with: planes)
        #expect(try refusal(text) == ("planes", sentence))
    }
}
