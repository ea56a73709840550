import TensorTestSupport
import Tensors
import Testing

/// An operation without weights of the fixtures.
struct OperationConfig: Decodable {
    var layer: String
    var kernel: Int?
    var stride: Int?
    var padding: Int?
    var outputSize: [Int]?
    var mode: String?

    var size: (height: Int, width: Int) { (outputSize?[0] ?? 0, outputSize?[1] ?? 0) }
}

/// Pooling here knows no padding; the fixtures that have some are left out.
private func cases(_ layer: String) throws -> [NetworkFixture<OperationConfig>] {
    try networkFixtures(where: ["kind": "layer", "layer": layer], as: OperationConfig.self)
        .filter { $0.config.padding ?? 0 == 0 }
}

private func errors(
    _ fixture: NetworkFixture<OperationConfig>, _ forward: (Tensor) throws -> Tensor
) throws -> Double {
    try trainingErrors(of: nil, in: fixture.tensors(), forward: forward).largest
}

/// PyTorch computes the same up to the order of additions in single precision.
private let tolerance = 1e-5

@Suite struct `An operation computes what PyTorch computes` {
    @Test(arguments: try cases("maxPool"))
    func `for the largest of each window and its place`(
        _ fixture: NetworkFixture<OperationConfig>
    ) throws {
        let (kernel, stride) = (try #require(fixture.config.kernel), fixture.config.stride ?? 2)
        let expected = try fixture.tensors().tensor("indices").elements(as: Int64.self)
        var found: [Int64] = []
        let error = try errors(fixture) {
            let (values, indices) = try $0.maxPooledWithIndices(kernel: kernel, stride: stride)
            found = try indices.elements()
            return values
        }
        #expect(error < tolerance)
        #expect(found == expected)
        #expect(
            try errors(fixture) { try $0.maxPooled(kernel: kernel, stride: stride) } < tolerance)
    }

    @Test(arguments: try cases("maxUnpool"))
    func `for putting maxima back`(_ fixture: NetworkFixture<OperationConfig>) throws {
        let indices = try fixture.tensors().tensor("indices")
        let error = try errors(fixture) {
            try $0.maxUnpooled(indices: indices, size: fixture.config.size)
        }
        #expect(error < tolerance)
    }

    @Test(arguments: try cases("averagePool"))
    func `for the mean of each window`(_ fixture: NetworkFixture<OperationConfig>) throws {
        let (kernel, stride) = (try #require(fixture.config.kernel), fixture.config.stride ?? 2)
        #expect(
            try errors(fixture) { try $0.averagePooled(kernel: kernel, stride: stride) } < tolerance
        )
    }

    @Test(arguments: try cases("globalAveragePool"))
    func `for the mean of each channel`(_ fixture: NetworkFixture<OperationConfig>) throws {
        let error = try errors(fixture) { try $0.mean(over: [2, 3], keepDimensions: true) }
        #expect(error < tolerance)
    }

    @Test(arguments: try cases("interpolation"))
    func `for resizing`(_ fixture: NetworkFixture<OperationConfig>) throws {
        let size = fixture.config.size
        let error = try errors(fixture) {
            fixture.config.mode == "nearest"
                ? try $0.upsampledNearest(size: size) : try $0.upsampledBilinear(size: size)
        }
        #expect(error < tolerance)
    }

    @Test(arguments: try cases("softmax"))
    func `for probabilities`(_ fixture: NetworkFixture<OperationConfig>) throws {
        #expect(try errors(fixture) { try $0.softmax(dimension: 1) } < tolerance)
    }

    @Test(arguments: try cases("logSoftmax"))
    func `for logarithms of probabilities`(_ fixture: NetworkFixture<OperationConfig>) throws {
        let error = try errors(fixture) {
            try $0.permuted([0, 2, 3, 1]).logSoftmax().permuted([0, 3, 1, 2])
        }
        #expect(error < tolerance)
    }

    @Test func `in cases of every kind`() throws {
        let layers = [
            "maxPool", "maxUnpool", "averagePool", "globalAveragePool", "interpolation", "softmax",
            "logSoftmax",
        ]
        #expect(try layers.map { try cases($0).count } == [2, 2, 1, 1, 6, 1, 1])
    }
}

@Suite struct `By hand` {
    @Test func `unpooling puts maxima where they were and zeros elsewhere`() throws {
        let image: [Float] = [
            1, 9, 2, 3,
            4, 5, 8, 7,
            6, 6, 0, -1,
            5, 7, -2, -3,
        ]
        let (values, indices) = try Tensor(image, shape: [1, 1, 4, 4]).maxPooledWithIndices()
        #expect(try values.elements(as: Float.self) == [9, 8, 7, 0])
        #expect(try indices.elements(as: Int64.self) == [1, 6, 13, 10])
        let back = try values.maxUnpooled(indices: indices, size: (4, 4))
        #expect(
            try back.elements(as: Float.self) == [0, 9, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 7, 0, 0])
    }

    @Test func `rectifier and sigmoid`() throws {
        let x = try Tensor([-2, 0, 2] as [Float], shape: [1, 3])
        #expect(try x.relu().elements(as: Float.self) == [0, 0, 2])
        let slope = try Tensor([0.25] as [Float], shape: [1])
        #expect(try x.prelu(weight: slope).elements(as: Float.self) == [-0.5, 0, 2])
        #expect(try x.sigmoid().elements(as: Float.self)[1] == 0.5)
    }

    @Test func `softmax of equal logits is even, also of large ones`() throws {
        let even = try Tensor([1000, 1000, 1000, 1000] as [Float], shape: [1, 4, 1, 1])
        #expect(
            try even.softmax(dimension: 1).elements(as: Float.self) == [0.25, 0.25, 0.25, 0.25])
    }

    @Test func `bilinear growth keeps a constant and the corners' order`() throws {
        let image = try Tensor([1, 2, 3, 4] as [Float], shape: [1, 1, 2, 2])
        let grown = try image.upsampledBilinear(size: (4, 4)).elements(as: Float.self)
        // Pixel centres at -1/4, 1/4, 3/4, 5/4 of the small image's spacing, clamped to it.
        #expect(Array(grown[0..<4]) == [1, 1.25, 1.75, 2])
        #expect(Array(grown[12..<16]) == [3, 3.25, 3.75, 4])
        let nearest = try image.upsampledNearest(size: (4, 4)).elements(as: Float.self)
        #expect(nearest == [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4])
    }

    @Test(arguments: [1, 2, 4])
    func `a convolution of a channels-last image is that of a row-major one`(groups: Int) throws {
        let image = try Tensor.randomNormal([2, 4, 7, 6])
        let weight = try Tensor.randomNormal([8, 4 / groups, 3, 3])
        let bias = try Tensor.randomNormal([8])
        let rowMajor = try image.convolved(weight: weight, bias: bias, padding: 1, groups: groups)
        let channelsLast = try image.contiguous(.channelsLast).convolved(
            weight: weight.contiguous(.channelsLast), bias: bias, padding: 1, groups: groups)
        #expect(try largestError(of: channelsLast, against: rowMajor) < 1e-5)
    }
}
