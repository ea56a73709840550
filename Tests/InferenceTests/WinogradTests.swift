import Datasets
import Foundation
import Tensors
import Testing

/// A convolution's sum as it is defined, in double precision: `[y, x, out]`.
private func convolved(
    _ image: [Float], channels: Int, height: Int, width: Int, weight: [Float], bias: [Float],
    kernel: Int, slope: Double
) -> [Double] {
    let margin = kernel / 2
    var result: [Double] = []
    for y in 0..<height {
        for x in 0..<width {
            for out in bias.indices {
                var sum = Double(bias[out])
                for c in 0..<channels {
                    for dy in max(0, margin - y)..<min(kernel, height + margin - y) {
                        for dx in max(0, margin - x)..<min(kernel, width + margin - x) {
                            let pixel = (c * height + y + dy - margin) * width + x + dx - margin
                            let tap = ((out * channels + c) * kernel + dy) * kernel + dx
                            sum += Double(image[pixel]) * Double(weight[tap])
                        }
                    }
                }
                result.append(sum < 0 ? sum * slope : sum)
            }
        }
    }
    return result
}

/// A convolution as one step of a plan, which the classifier hands out as it is.
private struct ConvolutionPlan {
    let plan: SlicePlan
    let weight: [Float]
    let bias: [Float]
    private let channels: Int
    private let kernel: Int
    private let height: Int
    private let width: Int
    private let slope: Double

    /// With a factor, the image is multiplied by it on its way to the convolution.
    init(
        channels: Int, outputs: Int, kernel: Int, height: Int, width: Int, slope: Double,
        type: ElementType, kernels: PlanKernels, constantWeight: Float? = nil,
        joinedTimes factor: Float? = nil
    ) throws {
        (self.channels, self.kernel, self.height, self.width) = (channels, kernel, height, width)
        self.slope = slope
        var generator = SeededGenerator(seed: UInt64(channels * 1000 + outputs * 10 + kernel))
        let bound = 1 / Float(channels * kernel * kernel).squareRoot()
        weight = (0..<outputs * channels * kernel * kernel).map { _ in
            constantWeight ?? .random(in: -bound...bound, using: &generator)
        }
        bias = (0..<outputs).map { _ in .random(in: -0.5...0.5, using: &generator) }
        var identity = [Float](repeating: 0, count: outputs * outputs)
        for o in 0..<outputs { identity[o * outputs + o] = 1 }
        let image = PlanPlace(buffer: 0, channel: 0, channels: channels)
        var join: [PlanStep] = []
        if let factor {
            join = try [
                .join(
                    [PlanSource(image)],
                    target: PlanPlace(buffer: 2, channel: 0, channels: channels),
                    PlanAffine(
                        scale: Tensor(
                            [Float](repeating: factor, count: channels), shape: [channels]),
                        shift: .zeros([channels])), slope: 1, nil)
            ]
        }
        plan = try SlicePlan(
            buffers: [
                PlanBuffer(channels: channels, height: height, width: width),
                PlanBuffer(channels: outputs, height: height, width: width),
                PlanBuffer(channels: channels, height: height, width: width),
            ],
            steps: [.input(target: image)] + join + [
                .convolve(
                    source: factor == nil ? 0 : 2, target: 1,
                    PlanWeights(
                        weight: Tensor(weight, shape: [outputs, channels, kernel, kernel]),
                        bias: Tensor(bias, shape: [outputs])), slope: slope, inputRange: nil),
                .classify(
                    source: PlanPlace(buffer: 1, channel: 0, channels: outputs),
                    PlanWeights(
                        weight: Tensor(identity, shape: [outputs, outputs, 1, 1]),
                        bias: .zeros([outputs]))),
            ], type: type, kernels: kernels)
    }

    /// What the plan makes of an image `[channel, y, x]`: `[y, x, out]`.
    func callAsFunction(_ image: [Float]) throws -> [Float] {
        try plan(Tensor(image, shape: [1, channels, height, width])).elements()
    }

    /// What the convolution is.
    func expected(_ image: [Float]) -> [Double] {
        convolved(
            image, channels: channels, height: height, width: width, weight: weight, bias: bias,
            kernel: kernel, slope: slope)
    }
}

/// Numbers that bfloat16 holds.
private func exactImage(_ count: Int) -> [Float] {
    var generator = SeededGenerator(seed: 8)
    return (0..<count).map { _ in Float(Int.random(in: 0...128, using: &generator)) / 64 }
}

