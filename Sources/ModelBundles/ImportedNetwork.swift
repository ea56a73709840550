import Foundation
import NeuralNetworks
public import SegmentationModels
import Tensors

/// A format of weights that another program wrote.
public enum ForeignFormat: String, Sendable, CaseIterable {
    /// The state of a QuickNAT network of `quickNAT_pytorch` (Roy et al., arXiv:1801.04161).
    case quickNAT = "quicknat"
    /// The state of a ReLayNet network of `relaynet_pytorch` (Roy et al., arXiv:1704.02161).
    case reLayNet = "relaynet"
}

/// Builds a network of the weights that another program wrote, in a safetensors file.
///
/// Options are read off the names and shapes. QuickNAT's decoders are called in the order 4, 1, 2, 3;
/// the recalibration of its bottleneck is stored and never applied, so it is left out; its scSE keeps
/// the larger of both maps. ReLayNet normalizes before its rectifier, so its normalization becomes
/// part of the convolution, and its kernels of 7x3 are set in squares.
///
/// - Parameters:
///   - format: The program.
///   - path: The safetensors file.
/// - Returns: A network that computes the same in use.
/// - Throws: ``ModelBundleError`` where a tensor is missing, left over or of another shape;
///   `TensorError`.
public func importedNetwork(
    _ format: ForeignFormat, at path: String
) throws -> SegmentationNetwork {
    var source = ForeignState(try readSafeTensors(at: path))
    let network =
        switch format {
        case .quickNAT: try source.quickNAT()
        case .reLayNet: try source.reLayNet()
        }
    try source.checkIsUsedUp()
    return network
}

/// The tensors of a file, each to be taken once.
private struct ForeignState {
    private let file: SafeTensors
    private var left: Set<String>

    init(_ file: SafeTensors) {
        self.file = file
        left = Set(file.tensors.keys)
    }

    private func problem(_ text: String) -> ModelBundleError {
        ModelBundleError(
            .mismatchedTensors, file.path,
            text + "; choose the --format of the program that wrote it")
    }

    private func shape(_ name: String) throws -> [Int] {
        guard let tensor = file.tensors[name] else { throw problem("holds no '\(name)'") }
        return tensor.shape
    }

    private mutating func take(_ name: String) throws -> Tensor {
        _ = try shape(name)
        left.remove(name)
        let values = try file.tensor(named: name).converted(to: .float32, on: .cpu)
        guard try values.allFinite() else {
            throw ModelBundleError(
                .notFinite, file.path,
                "holds numbers in '\(name)' that are not finite; fetch the weights again")
        }
        return values
    }

    /// Counts of batches, and what is never applied, are dropped.
    mutating func checkIsUsedUp() throws {
        let rest = left.filter {
            !$0.hasSuffix("num_batches_tracked") && !$0.hasPrefix("bottleneck.SELayer.")
        }
        guard rest.isEmpty else {
            throw problem("holds '\(rest.sorted()[0])', which the network does not have")
        }
    }

    private func depth() throws -> Int {
        let depth = (1...9).prefix { level in
            file.tensors.keys.contains { $0.hasPrefix("encode\(level).") }
        }.count
        guard (1...8).contains(depth) else { throw problem("holds no 'encode1'") }
        return depth
    }

    /// The decoders in the order of their calls: in QuickNAT the coarsest has the last name.
    private func decoderNames(_ depth: Int, coarsestIsLast: Bool) -> [String] {
        let numbers = coarsestIsLast ? [depth] + (1..<depth) : Array(1...depth)
        return numbers.map { "decode\($0)" }
    }

    // MARK: QuickNAT

    mutating func quickNAT() throws -> SegmentationNetwork {
        let depth = try depth()
        let first = try shape("encode1.conv1.weight")
        let classes = try shape("classifier.conv.weight")[0]
        guard first.count == 4, first[2] == first[3] else {
            throw problem("has kernels of \(first.dropFirst(2)), and QuickNAT's are square")
        }
        var recalibration = Recalibration.none
        if let reduce = file.tensors["encode1.SELayer.cSE.fc1.weight"] {
            recalibration = .channelAndSpatial(
                reductionRatio: max(1, first[0] / max(1, reduce.shape[0])), combination: .maximum)
        } else if let reduce = file.tensors["encode1.SELayer.fc1.weight"] {
            recalibration = .channel(reductionRatio: max(1, first[0] / max(1, reduce.shape[0])))
        } else if file.tensors["encode1.SELayer.conv.weight"] != nil {
            recalibration = .spatial
        }
        let architecture = Architecture(
            family: .denseNet, classes: classes, channels: first[0], kernel: first[2],
            depth: depth, contextSlices: first[1], recalibration: recalibration, dropout: 0.2)
        var values: [String: Tensor] = [:]
        let encoders = (1...depth).map { ("encode\($0)", "encoders.\($0 - 1)") }
        let decoders = decoderNames(depth, coarsestIsLast: true).enumerated()
            .map { ($1, "decoders.\($0)") }
        for (from, to) in encoders + [("bottleneck", "bottleneck")] + decoders {
            for position in 1...3 {
                try take(
                    from + ".conv\(position)", as: "\(to).block.convolution\(position)", &values)
                try takeNormalization(
                    from + ".batchnorm\(position)", as: "\(to).block.normalization\(position)",
                    &values)
            }
            values[to + ".block.activation.weight"] = try take(from + ".prelu.weight")
            guard from != "bottleneck" else { continue }
            let (channel, spatial) = (to + ".recalibration.channel", to + ".recalibration.spatial")
            switch recalibration {
            case .channelAndSpatial:
                try take(from + ".SELayer.cSE.fc1", as: channel + ".reduce", &values)
                try take(from + ".SELayer.cSE.fc2", as: channel + ".expand", &values)
                try take(from + ".SELayer.sSE.conv", as: spatial + ".squeeze", &values)
            case .channel:
                try take(from + ".SELayer.fc1", as: channel + ".reduce", &values)
                try take(from + ".SELayer.fc2", as: channel + ".expand", &values)
            case .spatial: try take(from + ".SELayer.conv", as: spatial + ".squeeze", &values)
            default: break
            }
        }
        try take("classifier.conv", as: "classifier", &values)
        return try network(architecture, values)
    }

