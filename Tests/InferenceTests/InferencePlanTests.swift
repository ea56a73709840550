import Datasets
import Inference
import NeuralNetworks
import SegmentationModels
import Tensors
import Testing
import Volumes

/// Gives every weight and running moment a random value, and every class its chance to win.
private func randomize(_ network: SegmentationNetwork, seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    try withoutGradients {
        for (name, parameter) in network.namedParameters {
            let shape = parameter.value.shape
            let inputs = shape.dropFirst().reduce(1, *)
            let bound = shape.count == 1 ? 0.3 : (3 / Float(inputs)).squareRoot()
            let isFactor =
                name.hasSuffix("running_var")
                || (name.hasSuffix("weight") && shape.count == 1 && !name.contains("activation"))
            let offset: Float = isFactor ? 1 : 0
            let values = (0..<parameter.value.count).map { _ in
                offset + Float.random(in: -bound...bound, using: &generator)
            }
            try parameter.value.copyInPlace(from: Tensor(values, shape: shape))
        }
    }
}

private func makeImages(
    count: Int, context: Int, height: Int, width: Int, seed: UInt64
) throws -> Tensor {
    let volume = makeSmoothVolume(GridSize(width, height, count * context), seed: seed)
    return try Tensor(volume.voxels, shape: [count, context, height, width])
}

/// How far logits are from others: the mean difference, and which part of them differs by more
/// than rounding in another order, both relative to the largest logit.
private func difference(_ a: Tensor, _ b: Tensor) throws -> (mean: Double, unlike: Double) {
    #expect(a.shape == b.shape)
    let (first, second) = (try a.elements(as: Double.self), try b.elements(as: Double.self))
    let scale = second.map(abs).max() ?? 1
    let differences = zip(first, second).map { abs($0 - $1) / scale }
    let count = Double(differences.count)
    return (differences.reduce(0, +) / count, Double(differences.count { !($0 < 2e-5) }) / count)
}

/// Every choice that an architecture offers, with odd widths and depths among them.
private let architectures: [Architecture] = {
    var all: [Architecture] = []
    let recalibrations: [Recalibration] =
        [.none, .channel(), .spatial]
        + Combination.allCases.map { .channelAndSpatial(combination: $0) }
    var turn = 0
    for family in NetworkFamily.allCases {
        for recalibration in recalibrations {
            for placement in RecalibrationPlacement.allCases {
                turn += 1
                var family = family
                if case .uNet = family {
                    family = .uNet(
                        normalization: Normalization.allCases[turn % 2],
                        upsampling: Upsampling.allCases[turn % 3])
                }
                all.append(
                    Architecture(
                        family: family, classes: [3, 5, 17, 28][turn % 4],
                        channels: [6, 16, 5, 24][turn / 3 % 4], kernel: [3, 5][turn % 2],
                        depth: [2, 3][turn / 2 % 2], contextSlices: [1, 3][turn / 4 % 2],
                        recalibration: recalibration, placement: placement))
            }
        }
    }
    for normalization in Normalization.allCases {
        for upsampling in Upsampling.allCases {
            all.append(
                Architecture(
                    family: .uNet(normalization: normalization, upsampling: upsampling),
                    classes: 4, channels: 8, kernel: 3, depth: 2))
        }
    }
    // Residual stages, and encoders and decoders of unequal widths, mixed.
    for (encoder, decoder) in [
        (EncoderKind.residual(), DecoderKind.uNet(normalization: .batch)), (.residual(), .sdNet),
        (.residual(), .denseNet), (.uNet(), .sdNet),
        (.sdNet, .uNet(upsampling: .transposedConvolution)),
        (.denseNet, .uNet(upsampling: .nearest)), (.sdNet, .denseNet),
    ] {
        for placement in RecalibrationPlacement.allCases {
            all.append(
                Architecture(
                    encoder: encoder, decoder: decoder, classes: 4, widths: [6, 10, 14], kernel: 3,
                    contextSlices: 3, placement: placement, dropout: 0.1))
        }
    }
    // Every pooling that can be compiled, gaps and groups, and kernels that are selected.
    for (pooling, dilation, groups) in [
        (LevelPooling.average, 1, 1), (.stridedConvolution, 1, 2), (.maximum, 2, 1),
        (.stochastic, 2, 3),
    ] {
        var architecture = Architecture(
            encoder: .uNet(normalization: .batch, pooling: pooling),
            decoder: .uNet(normalization: .batch), classes: 5, widths: [6, 12, 18], kernel: 3,
            contextSlices: 1)
        architecture.dilation = dilation
        architecture.groups = groups
        all.append(architecture)
    }
    for reach in SelectiveKernel.Reach.allCases {
        for placement in RecalibrationPlacement.allCases {
            all.append(
                Architecture(
                    family: .uNet(normalization: .batch), classes: 4, channels: 8, kernel: 3,
                    depth: 2,
                    recalibration: .selectiveKernel(
                        SelectiveKernel(
                            branches: reach == .kernel ? 2 : 5, reach: reach, groups: 4,
                            reductionRatio: 4, minimumWidth: 4)),
                    placement: placement))
        }
    }
    return all
}()

