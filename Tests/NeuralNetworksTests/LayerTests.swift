import Foundation
import NeuralNetworks
import TensorTestSupport
import Tensors
import Testing

/// A layer of the fixtures; which fields there are depends on the layer.
struct LayerConfig: Decodable {
    var layer: String
    var inputs: Int?
    var outputs: Int?
    var stride: [Int]?
    var padding: [Int]?
    var dilation: [Int]?
    var outputPadding: [Int]?
    var kernel: [Int]?
    var groups: Int?
    var bias: Bool?
    var parameters: Int?
    var features: Int?
    var epsilon: Double?
    var momentum: Double?
    var mode: String?

    /// Whether the layer's numbers are one for both axes, as this package's layers have them.
    var isSquare: Bool {
        [stride, padding, dilation, outputPadding, kernel].allSatisfy {
            $0.map { Set($0).count == 1 } ?? true
        }
    }
}

private func cases(_ layer: String) throws -> [NetworkFixture<LayerConfig>] {
    try networkFixtures(where: ["kind": "layer", "layer": layer], as: LayerConfig.self).filter {
        $0.config.isSquare
    }
}

/// PyTorch computes the same up to the order of additions in single precision.
private let tolerance = 1e-5

/// A convolution whose gradients in bfloat16 are compared with those in single precision.
struct RoundedConvolution: CustomTestStringConvertible {
    var inputs: Int, outputs: Int, kernel: Int, stride = 1, dilation = 1, groups = 1

    var testDescription: String {
        "\(inputs)->\(outputs) k\(kernel) s\(stride) d\(dilation) g\(groups)"
    }
}