    private mutating func take(
        _ from: String, as to: String, _ values: inout [String: Tensor]
    ) throws {
        values[to + ".weight"] = try take(from + ".weight")
        values[to + ".bias"] = try take(from + ".bias")
    }

    private mutating func takeNormalization(
        _ from: String, as to: String, _ values: inout [String: Tensor]
    ) throws {
        try take(from, as: to, &values)
        values[to + ".running_mean"] = try take(from + ".running_mean")
        values[to + ".running_var"] = try take(from + ".running_var")
    }

    // MARK: ReLayNet

    mutating func reLayNet() throws -> SegmentationNetwork {
        let depth = try depth()
        let first = try shape("encode1.conv.weight")
        let classes = try shape("classifier.conv.weight")[0]
        guard first.count == 4, first[2] % 2 == 1, first[3] % 2 == 1 else {
            throw problem("has kernels of \(first.dropFirst(2)), and ReLayNet's are odd")
        }
        let kernel = max(first[2], first[3])
        let architecture = Architecture(
            family: .sdNet, classes: classes, channels: first[0], kernel: kernel, depth: depth,
            contextSlices: first[1], recalibration: .none)
        var values: [String: Tensor] = [:]
        let encoders = (1...depth).map { ("encode\($0)", "encoders.\($0 - 1)") }
        let decoders = decoderNames(depth, coarsestIsLast: false).enumerated()
            .map { ($1, "decoders.\($0)") }
        for (from, to) in encoders + [("bottleneck", "bottleneck")] + decoders {
            let scale: Tensor = try take(from + ".batchnorm.weight")
            let shift: Tensor = try take(from + ".batchnorm.bias")
            let mean = try take(from + ".batchnorm.running_mean")
            let variance = try take(from + ".batchnorm.running_var")
                .elements(as: Double.self)
            let inverse = try Tensor(
                variance.map { Float(1 / ($0 + BatchNorm2d.standardEpsilon).squareRoot()) },
                shape: [variance.count])
            let factor = try scale * inverse
            let weight = try take(from + ".conv.weight")
            let bias = try take(from + ".conv.bias")
            let shape = weight.shape
            let (rows, columns) = ((kernel - shape[2]) / 2, (kernel - shape[3]) / 2)
            values[to + ".block.convolution.weight"] =
                try (weight * factor.reshaped([shape[0], 1, 1, 1]))
                .padded([columns, columns, rows, rows])
            values[to + ".block.convolution.bias"] = try (bias - mean) * factor + shift
            values[to + ".block.activation.weight"] = try take(from + ".prelu.weight")
            // Left over is a normalization that changes nothing.
            let count = shape[0]
            let one = (1 + BatchNorm2d.standardEpsilon).squareRoot()
            values[to + ".block.normalization.weight"] = try .full(one, shape: [count])
            values[to + ".block.normalization.bias"] = try .zeros([count])
            values[to + ".block.normalization.running_mean"] = try .zeros([count])
            values[to + ".block.normalization.running_var"] = try .ones([count])
        }
        try take("classifier.conv", as: "classifier", &values)
        return try network(architecture, values)
    }

    private func network(
        _ architecture: Architecture, _ values: [String: Tensor]
    ) throws -> SegmentationNetwork {
        if let reason = architecture.problem { throw problem("gives a network whose " + reason) }
        let network = try withoutRandomWeights { try SegmentationNetwork(architecture) }
        for (name, parameter) in network.namedParameters {
            guard let value = values[name] else { throw problem("gives no '\(name)'") }
            let shape = parameter.value.shape
            guard value.shape == shape else {
                throw problem("gives '\(name)' in shape \(value.shape) instead of \(shape)")
            }
            try withoutGradients { try parameter.value.copyInPlace(from: value) }
        }
        return network
    }
}
