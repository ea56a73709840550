internal import NeuralNetworks

/// Inception with batch normalization: five levels of features, 1/2 to 1/32, ten modules.
///
/// Recalibration stands after each module (SE-Inception: Hu et al., arXiv:1709.01507, figure 2).
/// Source: Ioffe and Szegedy, arXiv:1502.03167, figure 5, with the widths of the Caffe model that
/// is known as BN-Inception. Convolutions have no biases, which the normalization would take away;
/// windows of pooling reach a pixel beyond the image, so that any size will do, where Caffe rounds up.
final class InceptionEncoder: FeatureEncoder {
    private let stem1: ConvolutionAndNormalization
    private let stem2: ConvolutionAndNormalization
    private let stem3: ConvolutionAndNormalization
    private let pooling = Pooling2d(.maximum, kernel: 3, stride: 2, padding: 1)
    private let modules: [InceptionModule]
    private let recalibrations: [RecalibrationBlock]
    let skipChannels = [0, 64, 192, 320, 608]
    let bottomChannels = 1024

    private static let widths: [InceptionModule.Widths] = [
        .init(single: 64, triple: [64, 64], double: [64, 96, 96], pooled: 32),
        .init(single: 64, triple: [64, 96], double: [64, 96, 96], pooled: 64),
        .init(halving: [128, 160], double: [64, 96, 96]),
        .init(single: 224, triple: [64, 96], double: [96, 128, 128], pooled: 128),
        .init(single: 192, triple: [96, 128], double: [96, 128, 128], pooled: 128),
        .init(single: 160, triple: [128, 160], double: [128, 160, 160], pooled: 128),
        .init(single: 96, triple: [128, 192], double: [160, 192, 192], pooled: 128),
        .init(halving: [128, 192], double: [192, 256, 256]),
        .init(single: 352, triple: [192, 320], double: [160, 224, 224], pooled: 128),
        .init(
            single: 352, triple: [192, 320], double: [192, 224, 224], pooled: 128,
            reduction: .maximum),
    ]

    init(recalibration: Recalibration, inputChannels: Int) throws {
        stem1 = try ConvolutionAndNormalization(inputChannels, 64, kernel: 7, stride: 2)
        stem2 = try ConvolutionAndNormalization(64, 64, kernel: 1)
        stem3 = try ConvolutionAndNormalization(64, 192, kernel: 3)
        var channels = 192
        var modules: [InceptionModule] = []
        var recalibrations: [RecalibrationBlock] = []
        for widths in Self.widths {
            let module = try InceptionModule(inputChannels: channels, widths)
            channels = module.channels
            modules.append(module)
            recalibrations.append(try RecalibrationBlock(recalibration, channels: channels))
        }
        self.modules = modules
        self.recalibrations = recalibrations
    }

    var parts: [(name: String, part: LayerPart)] {
        let stems: [(name: String, part: LayerPart)] = [
            ("stem1", .layer(stem1)), ("stem2", .layer(stem2)), ("stem3", .layer(stem3)),
        ]
        return stems
            + zip(modules, recalibrations).enumerated().flatMap {
                position, pair -> [(name: String, part: LayerPart)] in
                [
                    ("modules.\(position)", .layer(pair.0)),
                    ("recalibrations.\(position)", .layer(pair.1)),
                ]
            }
    }

    func encode<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> EncodedFeatures<Pass.Value> {
        let half = try stem1.rectified(input, &pass)
        var hidden = try stem2.rectified(pass.pool(half, by: pooling), &pass)
        hidden = try stem3.rectified(hidden, &pass)
        var levels: [EncodedFeatures<Pass.Value>.Level] = [
            .init(skip: nil, like: input), .init(skip: half, like: half),
            .init(skip: hidden, like: hidden),
        ]
        hidden = try pass.pool(hidden, by: pooling)
        for (module, recalibration) in zip(modules, recalibrations) {
            if module.halves { levels.append(.init(skip: hidden, like: hidden)) }
            hidden = try pass.recalibrate(module.forward(hidden, &pass), by: recalibration)
        }
        return EncodedFeatures(levels: levels, bottom: hidden)
    }
}

/// Convolutions of several sizes side by side.
private final class InceptionModule: Block {
    /// The channels of a module's convolutions.
    struct Widths {
        /// The channels of the 1x1 convolution, or `nil` in a module that halves the size.
        var single: Int?
        /// The channels of the 1x1 and 3x3 convolutions.
        var triple: [Int]
        /// The channels of the 1x1 and the two 3x3 convolutions.
        var double: [Int]
        /// The channels of the 1x1 convolution after the pooling, or `nil` where that halves the
        /// size.
        var pooled: Int?
        var reduction = Pooling2d.Reduction.average

        init(
            single: Int, triple: [Int], double: [Int], pooled: Int,
            reduction: Pooling2d.Reduction = .average
        ) {
            self.single = single
            self.triple = triple
            self.double = double
            self.pooled = pooled
            self.reduction = reduction
        }

        init(halving triple: [Int], double: [Int]) {
            self.triple = triple
            self.double = double
            reduction = .maximum
        }
    }

    let channels: Int
    let halves: Bool
    private let single: ConvolutionAndNormalization?
    private let triple: [ConvolutionAndNormalization]
    private let double: [ConvolutionAndNormalization]
    private let pooling: Pooling2d
    private let pooled: ConvolutionAndNormalization?

    init(inputChannels: Int, _ widths: Widths) throws {
        halves = widths.single == nil
        let stride = halves ? 2 : 1
        func chain(_ widths: [Int]) throws -> [ConvolutionAndNormalization] {
            try widths.indices.map {
                try ConvolutionAndNormalization(
                    $0 == 0 ? inputChannels : widths[$0 - 1], widths[$0], kernel: $0 == 0 ? 1 : 3,
                    stride: $0 == widths.count - 1 ? stride : 1)
            }
        }
        single = try widths.single.map {
            try ConvolutionAndNormalization(inputChannels, $0, kernel: 1)
        }
        triple = try chain(widths.triple)
        double = try chain(widths.double)
        pooling =
            halves
            ? Pooling2d(.maximum, kernel: 3, stride: 2, padding: 1)
            : Pooling2d(widths.reduction, kernel: 3, stride: 1, padding: 1)
        pooled = try widths.pooled.map {
            try ConvolutionAndNormalization(inputChannels, $0, kernel: 1)
        }
        channels =
            (widths.single ?? 0) + (widths.triple.last ?? 0) + (widths.double.last ?? 0)
            + (widths.pooled ?? inputChannels)
    }

    var parts: [(name: String, part: LayerPart)] {
        (single.map { [("single", .layer($0))] } ?? [])
            + triple.enumerated().map { ("triple.\($0)", .layer($1)) }
            + double.enumerated().map { ("double.\($0)", .layer($1)) }
            + (pooled.map { [("pooled", .layer($0))] } ?? [])
    }

    func forward<Pass: ForwardPass>(
        _ input: Pass.Value, _ pass: inout Pass
    ) throws -> Pass.Value {
        var branches: [Pass.Value] = []
        if let single { branches.append(try single.rectified(input, &pass)) }
        for chain in [triple, double] {
            var hidden = input
            for convolution in chain { hidden = try convolution.rectified(hidden, &pass) }
            branches.append(hidden)
        }
        let reduced = try pass.pool(input, by: pooling)
        branches.append(try pooled?.rectified(reduced, &pass) ?? reduced)
        return try pass.concatenate(branches)
    }
}
