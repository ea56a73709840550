import NeuralNetworks
import SegmentationModels
import TensorTestSupport
import Tensors
import Testing

/// One recalibration block of the fixtures.
private struct BlockConfig: Decodable {
    var recalibration: String
    var channels: Int
    var reductionRatio: Int
    var combination: Combination

    func makeBlock() throws -> RecalibrationBlock {
        let kinds = Recalibration.all(reductionRatio: reductionRatio, combination: combination)
        return try RecalibrationBlock(
            #require(kinds.first { $0.name == recalibration }), channels: channels)
    }
}

/// How near to PyTorch each type comes.
///
/// 1e-4 allows for the order of additions in single precision. In double precision nothing is left
/// but the rounding of the expected values to single precision, 2^-24.
private let tolerances: [(type: ElementType, tolerance: Double)] = [
    (.float32, 1e-4), (.float64, 1e-7),
]

@Suite struct `Against PyTorch` {
    @Test func `there are 12 networks, their variants and 8 blocks`() throws {
        let all = try networkFixtures(where: ["kind": "network"], as: Architecture.self)
        let plain = all.filter {
            $0.description == "\($0.config.encoder.name)-\($0.config.recalibration.name)"
        }
        #expect(plain.count == 12)
        #expect(all.count == 23)
        #expect(
            try networkFixtures(where: ["kind": "recalibration"], as: BlockConfig.self).count == 8)
    }

    @Test(arguments: try networkFixtures(where: ["kind": "network"], as: Architecture.self))
    func `a network computes the same output, gradients, moments and evaluation`(
        _ fixture: NetworkFixture<Architecture>
    ) throws {
        let tensors = try fixture.tensors()
        for (type, tolerance) in tolerances {
            let network = try SegmentationNetwork(fixture.config)
            var table = try trainingErrors(of: network, in: tensors, type: type) {
                try network($0, mode: .training)
            }
            let output = try withoutGradients {
                try network(tensors.tensor("input").converted(to: type), mode: .inference)
            }
            try table.add("output_eval", output, against: tensors.tensor("output_eval"))
            print("\(fixture) in \(type): largest error \(table)")
            #expect(table.largest <= tolerance, "\(fixture) in \(type): \(table)")
        }
    }

    @Test(arguments: try networkFixtures(where: ["kind": "recalibration"], as: BlockConfig.self))
    private func `a recalibration block computes the same output and gradients`(
        _ fixture: NetworkFixture<BlockConfig>
    ) throws {
        for (type, tolerance) in tolerances {
            let block = try fixture.config.makeBlock()
            let table = try trainingErrors(of: block, in: fixture.tensors(), type: type) {
                try block($0)
            }
            print("\(fixture) in \(type): largest error \(table)")
            #expect(table.largest <= tolerance, "\(fixture) in \(type): \(table)")
        }
    }
}

@Suite struct `The size of a network` {
    @Test(arguments: [
        (NetworkFamily.uNet(), 28, Recalibration.none, 2_154_972),
        (.uNet(), 28, .channelAndSpatial(), 2_154_972 + 34_056),
        (.denseNet, 33, .none, 3_517_296),
        (.sdNet, 28, .none, 1_233_957),
    ])
    func `is the papers', with biases and the normalisation's and rectifiers' parameters`(
        family: NetworkFamily, classes: Int, recalibration: Recalibration, expected: Int
    ) throws {
        let network = try SegmentationNetwork(
            Architecture(family: family, classes: classes, recalibration: recalibration))
        #expect(network.trainableCount == expected)
    }

    @Test func `grows by 33,280 weights in 8 blocks, as the scSE paper says`() throws {
        let network = try SegmentationNetwork(Architecture(family: .uNet(), classes: 28))
        let blocks = network.namedParameters.filter { $0.name.contains(".recalibration.") }
        let weights = blocks.filter { $0.name.hasSuffix(".weight") }
        #expect(weights.filter { $0.name.contains(".spatial.") }.count == 8)
        #expect(weights.filter { $0.name.contains(".channel.reduce.") }.count == 8)
        #expect(weights.reduce(0) { $0 + $1.parameter.value.count } == 33_280)
        #expect(blocks.reduce(0) { $0 + $1.parameter.value.count } == 34_056)
    }

