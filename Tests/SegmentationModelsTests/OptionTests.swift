import Foundation
import NeuralNetworks
import SegmentationModels
import TensorTestSupport
import Tensors
import TestSupport
import Testing

/// Recalibration blocks and networks of fixtures/networks/options.json.
private struct OptionFixtures: Decodable {
    var blocks: [BlockRow]
    var networks: [NetworkRow]

    struct BlockRow: Decodable {
        var channels: Int
        var config: Config
        var results: NumberedResults
    }

    struct Config: Decodable {
        var recalibration: String
        var reductionRatio: Int?
        var hasBiases: Bool?
        var selectiveKernel: SelectiveKernel?

        func kind() throws -> Recalibration {
            let kinds = Recalibration.all(
                reductionRatio: reductionRatio, hasBiases: hasBiases ?? true,
                selectiveKernel: selectiveKernel ?? SelectiveKernel())
            return try #require(kinds.first { $0.name == recalibration })
        }
    }

    struct NetworkRow: Decodable {
        var architecture: Architecture
        var results: NumberedResults
    }
}

@Suite struct `Blocks and options against PyTorch` {
    private static let fixtures: OptionFixtures? = try? decodeFixture("networks/options.json")

    @Test func `squeezes of both directions and selective kernels compute the same`() throws {
        let rows = try #require(Self.fixtures).blocks
        #expect(rows.count == 6)
        for row in rows {
            let block = try RecalibrationBlock(row.config.kind(), channels: row.channels)
            let errors = try largestError(of: block, row.results) { try block($0, mode: $1) }
            print("\(try row.config.kind()): output \(errors.output), gradients \(errors.gradient)")
            #expect(errors.output < 1e-9)
            #expect(errors.gradient < 1e-7)
        }
    }

    @Test func `every pooling, groups, dilation and residual blocks compute the same`() throws {
        let rows = try #require(Self.fixtures).networks
        #expect(
            Set(rows.map(\.architecture.encoder.pooling)) == Set(LevelPooling.allCases))
        for row in rows {
            let network = try SegmentationNetwork(row.architecture)
            let errors = try largestError(of: network, row.results) { try network($0, mode: $1) }
            print("\(row.architecture): output \(errors.output), gradients \(errors.gradient)")
            #expect(errors.output < 1e-9)
            #expect(errors.gradient < 1e-7)
        }
    }

    @Test func `blocks have as many parameters as their formulas say`() throws {
        func count(_ kind: Recalibration, _ channels: Int) throws -> Int {
            try RecalibrationBlock(kind, channels: channels).trainableCount
        }
        // 2 C²/r weights; with biases C/r + C more.
        #expect(try count(.squeezeAndExcitation(), 64) == 2 * 64 * 4 + 4 + 64)
        #expect(try count(.squeezeAndExcitation(hasBiases: false), 64) == 2 * 64 * 4)
        #expect(try count(.expandedSqueeze(ratio: 2), 64) == 2 * 64 * 128)
        #expect(try count(.channel(reductionRatio: 2), 64) == 2 * 64 * 32 + 32 + 64)
        #expect(try count(.spatial, 64) == 65)
        // Branches C²/G Σk² + 2MC, selection C d + 2 d + M C d with d = max(C/r, L).
        #expect(
            try count(.selectiveKernel(), 64)
                == 64 * 2 * (9 + 9) + 2 * 2 * 64 + 64 * 32 + 2 * 32 + 2 * 64 * 32)
        let wide = SelectiveKernel(
            branches: 3, reach: .kernel, groups: 8, reductionRatio: 2, minimumWidth: 8)
        #expect(
            try count(.selectiveKernel(wide), 32)
                == 32 * 4 * (9 + 25 + 49) + 2 * 3 * 32 + 32 * 16 + 2 * 16 + 3 * 32 * 16)
    }
}

@Suite struct `Stochastic pooling` {
    /// One window of 1, 2, 3 and 4.
    private func image() throws -> Tensor {
        try Tensor([1, 2, 3, 4] as [Float], shape: [1, 1, 2, 2])
    }

    @Test func `takes the mean by probabilities in use`() throws {
        // (1 + 4 + 9 + 16) / 10.
        let pooled = try Pooling2d(.stochastic)(image(), mode: .inference)
        #expect(abs(try pooled.item() - 3) < 1e-6)
    }

    @Test func `draws each value in proportion to it in training`() throws {
        let windows = try Tensor(
            (0..<20_000).flatMap { _ in [1, 3, 2, 4] as [Float] }, shape: [20_000, 1, 2, 2])
        let drawn: [Float] = try Pooling2d(.stochastic)(windows, mode: .training).elements()
        for value in 1...4 {
            let share = Double(drawn.count { $0 == Float(value) }) / 20_000
            // Five standard deviations of a share of 20,000 draws are at most 0.018.
            #expect(abs(share - Double(value) / 10) < 0.018, "\(value)")
        }
    }

    @Test func `passes its gradient to the value that was drawn`() throws {
        let input = try Parameter(image())
        let pooled = try Pooling2d(.stochastic)(input.value, mode: .training)
        try pooled.sum().backward()
        let gradient: [Float] = try #require(try input.value.gradient()).elements()
        #expect(gradient.reduce(0, +) == 1)
        #expect(Double(try #require(gradient.firstIndex(of: 1)) + 1) == (try pooled.item()))
    }

    @Test func `halves nothing where a window holds no positive value`() throws {
        let windows = try Tensor([0, 0, 0, 0, -1, -1, -1, -1] as [Float], shape: [2, 1, 2, 2])
        for mode in [LayerMode.training, .inference] {
            let pooled: [Float] = try Pooling2d(.stochastic)(windows, mode: mode).elements()
            #expect(pooled == [0, -1])
        }
    }
}
