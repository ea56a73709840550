import Datasets
import Inference
import NeuralNetworks
import SegmentationModels
import Tensors
import Testing
import Volumes

/// Numbers as integers of 0...255, as the definition has it.
private struct Rounding {
    let step: Double
    let zero: Double

    init(_ range: ClosedRange<Double>) {
        step = Double(Float((range.upperBound - range.lowerBound) / 255))
        zero = (-range.lowerBound / ((range.upperBound - range.lowerBound) / 255)).rounded()
    }

    /// What a number becomes, as a number again.
    func callAsFunction(_ value: Double) -> Double {
        let integer = (value / step + zero).rounded(.toNearestOrEven)
        return (min(max(integer, 0), 255) - zero) * step
    }
}

/// An image and the weights of convolutions between equally many channels.
private struct Example {
    let channels = 16, height = 9, width = 7, kernel = 3
    var image: [Double] = []
    var weights: [[Double]] = []
    var biases: [[Double]] = []

    /// With `isLargest` all products are as large as they can be, and pairs of them beyond 16 bits.
    init(layers: Int, seed: UInt64, isLargest: Bool = false) {
        var generator = SeededGenerator(seed: seed)
        func random(_ count: Int, _ range: ClosedRange<Double>) -> [Double] {
            (0..<count).map { _ in Double(Float(Double.random(in: range, using: &generator))) }
        }
        image = random(channels * height * width, -2...3)
        if isLargest { image = image.map { _ in 3 } }
        for _ in 0..<layers {
            weights.append(random(channels * channels * kernel * kernel, -0.2...0.2))
            biases.append(random(channels, -1...1))
            if isLargest {
                weights[weights.count - 1] = weights[weights.count - 1].map { _ in 0.2 }
            }
        }
    }

    /// Weights as numbers of -127...127 times a factor of each output channel.
    private func rounded(_ weights: [Double]) -> [Double] {
        let size = channels * kernel * kernel
        return (0..<channels).flatMap { output -> [Double] in
            let part = weights[output * size..<(output + 1) * size]
            let factor = Double(Float(part.map(abs).max() ?? 0) / 127)
            return part.map { ($0 / factor).rounded(.toNearestOrEven) * factor }
        }
    }

    /// `[channels, height, width]` of a layer, from numbers in the same order.
    func convolved(_ input: [Double], layer: Int, range: ClosedRange<Double>, slope: Double)
        -> [Double]
    {
        let round = Rounding(range)
        let (values, weights) = (input.map { round($0) }, rounded(weights[layer]))
        var result: [Double] = []
        for output in 0..<channels {
            for y in 0..<height {
                for x in 0..<width {
                    var sum = biases[layer][output]
                    for channel in 0..<channels {
                        for j in 0..<kernel where (0..<height).contains(y + j - 1) {
                            for i in 0..<kernel where (0..<width).contains(x + i - 1) {
                                let weight = (output * channels + channel) * kernel * kernel
                                sum +=
                                    weights[weight + j * kernel + i]
                                    * values[(channel * height + y + j - 1) * width + x + i - 1]
                            }
                        }
                    }
                    result.append(sum < 0 ? sum * slope : sum)
                }
            }
        }
        return result
    }

    /// A plan whose logits are the last layer's channels.
    func plan(_ ranges: [ClosedRange<Double>], slopes: [Double]) throws -> SlicePlan {
        let buffers = (0...weights.count).map { _ in
            PlanBuffer(channels: channels, height: height, width: width)
        }
        func place(_ buffer: Int) -> PlanPlace {
            PlanPlace(buffer: buffer, channel: 0, channels: channels)
        }
        func tensor(_ values: [Double], _ shape: [Int]) throws -> Tensor {
            try Tensor(values.map { Float($0) }, shape: shape)
        }
        var steps: [PlanStep] = [.input(target: place(0))]
        for layer in weights.indices {
            let shape = [channels, channels, kernel, kernel]
            steps.append(
                .convolve(
                    source: layer, target: layer + 1,
                    PlanWeights(
                        weight: try tensor(weights[layer], shape),
                        bias: try tensor(biases[layer], [channels])),
                    slope: slopes[layer], inputRange: ranges[layer]))
        }
        let identity = (0..<channels * channels).map { $0 % (channels + 1) == 0 ? 1.0 : 0 }
        steps.append(
            .classify(
                source: place(weights.count),
                PlanWeights(
                    weight: try tensor(identity, [channels, channels, 1, 1]),
                    bias: try tensor(Array(repeating: 0, count: channels), [channels]))))
        return try SlicePlan(buffers: buffers, steps: steps, type: .float32, kernels: .best)
    }

    /// `[channels, height, width]` by a plan.
    func computed(_ plan: SlicePlan) throws -> [Double] {
        let images = try Tensor(image.map { Float($0) }, shape: [1, channels, height, width])
        return try plan(images).permuted([0, 3, 1, 2]).contiguous().elements()
    }
}

private func largestDifference(_ a: [Double], _ b: [Double]) -> Double {
    #expect(a.count == b.count)
    return zip(a, b).map { abs($0 - $1) }.max() ?? .infinity
}

struct IntegerPlanTests {
    /// Ranges from 0 on, on both sides, and one that cuts off most of the image; borders are zeros
    /// whatever 0 is as an integer.
    @Test(arguments: [
        (0.0...3.0, 0.0), (-2.0...3.0, 1.0), (-2.0...3.0, 0.25), (-0.5...0.25, 1.0),
        (-2.0...0, 0.0),
    ])
    func `a convolution in integers is the sum over rounded numbers`(
        range: ClosedRange<Double>, slope: Double
    ) throws {
        let example = Example(layers: 1, seed: 7)
        let plan = try example.plan([range], slopes: [slope])
        #expect(plan.integerCount == 1)
        let expected = example.convolved(example.image, layer: 0, range: range, slope: slope)
        #expect(largestDifference(try example.computed(plan), expected) < 2e-5)
    }

