public import Datasets
import Files
import Foundation
import Inference
import NeuralNetworks
import Parallel
import Preprocessing
import SegmentationMetrics
public import SegmentationModels
public import Tensors
public import Volumes

/// A progress report of a training.
public struct TrainingProgress: Sendable {
    /// The plane of the network.
    public var plane: Plane
    /// Steps done.
    public var step: Int
    /// Steps in all.
    public var steps: Int
    /// Mean loss since the last report.
    public var loss: Double
    /// The learning rate of the last step.
    public var learningRate: Double
    /// Slices a second since the last report.
    public var slicesPerSecond: Double
    /// Seconds that the rest will take at this speed.
    public var secondsLeft: Double
    /// The score on the held-out cases, where it was just measured: Dice as the mean over
    /// structures and cases, of a classifier its accuracy.
    public var validation: Double?
}

/// Trains the network of one plane.
///
/// State lies in a folder: `checkpoint.safetensors`, from which a broken training goes on,
/// `best.safetensors`, the network that did best on the held-out cases, and `log.tsv`. Source of the recipe: Roy et al., arXiv:1803.02579, section 3 (weighted cross-entropy,
/// Dice as in arXiv:1801.04161), with AdamW, a cosine schedule and averaged weights in its place
/// where the configuration says so.
public final class PlaneTrainer {
    private let configuration: TrainingConfiguration
    private let plane: Plane
    private let architecture: Architecture
    private let outputOfClass: [Int]
    private let table: LabelTable
    private let directory: String
    private let identity: String
    private let device: Device
    private let pretrained: PretrainedWeights?

    /// Makes a trainer.
    ///
    /// - Parameters:
    ///   - configuration: The training's configuration.
    ///   - plane: The plane to train for.
    ///   - architecture: The network of this plane, with its number of outputs.
    ///   - outputOfClass: For each class the output that stands for it.
    ///   - table: The structures.
    ///   - directory: Where checkpoint and log lie; it exists.
    ///   - identity: Names configuration and data, so that a checkpoint is not mistaken.
    ///   - device: Where the network is trained.
    ///   - pretrained: Weights to begin with, or `nil` for random ones.
    public init(
        configuration: TrainingConfiguration, plane: Plane, architecture: Architecture,
        outputOfClass: [Int], table: LabelTable, directory: String, identity: String,
        device: Device, pretrained: PretrainedWeights? = nil
    ) {
        var configuration = configuration
        let planeOptions = configuration.planes.first { $0.plane == plane }
        configuration.optimization.steps =
            planeOptions?.steps ?? configuration.optimization.steps
        self.configuration = configuration
        self.plane = plane
        self.architecture = architecture
        self.outputOfClass = outputOfClass
        self.table = table
        self.directory = directory
        self.identity = identity + "/" + (planeOptions?.identity ?? plane.rawValue)
        self.device = device
        self.pretrained = pretrained
    }

    /// The network's output for each structure by name.
    private var classOfStructure: [String: UInt8] {
        Dictionary(
            table.structures.enumerated().map { position, structure in
                (structure.name, UInt8(outputOfClass[position + 1]))
            }, uniquingKeysWith: { first, _ in first })
    }

    private var checkpointPath: String { directory + "/checkpoint.safetensors" }
    private var bestPath: String { directory + "/best.safetensors" }
    private var logPath: String { directory + "/log.tsv" }

    /// Checks that a training can go on from what lies in a folder, without changing anything.
    ///
    /// - Parameters:
    ///   - directory: The folder of a plane's network; it need not exist.
    ///   - identity: Names configuration and data, as in the initializer.
    ///   - plane: The plane as the configuration has it.
    /// - Throws: One sentence where a checkpoint is there and belongs to another training or is
    ///   damaged.
    public static func checkCheckpoint(
        in directory: String, identity: String, plane: TrainingConfiguration.PlaneOptions
    ) throws {
        let path = directory + "/checkpoint.safetensors"
        guard FileManager.default.fileExists(atPath: path) else { return }
        try Checkpoint.check(at: path, identity: identity + "/" + plane.identity)
    }

