import Datasets
import Tensors
import Testing

/// A convolution of any kind as one step of a plan, which the classifier hands out as it is.
private struct FreeConvolution: CustomTestStringConvertible, Sendable {
    var channels = 8, outputs = 8, kernel = 3, stride = 1, dilation = 1, groups = 1
    var padding: Int?
    var slope = 1.0
    var height = 11, width = 13

    var testDescription: String {
        "\(channels)->\(outputs) k\(kernel) s\(stride) d\(dilation) g\(groups) "
            + "p\(zeros) \(height)x\(width)"
    }

    /// Zeros on each side.
    var zeros: Int { padding ?? dilation * (kernel - 1) / 2 }

    /// A Boolean value indicating whether Winograd's algorithm may compute it.
    var isForWinograd: Bool {
        [3, 5, 7].contains(kernel) && stride == 1 && dilation == 1 && groups == 1
            && channels >= 16 && 2 * ((outputs + 15) / 16 * 16) <= 3 * outputs
    }

    func resultSize(_ size: Int) -> Int {
        (size + 2 * zeros - dilation * (kernel - 1) - 1) / stride + 1
    }

    /// LibTorch's convolution in double precision, and a plan's.
    func largestDifference(
        _ kernels: PlanKernels, _ type: ElementType
    ) throws -> (difference: Double, largest: Double) {
        var generator = SeededGenerator(seed: UInt64(channels + 31 * kernel + 7 * groups))
        func numbers(_ count: Int, _ bound: Float) -> [Float] {
            (0..<count).map { _ in
                // Numbers that bfloat16 holds.
                (Float.random(in: -1...1, using: &generator) * 64).rounded() / 64 * bound
            }
        }
        let (rows, columns) = (resultSize(height), resultSize(width))
        // Of the result's size, as logits are as large as the image; zeros are beyond.
        let image = try Tensor(
            numbers(channels * rows * columns, 1), shape: [1, channels, rows, columns])
        let weight = try Tensor(
            numbers(outputs * channels / groups * kernel * kernel, 0.5),
            shape: [outputs, channels / groups, kernel, kernel])
        let bias = try Tensor(numbers(outputs, 1), shape: [outputs])
        var identity = [Float](repeating: 0, count: outputs * outputs)
        for o in 0..<outputs { identity[o * outputs + o] = 1 }
        func place(_ buffer: Int, _ channels: Int) -> PlanPlace {
            PlanPlace(buffer: buffer, channel: 0, channels: channels)
        }
        let plan = try SlicePlan(
            buffers: [
                PlanBuffer(channels: channels, height: height, width: width),
                PlanBuffer(channels: outputs, height: rows, width: columns),
            ],
            steps: [
                .input(target: place(0, channels)),
                .convolveFreely(
                    source: place(0, channels), target: place(1, outputs),
                    PlanWeights(weight: weight, bias: bias), stride: stride, dilation: dilation,
                    padding: zeros, groups: groups, slope: slope),
                .classify(
                    source: place(1, outputs),
                    PlanWeights(
                        weight: Tensor(identity, shape: [outputs, outputs, 1, 1]),
                        bias: .zeros([outputs]))),
            ], type: type, kernels: kernels)
        let whole = try image.padded([0, width - columns, 0, height - rows])
        let exact = try whole.converted(to: .float64).convolved(
            weight: weight.converted(to: .float64), bias: bias.converted(to: .float64),
            stride: stride, padding: zeros, dilation: dilation, groups: groups)
        let expected: [Double] = try exact.permuted([0, 2, 3, 1]).elements()
        let found: [Double] = try plan(image).elements()
        var (worst, largest) = (0.0, 0.0)
        for (value, wanted) in zip(found, expected.map { $0 < 0 ? $0 * slope : $0 }) {
            worst = max(worst, abs(value - wanted))
            largest = max(largest, abs(wanted))
        }
        return (worst, largest)
    }
}

struct FloatConvolutionTests {
    private static let kernels = PlanKernels.allCases.filter { (try? $0.isAvailable) ?? false }

