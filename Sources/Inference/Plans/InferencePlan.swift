public import SegmentationModels
public import Tensors

/// A network compiled for slices of one size, to run on the processor.
///
/// Weights are packed once, in the layout that the processor's convolutions want; normalisation
/// that stands next to a convolution is folded into it; bias and rectifier are applied as a
/// convolution writes; and what is bound by memory (joining, pooling, unpooling, interpolation,
/// recalibration) passes over the data as seldom as it can. Each slice is computed by one thread
/// from beginning to end. So the logits of a slice are the same bits whatever the number of threads
/// and of slices in a call.
///
/// See <doc:How-fast-and-why>.
public final class InferencePlan {
    /// The description of a plan's computation.
    public struct Summary: Sendable, Hashable, Codable, CustomStringConvertible {
        /// `bf16`, `fp32` or `int8`.
        public var precision: Precision
        /// The instruction set that the convolutions find, such as `AVX512_BF16`.
        public var convolutions: String
        /// The instruction set of the loops between them, such as `AVX-512`.
        public var kernels: String
        /// Convolutions: some by Winograd's algorithm, others by LibTorch on packed weights, or in
        /// 8-bit integers.
        public var convolutionCount: Int
        /// See ``convolutionCount``.
        public var integerConvolutionCount: Int
        /// See ``convolutionCount``.
        public var winogradConvolutionCount: Int
        /// See ``convolutionCount``.
        public var packedConvolutionCount: Int
        /// Passes over memory between the convolutions.
        public var passCount: Int
        /// Normalisations that became part of another step.
        public var foldedNormalizationCount: Int
        /// Multiplications and additions of the convolutions for one slice; see
        /// `SegmentationNetwork.operationCount(height:width:)`.
        public var operationsPerSlice: Double
        /// Scratch memory of each thread.
        public var scratchBytesPerThread: Int

        /// One line, such as `compiled plan (bf16; 18 convolutions AVX512_BF16, 17 Winograd, 1 packed;
        /// 13 fused passes AVX-512)`.
        public var description: String {
            "compiled plan (\(precision.rawValue); \(convolutionCount) convolutions "
                + "\(convolutions.isEmpty ? "portable" : convolutions), "
                + (integerConvolutionCount > 0 ? "\(integerConvolutionCount) int8, " : "")
                + "\(winogradConvolutionCount) Winograd, \(packedConvolutionCount) packed; "
                + "\(passCount) fused passes \(kernels))"
        }
    }

    /// The description of its computation.
    public let summary: Summary
    /// Pixels down a slice.
    public let height: Int
    /// Pixels across a slice.
    public let width: Int
    private let plan: SlicePlan

    /// Compiles a network.
    ///
    /// - Parameters:
    ///   - network: The network; its weights are copied.
    ///   - precision: How it is computed; `auto` is what the processor does best.
    ///   - height: Pixels down the slices.
    ///   - width: Pixels across the slices.
    ///   - inputRanges: For `int8`, of each convolution the range that its input is rounded in; see
    ///     ``Calibration``. The convolutions without one are computed as by `auto`.
    /// - Throws: `TensorError` where the engine cannot run it; the network itself still can.
    public convenience init(
        network: SegmentationNetwork, precision: Precision = .auto, height: Int, width: Int,
        inputRanges: [String: ClosedRange<Double>] = [:]
    ) throws {
        try self.init(
            network: network, precision: precision, height: height, width: width,
            inputRanges: inputRanges, kernels: .best)
    }

    /// Compiles a network with a chosen compilation of the plan's own loops.
    package init(
        network: SegmentationNetwork, precision: Precision, height: Int, width: Int,
        inputRanges: [String: ClosedRange<Double>] = [:], kernels: PlanKernels
    ) throws {
        precondition(height > 0 && width > 0, "slices of \(height)x\(width)")
        let precision = precision.resolved(on: .cpu)
        let compiled = try PlanCompiler.compile(
            network, height: height, width: width,
            inputRanges: precision == .int8 ? inputRanges : [:])
        plan = try SlicePlan(
            buffers: compiled.buffers, steps: compiled.steps,
            type: precision.planType, kernels: kernels)
        self.height = height
        self.width = width
        summary = Summary(
            precision: precision, convolutions: try Engine.convolutionCapability(),
            kernels: plan.kernels, convolutionCount: compiled.convolutions.count,
            integerConvolutionCount: plan.integerCount,
            winogradConvolutionCount: plan.winogradCount,
            packedConvolutionCount: plan.packedCount, passCount: compiled.passCount,
            foldedNormalizationCount: compiled.foldedCount,
            operationsPerSlice: Double(compiled.operationCount),
            scratchBytesPerThread: plan.byteCount)
    }

    /// Computes the logits of slices.
    ///
    /// Slices are dealt to `Engine.threadCount()` threads, one by one.
    ///
    /// - Parameter images: `[N, contextSlices, height, width]` in single precision.
    /// - Returns: `[N, classes, height, width]`, of whole slices `[N, classes, 1, 1]`, in single precision;
    ///   in memory the classes of a pixel lie side by side.
    /// - Throws: `TensorError`, for example where memory runs out.
    public func callAsFunction(_ images: Tensor) throws -> Tensor {
        let shape = images.shape
        precondition(
            shape.count == 4 && shape[2] == height && shape[3] == width,
            "images of shape \(shape) for a plan of \(height)x\(width)")
        return try plan(images).permuted([0, 3, 1, 2])
    }
}