    /// Trains, or goes on from the last checkpoint.
    ///
    /// - Parameters:
    ///   - source: Where batches come from.
    ///   - validation: The cases held out.
    ///   - resume: Whether to go on from a checkpoint, where there is one.
    ///   - begin: Is told what was taken over from another model, where one is begun with.
    ///   - report: Is told how it goes every few steps.
    /// - Returns: The trained network (averaged weights where they are asked for; of those measured
    ///   on held-out cases the best, else the last) and the seconds of work it took.
    /// - Throws: ``TrainingError`` where the loss is no longer a number; the last checkpoint stays.
    public func train(
        source: any SliceSource, validation: [TrainingCase], resume: Bool,
        begin: (PretrainedWeights.Transfer) -> Void = { _ in },
        report: (TrainingProgress) -> Void
    ) throws -> (network: SegmentationNetwork, seconds: Double) {
        let measure = { [self] network in try validationDice(network: network, cases: validation) }
        return try train(
            source: source, measure: validation.isEmpty ? nil : measure, resume: resume,
            begin: begin, report: report)
    }

    /// Trains, or goes on from the last checkpoint, with a measure of its own on held-out cases, of which
    /// more is better; see ``train(source:validation:resume:begin:report:)``.
    package func train(
        source: any SliceSource, measure: ((SegmentationNetwork) throws -> Double)?, resume: Bool,
        begin: (PretrainedWeights.Transfer) -> Void = { _ in },
        report: (TrainingProgress) -> Void
    ) throws -> (network: SegmentationNetwork, seconds: Double) {
        let options = configuration.optimization
        try Engine.keepFreedMemory()
        try Engine.setSeed(options.seed)
        let weights = medianFrequencyWeights(
            counts: source.classCounts,
            bounds: options.classWeights[0]...options.classWeights[1])
        let network = try SegmentationNetwork(architecture)
        let resumes = resume && FileManager.default.fileExists(atPath: checkpointPath)
        if let pretrained, !resumes {
            let transfer = try pretrained.copy(
                into: network, plane: plane, outputOfClass: outputOfClass, table: table)
            try shiftClassifier(of: network, by: weights.map { adjustment(ofWeight: $0) })
            begin(transfer)
        }
        try network.move(to: device)
        let average = options.averaging > 0 ? try SegmentationNetwork(architecture) : nil
        if let average {
            try average.move(to: device)
            try copyParameters(of: network, into: average)
        }
        let optimizer = try makeOptimizer(network)
        var checkpoint = Checkpoint(step: 0, seconds: 0)
        if resumes {
            checkpoint = try .restore(
                from: checkpointPath, identity: identity, network: network, average: average,
                optimizer: optimizer, device: device)
        }
        var best =
            checkpoint.step > 0
            ? try BestNetwork.find(at: bestPath, identity: identity, upTo: checkpoint.step) : nil
        var log = try TrainingLog(
            path: logPath, lastStep: checkpoint.step,
            measure: architecture.classifiesSlices ? "validation_accuracy" : "validation_dice")

        let loss = SegmentationLoss(
            classWeights: try Tensor(weights, shape: [weights.count], device: device),
            boundaryWeight: options.boundaryWeight, diceFactor: options.diceFactor, smoothing: 1,
            absentClasses: .excluded)
        let step = TrainingStep(
            network: network, optimizer: optimizer, loss: loss,
            gradientNorm: options.gradientNorm, precision: options.precision, device: device)
        let augmenter = SliceAugmenter(
            configuration.augmentation, classOfStructure: classOfStructure)
        let prefetcher = Prefetcher(first: checkpoint.step, depth: 2) { number in
            source.batch(
                number: number, size: options.batchSize, seed: options.seed,
                balancedFraction: options.balancedFraction, augmenter: augmenter)
        }
        defer { prefetcher.stop() }

        let clock = ContinuousClock()
        var sectionStart = clock.now
        var sectionLoss = 0.0
        var sectionSteps = 0
        let warmUp = Int(Double(options.steps) * options.warmUp)
        while checkpoint.step < options.steps {
            let rate =
                options.learningRate
                * options.learningRateSchedule.factor(
                    at: checkpoint.step, of: options.steps, warmUp: warmUp)
            optimizer.learningRate = rate
            let value = try lossOfStep(step, prefetcher.next(), number: checkpoint.step + 1)
            checkpoint.step += 1
            if let average { try updateAverage(average, of: network, step: checkpoint.step) }
            sectionLoss += value
            sectionSteps += 1

            let isLast = checkpoint.step == options.steps
            let isValidation =
                options.validateEvery > 0 && checkpoint.step % options.validateEvery == 0
            let isCheckpoint = checkpoint.step % options.checkpointEvery == 0
            let isKept = isLast || isValidation || isCheckpoint
            guard isKept || sectionSteps == 20 else { continue }

            if isKept { try checkIsFinite(network, step: checkpoint.step) }
            let seconds = (clock.now - sectionStart) / .seconds(1)
            checkpoint.seconds += seconds
            var progress = TrainingProgress(
                plane: plane, step: checkpoint.step, steps: options.steps,
                loss: sectionLoss / Double(sectionSteps), learningRate: rate,
                slicesPerSecond: Double(sectionSteps * options.batchSize) / seconds,
                secondsLeft: Double(options.steps - checkpoint.step) * seconds
                    / Double(sectionSteps),
                validation: nil)
            if isValidation || isLast, let measure {
                let finished = try finishedNetwork(average ?? network, classWeights: weights)
                let reached = try measure(finished)
                progress.validation = reached
                if reached > best?.validation ?? -1 {
                    let network = BestNetwork(step: checkpoint.step, validation: reached)
                    try network.write(finished, to: bestPath, identity: identity)
                    best = network
                }
            }
            try log.append(progress, seconds: checkpoint.seconds)
            report(progress)
            if isKept {
                try checkpoint.write(
                    to: checkpointPath, identity: identity, network: network, average: average,
                    optimizer: optimizer, device: device)
            }
            sectionLoss = 0
            sectionSteps = 0
            sectionStart = clock.now
        }
        let finished = try finishedNetwork(average ?? network, classWeights: weights)
        if let best, best.step < checkpoint.step {
            try BestNetwork.restore(finished, from: bestPath)
        }
        return (finished, checkpoint.seconds)
    }

