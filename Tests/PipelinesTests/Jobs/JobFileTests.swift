import Foundation
import Inference
import Pipelines
import Preprocessing
import TestSupport
import Testing
import Volumes

struct JobFileTests {
    private func job(_ text: String, _ settings: [String] = [], in folder: String) throws -> JobFile
    {
        let path = folder + "/job.yaml"
        try Data(text.utf8).write(to: URL(filePath: path))
        return try JobFile(at: path, settings: settings)
    }

    @Test func `every key of a segmentation has its effect`() throws {
        try withTemporaryDirectory { folder in
            let file = try job(
                """
                segment:
                  input: [scans, /data/more]
                  output: out
                  model: phantom
                  planes: [axial, coronal]
                  precision: fp32
                  interpolation: cubic
                  volume: 2
                  participants: [01, 02]
                  references: manual
                  overwrite: true
                  verify: true
                  check: false
                  outputs: {space: conformed, probabilities: true}
                  resources: {device: cpu, threads: 3, batchSize: 5}
                """, in: folder)
            var expected = try SegmentationRequest(
                paths: [folder + "/scans", "/data/more", folder + "/out"])
            expected.model = "phantom"
            expected.planes = [.axial, .coronal]
            expected.precision = .fp32
            expected.interpolation = .cubic
            expected.volume = 2
            expected.selection.participants = ["01", "02"]
            expected.reference = folder + "/manual"
            expected.overwrites = true
            expected.verifies = true
            expected.checksScans = false
            expected.space = .conformed
            expected.writesProbabilities = true
            expected.device = "cpu"
            expected.threads = 3
            expected.batchSize = 5
            #expect(file.segmentation == expected)
        }
    }

    @Test func `settings replace and add keys, their paths counting from the current folder`()
        throws
    {
        try withTemporaryDirectory { folder in
            let file = try job(
                "segment:\n  input: scans\n  output: out\n  model: brain-mri\n",
                [
                    "segment.model=phantom", "segment.resources.threads=2", "segment.output=here",
                    "segment.planes=[axial, sagittal]",
                ], in: folder)
            let request = try #require(file.segmentation)
            #expect(request.inputs == [folder + "/scans"])
            #expect(request.output == "here")
            #expect(request.model == "phantom")
            #expect(request.threads == 2)
            #expect(request.planes == [.axial, .sagittal])
        }
    }

    @Test(arguments: [
        ("segment:\n  inptu: a\n", "line 2: 'segment.inptu' is no key; did you mean 'input'?"),
        ("# x\n\nsegmant:\n  input: a\n", "line 3: 'segmant' is no key; did you mean 'segment'?"),
        ("segment:\n  input: a\n  wonder: 1\n", "'segment.wonder' is no key; choose from input"),
        (
            "segment:\n  input: a\n  output: b\n  resources:\n    threads: many\n",
            "line 5: 'segment.resources.threads' must be a whole number, 1 to 1024, not 'many'"
        ),
        (
            "segment:\n  input: a\n  output: b\n  planes: [axial, up]\n",
            "line 4: 'segment.planes' must be coronal, axial, sagittal, or a list of such, not 'up'"
        ),
        ("segment:\n  input: a\n", "lacks 'segment.output': The folder of the results."),
        ("segment:\n  input: []\n  output: b\n", "'segment.input' is empty"),
        ("segment: 5\n", "line 1: 'segment' must be a map of keys"),
        ("segment:\n  input: a\n   output: b\n", "is not YAML"),
        ("evaluate:\n  toleranceMillimeters: -1\n", "must be a number of 0 or more, not '-1'"),
        ("", "is empty; write at least one of phantom, segment, evaluate"),
    ])
    func `what is wrong is told with its line`(text: String, says: String) throws {
        try withTemporaryDirectory { folder in
            let error = #expect(throws: UsageError.self) { try job(text, in: folder) }
            let description = try #require(error?.description)
            #expect(description.contains("\(folder)/job.yaml'"))
            #expect(description.contains(says), "\(description)")
        }
    }

    @Test(arguments: [
        (
            "segment.modle=x",
            "--set segment.modle=x: 'segment.modle' is no key; did you mean 'model'"
        ),
        ("model=x", "'model' is no key"), ("segment=x", "is a section; name a key in it"),
        ("nonsense", "--set takes key=value"),
        ("segment.volume=-1", "--set segment.volume=-1: 'segment.volume' must be a whole number"),
    ])
    func `a wrong setting is told`(setting: String, says: String) throws {
        try withTemporaryDirectory { folder in
            let error = #expect(throws: UsageError.self) {
                try job("segment:\n  input: a\n  output: b\n", [setting], in: folder)
            }
            #expect(error?.description.contains(says) == true, "\(error?.description ?? "")")
        }
    }

    @Test func `the jobs that come with the package can be read, and so can their schema`() throws {
        let folder = fixturePath("../pipelines/jobs")
        let names = try directoryListing(folder).filter { $0.hasSuffix(".yaml") }
        #expect(names == ["brain.yaml", "ct-organs.yaml", "evaluate.yaml", "phantom.yaml"])
        for name in names { _ = try JobFile(at: folder + "/" + name) }
        let schema = try String(contentsOfFile: folder + "/job.schema.json", encoding: .utf8)
        #expect(schema == JobFile.jsonSchema, "renew it by 'sliceseg run --schema'")
    }

    @Test func `job files are read or refused, whatever is in them`() throws {
        let folder = fixturePath("../pipelines/jobs")
        let inputs = try directoryListing(folder).filter { $0.hasSuffix(".yaml") }.map { name in
            FuzzInput(
                name: name, bytes: try [UInt8](Data(contentsOf: URL(filePath: folder + "/" + name)))
            )
        }
        let words = [
            ": ", "- ", "\n  ", "&a ", "*a", "{", "}", "[", "]", "'", "\"", "# ", "|\n", "\0",
        ]
        .map { Array($0.utf8) }
        try Fuzzer(count: 500).run(
            "jobs", inputs: inputs,
            damage: { mutator, file, other in mutator.damaged(file, other: other, words: words) },
            read: { path in
                do {
                    _ = try JobFile(at: path)
                } catch let error as UsageError {
                    guard !error.description.isEmpty else {
                        throw FuzzFinding(description: "says nothing")
                    }
                }
            })
    }
}
