import Foundation
import ModelBundles
import NeuralNetworks
import SegmentationModels
import TestSupport
import Tensors
import Testing
import Training

/// Everything that could make a difference: dropout, averaging, augmentation, validation.
private func makeResumableConfiguration() throws -> TrainingConfiguration {
    try makeConfiguration(
        """
        {"steps": 12, "batchSize": 3, "checkpointEvery": 4, "validateEvery": 6, "precision": "fp32"}
        """, dropout: 0.2, augmented: true)
}

/// Trains with one thread, so that sums are added up in one order, and keeps the result.
private func trainToEnd(in directory: String, resume: Bool) throws {
    try Engine.setThreadCount(1)
    let network = try train(
        makeResumableConfiguration(), in: directory, resume: resume, validation: true)
    try writeSafeTensors(
        network.namedParameters.map { (name: $0.name, tensor: $0.parameter.value) },
        metadata: [:], as: nil, to: directory + "/result.safetensors")
}

/// The columns of a log that do not tell the time.
private func timelessRows(in directory: String) throws -> [[String]] {
    try logRows(in: directory).map { Array($0[0...2] + $0[5...]) }
}

struct ResumeTests {
    /// Each training runs in a process of its own: the engine's random numbers are shared by all
    /// that runs in one, and only a process can be killed.
    @Test func `a training that was killed goes on as if it had not been`() async throws {
        try await withTemporaryDirectory { directory in
            let (whole, broken) = (directory + "/whole", directory + "/broken")
            await #expect(processExitsWith: .success) { [whole = whole as String] in
                try trainToEnd(in: whole, resume: false)
            }
            await #expect(processExitsWith: .signal(SIGKILL)) { [broken = broken as String] in
                try Engine.setThreadCount(1)
                // At step 8 the log is written and the checkpoint is still that of step 6.
                try train(makeResumableConfiguration(), in: broken, validation: true) {
                    if $0.step == 8 { kill(getpid(), SIGKILL) }
                }
            }
            let checkpoint = try readSafeTensors(at: broken + "/checkpoint.safetensors")
            #expect(checkpoint.metadata["step"] == "6")
            #expect(try logRows(in: broken).map { $0[0] } == ["step", "4", "6", "8"])
            #expect(!FileManager.default.fileExists(atPath: broken + "/result.safetensors"))

            await #expect(processExitsWith: .success) { [broken = broken as String] in
                try trainToEnd(in: broken, resume: true)
            }
            let rows = try timelessRows(in: whole)
            #expect(rows.map { $0[0] } == ["step", "4", "6", "8", "12"])
            #expect(try timelessRows(in: broken) == rows)
            let results = try [whole, broken].map {
                try readSafeTensors(at: $0 + "/result.safetensors").tensors
            }
            #expect(results[0].count > 20)
            #expect(results[0] == results[1], "the trained network")
            let states = try [whole, broken].map {
                try readSafeTensors(at: $0 + "/checkpoint.safetensors")
            }
            #expect(states[0].tensors == states[1].tensors, "optimizer, average, random numbers")
            for state in states { #expect(state.metadata["step"] == "12") }
            #expect(states[0].tensors != checkpoint.tensors)
        }
    }

    @Test func `a training that is done gives its network again without another step`() throws {
        try withTemporaryDirectory { directory in
            let configuration = try makeConfiguration(#"{"steps": 2, "batchSize": 2}"#)
            let first = try train(configuration, in: directory)
            let rows = try logRows(in: directory)
            var reports = 0
            let again = try train(configuration, in: directory, resume: true) { _ in reports += 1 }
            #expect(reports == 0)
            for (one, other) in zip(first.namedParameters, again.namedParameters) {
                #expect(
                    try one.parameter.value.bytes() == other.parameter.value.bytes(), "\(one.name)")
            }
            #expect(try logRows(in: directory) == rows)
        }
    }

    @Test func `without resume a training starts anew`() throws {
        try withTemporaryDirectory { directory in
            let configuration = try makeConfiguration(
                #"{"steps": 2, "batchSize": 2, "checkpointEvery": 1}"#)
            try train(configuration, in: directory)
            var steps: [Int] = []
            try train(configuration, in: directory) { steps.append($0.step) }
            #expect(steps == [1, 2])
            #expect(try logRows(in: directory).map { $0[0] } == ["step", "1", "2"])
        }
    }

    @Test func `a checkpoint of another configuration is refused`() throws {
        try withTemporaryDirectory { directory in
            let configuration = try makeConfiguration(#"{"steps": 1, "batchSize": 1}"#)
            try train(configuration, in: directory, identity: "one")
            let path = directory + "/checkpoint.safetensors"
            let before = try Data(contentsOf: URL(filePath: path))
            let error = try #require(throws: (any Error).self) {
                try train(configuration, in: directory, identity: "other", resume: true)
            }
            #expect("\(error)".hasPrefix("'\(path)' belongs to another training"))
            #expect(try Data(contentsOf: URL(filePath: path)) == before)
        }
    }

    @Test func `a checkpoint of another shape of network is refused by the weight's name`() throws {
        try withTemporaryDirectory { directory in
            var configuration = try makeConfiguration(#"{"steps": 1, "batchSize": 1}"#)
            try train(configuration, in: directory)
            configuration.architecture.widths = [4, 4, 4]
            let error = try #require(throws: (any Error).self) {
                try train(configuration, in: directory, resume: true)
            }
            #expect("\(error)".contains("in shape [6, "), "\(error)")
            #expect("\(error)".contains("remove it to start anew"), "\(error)")
        }
    }

    @Test(arguments: [0.0, 0.001, 0.5, 0.999])
    func `a checkpoint that was cut short is refused by its path`(part: Double) throws {
        try withTemporaryDirectory { directory in
            let configuration = try makeConfiguration(#"{"steps": 1, "batchSize": 1}"#)
            try train(configuration, in: directory)
            let path = directory + "/checkpoint.safetensors"
            let whole = try Data(contentsOf: URL(filePath: path))
            try whole.prefix(Int(Double(whole.count) * part)).write(to: URL(filePath: path))
            let error = try #require(throws: ModelBundleError.self) {
                try train(configuration, in: directory, resume: true)
            }
            #expect(error.description.hasPrefix("'\(path)'"), "\(error)")
        }
    }

    @Test func `a file of weights is no checkpoint`() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/checkpoint.safetensors"
            try writeSafeTensors(
                [(name: "network.classifier.bias", tensor: .zeros([16]))], metadata: [:], as: nil,
                to: path)
            let error = try #require(throws: (any Error).self) {
                try train(
                    makeConfiguration(#"{"steps": 1, "batchSize": 1}"#), in: directory, resume: true
                )
            }
            #expect(
                "\(error)"
                    == "'\(path)' is not a checkpoint of this program; remove it to start anew")
        }
    }
}