    /// A copy of the network as it is used: with the class weights of the loss taken out again.
    ///
    /// A network trained with the weights w learns probabilities proportional to w p, which makes
    /// rare structures too large; subtracting log w from the classifier's biases gives p back.
    /// Source: logit adjustment, Menon et al., arXiv:2007.07314, section 4.1.
    private func finishedNetwork(
        _ trained: SegmentationNetwork, classWeights: [Float]
    ) throws -> SegmentationNetwork {
        let finished = try SegmentationNetwork(architecture)
        try finished.move(to: device)
        try copyParameters(of: trained, into: finished)
        try shiftClassifier(of: finished, by: classWeights.map { -adjustment(ofWeight: $0) })
        return finished
    }

    /// The shift of a class's logit by its weight in the loss.
    private func adjustment(ofWeight weight: Float) -> Float {
        weight > 0 ? Float(configuration.optimization.logitAdjustment) * log(weight) : 0
    }

    private func shiftClassifier(of network: SegmentationNetwork, by shifts: [Float]) throws {
        guard let bias = network.namedParameters.first(where: { $0.name == "classifier.bias" })
        else { return }
        let value = bias.parameter.value
        try withoutGradients {
            try value.addInPlace(Tensor(shifts, shape: [shifts.count], device: value.device))
        }
    }

    private func makeOptimizer(_ network: SegmentationNetwork) throws -> any Optimizer {
        let options = configuration.optimization
        let parameters = network.trainableParameters
        switch options.optimizer {
        case .adamW:
            return try AdamW(
                parameters, learningRate: options.learningRate, weightDecay: options.weightDecay,
                decayed: .weightsOnly)
        case .sgd:
            return try StochasticGradientDescent(
                parameters, learningRate: options.learningRate, weightDecay: options.weightDecay)
        }
    }

    /// Moves the network by one batch and returns its loss.
    private func lossOfStep(
        _ step: TrainingStep, _ batch: SliceBatch, number: Int
    ) throws -> Double {
        let images = try Tensor(
            batch.images, shape: [batch.count, batch.context, batch.height, batch.width],
            device: device)
        let classes = try Tensor(
            batch.classes, shape: batch.classShape, device: device)
        guard let value = try step(images: images, classes: classes) else {
            throw divergence("the loss is not a number any more", at: number)
        }
        return value
    }