@Suite struct `A layer computes what PyTorch computes` {
    /// LibTorch's own gradients of dilated kernels in bfloat16 are wrong or not finite in the first six.
    @Test(arguments: [
        RoundedConvolution(inputs: 24, outputs: 24, kernel: 3, dilation: 2),
        RoundedConvolution(inputs: 20, outputs: 20, kernel: 5, dilation: 2),
        RoundedConvolution(inputs: 40, outputs: 40, kernel: 3, dilation: 2, groups: 2),
        RoundedConvolution(inputs: 8, outputs: 8, kernel: 3, dilation: 3, groups: 2),
        RoundedConvolution(inputs: 40, outputs: 16, kernel: 3, dilation: 3),
        RoundedConvolution(inputs: 24, outputs: 24, kernel: 3, stride: 2, dilation: 2),
        RoundedConvolution(inputs: 24, outputs: 24, kernel: 3, stride: 2),
        RoundedConvolution(inputs: 24, outputs: 24, kernel: 3, groups: 3),
        RoundedConvolution(inputs: 40, outputs: 40, kernel: 5, stride: 2, groups: 2),
        RoundedConvolution(inputs: 24, outputs: 24, kernel: 3),
    ])
    func `a convolution's gradients in bfloat16 are those in single precision, rounded`(
        _ shape: RoundedConvolution
    ) throws {
        try Engine.setSeed(3)
        let layer = try Conv2d(
            shape.inputs, shape.outputs, kernel: shape.kernel, stride: shape.stride,
            padding: shape.dilation * (shape.kernel / 2), dilation: shape.dilation,
            groups: shape.groups)
        let image = try Tensor.randomNormal([4, shape.inputs, 32, 32]).contiguous(.channelsLast)
        func gradient(in type: ElementType?) throws -> [Float] {
            let output = try withAutocast(to: type, on: .cpu) { try layer(image) }
            let exact = try output.converted(to: .float32)
            try (exact * exact).mean(over: [0, 1, 2, 3]).backward()
            let gradient = try #require(try layer.weight.value.gradient())
            let numbers = try gradient.elements(as: Float.self)
            try layer.clearGradients()
            return numbers
        }
        let (exact, rounded) = (try gradient(in: nil), try gradient(in: .bfloat16))
        let difference = zip(exact, rounded).reduce(0.0) {
            $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1))
        }
        let size = exact.reduce(0.0) { $0 + Double($1 * $1) }
        #expect((difference / size).squareRoot() < 0.02)
    }

    @Test(arguments: try cases("convolution"))
    func `for a convolution, its stride, dilation and groups`(
        _ fixture: NetworkFixture<LayerConfig>
    ) throws {
        let config = fixture.config
        let layer = try Conv2d(
            #require(config.inputs), #require(config.outputs), kernel: #require(config.kernel)[0],
            stride: #require(config.stride)[0], padding: #require(config.padding)[0],
            dilation: #require(config.dilation)[0], groups: #require(config.groups),
            hasBias: #require(config.bias as Bool?))
        let table = try trainingErrors(of: layer, in: fixture.tensors()) { try layer($0) }
        #expect(table.largest < tolerance, "\(table)")
    }

    @Test(arguments: try cases("transposedConvolution"))
    func `for a transposed convolution`(_ fixture: NetworkFixture<LayerConfig>) throws {
        let config = fixture.config
        let layer = try ConvTranspose2d(
            #require(config.inputs), #require(config.outputs), kernel: #require(config.kernel)[0],
            stride: #require(config.stride)[0], padding: #require(config.padding)[0],
            outputPadding: #require(config.outputPadding)[0])
        let table = try trainingErrors(of: layer, in: fixture.tensors()) { try layer($0) }
        #expect(table.largest < tolerance, "\(table)")
    }

    @Test(arguments: try cases("batchNorm"))
    func `for batch normalisation and its moments`(
        _ fixture: NetworkFixture<LayerConfig>
    ) throws {
        let config = fixture.config
        let layer = try BatchNorm2d(
            #require(config.features), momentum: #require(config.momentum),
            epsilon: #require(config.epsilon))
        let mode = config.mode == "training" ? LayerMode.training : .inference
        let tensors = try fixture.tensors()
        let table = try trainingErrors(of: layer, in: tensors) { try layer($0, mode: mode) }
        #expect(table.largest < tolerance, "\(table)")
        if mode == .training {
            #expect(table.errors["buffer_after.running_mean"] != nil)
            #expect(table.errors["buffer_after.running_var"] != nil)
        } else {
            let kept = try tensors.tensor("buffer.running_mean").elements(as: Float.self)
            #expect(try layer.runningMean.value.elements(as: Float.self) == kept)
        }
    }

    @Test(arguments: try cases("prelu"))
    func `for a rectifier with learned slopes`(_ fixture: NetworkFixture<LayerConfig>) throws {
        let layer = try PReLU(slopeCount: #require(fixture.config.parameters))
        let table = try trainingErrors(of: layer, in: fixture.tensors()) { try layer($0) }
        #expect(table.largest < tolerance, "\(table)")
    }

    @Test(arguments: try cases("linear"))
    func `for a fully connected layer`(_ fixture: NetworkFixture<LayerConfig>) throws {
        let layer = try Linear(#require(fixture.config.inputs), #require(fixture.config.outputs))
        let table = try trainingErrors(of: layer, in: fixture.tensors()) { try layer($0) }
        #expect(table.largest < tolerance, "\(table)")
    }

    @Test func `in cases of every kind`() throws {
        let counts = try ["convolution", "transposedConvolution", "batchNorm", "prelu", "linear"]
            .map { try cases($0).count }
        #expect(counts == [5, 2, 3, 2, 1])
    }
}

@Suite struct `A layer` {
    @Test(arguments: [
        // size, kernel, stride, padding, dilation, expected: (size + 2p - d(k - 1) - 1) / s + 1
        (9, 3, 1, nil, 1, 9), (9, 5, 1, nil, 1, 9), (9, 3, 1, nil, 2, 9), (9, 3, 2, 1, 1, 5),
        (8, 3, 2, 0, 1, 3), (8, 1, 3, 0, 1, 3), (9, 3, 1, 0, 3, 3),
    ])
    func `that convolves gives the size of its formula`(
        size: Int, kernel: Int, stride: Int, padding: Int?, dilation: Int, expected: Int
    ) throws {
        let layer = try Conv2d(
            2, 3, kernel: kernel, stride: stride, padding: padding, dilation: dilation)
        let output = try layer(Tensor.zeros([1, 2, size, size]))
        #expect(output.shape == [1, 3, expected, expected])
    }

    @Test func `starts with weights of variance 2 / fan-in and biases of 0`() throws {
        let layer = try Conv2d(64, 64, kernel: 3)
        let weights = try layer.weight.value.elements(as: Double.self)
        let mean = weights.reduce(0, +) / Double(weights.count)
        let variance = weights.reduce(0) { $0 + $1 * $1 } / Double(weights.count)
        // 36,864 normal numbers: the variance is within 0.74% (one sigma), 5% is seven of them.
        #expect(abs(variance * Double(64 * 9) / 2 - 1) < 0.05)
        #expect(abs(mean) < 7 * (2.0 / 576 / 36864).squareRoot())
        #expect(try layer.bias?.value.elements(as: Float.self) == .init(repeating: 0, count: 64))
    }

    @Test func `names its parameters as checkpoints do`() throws {
        #expect(
            try BatchNorm2d(2).namedParameters.map(\.name) == [
                "weight", "bias", "running_mean", "running_var",
            ])
        #expect(try BatchNorm2d(3).trainableCount == 6)
        #expect(
            try Conv2d(1, 1, kernel: 1, hasBias: false).namedParameters.map(\.name) == ["weight"])
    }

    @Test func `moves to another type and still learns`() throws {
        let layer = try BatchNorm2d(2)
        try layer.move(to: .cpu, type: .float64)
        #expect(layer.namedParameters.allSatisfy { $0.parameter.value.elementType == .float64 })
        let input = try Tensor([1, 2, 3, 5] as [Double], shape: [2, 2, 1, 1])
        try layer(input, mode: .training).sum().backward()
        #expect(try layer.bias.value.gradient()?.elements(as: Double.self) == [2, 2])
        #expect(try layer.runningMean.value.gradient() == nil)
        // Momentum 0.1 from 0 toward the means 2 and 3.5.
        #expect(
            try largestError(of: layer.runningMean.value, against: Tensor([0.2, 0.35], shape: [2]))
                < 1e-6)
        try layer.clearGradients()
        #expect(try layer.bias.value.gradient() == nil)
    }

    @Test func `normalises to mean 0 and variance 1 in training`() throws {
        let layer = try BatchNorm2d(3)
        let output = try layer(Tensor.randomNormal([4, 3, 8, 8]) * 7 + 5, mode: .training)
        let mean = try output.mean(over: [0, 2, 3]).elements(as: Double.self)
        let square = try (output * output).mean(over: [0, 2, 3]).elements(as: Double.self)
        #expect(mean.allSatisfy { abs($0) < 1e-5 })
        #expect(square.allSatisfy { abs($0 - 1) < 1e-3 })
    }

    @Test func `of groups that do not divide its channels stops the program`() async {
        await #expect(processExitsWith: .failure) { _ = try? Conv2d(3, 4, kernel: 1, groups: 2) }
    }
}

@Suite struct `Dropout of channels` {
    @Test func `drops whole channels and scales the rest, as often as it is told`() throws {
        let (channels, probability) = (4000, 0.25)
        let image = try Tensor.ones([1, channels, 2, 2])
        let output = try Dropout2d(probability: probability)(image, mode: .training)
        let values = try output.elements(as: Float.self)
        var dropped = 0
        for channel in 0..<channels {
            let pixels = Set(values[channel * 4..<channel * 4 + 4])
            #expect(pixels == [0] || pixels == [Float(1 / 0.75)])
            if pixels == [0] { dropped += 1 }
        }
        // One sigma of a binomial share is 0.0068.
        #expect(abs(Double(dropped) / Double(channels) - probability) < 0.05)
    }

    @Test func `does nothing in use, nor at probability 0`() throws {
        let image = try Tensor([1, 2, 3, 4] as [Float], shape: [1, 4, 1, 1])
        let used = try Dropout2d(probability: 0.9)(image, mode: .inference)
        #expect(try used.elements(as: Float.self) == [1, 2, 3, 4])
        let never = try Dropout2d(probability: 0)(image, mode: .training)
        #expect(try never.elements(as: Float.self) == [1, 2, 3, 4])
    }

    @Test func `lets the gradient through where the channel stays`() throws {
        let image = try Tensor.ones([1, 64, 1, 1]).requiresGradient()
        let output = try Dropout2d(probability: 0.5)(image, mode: .training)
        try output.sum().backward()
        #expect(
            try image.gradient()?.elements(as: Float.self) == output.elements(as: Float.self))
    }

    @Test(arguments: [1.0, -0.5]) func `with no such probability stops the program`(
        probability: Double
    ) async {
        await #expect(processExitsWith: .failure) { [probability] in
            _ = Dropout2d(probability: probability)
        }
    }
}
