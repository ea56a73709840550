import NeuralNetworks
import SegmentationModels
import TensorTestSupport
import Tensors
import Testing

/// What a layer gives for an image of a type, with the gradients of the sum of squares of its
/// output: of the image, then of each weight.
private func outcome(
    of layer: any Layer, _ image: Tensor, as type: ElementType,
    parameters: [[Double]], compute: (Tensor) throws -> Tensor
) throws -> [[Double]] {
    // Images of half precision meet weights of single precision, as under autocast.
    let weights: ElementType = type == .float64 ? .float64 : .float32
    try layer.move(to: .cpu, type: weights)
    for ((_, parameter), values) in zip(layer.namedParameters, parameters) {
        try withoutGradients {
            try parameter.value.copyInPlace(from: Tensor(values, shape: parameter.value.shape))
        }
        try parameter.value.clearGradient()
    }
    let input = try Parameter(image.converted(to: type).contiguous(.channelsLast))
    let output = try compute(input.value)
    try (output.converted(to: weights) * output.converted(to: weights)).sum().backward()
    var values = [try output.elements(as: Double.self)]
    values.append(try #require(try input.value.gradient()).elements(as: Double.self))
    for (_, parameter) in layer.namedParameters {
        let state =
            try parameter.isTrainable
            ? #require(try parameter.value.gradient()) : parameter.value.detached()
        values.append(try state.elements(as: Double.self))
    }
    return values
}

/// The largest difference of two lists, as a part of the largest value.
private func relativeError(_ values: [Double], _ expected: [Double]) -> Double {
    let scale = expected.reduce(1e-3) { max($0, abs($1)) }
    return zip(values, expected).reduce(0) { max($0, abs($1.0 - $1.1)) } / scale
}

/// Operators that join passes over memory, held to LibTorch's single ones in double precision.
///
/// The image has more than one block of pixels, and the channels do not fill a vector.
struct JoinedOperatorTests {
    private static let shape = [3, 19, 23, 31]

    /// Rounding: 24 bits of fp32 over some 2,000 pixels, 8 bits of bf16.
    ///
    /// Weights' gradients are sums, over which bf16 rounding of the image's values averages out.
    @Test(arguments: [(ElementType.float32, 2e-5), (.bfloat16, 1.5e-2)])
    func `squeeze & excitation is that of its parts`(
        type: ElementType, tolerance: Double
    ) throws {
        let image = try Tensor.randomNormal(Self.shape).converted(to: .bfloat16)
        let block = try RecalibrationBlock(.channelAndSpatial(), channels: 19)
        let parameters = try block.namedParameters.map {
            try Tensor.randomNormal($0.parameter.value.shape).elements(as: Double.self)
        }
        let expected = try outcome(of: block, image, as: .float64, parameters: parameters) {
            try block($0, mode: .training)
        }
        let values = try outcome(of: block, image, as: type, parameters: parameters) {
            #expect($0.allowsJoinedOperators)
            return try block($0, mode: .training)
        }
        for (position, (value, other)) in zip(values, expected).enumerated() {
            #expect(relativeError(value, other) < tolerance, "\(position)")
        }
    }

    @Test(arguments: [(ElementType.float32, 2e-5), (.bfloat16, 1.5e-2)])
    func `batch normalisation with its rectifier is that of its parts`(
        type: ElementType, tolerance: Double
    ) throws {
        // Far from 0, where a sum of squares alone would lose the variance.
        let image = try (Tensor.randomNormal(Self.shape) * 0.5 + 20).converted(to: .bfloat16)
        let layer = try BatchNorm2d(19)
        let parameters = try layer.namedParameters.map {
            try Tensor.randomNormal($0.parameter.value.shape).elements(as: Double.self)
        }
        let expected = try outcome(of: layer, image, as: .float64, parameters: parameters) {
            #expect(!$0.allowsJoinedOperators)
            return try layer.rectified($0, mode: .training)
        }
        let values = try outcome(of: layer, image, as: type, parameters: parameters) {
            try layer.rectified($0, mode: .training)
        }
        for (position, (value, other)) in zip(values, expected).enumerated() {
            #expect(relativeError(value, other) < tolerance, "\(position)")
        }
    }

    /// Winograd's algorithm, where the processor has it; sizes with and without whole tiles.
    @Test(
        .enabled(
            if: (try? Engine.convolutionCapability().hasPrefix("AVX")) ?? false,
            "needs a processor with AVX2 and without AMX"),
        arguments: [(3, 16, 48), (5, 48, 16), (5, 64, 80), (3, 128, 64), (7, 32, 64)],
        [(ElementType.float32, 6e-5), (.bfloat16, 1e-2)])
    func `a convolution that learns is the sum that it stands for`(
        sizes: (kernel: Int, inputs: Int, outputs: Int),
        precision: (type: ElementType, tolerance: Double)
    ) throws {
        let (kernel, inputs, outputs) = sizes
        for (height, width) in [(23, 31), (12, 24), (5, 2)] {
            let image = try Tensor.randomNormal([3, inputs, height, width])
                .converted(to: .bfloat16)
            let layer = try Conv2d(
                inputs, outputs, kernel: kernel, padding: kernel / 2)
            let parameters = try layer.namedParameters.map {
                try (Tensor.randomNormal($0.parameter.value.shape) * 0.1)
                    .elements(as: Double.self)
            }
            let expected = try outcome(of: layer, image, as: .float64, parameters: parameters) {
                try layer($0, mode: .training)
            }
            let values = try outcome(
                of: layer, image, as: precision.type, parameters: parameters
            ) { try layer($0, mode: .training) }
            #expect(values.count == 4)
            for (position, (value, other)) in zip(values, expected).enumerated() {
                #expect(
                    relativeError(value, other) < precision.tolerance,
                    "\(position) of \(height)x\(width)")
            }
        }
    }

    @Test func `in use, the rectifier follows the recorded moments`() throws {
        let layer = try BatchNorm2d(2)
        let image = try Tensor([-3, 5, 7, -9] as [Float], shape: [1, 2, 1, 2])
        // Mean 0 and variance 1 + 1e-5.
        let output: [Float] = try layer.rectified(image, mode: .inference).elements()
        for (value, expected) in zip(output, [0, 5, 7, 0] as [Float]) {
            #expect(abs(value - expected) < 1e-4)
        }
    }

    @Test func `the threads do not change a bit`() throws {
        let image = try Tensor.randomNormal(Self.shape).converted(to: .bfloat16)
        let block = try RecalibrationBlock(.channelAndSpatial(), channels: 19)
        let layer = try BatchNorm2d(19)
        let threads = try Engine.threadCount()
        defer { try? Engine.setThreadCount(threads) }
        func results(threads: Int) throws -> [[Double]] {
            try Engine.setThreadCount(threads)
            let parameters = block.namedParameters.map {
                [Double](repeating: 0.25, count: $0.parameter.value.count)
            }
            return try outcome(
                of: block, image, as: .bfloat16, parameters: parameters
            ) { try layer.rectified(block($0, mode: .training), mode: .training) }
        }
        let alone = try results(threads: 1)
        #expect(try results(threads: 2) == alone)
    }
}