    @Test func `of SD-Net is 1,232,796 in its convolutions`() throws {
        let network = try SegmentationNetwork(
            Architecture(family: .sdNet, classes: 28, recalibration: .none))
        let convolutions = network.namedParameters.filter {
            $0.name.contains("convolution") || $0.name.contains("classifier")
        }
        #expect(convolutions.reduce(0) { $0 + $1.parameter.value.count } == 1_232_796)
    }
}

@Suite struct `A network` {
    private static let sizes = [
        [1, 1], [1, 7], [2, 3], [5, 5], [8, 8], [13, 8], [17, 23], [31, 64], [64, 31],
    ]

    @Test(arguments: NetworkFamily.allCases, sizes)
    func `takes any height and width and gives the same back, as if padded by hand`(
        family: NetworkFamily, size: [Int]
    ) throws {
        let depth = 3
        let network = try SegmentationNetwork(
            Architecture(
                family: family == .uNet() ? .uNet(normalization: .batch) : family, classes: 3,
                channels: 4, kernel: 3, depth: depth))
        let input = try Tensor.randomNormal([2, 1] + size)
        let (lower, right) = (-size[0] & 7, -size[1] & 7)
        for mode in [LayerMode.training, .inference] {
            let output = try network(input, mode: mode)
            #expect(output.shape == [2, 3] + size)
            let padded = try network(input.padded([0, right, 0, lower]), mode: mode)
            #expect(padded.shape == [2, 3, size[0] + lower, size[1] + right])
            let cropped = try padded.padded([0, -right, 0, -lower])
            #expect(try cropped.elements(as: Float.self) == output.elements(as: Float.self))
            #expect(try output.allFinite())
        }
    }

    @Test(arguments: NetworkFamily.allCases)
    func `trains in every combination of its options`(family: NetworkFamily) throws {
        let recalibrations: [Recalibration] =
            [.none, .channel(), .spatial]
            + Combination.allCases.map { .channelAndSpatial(combination: $0) }
        let variants: [NetworkFamily] =
            family == .uNet()
            ? Upsampling.allCases.flatMap { upsampling in
                Normalization.allCases.map { .uNet(normalization: $0, upsampling: upsampling) }
            } : [family]
        for recalibration in recalibrations {
            for placement in RecalibrationPlacement.allCases {
                for variant in variants {
                    try trainOnce(
                        Architecture(
                            family: variant, classes: 3, channels: 4, kernel: 3, depth: 2,
                            contextSlices: 3, recalibration: recalibration, placement: placement,
                            dropout: 0.2))
                }
            }
        }
    }

    private func trainOnce(_ architecture: Architecture) throws {
        let network = try SegmentationNetwork(architecture)
        let output = try network(Tensor.randomNormal([2, 3, 9, 10]), mode: .training)
        #expect(output.shape == [2, 3, 9, 10], "\(architecture)")
        let target = try Tensor([Int64](repeating: 1, count: 180), shape: [2, 9, 10])
        try SegmentationLoss(classWeights: nil)(logits: output, target: target).backward()
        for (name, parameter) in network.namedParameters where parameter.isTrainable {
            let gradient = try parameter.value.gradient()
            #expect(try gradient?.allFinite() == true, "\(name) of \(architecture)")
        }
    }

    @Test(arguments: NetworkFamily.allCases)
    func `gives an image the same logits alone and in a batch`(family: NetworkFamily) throws {
        let network = try SegmentationNetwork(
            Architecture(family: family, classes: 4, channels: 8, kernel: 3, depth: 2))
        let batch = try Tensor.randomNormal([3, 1, 20, 12])
        let together = try network(batch, mode: .inference)
        for position in 0..<3 {
            let alone = try network(
                batch.narrowed(dimension: 0, start: position, length: 1), mode: .inference)
            let same = try together.narrowed(dimension: 0, start: position, length: 1)
            #expect(try largestError(of: alone, against: same) < 1e-5)
        }
    }

    @Test(arguments: NetworkFamily.allCases)
    func `computes the same from channels-last and row-major images`(
        family: NetworkFamily
    ) throws {
        let network = try SegmentationNetwork(
            Architecture(
                family: family, classes: 4, channels: 8, kernel: 3, depth: 2, contextSlices: 3))
        let image = try Tensor.randomNormal([2, 3, 16, 12])
        let rowMajor = try network(image, mode: .inference)
        let channelsLast = try network(image.contiguous(.channelsLast), mode: .inference)
        #expect(try largestError(of: channelsLast, against: rowMajor) < 1e-6)
    }

