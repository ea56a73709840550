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

    init(
        channels: Int, outputs: Int, kernel: Int, height: Int, width: Int, slope: Double,
        type: ElementType, kernels: PlanKernels
    ) throws {
        var generator = SeededGenerator(seed: UInt64(channels * 1000 + outputs * 10 + kernel))
        let bound = 1 / Float(channels * kernel * kernel).squareRoot()
        weight = (0..<outputs * channels * kernel * kernel).map { _ in
            .random(in: -bound...bound, using: &generator)
        }
        bias = (0..<outputs).map { _ in .random(in: -0.5...0.5, using: &generator) }
        var identity = [Float](repeating: 0, count: outputs * outputs)
        for o in 0..<outputs { identity[o * outputs + o] = 1 }
        plan = try SlicePlan(
            buffers: [
                PlanBuffer(channels: channels, height: height, width: width),
                PlanBuffer(channels: outputs, height: height, width: width),
            ],
            steps: [
                .input(target: PlanPlace(buffer: 0, channel: 0, channels: channels)),
                .convolve(
                    source: 0, target: 1,
                    PlanWeights(
                        weight: Tensor(weight, shape: [outputs, channels, kernel, kernel]),
                        bias: Tensor(bias, shape: [outputs])), slope: slope),
                .classify(
                    source: PlanPlace(buffer: 1, channel: 0, channels: outputs),
                    PlanWeights(
                        weight: Tensor(identity, shape: [outputs, outputs, 1, 1]),
                        bias: .zeros([outputs]))),
            ], type: type, kernels: kernels)
    }
}

struct WinogradTests {
    /// Smaller than a tile, of a tile's size, several tiles with and without a rest.
    private static let sizes = [(1, 1), (5, 3), (8, 8), (12, 24), (13, 29)]

    @Test(
        .enabled(
            if: (try? Engine.convolutionCapability().hasPrefix("AVX")) ?? false,
            "needs a processor with AVX2"),
        arguments: [PlanKernels.avx2, .avx512], [(16, 16), (48, 48), (32, 64), (96, 112), (65, 64)])
    func `a convolution is the sum that it stands for`(
        kernels: PlanKernels, channels: (Int, Int)
    ) throws {
        if kernels == .avx512, try !Engine.convolutionCapability().hasPrefix("AVX512") { return }
        let (inputs, outputs) = channels
        for kernel in [3, 5] {
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
                    let found: [Float] = try step.plan(
                        Tensor(image, shape: [1, inputs, height, width])
                    ).elements()
                    let expected = convolved(
                        image, channels: inputs, height: height, width: width,
                        weight: step.weight, bias: step.bias, kernel: kernel, slope: slope)
                    let worst = zip(found, expected).map { abs(Double($0) - $1) }.max() ?? 1
                    // The sums are about 1; single precision has 6e-8, and the transforms some tens
                    // of that.
                    #expect(worst < 1e-5, "\(kernel)x\(kernel), \(height)x\(width), \(slope)")
                }
            }
        }
    }

    @Test func `bfloat16 is rounded as it is read and as it is written, not in between`() throws {
        guard try Engine.convolutionCapability().hasPrefix("AVX") else { return }
        let (channels, height, width) = (32, 19, 22)
        let step = try ConvolutionPlan(
            channels: channels, outputs: 48, kernel: 5, height: height, width: width, slope: 1,
            type: .bfloat16, kernels: .best)
        var generator = SeededGenerator(seed: 8)
        // Numbers that bfloat16 holds.
        let image = (0..<channels * height * width).map { _ in
            Float(Int.random(in: 0...128, using: &generator)) / 64
        }
        let found: [Float] = try step.plan(
            Tensor(image, shape: [1, channels, height, width])
        ).elements()
        let expected = convolved(
            image, channels: channels, height: height, width: width, weight: step.weight,
            bias: step.bias, kernel: 5, slope: 1)
        // Half a unit of 8 bits, and what single precision adds near a tie.
        #expect(
            zip(found, expected).allSatisfy { abs(Double($0) - $1) <= abs($1) / 256 + 1e-5 })
    }

    @Test func `channels that fill no vector, and other kernels, are LibTorch's`() throws {
        for (channels, outputs, kernel) in [(3, 48, 3), (48, 24, 3), (16, 16, 7), (16, 16, 1)] {
            let step = try ConvolutionPlan(
                channels: channels, outputs: outputs, kernel: kernel, height: 9, width: 10,
                slope: 1, type: .float32, kernels: .best)
            #expect(step.plan.winogradCount == 0)
        }
    }
}