    /// Convolutions of one input channel and of many, products of matrices, all outputs that fill vectors or do not,
    /// strides, gaps, groups, no padding and much, and images narrower than what is computed at once.
    private static let examples = [
        FreeConvolution(channels: 1, outputs: 64, kernel: 5, height: 19, width: 23),
        FreeConvolution(channels: 3, outputs: 48, kernel: 3, slope: 0),
        FreeConvolution(channels: 7, outputs: 21, kernel: 7, slope: 0.25),
        FreeConvolution(channels: 96, outputs: 64, kernel: 1, slope: 0, height: 33, width: 29),
        FreeConvolution(channels: 5, outputs: 3, kernel: 1, height: 1, width: 2),
        FreeConvolution(channels: 256, outputs: 17, kernel: 1),
        FreeConvolution(channels: 16, outputs: 16, kernel: 9, height: 5, width: 4),
        FreeConvolution(channels: 20, outputs: 112, kernel: 3, stride: 1, height: 4, width: 3),
        FreeConvolution(channels: 24, outputs: 24, kernel: 3, slope: 0, height: 15, width: 17),
        FreeConvolution(channels: 16, outputs: 45, kernel: 5, slope: 0.25, height: 14, width: 15),
        FreeConvolution(channels: 8, outputs: 32, kernel: 3, dilation: 2, height: 16, width: 15),
        FreeConvolution(channels: 32, outputs: 32, kernel: 3, groups: 4),
        FreeConvolution(channels: 12, outputs: 24, kernel: 5, dilation: 3, groups: 3),
        FreeConvolution(channels: 16, outputs: 16, kernel: 1, groups: 16),
    ]

    @Test(arguments: kernels, examples)
    fileprivate func `a convolution is LibTorch's in double precision`(
        kernels: PlanKernels, example: FreeConvolution
    ) throws {
        let found = try example.largestDifference(kernels, .float32)
        // The transforms of Winograd's algorithm multiply the rounding of single precision.
        let tolerance = example.isForWinograd ? 1e-5 : 2e-6
        #expect(found.difference <= found.largest * tolerance)
        // Half a unit of bfloat16's eight bits, of weights in single precision.
        let rough = try example.largestDifference(kernels, .bfloat16)
        #expect(rough.difference <= rough.largest / 256)
    }

    @Test(
        arguments: kernels, [(3, 2, 1, 1), (7, 2, 3, 1), (1, 2, 0, 1), (3, 3, 0, 2), (5, 1, 0, 4)])
    func `a convolution that makes the image smaller is LibTorch's`(
        kernels: PlanKernels, shape: (kernel: Int, stride: Int, padding: Int, groups: Int)
    ) throws {
        for (height, width) in [(12, 14), (13, 21)] {
            let example = FreeConvolution(
                channels: 8, outputs: 24, kernel: shape.kernel, stride: shape.stride,
                groups: shape.groups, padding: shape.padding, slope: 0.5, height: height,
                width: width)
            let found = try example.largestDifference(kernels, .float32)
            #expect(found.difference <= found.largest * 2e-6)
        }
    }

    @Test func `sizes that do not fit are refused`() throws {
        let weights = PlanWeights(
            weight: try .zeros([4, 4, 3, 3]), bias: try .zeros([4]))
        func place(_ buffer: Int) -> PlanPlace {
            PlanPlace(buffer: buffer, channel: 0, channels: 4)
        }
        let error = #expect(throws: TensorError.self) {
            try SlicePlan(
                buffers: [
                    PlanBuffer(channels: 4, height: 9, width: 9),
                    PlanBuffer(channels: 4, height: 9, width: 9),
                ],
                steps: [
                    .input(target: place(0)),
                    .convolveFreely(
                        source: place(0), target: place(1), weights, stride: 2, dilation: 1,
                        padding: 1, groups: 1, slope: 1),
                    .classify(source: place(1), weights),
                ], type: .float32, kernels: .best)
        }
        #expect(error?.code == .invalidCall)
        #expect(error?.message.contains("3x3 of 4x9x9 to 4x9x9") == true)
    }
}