/// The instruction sets of this processor, of those that Winograd's algorithm is written for.
private let instructionSets = [PlanKernels.avx2, .avx512, .avx512vnni].filter {
    (try? $0.isAvailable) ?? false
}

/// Whether Winograd's products are sums of integers in bfloat16 plans.
private let multipliesIntegers =
    instructionSets.contains(.avx512vnni) && (try? Engine.convolutionCapability()) != "AMX"

struct WinogradTests {
    /// Smaller than a tile, of a tile's size, several tiles with and without a rest.
    private static let sizes = [(1, 1), (5, 3), (8, 8), (12, 24), (20, 29)]

    @Test(
        .enabled(if: !instructionSets.isEmpty, "needs a processor with AVX2"),
        arguments: instructionSets, [(16, 16), (48, 48), (32, 64), (96, 112), (65, 64)])
    func `a convolution is the sum that it stands for`(
        kernels: PlanKernels, channels: (Int, Int)
    ) throws {
        let (inputs, outputs) = channels
        for kernel in [3, 5, 7] {
            for (height, width) in Self.sizes {
                for slope in [1, 0, 0.25] {
                    let step = try ConvolutionPlan(
                        channels: inputs, outputs: outputs, kernel: kernel, height: height,
                        width: width, slope: slope, type: .float32, kernels: kernels)
                    #expect(step.plan.winogradCount == 1)
                    var generator = SeededGenerator(seed: 7)
                    let image = (0..<inputs * height * width).map { _ in
                        Float.random(in: 0...1, using: &generator)
                    }
                    let worst =
                        zip(try step(image), step.expected(image)).map { abs(Double($0) - $1) }
                        .max() ?? 1
                    // The sums are about 1; single precision has 6e-8, and the transforms some hundreds
                    // of that.
                    #expect(worst < 3e-5, "\(kernel)x\(kernel), \(height)x\(width), \(slope)")
                }
            }
        }
    }