    @Test(
        arguments: try networkFixtures(
            where: ["kind": "network", "recalibration": "channelAndSpatial"],
            as: Architecture.self))
    func `stays near its logits in half the precision`(
        _ fixture: NetworkFixture<Architecture>
    ) throws {
        let tensors = try fixture.tensors()
        let network = try SegmentationNetwork(fixture.config)
        let hasMoments = network.namedParameters.contains { !$0.parameter.isTrainable }
        try network.load(buffers: hasMoments ? "buffer_after." : "buffer.", from: tensors)
        let rough = try withoutGradients {
            try withAutocast(to: .bfloat16, on: .cpu) {
                try network(tensors.tensor("input"), mode: .inference)
            }
        }
        #expect(rough.elementType == .bfloat16)
        let expected = try tensors.tensor("output_eval").elements(as: Double.self)
        let errors = try zip(rough.elements(as: Double.self), expected).map { $0 - $1 }
        func norm(_ values: [Double]) -> Double {
            values.reduce(0) { $0 + $1 * $1 }.squareRoot()
        }
        let error = norm(errors) / norm(expected)
        print("\(fixture) in bfloat16: relative error \(error)")
        // bfloat16 keeps 8 bits: about 1/256 a layer.
        #expect(error > 0 && error < 0.05, "\(error)")
    }

    @Test func `computes the same with its kernels laid out channels-last`() throws {
        // Not of the families that unpool, where rounding decides between equal maxima.
        for upsampling in Upsampling.allCases {
            let network = try SegmentationNetwork(
                Architecture(
                    family: .uNet(upsampling: upsampling), classes: 3, channels: 8, kernel: 3,
                    depth: 2))
            let image = try Tensor((0..<(24 * 20)).map { Float($0 % 7) }, shape: [1, 1, 24, 20])
            try withoutGradients {
                let before: [Float] = try network(image, mode: .inference).contiguous().elements()
                try network.arrangeChannelsLast()
                let after: [Float] = try network(image, mode: .inference).contiguous().elements()
                let largest = before.map(abs).max() ?? 0
                #expect(zip(before, after).allSatisfy { abs($0 - $1) <= 1e-5 * largest })
            }
        }
    }

    @Test func `drops channels in training only`() throws {
        let network = try SegmentationNetwork(
            Architecture(
                family: .uNet(), classes: 2, channels: 8, kernel: 3, depth: 2, dropout: 0.5))
        let image = try Tensor.randomNormal([1, 1, 8, 8])
        func logits(_ mode: LayerMode) throws -> [Float] {
            try network(image, mode: mode).elements()
        }
        #expect(try logits(.inference) == logits(.inference))
        #expect(try logits(.training) != logits(.training))
    }

    // The random generator is one for all tests, so these run in processes of their own.
    @Test func `is the same for the same seed`() async {
        await #expect(processExitsWith: .success) {
            func weights(seed: UInt64) throws -> [[Float]] {
                try Engine.setSeed(seed)
                return try SegmentationNetwork(
                    Architecture(family: .sdNet, classes: 3, channels: 4, kernel: 3, depth: 2)
                ).namedParameters.map { try $0.parameter.value.elements() }
            }
            let first = try weights(seed: 7)
            #expect(try weights(seed: 7) == first)
            #expect(try weights(seed: 8) != first)
        }
    }

    @Test func `is not made of an architecture with a problem`() async {
        await #expect(processExitsWith: .failure) {
            _ = try? SegmentationNetwork(Architecture(family: .uNet(), classes: 2, kernel: 4))
        }
    }

    @Test func `stops at an image of the wrong number of channels`() async {
        await #expect(processExitsWith: .failure) {
            guard
                let network = try? SegmentationNetwork(
                    Architecture(
                        family: .uNet(), classes: 2, channels: 2, kernel: 1, depth: 1,
                        contextSlices: 3)),
                let image = try? Tensor.zeros([1, 1, 4, 4])
            else { return }
            _ = try? network(image, mode: .inference)
        }
    }
}
