import Foundation
import Pipelines
import TestSupport
import Testing

struct RefusedConfigurationTests {
    @Test(arguments: [
        (
            "steps: 3", "stepz: 3",
            "'DIR/tiny.yaml' is not a training configuration: at 'optimization.stepz': unknown "
                + "option 'stepz'; known are steps,"
        ),
        (
            "name: tiny-heads\n", "",
            "'DIR/tiny.yaml' is not a training configuration: at 'name': it is missing"
        ),
        (
            "phantoms: {count: 3, seed: 5, validation: 1}", "scanSuffix: _SS",
            "the configuration must name one of 'cases.directory', 'cases.files' and "
                + "'cases.phantoms', or 'cases.synthesis', alone or beside one of them"
        ),
        (
            "validation: 1}", "validation: 3}",
            "every case is held out; leave some for training in 'cases.validation'"
        ),
        (
            "phantoms: {count: 3, seed: 5, validation: 1}",
            #"{directory: cases, scanSuffix: _SS, labelSuffix: _glm, validation: ["2"]}"#,
            "'DIR/tiny.yaml' is not a training configuration: "
        ),
        (
            "phantoms: {count: 3, seed: 5, validation: 1}",
            "directory: cases\n  scanSuffix: _SS\n  labelSuffix: _glm\n  validation: [\"2\"]",
            "the held-out case '2' is not in 'cases'; correct 'cases.validation' in the "
                + "configuration"
        ),
        (
            "phantoms: {count: 3, seed: 5, validation: 1}",
            "files: [{name: a, scan: a.nii, labels: b.nii}]\n  validation: [b]",
            "the held-out case 'b' is not in 'cases.files'; correct 'cases.validation'"
        ),
        (
            "phantoms: {count: 3, seed: 5, validation: 1}",
            "files: [{name: a, scan: a.nii, labels: b.nii}, {name: a, scan: c.nii, labels: d.nii}]",
            "two cases are called 'a'; correct 'cases.files' in the configuration"
        ),
        (
            "phantoms: {count: 3, seed: 5, validation: 1}",
            "files: [{name: a, scan: none.nii, labels: b.nii}]",
            "'DIR/none.nii'"
        ),
        (
            "phantoms: {count: 3, seed: 5, validation: 1}",
            "directory: cases\n  files: [{name: a, scan: a.nii, labels: b.nii}]",
            "the configuration must name one of 'cases.directory', 'cases.files' and "
        ),
        (
            "validation: 1}", "validation: 1}\n  synthesis: {directory: maps, fraction: 1}",
            "'DIR/tiny.yaml' is not a training configuration: at 'cases.synthesis': "
        ),
        (
            "validation: 1}", "validation: 1}\n  coarserCopies: {perCase: 9}",
            "'DIR/tiny.yaml' is not a training configuration: at 'cases.coarserCopies': "
        ),
        (
            "validation: 1}", "validation: 1}\n  synthesis: {directory: maps, labels: others.tsv}",
            "'DIR/others.tsv' cannot be read"
        ),
        (
            "labels.tsv", "colors.tsv",
            "'DIR/colors.tsv' cannot be read; check the path and its permissions"
        ),
    ])
    func `a configuration that cannot be followed is refused before any training`(
        place: String, replacement: String, sentence: String
    ) throws {
        try withTemporaryDirectory { directory in
            let error = try #require(throws: (any Error).self) {
                try trainTinyHeads(
                    tinyHeadConfiguration.replacing(place, with: replacement), in: directory,
                    files: ["cases/1_SS.nii", "cases/1_glm.nii"])
            }
            let text = "\(error)".replacing(directory, with: "DIR")
            #expect(text.hasPrefix(sentence), "\(text)")
        }
    }

    @Test func `a configuration that is not there is refused`() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/none.yaml"
            let error = try #require(throws: TrainingRunError.self) {
                try runTraining(
                    configurationPath: path, outputDirectory: directory + "/run", resume: false,
                    device: "cpu", threads: nil
                ) { _ in }
            }
            #expect(
                error.description == "'\(path)' cannot be read; check the path and its permissions")
        }
    }
}
