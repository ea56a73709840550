import NeuralNetworks
import SegmentationModels
import Tensors
import Testing

/// What PyTorch computes for a network whose weights are numbers that both sides compute.
struct NumberedResults: Decodable {
    var image: [Int]
    var evaluatedImage: [Int]
    var evaluation: Output
    var training: Output
    /// Of the image and each weight, the norm and a product with known numbers; empty where training
    /// draws.
    var gradients: [[Double]]

    struct Output: Decodable {
        var shape: [Int]
        var values: [Double]
    }
}

/// The numbers in -1..<1 that the fixtures' script computes too: SplitMix64 of tensor and element.
private func numbers(_ tensor: Int, _ shape: [Int]) throws -> [Double] {
    (0..<shape.reduce(1, *)).map { element in
        var z = (UInt64(tensor) << 32) &+ UInt64(element) &+ 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        z ^= z >> 31
        return Double(z >> 40) / 8_388_608 - 1
    }
}

private let imageTensor = 1_000_000
private let probeTensor = 1_000_001
private let gradientTensor = 2_000_000

/// Gives every parameter and buffer its numbers, in double precision.
private func fill(_ network: any Layer) throws {
    try network.move(to: .cpu, type: .float64)
    for (position, (name, parameter)) in network.namedParameters.enumerated() {
        let shape = parameter.value.shape
        var values = try numbers(position, shape)
        let inputs = Double(shape.dropFirst().reduce(1, *))
        let bound = (6 / inputs).squareRoot()
        for index in values.indices {
            let u = values[index]
            values[index] =
                name.hasSuffix("running_var")
                ? 1 + 0.5 * u
                : name.hasSuffix("running_mean")
                    ? 0.1 * u
                    : name.hasSuffix("bias")
                        ? 0.1 * u
                        : shape.count > 1
                            ? bound * u
                            : name.contains("activation") ? 0.25 + 0.1 * u : 1 + 0.25 * u
        }
        try withoutGradients {
            try parameter.value.copyInPlace(from: Tensor(values, shape: shape))
        }
    }
}

/// The largest difference of an output from PyTorch's, relative to its largest value.
private func error(_ output: Tensor, _ expected: NumberedResults.Output) throws -> Double {
    #expect(output.shape == expected.shape)
    let values = try output.elements(as: Double.self)
    let step = max(1, values.count / 16)
    let sampled = stride(from: 0, to: values.count, by: step).map { values[$0] }
    #expect(sampled.count == expected.values.count)
    let scale = expected.values.map(abs).max() ?? 1
    return zip(sampled, expected.values).map { abs($0 - $1) / scale }.max() ?? .infinity
}

/// Holds a network to PyTorch's output in use, its output in training and all gradients.
func largestError<Network: Block>(
    of network: Network, _ expected: NumberedResults,
    compute: (Tensor, LayerMode) throws -> Tensor
) throws -> (output: Double, gradient: Double) {
    try fill(network)
    let evaluated = try withoutGradients {
        try compute(
            Tensor(
                numbers(imageTensor, expected.evaluatedImage), shape: expected.evaluatedImage),
            .inference)
    }
    var output = try error(evaluated, expected.evaluation)
    if expected.gradients.isEmpty { return (output, 0) }
    let image = try Parameter(
        Tensor(numbers(imageTensor, expected.image), shape: expected.image))
    let trained = try compute(image.value, .training)
    output = max(output, try error(trained, expected.training))
    let probe = try Tensor(numbers(probeTensor, trained.shape), shape: trained.shape)
    try (trained * probe).sum().backward()

    var gradients: [(position: Int, parameter: Parameter)] = [(-1, image)]
    for (position, named) in network.namedParameters.enumerated()
    where named.parameter.isTrainable {
        gradients.append((position, named.parameter))
    }
    #expect(gradients.count == expected.gradients.count)
    var largest = 0.0
    let norms = expected.gradients.map { $0[0] }
    let scale = norms.max() ?? 1
    for ((position, parameter), row) in zip(gradients, expected.gradients) {
        let values = try #require(try parameter.value.gradient()).elements(as: Double.self)
        let known = try numbers(gradientTensor + position, parameter.value.shape)
        let norm = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
        let product = zip(values, known).reduce(0) { $0 + $1.0 * $1.1 }
        // A bias before a normalization has a gradient of nothing but rounding.
        let unit = max(row[0], 1e-6 * scale)
        largest = max(largest, abs(norm - row[0]) / unit, abs(product - row[1]) / unit)
    }
    return (output, largest)
}
