import Datasets
import Foundation
import Inference
import ModelBundles
import NeuralNetworks
import Preprocessing
import SegmentationModels
import TestSupport
import Tensors
import Testing
import Training
import Volumes

/// A tensor of a checkpoint as numbers.
private func values(_ file: SafeTensors, _ name: String) throws -> [Float] {
    try file.tensor(named: name).elements()
}

struct TrainerTests {
    @Test(arguments: ["adamW", "sgd"])
    func `the loss goes down on synthetic heads`(optimizer: String) throws {
        try withTemporaryDirectory { directory in
            let rate = optimizer == "sgd" ? 0.05 : 0.01
            let configuration = try makeConfiguration(
                """
                {"steps": 60, "batchSize": 4, "optimizer": "\(optimizer)", "learningRate": \(rate),
                 "checkpointEvery": 10, "averaging": 0.9}
                """)
            var told: [TrainingProgress] = []
            let network = try train(configuration, in: directory, validation: true) {
                told.append($0)
            }
            #expect(told.map(\.step) == [10, 20, 30, 40, 50, 60])
            let (first, last) = (try #require(told.first), try #require(told.last))
            #expect(last.loss < 0.8 * first.loss, "\(first.loss) to \(last.loss)")
            #expect(told.dropLast().allSatisfy { $0.validation == nil })
            // The held-out head, segmented with the network that came out.
            let predictor = VolumePredictor(
                networks: [
                    PlaneNetwork(
                        plane: .axial, network: network, weight: 1,
                        outputOfClass: Array(0..<classCount))
                ], classCount: classCount, device: .cpu, precision: .auto, batchSize: 4)
            let heldOut = try #require(makeCases([9], conform: configuration.conform).first)
            let dice = structureDice(
                of: heldOut, classes: try predictor.classes(of: heldOut.conformed.volume),
                table: phantomLabelTable
            ).compactMap(\.self)
            #expect(dice.contains { $0 > 0 }, "\(dice)")
            let mean = dice.reduce(0, +) / Double(dice.count)
            #expect(abs(try #require(last.validation) - mean) < 1e-6)
            #expect(told.allSatisfy { $0.steps == 60 && $0.plane == .axial })
            #expect(told.allSatisfy { $0.slicesPerSecond > 0 && $0.secondsLeft >= 0 })
            #expect(last.secondsLeft == 0)

            let rows = try logRows(in: directory)
            #expect(
                rows.first == [
                    "step", "loss", "learning_rate", "slices_per_second", "seconds",
                    "validation_dice",
                ])
            for (row, progress) in zip(rows.dropFirst(), told) {
                #expect(row[0] == "\(progress.step)")
                #expect(row[1] == String(format: "%.4f", progress.loss))
                #expect(
                    row[5] == progress.validation.map { String(format: "%.4f", $0) } ?? "n/a")
            }
            #expect(rows.count == 7)
        }
    }

    @Test func `the learning rate warms up and falls along a cosine`() throws {
        try withTemporaryDirectory { directory in
            let configuration = try makeConfiguration(
                """
                {"steps": 10, "batchSize": 1, "learningRate": 0.002, "checkpointEvery": 1,
                 "warmUp": 0.2}
                """)
            var rates: [Double] = []
            try train(configuration, in: directory) { rates.append($0.learningRate) }
            let expected = [0.001, 0.002] + (0..<8).map { 0.001 * (1 + cos(.pi * Double($0) / 8)) }
            for (rate, value) in zip(rates, expected) { #expect(abs(rate - value) < 1e-12) }
            #expect(rates.count == 10)
        }
    }

    /// In a process of its own: the first weights come from the engine's random numbers, which
    /// tests that run meanwhile would draw from.
    @Test func `the loss is cross-entropy weighted by median frequency`() async throws {
        await #expect(processExitsWith: .success) {
            let configuration = try makeConfiguration(
                """
                {"steps": 1, "batchSize": 6, "checkpointEvery": 1, "averaging": 0,
                 "classWeights": [0.1, 4], "diceFactor": 0, "precision": "fp32", "seed": 5}
                """)
            // What the trainer starts from.
            let dataset = try makeDataset(configuration)
            let batch = dataset.batch(
                number: 0, size: 6, seed: 5, balancedFraction: 0.5,
                augmenter: SliceAugmenter(configuration.augmentation))
            try Engine.setSeed(5)
            let network = try SegmentationNetwork(architecture(of: configuration))
            let logits: [Float] = try withoutGradients {
                try network(
                    Tensor(batch.images, shape: [6, 3, batch.height, batch.width]), mode: .training
                ).elements()
            }
            let weights = expectedClassWeights(dataset, bounds: 0.1...4)
            #expect(weights.contains(4) && weights.contains(0.1), "the bounds are reached")
            #expect(Set(weights).count > 4)
            let pixels = batch.height * batch.width
            var (weighted, weightSum, plain) = (0.0, 0.0, 0.0)
            for slice in 0..<6 {
                for pixel in 0..<pixels {
                    let row = (0..<classCount).map {
                        Double(logits[(slice * classCount + $0) * pixels + pixel])
                    }
                    let member = Int(batch.classes[slice * pixels + pixel])
                    let loss = log(row.map { exp($0) }.reduce(0, +)) - row[member]
                    weighted += Double(weights[member]) * loss
                    weightSum += Double(weights[member])
                    plain += loss
                }
            }
            let expected = weighted / weightSum
            #expect(abs(expected - plain / Double(6 * pixels)) > 0.01, "weights matter")

            try withTemporaryDirectory { directory in
                var losses: [Double] = []
                try train(configuration, in: directory) { losses.append($0.loss) }
                #expect(losses.count == 1)
                #expect(abs((losses.first ?? 0) - expected) < 1e-4, "\(losses), \(expected)")
            }
        }
    }

    @Test(arguments: [1, 0.5, 0])
    func `the class weights are taken out of the finished network's biases`(
        strength: Double
    ) throws {
        try withTemporaryDirectory { directory in
            let configuration = try makeConfiguration(
                """
                {"steps": 2, "batchSize": 2, "averaging": 0, "classWeights": [0.2, 6],
                 "logitAdjustment": \(strength)}
                """)
            let network = try train(configuration, in: directory)
            let checkpoint = try readSafeTensors(at: directory + "/checkpoint.safetensors")
            let weights = expectedClassWeights(try makeDataset(configuration), bounds: 0.2...6)
            for (name, parameter) in network.namedParameters {
                let trained = try values(checkpoint, "network." + name)
                let finished: [Float] = try parameter.value.elements()
                guard name == "classifier.bias" else {
                    #expect(finished == trained, "\(name)")
                    continue
                }
                for (member, weight) in weights.enumerated() {
                    let shift = weight > 0 ? -strength * log(Double(weight)) : 0
                    #expect(
                        abs(Double(finished[member]) - Double(trained[member]) - shift) < 1e-6,
                        "class \(member) of weight \(weight)")
                }
            }
        }
    }

    @Test func `the moving average is what is kept`() throws {
        try withTemporaryDirectory { directory in
            let configuration = try makeConfiguration(
                """
                {"steps": 3, "batchSize": 2, "averaging": 0.9, "checkpointEvery": 1,
                 "logitAdjustment": 0}
                """)
            // Of each step the weights, from which the average follows by hand.
            var steps: [SafeTensors] = []
            let path = directory + "/checkpoint.safetensors"
            let network = try train(configuration, in: directory) { progress in
                // A report comes before its checkpoint is written: here lies the last one.
                if progress.step > 1, let file = try? readSafeTensors(at: path) {
                    steps.append(file)
                }
            }
            steps.append(try readSafeTensors(at: path))
            #expect(steps.compactMap { $0.metadata["step"] } == ["1", "2", "3"])
            for (name, parameter) in network.namedParameters {
                let finished: [Float] = try parameter.value.elements()
                #expect(try values(steps[2], "average." + name) == finished, "\(name)")
                // The decay is (1 + n) / (10 + n) at step n until it reaches 0.9.
                var expected = try values(steps[0], "average." + name).map(Double.init)
                for (file, decay) in zip(steps.dropFirst(), [3.0 / 12, 4.0 / 13]) {
                    let weights = try values(file, "network." + name)
                    for position in expected.indices {
                        expected[position] +=
                            (1 - decay) * (Double(weights[position]) - expected[position])
                    }
                }
                for (value, other) in zip(finished, expected) {
                    #expect(abs(Double(value) - other) < 1e-5 * max(1, abs(other)), "\(name)")
                }
            }
        }
    }

    @Test func `the network that did best on held-out cases comes out`() throws {
        try withTemporaryDirectory { directory in
            // A rate that learns at first and then, without a warm-up, tears weights apart.
            let configuration = try makeConfiguration(
                """
                {"steps": 48, "batchSize": 4, "learningRate": 0.02, "schedule": "constant",
                 "warmUp": 0, "checkpointEvery": 4, "validateEvery": 4, "averaging": 0,
                 "precision": "fp32"}
                """)
            var measured: [Int: Double] = [:]
            let network = try train(configuration, in: directory, validation: true) {
                measured[$0.step] = $0.validation
            }
            let best = try #require(measured.values.max())
            let file = try readSafeTensors(at: directory + "/best.safetensors")
            #expect(file.metadata["dice"].flatMap(Double.init) == best)
            let step = try #require(file.metadata["step"].flatMap(Int.init))
            #expect(measured[step] == best)
            #expect(measured.filter { $0.value == best }.keys.min() == step)
            for (name, parameter) in network.namedParameters {
                let weights: [Float] = try parameter.value.elements()
                #expect(try values(file, name) == weights, "\(name)")
            }
            // Going on from the end measures nothing anew and keeps what was found.
            let again = try train(configuration, in: directory, resume: true, validation: true)
            for (first, second) in zip(network.namedParameters, again.namedParameters) {
                let weights: [[Float]] = [
                    try first.parameter.value.elements(), try second.parameter.value.elements(),
                ]
                #expect(weights[0] == weights[1], "\(first.name)")
            }
        }
    }

    @Test func `a loss that is no number stops the training, and the checkpoint stays`() throws {
        try withTemporaryDirectory { directory in
            let configuration = try makeConfiguration(
                """
                {"steps": 20, "batchSize": 2, "optimizer": "sgd", "learningRate": 1e30,
                 "warmUp": 0, "checkpointEvery": 1}
                """)
            let error = try #require(throws: TrainingError.self) {
                try train(configuration, in: directory)
            }
            let path = directory + "/checkpoint.safetensors"
            let checkpoint = try readSafeTensors(at: path)
            let kept = try #require(checkpoint.metadata["step"].flatMap { Int($0) })
            #expect(
                error.description
                    == "the loss is not a number any more at step \(kept + 1) of the axial "
                    + "network; '\(path)' keeps the state after step \(kept): lower the learning "
                    + "rate and start anew")
            #expect(try logRows(in: directory).last?.first == "\(kept)")
            for name in checkpoint.names where name.hasPrefix("network.") {
                #expect(try checkpoint.tensor(named: name).allFinite(), "\(name)")
            }
        }
    }

    @Test func `weights that the last step has spoilt are not kept`() throws {
        try withTemporaryDirectory { directory in
            // 1e41 times a weight is more than single precision holds.
            let configuration = try makeConfiguration(
                """
                {"steps": 1, "batchSize": 2, "optimizer": "sgd", "learningRate": 1e38,
                 "warmUp": 0, "weightDecay": 1000}
                """)
            let error = try #require(throws: TrainingError.self) {
                try train(configuration, in: directory)
            }
            #expect(
                error.description.hasSuffix(
                    "' is not a number any more at step 1 of the axial network; it happened before a "
                        + "checkpoint: lower the learning rate and start anew"))
            #expect(try directoryListing(directory) == [])
        }
    }
}
