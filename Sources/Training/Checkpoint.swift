import ModelBundles
import NeuralNetworks
import SegmentationModels
import Tensors

/// An error in a checkpoint.
struct CheckpointError: Error, CustomStringConvertible {
    var description: String
}

/// A training at the end of a step: everything that the next step depends on.
///
/// Batches are drawn by their number, so that the step is all that is needed of them.
struct Checkpoint {
    /// Steps done.
    var step: Int
    /// Seconds of work so far.
    var seconds: Double

    private static let format = "sliceseg-checkpoint-1"

    /// Writes the state of a training; the file is there in full or not at all.
    ///
    /// `identity` names the configuration, so that no other training goes on from it. Dropout draws
    /// from the generator of the `device`, whose state is kept.
    func write(
        to path: String, identity: String, network: SegmentationNetwork,
        average: SegmentationNetwork?, optimizer: any Optimizer, device: Device
    ) throws {
        var tensors = network.namedParameters.map {
            (name: "network." + $0.name, tensor: $0.parameter.value)
        }
        if let average {
            tensors += average.namedParameters.map {
                (name: "average." + $0.name, tensor: $0.parameter.value)
            }
        }
        tensors += optimizer.state.map { (name: "optimizer." + $0.name, tensor: $0.tensor) }
        tensors.append((name: "random", tensor: try Engine.randomState(of: device)))
        try writeSafeTensors(
            tensors,
            metadata: [
                "format": Self.format, "identity": identity, "step": String(step),
                "seconds": String(seconds),
            ], as: nil, to: path)
    }

    /// The step of a file.
    ///
    /// - Throws: ``CheckpointError`` where it is no checkpoint, and what is wrong with the file.
    static func step(at path: String) throws -> Int {
        try header(of: readSafeTensors(at: path)).step
    }

    /// Checks that a file is a checkpoint of a training.
    static func check(at path: String, identity: String) throws {
        _ = try header(of: readSafeTensors(at: path), identity: identity)
    }

    /// Steps and seconds of a file that must be one of a training.
    private static func header(of stored: SafeTensors, identity: String) throws -> Checkpoint {
        let checkpoint = try header(of: stored)
        guard stored.metadata["identity"] == identity else {
            throw CheckpointError(
                description: "'\(stored.path)' belongs to another training: configuration, label "
                    + "table or cases have changed; go on with those that it was started with, or "
                    + "choose another --output")
        }
        return checkpoint
    }

    /// Steps and seconds of a file.
    private static func header(of stored: SafeTensors) throws -> Checkpoint {
        guard stored.metadata["format"] == format,
            let step = stored.metadata["step"].flatMap(Int.init),
            let seconds = stored.metadata["seconds"].flatMap(Double.init)
        else {
            throw CheckpointError(
                description: "'\(stored.path)' is not a checkpoint of this program; remove it to "
                    + "start anew")
        }
        return Checkpoint(step: step, seconds: seconds)
    }

    /// Puts a training back into the state of a file.
    static func restore(
        from path: String, identity: String, network: SegmentationNetwork,
        average: SegmentationNetwork?, optimizer: any Optimizer, device: Device
    ) throws -> Checkpoint {
        let stored = try readSafeTensors(at: path)
        let checkpoint = try header(of: stored, identity: identity)
        func copy(_ prefix: String, into network: SegmentationNetwork) throws {
            for (name, parameter) in network.namedParameters {
                let saved = try stored.tensor(named: prefix + name)
                guard saved.shape == parameter.value.shape else {
                    throw CheckpointError(
                        description: "'\(path)' holds '\(name)' in shape \(saved.shape) where the "
                            + "network has \(parameter.value.shape); remove it to start anew")
                }
                try parameter.value.copyInPlace(from: saved)
            }
        }
        try withoutGradients {
            try copy("network.", into: network)
            if let average { try copy("average.", into: average) }
            var state: [String: Tensor] = [:]
            for (name, _) in optimizer.state {
                state[name] = try stored.tensor(named: "optimizer." + name)
            }
            try optimizer.restore(state)
            try Engine.setRandomState(try stored.tensor(named: "random"), of: device)
        }
        return checkpoint
    }
}