    /// The error for a loss or weight that is not finite.
    private func divergence(_ what: String, at step: Int) -> TrainingError {
        let kept = try? Checkpoint.step(at: checkpointPath)
        let state =
            kept.map { "'\(checkpointPath)' keeps the state after step \($0)" }
            ?? "it happened before a checkpoint"
        return TrainingError(
            description: "\(what) at step \(step) of the \(plane.rawValue) network; \(state): "
                + "lower the learning rate and start anew")
    }

    /// Throws where a last step has spoilt the weights, so that no checkpoint keeps them.
    private func checkIsFinite(_ network: SegmentationNetwork, step: Int) throws {
        try withoutGradients {
            for (name, parameter) in network.namedParameters {
                guard try parameter.value.allFinite() else {
                    throw divergence("'\(name)' is not a number any more", at: step)
                }
            }
        }
    }

    private func copyParameters(
        of source: SegmentationNetwork, into target: SegmentationNetwork
    ) throws {
        try withoutGradients {
            for (from, to) in zip(source.namedParameters, target.namedParameters) {
                try to.parameter.value.copyInPlace(from: from.parameter.value)
            }
        }
    }

    /// Moves the averaged weights toward the network's, faster at first.
    private func updateAverage(
        _ average: SegmentationNetwork, of network: SegmentationNetwork, step: Int
    ) throws {
        let decay = min(
            configuration.optimization.averaging, Double(1 + step) / Double(10 + step))
        try withoutGradients {
            try Tensor.interpolateInPlace(
                average.namedParameters.map(\.parameter.value),
                toward: network.namedParameters.map(\.parameter.value), fraction: 1 - decay)
        }
    }

    /// Mean Dice over structures and cases, on whole volumes and the scans' own grids.
    private func validationDice(
        network: SegmentationNetwork, cases: [TrainingCase]
    ) throws -> Double {
        let predictor = VolumePredictor(
            networks: [
                PlaneNetwork(
                    plane: plane, network: network, weight: 1, outputOfClass: outputOfClass)
            ],
            classCount: table.classCount, device: device,
            precision: configuration.optimization.precision, batchSize: 4)
        let dice = try cases.flatMap { trainingCase in
            structureDice(
                of: trainingCase, classes: try predictor.classes(of: trainingCase.conformed.volume),
                table: table
            ).compactMap(\.self)
        }
        return mean(of: dice) ?? 0
    }
}

/// Dice of each structure of one case on the scan's own grid, `nil` where it is absent in both.
///
/// - Parameters:
///   - trainingCase: The case.
///   - classes: The class of each voxel of its conformed volume, as predicted.
///   - table: The structures.
/// - Returns: One value a structure, in the table's order.
public func structureDice(
    of trainingCase: TrainingCase, classes: [UInt8], table: LabelTable
) -> [Double?] {
    let conformed = trainingCase.conformed
    let labelOfClass = table.labelOfClass
    let labels = conformed.labelsOnScanGrid(
        LabelMap(
            grid: conformed.volume.grid, labels: classes.map { labelOfClass[Int($0)] }))
    return overlapCounts(
        of: labels, against: trainingCase.reference, labels: table.structures.map(\.index)
    ).map(\.diceCoefficient)
}

/// The table of a training's progress, kept in step with its checkpoint.
private struct TrainingLog {
    private let path: String
    private var lines: [String]

    /// Opens a log, dropping rows of steps that the checkpoint does not know.
    init(path: String, lastStep: Int, measure: String) throws {
        self.path = path
        let text = lastStep > 0 ? (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" : ""
        lines = ["step\tloss\tlearning_rate\tslices_per_second\tseconds\t\(measure)"]
        for line in text.split(separator: "\n").dropFirst() {
            let step = line.split(separator: "\t").first.flatMap { Int($0) } ?? .max
            if step <= lastStep { lines.append(String(line)) }
        }
    }

    mutating func append(_ progress: TrainingProgress, seconds: Double) throws {
        let reached = progress.validation.map { String(format: "%.4f", $0) } ?? "n/a"
        lines.append(
            "\(progress.step)\t"
                + String(
                    format: "%.4f\t%.6f\t%.1f\t%.0f\t", progress.loss, progress.learningRate,
                    progress.slicesPerSecond, seconds) + reached)
        try writeAtomically(lines.joined(separator: "\n") + "\n", to: path)
    }
}