    @Test func `sums of the largest integers do not saturate`() throws {
        let example = Example(layers: 1, seed: 3, isLargest: true)
        let plan = try example.plan([0...3], slopes: [1])
        #expect(plan.integerCount == 1)
        let expected = example.convolved(example.image, layer: 0, range: 0...3, slope: 1)
        #expect(largestDifference(try example.computed(plan), expected) < 2e-5 * 86)
    }

    /// What lies between the two is rounded once, for the second.
    @Test(arguments: [0.0, 1.0, 0.25])
    func `convolutions in a row hand integers on`(slope: Double) throws {
        let example = Example(layers: 2, seed: 9)
        let ranges = [-2.0...3.0, (slope == 0 ? 0.0 : -8.0)...8.0]
        let plan = try example.plan(ranges, slopes: [slope, 1])
        #expect(plan.integerCount == 2)
        let between = example.convolved(example.image, layer: 0, range: ranges[0], slope: slope)
        let expected = example.convolved(between, layer: 1, range: ranges[1], slope: 1)
        let computed = try example.computed(plan)
        // Where a number lies halfway between two integers it may become either.
        let unlike = zip(computed, expected).count { abs($0 - $1) > 2e-5 }
        #expect(unlike <= expected.count / 50)
        #expect(largestDifference(computed, expected) < 2 * 0.2 * 16 / 255)
    }

    @Test func `a plan in integers stays near single precision`() throws {
        for family in NetworkFamily.allCases {
            let network = try SegmentationNetwork(
                Architecture(family: family, classes: 5, channels: 16, kernel: 5, depth: 2))
            let volume = makeSmoothVolume(GridSize(40, 32, 24), seed: 4)
            var calibration = Calibration(of: network)
            try calibration.observe(volume, plane: .axial)
            let images = try Tensor(Array(volume.voxels[..<(40 * 32)]), shape: [1, 1, 32, 40])
            func plan(_ precision: Precision) throws -> InferencePlan {
                try InferencePlan(
                    network: network, precision: precision, height: 32, width: 40,
                    inputRanges: calibration.inputRanges())
            }
            let integers = try plan(.int8)
            // All with kernels of 5x5 but the first, whose input has one channel.
            let heavy = family == .denseNet ? 9 : family == .sdNet ? 4 : 9
            #expect(integers.summary.integerConvolutionCount == heavy)
            #expect(integers.summary.description.hasPrefix("compiled plan (int8; "))
            #expect(integers.summary.description.contains(" \(heavy) int8, "))
            #expect(try plan(.fp32).summary.integerConvolutionCount == 0)
            try withoutGradients {
                let expected: [Double] = try network(images, mode: .inference).elements()
                let logits: [Double] = try integers(images).contiguous().elements()
                let scale = expected.map(abs).max() ?? 1
                let mean = zip(logits, expected).map { abs($0 - $1) }.reduce(0, +)
                // A maximum that lies elsewhere in its window is unpooled to elsewhere.
                let tolerated = family == .uNet() ? 0.02 : 0.06
                #expect(mean / Double(expected.count) < tolerated * scale)
                #expect(mean > 0)
            }
        }
    }

    @Test func `a range holds what is worth holding`() throws {
        // 256 numbers in steps of one are kept as they are.
        let whole = (0...255).map { (value: Double($0), count: 1.0) }
        #expect(Calibration.range(of: whole) == 0...255)
        let signed = (-100...155).map { (value: Double($0), count: 1.0) }
        #expect(Calibration.range(of: signed) == -100...155)
        // One number far out among a million is cut off; half of them are not.
        let crowd = (1...1000).map { (value: Double($0) / 1000, count: 1000.0) }
        let cut = try #require(Calibration.range(of: crowd + [(value: 10, count: 1)]))
        #expect(cut.upperBound < 5 && cut.upperBound >= 1)
        let kept = try #require(Calibration.range(of: crowd + [(value: 10, count: 1e6)]))
        #expect(kept == 0...10)
        #expect(Calibration.range(of: [(value: -3, count: 2)]) == -3...0)
        #expect(Calibration.range(of: []) == nil)
    }

    @Test func `ranges are those of the inputs that were seen`() throws {
        let network = try makeTinyNetwork(classes: 3, channels: 16, context: 1, seed: 5)
        var calibration = Calibration(of: network)
        #expect(calibration.inputRanges().isEmpty)
        try calibration.observe(makeSmoothVolume(GridSize(20, 24, 16), seed: 3), plane: .coronal)
        let ranges = calibration.inputRanges()
        // All but the first convolution, which has few channels.
        #expect(ranges.count == 9)
        #expect(ranges["encoders.0.block.convolution1"] == nil)
        let second = try #require(ranges["encoders.0.block.convolution2"])
        #expect(second.lowerBound == 0, "a rectifier gives nothing below 0")
        #expect(ranges.values.allSatisfy { $0.upperBound > 0 })
        // The same scan again counts twice and changes nothing; one twice as bright widens.
        try calibration.observe(makeSmoothVolume(GridSize(20, 24, 16), seed: 3), plane: .coronal)
        #expect(calibration.inputRanges() == ranges)
        var bright = makeSmoothVolume(GridSize(20, 24, 16), seed: 3)
        for index in bright.voxels.indices { bright.voxels[index] *= 4 }
        try calibration.observe(bright, plane: .coronal)
        let wider = try #require(calibration.inputRanges()["encoders.0.block.convolution2"])
        #expect(wider.upperBound > second.upperBound)
    }
}