/// An architecture that a test's log names by its choices.
private struct Choice: CustomTestStringConvertible, Sendable {
    var number: Int
    var architecture: Architecture
    var testDescription: String {
        let a = architecture
        return
            "\(a.encoder) \(a.decoder) \(a.recalibration) \(a.placement) \(a.widths) k\(a.kernel)"
    }
}

/// A Boolean value: convolutions are LibTorch's portable ones, which take a hundred times as long in bfloat16, as
/// do the plan's own through them.
private let isPortable = !((try? PlanKernels.avx2.isAvailable) ?? true)

struct InferencePlanTests {
    @Test(arguments: architectures.enumerated().map { Choice(number: $0, architecture: $1) })
    fileprivate func `a plan computes what the network computes`(choice: Choice) throws {
        let architecture = choice.architecture
        let network = try SegmentationNetwork(architecture)
        try randomize(network, seed: 11)
        try withoutGradients {
            for (height, width) in [(37, 53), (48, 32)] {
                let images = try makeImages(
                    count: 2, context: architecture.contextSlices, height: height, width: width,
                    seed: 5)
                let expected = try network(images, mode: .inference)
                let plan = try InferencePlan(
                    network: network, precision: .fp32, height: height, width: width)
                // A near tie between two pixels of a pooling window may be decided otherwise, which
                // moves the value when it is unpooled.
                let unpools = [.sdNet, .denseNet].contains(architecture.decoder)
                // LibTorch's portable convolutions round differently from place to place, also in flat
                // parts, where that alone decides.
                let tolerated =
                    try !unpools ? 0 : PlanKernels.avx2.isAvailable ? 0.05 : 0.2
                let unlike = try difference(plan(images), expected).unlike
                #expect(unlike <= tolerated)
                #expect(plan.summary.precision == .fp32)

                // Portable convolutions in bfloat16 are tried on a quarter of the networks.
                let isTried = choice.number.isMultiple(of: 4) && height == 48
                guard isTried || !isPortable else { continue }
                // Rounding to eight bits: as far from single precision as LibTorch's own.
                let rounded = try withAutocast(to: .bfloat16, on: .cpu) {
                    try network(images, mode: .inference)
                }
                let half = try InferencePlan(
                    network: network, precision: .bf16, height: height, width: width)
                let error = try difference(half(images), expected).mean
                let allowed = try difference(rounded.converted(to: .float32), expected).mean
                #expect(error < 1.5 * allowed + 1e-3)
                #expect(error > 0)
            }
        }
    }

    @Test(arguments: PublishedEncoder.allCases)
    func `a plan of a published encoder computes what its network computes`(
        encoder: PublishedEncoder
    ) throws {
        let number = PublishedEncoder.allCases.firstIndex(of: encoder) ?? 0
        for decoder in [DecoderKind.uNet(normalization: .batch), .sdNet, .average] {
            let network = try SegmentationNetwork(
                Architecture(
                    encoder: .published(encoder), decoder: decoder, classes: 4,
                    widths: Array(repeating: 16, count: encoder.levelCount), kernel: 3,
                    contextSlices: 3,
                    recalibration: [.none, .squeezeAndExcitation(), .channelAndSpatial()][
                        number % 3]))
            try randomize(network, seed: 11)
            try withoutGradients {
                let images = try makeImages(count: 1, context: 3, height: 49, width: 64, seed: 5)
                let expected = try network(images, mode: .inference)
                let plan = try InferencePlan(
                    network: network, precision: .fp32, height: 49, width: 64)
                let error = try difference(plan(images), expected)
                // Unpooling follows near ties, as above.
                #expect(error.mean < (decoder == .sdNet ? 1e-3 : 1e-5), "\(error)")
                guard !isPortable else { return }
                let rounded = try withAutocast(to: .bfloat16, on: .cpu) {
                    try network(images, mode: .inference)
                }
                let half = try InferencePlan(
                    network: network, precision: .bf16, height: 49, width: 64)
                let allowed = try difference(rounded.converted(to: .float32), expected).mean
                #expect(try difference(half(images), expected).mean < 1.5 * allowed + 1e-3)
            }
        }
    }

