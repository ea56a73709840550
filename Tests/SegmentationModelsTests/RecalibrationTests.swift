import Foundation
import NeuralNetworks
import SegmentationModels
import TensorTestSupport
import Tensors
import Testing

/// Channels 0 and 1 with means 2 and ln 3 - 2, so that W₁ = (1 1) squeezes them to ln 3, whose
/// sigmoid is 3/4; the sigmoid of its negative is 1/4.
private let ln3 = log(Float(3))
private let image: [Float] = [1, 3, ln3 - 1, ln3 - 3]

private func makeImage() throws -> Tensor { try Tensor(image, shape: [1, 2, 1, 2]) }

extension Layer {
    fileprivate func set(_ name: String, _ values: [Float]) throws {
        let parameter = try #require(namedParameters.first { $0.name == name }?.parameter)
        parameter.value = try Tensor(values, shape: parameter.value.shape)
    }

    fileprivate func setChannelWeights(_ start: String = "") throws {
        try set(start + "reduce.weight", [1, 1])
        try set(start + "expand.weight", [1, -1])
    }
}

private func isClose(_ tensor: Tensor, _ expected: [Float]) throws -> Bool {
    try largestError(of: tensor, against: Tensor(expected, shape: tensor.shape)) < 1e-6
}

@Suite struct `Recalibration by hand` {
    @Test func `of channels scales each by its excitation`() throws {
        let block = try ChannelRecalibration(channels: 2, reductionRatio: 2)
        try block.setChannelWeights()
        let output = try block(makeImage())
        #expect(
            try isClose(output, [0.75 * 1, 0.75 * 3, 0.25 * (ln3 - 1), 0.25 * (ln3 - 3)]))
    }

    @Test func `of channels halves them where the rectifier closes`() throws {
        let block = try ChannelRecalibration(channels: 2, reductionRatio: 2)
        try block.setChannelWeights()
        try block.set("reduce.bias", [-ln3 - 1])
        #expect(try isClose(block(makeImage()), image.map { $0 / 2 }))
    }

    @Test func `of channels has at least one hidden channel`() throws {
        let block = try ChannelRecalibration(channels: 2, reductionRatio: 4)
        #expect(
            block.namedParameters.map { $0.parameter.value.shape } == [[1, 2], [1], [2, 1], [2]])
    }

    @Test func `of pixels scales each by its excitation`() throws {
        let block = try SpatialRecalibration(channels: 2)
        // w x is x₀ + x₁ - 2 x₁ = 2 - ln 3 and 6 - ln 3; the bias brings the first to ln 3.
        try block.set("squeeze.weight", [1, -1])
        try block.set("squeeze.bias", [2 * ln3 - 2])
        let second = 1 / (1 + exp(-(6 - ln3 + 2 * ln3 - 2)))
        #expect(
            try isClose(
                block(makeImage()),
                [0.75 * 1, second * 3, 0.75 * (ln3 - 1), second * (ln3 - 3)]))
    }

    @Test(arguments: Combination.allCases)
    func `of both joins them as it is told`(_ combination: Combination) throws {
        let block = try RecalibrationBlock(
            .channelAndSpatial(combination: combination), channels: 2)
        try block.setChannelWeights("channel.")
        // Every pixel is scaled by 1/2.
        try block.set("spatial.squeeze.weight", [0, 0])
        let byChannel: [Float] = [0.75 * 1, 0.75 * 3, 0.25 * (ln3 - 1), 0.25 * (ln3 - 3)]
        let bySpace = image.map { $0 / 2 }
        let expected: [Float]
        switch combination {
        case .addition: expected = zip(byChannel, bySpace).map { $0 + $1 }
        case .maximum: expected = zip(byChannel, bySpace).map { max($0, $1) }
        case .product: expected = zip(byChannel, bySpace).map { $0 * $1 }
        case .concatenation:
            // Output 0 is twice channel 0 by channel, output 1 is channel 1 by space plus 5.
            try block.set("fuse.weight", [2, 0, 0, 0, 0, 0, 0, 1])
            try block.set("fuse.bias", [0, 5])
            expected = byChannel[0..<2].map { 2 * $0 } + bySpace[2..<4].map { $0 + 5 }
        }
        #expect(try isClose(block(makeImage()), expected))
    }

    @Test func `of neither hands the image on`() throws {
        let block = try RecalibrationBlock(.none, channels: 2)
        #expect(block.namedParameters.isEmpty)
        #expect(try block(makeImage()).elements(as: Float.self) == image)
    }

    @Test(arguments: Combination.allCases)
    func `has the gradients of finite differences in double precision`(
        _ combination: Combination
    ) throws {
        let block = try RecalibrationBlock(
            .channelAndSpatial(combination: combination), channels: 6)
        try block.move(to: .cpu, type: .float64)
        let input = try Parameter(Tensor.randomNormal([2, 6, 3, 4]).converted(to: .float64))
        let probe = try Tensor.randomNormal([2, 6, 3, 4]).converted(to: .float64)
        func loss() throws -> Tensor { try (block(input.value) * probe).sum() }
        try loss().backward()
        for (name, parameter) in block.namedParameters + [(name: "input", parameter: input)] {
            let exact = try #require(try parameter.value.gradient()).elements(as: Double.self)
            let values = try parameter.value.detached().elements(as: Double.self)
            let shape = parameter.value.shape
            let step = 1e-6
            for position in stride(from: 0, to: values.count, by: max(1, values.count / 12)) {
                func moved(_ difference: Double) throws -> Double {
                    var moved = values
                    moved[position] += difference
                    parameter.value = try Tensor(moved, shape: shape)
                    return try loss().item()
                }
                let difference = try (moved(step) - moved(-step)) / (2 * step)
                // The second order of the step and the rounding of the sum, both about 1e-9.
                #expect(
                    abs(difference - exact[position]) < 1e-7 * max(1, abs(difference)),
                    "\(name)[\(position)]")
            }
            parameter.value = try Tensor(values, shape: shape)
        }
    }
}