    /// What is known of one flat part is taken for others that hold the same, and only for those.
    @Test(arguments: instructionSets, [3, 5, 7])
    func `flat parts of an image are convolved as the rest is`(
        kernels: PlanKernels, kernel: Int
    ) throws {
        let (channels, outputs, height, width) = (32, 16, 48, 61)
        let step = try ConvolutionPlan(
            channels: channels, outputs: outputs, kernel: kernel, height: height, width: width,
            slope: 0.25, type: .float32, kernels: kernels)
        var generator = SeededGenerator(seed: 10)
        let image = (0..<channels).flatMap { _ in
            let flat = (0..<2).map { _ in Float.random(in: 0...1, using: &generator) }
            return (0..<height * width).map { pixel in
                switch pixel % width {
                case ..<20: flat[pixel / width < 24 ? 0 : 1]
                case 41...: flat[0]
                default: Float.random(in: 0...1, using: &generator)
                }
            }
        }
        #expect(
            zip(try step(image), step.expected(image)).allSatisfy { abs(Double($0) - $1) < 3e-5 })
    }

    /// What is joined lies in memory by bands of rows; rows this wide fit into several.
    @Test(arguments: instructionSets, [3, 5, 7])
    func `an image that is joined on its way is convolved as a whole`(
        kernels: PlanKernels, kernel: Int
    ) throws {
        let (channels, height, width) = (16, 29, 2600)
        func step(joinedTimes factor: Float?) throws -> ConvolutionPlan {
            try ConvolutionPlan(
                channels: channels, outputs: 16, kernel: kernel, height: height, width: width,
                slope: 0.25, type: .float32, kernels: kernels, joinedTimes: factor)
        }
        var generator = SeededGenerator(seed: 11)
        let image = (0..<channels * height * width).map { _ in
            Float.random(in: 0...1, using: &generator)
        }
        let joined = try step(joinedTimes: 0.5)
        let whole = try step(joinedTimes: nil)
        #expect(joined.plan.byteCount < whole.plan.byteCount + 16 * height * width * 4)
        // Halving is exact, and so both compute the same.
        #expect(try joined(image) == whole(image.map { $0 / 2 }))
    }

    @Test func `bfloat16 is rounded as it is read and as it is written, not in between`() throws {
        guard try PlanKernels.avx2.isAvailable else { return }
        let (channels, height, width) = (32, 19, 22)
        let step = try ConvolutionPlan(
            channels: channels, outputs: 48, kernel: 5, height: height, width: width, slope: 1,
            type: .bfloat16, kernels: .avx2)
        let image = exactImage(channels * height * width)
        // Half a unit of 8 bits, and what single precision adds near a tie.
        #expect(
            zip(try step(image), step.expected(image)).allSatisfy {
                abs(Double($0) - $1) <= abs($1) / 256 + 1e-5
            })
    }

    @Test(
        .enabled(if: multipliesIntegers, "needs a processor with AVX-512 VNNI and without AMX"),
        arguments: [(16, 16), (21, 16), (48, 48), (65, 64), (192, 64)], [3, 5, 7])
    func `in integers a convolution is as near as bfloat16 tells`(
        channels: (Int, Int), kernel: Int
    ) throws {
        let (inputs, outputs) = channels
        for (height, width) in [(1, 1), (8, 8), (20, 29)] {
            let step = try ConvolutionPlan(
                channels: inputs, outputs: outputs, kernel: kernel, height: height, width: width,
                slope: 0.25, type: .bfloat16, kernels: .avx512vnni)
            #expect(step.plan.kernels == "AVX-512 VNNI")
            let image = exactImage(inputs * height * width)
            let (found, expected) = (try step(image), step.expected(image))
            let largest = expected.reduce(0) { max($0, abs($1)) }
            let deviation = zip(found, expected).reduce(0) { sum, pair in
                sum + (Double(pair.0) - pair.1) * (Double(pair.0) - pair.1)
            }
            let size = expected.reduce(0) { $0 + $1 * $1 }
            // bfloat16's own rounding deviates by 1/600 in the mean and at most by 1/256. Numbers are the
            // coarser the more channels share the bits of a sum.
            #expect((deviation / size).squareRoot() < (inputs > 100 ? 3.0 : 2.0) / 600)
            #expect(
                zip(found, expected).allSatisfy { abs(Double($0) - $1) <= largest * 4 / 256 })
        }
    }

    @Test(
        .enabled(if: multipliesIntegers, "needs a processor with AVX-512 VNNI and without AMX"),
        arguments: [3, 5, 7])
    func `sums of integers do not overflow where all products are as large as can be`(
        kernel: Int
    ) throws {
        // A constant image and weights of one sign are what adds up most.
        let (inputs, outputs, side) = (192, 16, 24)
        for value: Float in [1, 1024, 0.0009765625] {
            let step = try ConvolutionPlan(
                channels: inputs, outputs: outputs, kernel: kernel, height: side, width: side,
                slope: 1, type: .bfloat16, kernels: .avx512vnni, constantWeight: 0.125)
            let found = try step([Float](repeating: value, count: inputs * side * side))
            let sum = Double(value) * 0.125 * Double(inputs * kernel * kernel)
            for out in 0..<outputs {
                let inside = Double(found[(side / 2 * side + side / 2) * outputs + out])
                #expect(abs(inside - sum - Double(step.bias[out])) <= sum / 128 + 0.005)
            }
            let nothing = try step([Float](repeating: 0, count: inputs * side * side))
            #expect(
                nothing.indices.allSatisfy {
                    abs(nothing[$0] - step.bias[$0 % outputs]) <= 1.0 / 512
                })
        }
    }

    @Test func `few channels, much padding and other kernels are left to sums`() throws {
        for (channels, outputs, kernel) in [(3, 48, 3), (48, 17, 3), (16, 16, 9), (16, 16, 1)] {
            let step = try ConvolutionPlan(
                channels: channels, outputs: outputs, kernel: kernel, height: 9, width: 10,
                slope: 1, type: .float32, kernels: .best)
            #expect(step.plan.winogradCount == 0)
        }
    }

    /// Else it would be left to rounding where a maximum is unpooled to.
    @Test(arguments: instructionSets, [ElementType.float32, .bfloat16])
    func `where an image is flat, so is the convolution`(
        kernels: PlanKernels, type: ElementType
    ) throws {
        let (height, width, outputs) = (40, 43, 48)
        for kernel in [3, 5, 7] {
            let step = try ConvolutionPlan(
                channels: 32, outputs: outputs, kernel: kernel, height: height, width: width,
                slope: 0.1, type: type, kernels: kernels)
            var generator = SeededGenerator(seed: 9)
            let flat = (0..<32).map { _ in Float.random(in: -1...1, using: &generator) }
            let image = flat.flatMap { [Float](repeating: $0, count: height * width) }
            let found = try step(image)
            // Far enough from the border, which zeros surround, that whole tiles are flat.
            for y in 8..<height - 8 {
                for x in 8..<width - 8 {
                    let start = (y * width + x) * outputs, first = (8 * width + 8) * outputs
                    #expect(found[start..<start + outputs] == found[first..<first + outputs])
                }
            }
        }
    }
}