    @Test(arguments: PlanKernels.allCases)
    func `every instruction set that the processor has gives the same logits`(
        kernels: PlanKernels
    ) throws {
        for family in NetworkFamily.allCases {
            let network = try SegmentationNetwork(
                Architecture(family: family, classes: 7, channels: 21, kernel: 3, depth: 2))
            try randomize(network, seed: 3)
            let images = try makeImages(count: 1, context: 1, height: 40, width: 27, seed: 2)
            func plan(_ precision: Precision, _ kernels: PlanKernels) throws -> InferencePlan {
                try InferencePlan(
                    network: network, precision: precision, height: 40, width: 27, kernels: kernels)
            }
            guard let chosen = try? plan(.fp32, kernels) else {
                #expect(try !kernels.isAvailable, "only what the processor lacks is refused")
                continue
            }
            let expected = try plan(.fp32, .baseline)(images)
            #expect(try difference(chosen(images), expected).unlike <= 0.01)
            let half = try difference(plan(.bf16, kernels)(images), expected)
            #expect(half.mean < 0.02)
        }
    }

    @Test(arguments: [Precision.fp32, .bf16])
    func `a slice's logits do not depend on threads and neighbours`(precision: Precision) async {
        let isHalf = precision == .bf16
        // In a process of its own: the number of threads is the engine's, for all.
        await #expect(processExitsWith: .success) { [isHalf = isHalf as Bool] in
            for family in NetworkFamily.allCases {
                let network = try SegmentationNetwork(
                    Architecture(
                        family: family, classes: 6, channels: isPortable ? 16 : 32,
                        kernel: isPortable ? 3 : 5, depth: isPortable ? 2 : 3))
                try randomize(network, seed: 8)
                let (height, width) = isPortable ? (31, 23) : (61, 45)
                let plan = try InferencePlan(
                    network: network, precision: isHalf ? .bf16 : .fp32, height: height,
                    width: width)
                let images = try makeImages(
                    count: 9, context: 1, height: height, width: width, seed: 4)
                try Engine.setThreadCount(1)
                let expected: [Float] = try plan(images).elements()
                for threads in [1, 2, 3] {
                    try Engine.setThreadCount(threads)
                    for batch in [1, 2, 3, 8, 9] {
                        var found: [Float] = []
                        for first in stride(from: 0, to: 9, by: batch) {
                            let part = try images.narrowed(
                                dimension: 0, start: first, length: min(batch, 9 - first))
                            found += try plan(part).elements(as: Float.self)
                        }
                        #expect(found == expected, "\(family), \(threads) threads, by \(batch)")
                    }
                }
            }
        }
    }

    @Test func `a summary counts what a plan does`() throws {
        // Two convolutions a block of 9 x 16 x C_in weights, 64 x 64 pixels at the finest level.
        let network = try SegmentationNetwork(
            Architecture(
                family: .uNet(normalization: .batch), classes: 4, channels: 16, kernel: 3,
                depth: 1, recalibration: .none))
        let plan = try InferencePlan(network: network, precision: .fp32, height: 64, width: 64)
        let summary = plan.summary
        #expect(summary.convolutionCount == 6)
        #expect(summary.foldedNormalizationCount == 6)
        // Taking the slice in, two joins, an interpolation, the classifier.
        #expect(summary.passCount == 4)
        let fine = 144.0 + 2304 + 4608 + 2304 + 64
        #expect(summary.operationsPerSlice == 2 * (fine * 4096 + 2 * 2304 * 1024))
        #expect(summary.scratchBytesPerThread > 64 * 64 * 32 * 4)
        #expect(summary.winogradConvolutionCount + summary.packedConvolutionCount <= 6)
        #expect(summary.description.hasPrefix("compiled plan (fp32; 6 convolutions "))
    }

    @Test func `making and dropping plans leaves no tensors behind`() async {
        await #expect(processExitsWith: .success) {
            let network = try SegmentationNetwork(
                Architecture(family: .sdNet, classes: 3, channels: 8, kernel: 3, depth: 2))
            let before = try Engine.liveTensorCount()
            for _ in 0..<3 {
                let plan = try InferencePlan(network: network, height: 20, width: 24)
                let images = try Tensor.zeros([2, 1, 20, 24])
                #expect(try plan(images).shape == [2, 3, 20, 24])
            }
            #expect(try Engine.liveTensorCount() == before)
        }
    }
}
