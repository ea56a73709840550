internal import CPlan
internal import CTorch

/// Scratch memory of a plan for one image, the channels of a pixel side by side.
package struct PlanBuffer {
    /// Elements a pixel.
    package var channels: Int
    /// Pixels down.
    package var height: Int
    /// Pixels across.
    package var width: Int
    /// A Boolean value indicating whether it holds the indices of the largest pixels of pooling windows.
    package var holdsIndices: Bool

    /// Makes a description.
    package init(channels: Int, height: Int, width: Int, holdsIndices: Bool = false) {
        self.channels = channels
        self.height = height
        self.width = width
        self.holdsIndices = holdsIndices
    }
}

/// Some neighbouring channels of a buffer.
package struct PlanPlace {
    /// The buffer's position in the list.
    package var buffer: Int
    /// The first of the channels.
    package var channel: Int
    /// The number of channels.
    package var channels: Int

    /// Makes a place.
    package init(buffer: Int, channel: Int, channels: Int) {
        self.buffer = buffer
        self.channel = channel
        self.channels = channels
    }
}

/// A part of a concatenation.
package struct PlanSource {
    /// The value that holds it.
    package var place: PlanPlace
    /// The buffer of indices to unpool it by, or `nil` where it has the target's size.
    package var indices: Int?

    /// Makes a source.
    package init(_ place: PlanPlace, indices: Int? = nil) {
        self.place = place
        self.indices = indices
    }
}

/// 2x2 maxima of a step's target.
package struct PlanPooling {
    /// The value that receives them.
    package var target: PlanPlace
    /// The buffer for where they were, or `nil`.
    package var indices: Int?

    /// Makes a pooling.
    package init(target: PlanPlace, indices: Int? = nil) {
        self.target = target
        self.indices = indices
    }
}

/// A factor and a summand for each channel.
package struct PlanAffine {
    /// The factors, single precision.
    package var scale: Tensor
    /// The summands, single precision.
    package var shift: Tensor

    /// Makes one.
    package init(scale: Tensor, shift: Tensor) {
        self.scale = scale
        self.shift = shift
    }
}

/// A layer's weight and bias.
package struct PlanWeights {
    /// The weight, single precision.
    package var weight: Tensor
    /// The bias, single precision.
    package var bias: Tensor

    /// Makes a pair.
    package init(weight: Tensor, bias: Tensor) {
        self.weight = weight
        self.bias = bias
    }
}

/// The combination of cSE and sSE.
package enum PlanCombination: Int {
    /// Their sum.
    case addition
    /// The larger.
    case maximum
    /// Their product.
    case product
    /// Side by side; the target has twice the channels.
    case concatenation
}

/// The reduction of a pooling window.
package enum PlanReduction: Int {
    /// Its largest value.
    case maximum
    /// Its mean.
    case mean
    /// Its mean by the values themselves, where they are positive.
    case weighted
}

/// A step of a plan; see `CPlanStepKind`.
package enum PlanStep {
    /// The image, with zeros below and to the right of it.
    case input(target: PlanPlace)
    /// A convolution of stride 1 that keeps the size; negative values are multiplied by `slope`.
    ///
    /// With an input range it is computed in 8-bit integers, where the processor can.
    case convolve(
        source: Int, target: Int, PlanWeights, slope: Double, inputRange: ClosedRange<Double>?)
    /// A convolution of any kind, with `padding` zeros around its input.
    case convolveFreely(
        source: PlanPlace, target: PlanPlace, PlanWeights, stride: Int, dilation: Int,
        padding: Int, groups: Int, slope: Double)
    /// Sources side by side, scaled, shifted, rectified.
    case join([PlanSource], target: PlanPlace, PlanAffine?, slope: Double, PlanPooling?)
    /// Twice the size, linearly between pixel centres.
    case interpolate(source: PlanPlace, target: PlanPlace)
    /// Twice the size, each pixel four times.
    case `repeat`(source: PlanPlace, target: PlanPlace)
    /// Quarters of channels as the pixels of a 2x2 square.
    case spread(source: PlanPlace, target: PlanPlace)
    /// Squeeze & excitation.
    case recalibrate(
        source: PlanPlace, target: PlanPlace, PlanAffine?, reduce: PlanWeights?,
        expand: PlanWeights?, spatial: PlanWeights?, PlanCombination, PlanPooling?)
    /// The sum of values; negative results are multiplied by `slope`.
    case add([PlanPlace], target: PlanPlace, slope: Double)
    /// Windows that reach `padding` pixels beyond the image, where nothing counts, to one value each.
    case pool(
        source: PlanPlace, target: PlanPlace, PlanReduction, kernel: Int, stride: Int, padding: Int)
    /// Branches mixed channel by channel, by a softmax over what the mean of their sum selects.
    case select([PlanPlace], target: PlanPlace, reduce: PlanWeights, select: PlanWeights)
    /// The logits.
    case classify(source: PlanPlace, PlanWeights)
}

/// The instruction set that the plans' own kernels were compiled for.
package enum PlanKernels: CaseIterable {
    /// The best that this processor can run.
    case best
    /// The one that every processor of the architecture can run.
    case baseline
    /// AVX2 and FMA.
    case avx2
    /// AVX-512 F, BW, CD, DQ, VL.
    case avx512
    /// AVX-512 as above, and its sums of products of integers.
    case avx512vnni

    /// A Boolean value indicating whether this processor can run it and `SLICESEG_KERNELS` allows it.
    package var isAvailable: Bool {
        get throws(TensorError) {
            unsafe try LoadedLibraries.plans().table.pointee.has_kernels(code)
        }
    }

    fileprivate var code: CPlanKernels {
        switch self {
        case .best: CPLAN_KERNELS_BEST
        case .baseline: CPLAN_KERNELS_BASELINE
        case .avx2: CPLAN_KERNELS_AVX2
        case .avx512: CPLAN_KERNELS_AVX512
        case .avx512vnni: CPLAN_KERNELS_AVX512VNNI
        }
    }
}

/// Whose convolutions a plan uses.
package enum PlanConvolutions {
    /// LibTorch's in bfloat16 where the processor multiplies matrices and LibTorch is there; else the plan's
    /// own.
    case best
    /// LibTorch's for all that it has.
    case libTorch
}

/// The steps of a network over packed weights and scratch memory that is laid out once.
@safe package final class SlicePlan {
    private let plan: CPlan
    private let plans: PlanFunctions
    /// The logits of the last images; the memory is used again once nobody else holds it.
    private var logits: HostStorage?

    /// Packs weights and lays memory out.
    ///
    /// - Parameters:
    ///   - buffers: The scratch memory.
    ///   - steps: What is done, from `input` to `classify`.
    ///   - type: `.float32` or `.bfloat16`.
    ///   - kernels: Which of the plan's own loops.
    ///   - convolutions: Whose convolutions.
    /// - Throws: `TensorError` where the steps do not fit or the processor lacks the kernels.
    package init(
        buffers: [PlanBuffer], steps: [PlanStep], type: ElementType, kernels: PlanKernels,
        convolutions: PlanConvolutions = .best
    ) throws(TensorError) {
        guard type == .float32 || type == .bfloat16 else {
            throw TensorError(
                code: .invalidCall, operation: "plan",
                message: "plans compute in float32 or bfloat16, not in \(type)")
        }
        let plans = try LoadedLibraries.plans()
        let others = unsafe try convolutions.functions(type)
        let descriptions = buffers.map {
            CPlanBuffer(
                channels: Int32($0.channels), height: Int32($0.height), width: Int32($0.width),
                holds_indices: $0.holdsIndices)
        }
        let weights = PlanNumbers()
        var described: [CPlanStep] = unsafe []
        for step in steps { unsafe described.append(try step.described(weights)) }
        var made: CPlan?
        let status = withExtendedLifetime(weights) {
            unsafe plans.table.pointee.plan_make(
                descriptions, Int32(descriptions.count), described, Int32(described.count),
                type == .bfloat16, kernels.code, others, &made)
        }
        try plans.check(status, "plan")
        guard let plan = unsafe made else {
            throw TensorError(code: .other, operation: "plan", message: "no plan was returned")
        }
        unsafe self.plan = plan
        self.plans = plans
    }

    deinit { unsafe plans.table.pointee.plan_release(plan) }

    /// Computes images `[N, channels, height, width]`, single precision on the CPU.
    ///
    /// - Returns: Their logits `[N, height, width, classes]`.
    package func callAsFunction(_ images: Tensor) throws(TensorError) -> Tensor {
        let shape = try Self.shape(of: images)
        let classes = Int(unsafe plans.table.pointee.plan_class_count(plan))
        let count = shape[0] * shape[2] * shape[3] * classes
        if logits?.count != count || !(logits?.isPlain ?? false)
            || !isKnownUniquelyReferenced(&logits)
        {
            logits = try HostStorage(count: count, type: .float32)
        }
        guard let logits else { preconditionFailure("logits without room") }
        var status = CPLAN_OK
        try unsafe images.contiguous().withDenseBytes { bytes in
            unsafe status = plans.table.pointee.plan_run(
                plan, Self.floats(bytes), Int64(shape[0]), Int32(shape[1]), Int32(shape[2]),
                Int32(shape[3]), logits.start.assumingMemoryBound(to: Float.self))
        }
        try plans.check(status, "plan")
        return Tensor(logits, shape: [shape[0], shape[2], shape[3], classes])
    }

    /// Counts how often each bfloat16 number, by its bits, stands in the input of each convolution.
    ///
    /// - Parameters:
    ///   - images: As for computing them; this takes one thread.
    ///   - counts: 65,536 numbers for each convolution, to which is added.
    /// - Throws: `TensorError` where the images do not fit.
    package func observe(_ images: Tensor, counts: inout [Int64]) throws(TensorError) {
        let shape = try Self.shape(of: images)
        var status = CPLAN_OK
        try unsafe images.contiguous().withDenseBytes { bytes in
            unsafe status = plans.table.pointee.plan_observe(
                plan, Self.floats(bytes), Int64(shape[0]), Int32(shape[1]), Int32(shape[2]),
                Int32(shape[3]), &counts)
        }
        try plans.check(status, "plan")
    }

    private static func floats(_ bytes: UnsafeMutableRawBufferPointer) -> UnsafePointer<Float> {
        guard let start = bytes.baseAddress else { preconditionFailure("no images") }
        return unsafe UnsafePointer(start.assumingMemoryBound(to: Float.self))
    }

    private static func shape(of images: Tensor) throws(TensorError) -> [Int] {
        let shape = images.shape
        guard shape.count == 4, images.elementType == .float32, images.device == .cpu else {
            throw TensorError(
                code: .invalidCall, operation: "plan",
                message: "images must be float32 [N, C, H, W] on the CPU")
        }
        return shape
    }

    /// The instruction set of the plan's own loops.
    package var kernels: String {
        unsafe String(cString: plans.table.pointee.plan_kernels(plan))
    }

    /// The number of convolutions in 8-bit integers.
    package var integerCount: Int { Int(unsafe plans.table.pointee.plan_integer_count(plan)) }

    /// The number of convolutions on packed weights.
    package var packedCount: Int { Int(unsafe plans.table.pointee.plan_packed_count(plan)) }

    /// The number of convolutions by Winograd's algorithm.
    package var winogradCount: Int { Int(unsafe plans.table.pointee.plan_winograd_count(plan)) }

    /// Scratch memory of each thread.
    package var byteCount: Int { Int(unsafe plans.table.pointee.plan_byte_count(plan)) }
}

extension Engine {
    /// The instruction set that convolutions find on this processor: `AMX`, `AVX512_BF16`,
    /// `AVX512`, `AVX2` or nothing.
    public static func convolutionCapability() throws(TensorError) -> String {
        unsafe String(cString: try LoadedLibraries.plans().table.pointee.convolution_capability())
    }

    /// A Boolean value indicating whether this processor multiplies bfloat16 in hardware.
    public static func hasBfloat16() throws(TensorError) -> Bool {
        unsafe try LoadedLibraries.plans().table.pointee.has_bfloat16()
    }
}

extension PlanConvolutions {
    fileprivate func functions(
        _ type: ElementType
    ) throws(TensorError) -> UnsafePointer<CPlanConvolutions>? {
        switch self {
        case .libTorch:
            return unsafe try LoadedLibraries.functions().table.pointee.plan_convolutions()
        case .best:
            guard type == .bfloat16, try Engine.convolutionCapability() == "AMX",
                let engine = try? LoadedLibraries.functions()
            else { return nil }
            return unsafe engine.table.pointee.plan_convolutions()
        }
    }
}

/// The weights of steps in single precision, where they stay until the plan has its own.
@safe private final class PlanNumbers {
    private var tensors: [Tensor] = []

    func callAsFunction(_ tensor: Tensor?) throws(TensorError) -> UnsafePointer<Float>? {
        guard let tensor else { return nil }
        let dense = try tensor.converted(to: .float32, on: .cpu).contiguous()
        tensors.append(dense)
        var start: UnsafePointer<Float>?
        try unsafe dense.withDenseBytes { bytes in
            unsafe start = UnsafePointer(bytes.bindMemory(to: Float.self).baseAddress)
        }
        return unsafe start
    }
}

extension PlanPlace {
    fileprivate var described: CPlanPlace {
        CPlanPlace(
            buffer: Int32(buffer), channel: Int32(channel), channels: Int32(channels))
    }
}

extension PlanStep {
    /// The step in C; valid while `numbers` lives.
    fileprivate func described(_ numbers: PlanNumbers) throws(TensorError) -> CPlanStep {
        let none = CPlanPlace(buffer: -1, channel: 0, channels: 0)
        var step = unsafe CPlanStep()
        unsafe step.sources = (none, none, none, none, none, none, none, none)
        unsafe step.source_indices = (-1, -1, -1, -1, -1, -1, -1, -1)
        unsafe step.target = none
        unsafe step.pooled = none
        unsafe step.indices = -1
        unsafe step.slope = 1
        unsafe step.stride = 1
        unsafe step.dilation = 1
        unsafe step.groups = 1
        func setSource(_ place: PlanPlace) {
            unsafe step.sources.0 = place.described
            unsafe step.source_count = 1
        }
        func setSources(_ places: [PlanPlace], indices: [Int?]? = nil) {
            precondition(
                (1...Int(CPLAN_STEP_SOURCES)).contains(places.count),
                "\(places.count) sources of a step")
            let none = [CPlanPlace](
                repeating: none, count: Int(CPLAN_STEP_SOURCES) - places.count)
            let all = places.map(\.described) + none
            let known = (0..<all.count).map { position in
                Int32(indices.flatMap { position < $0.count ? $0[position] : nil } ?? -1)
            }
            unsafe step.sources = (
                all[0], all[1], all[2], all[3], all[4], all[5], all[6], all[7]
            )
            unsafe step.source_indices = (
                known[0], known[1], known[2], known[3], known[4], known[5], known[6], known[7]
            )
            unsafe step.source_count = Int32(places.count)
        }
        func setAffine(_ affine: PlanAffine?) throws(TensorError) {
            unsafe step.scale = try numbers(affine?.scale)
            unsafe step.shift = try numbers(affine?.shift)
        }
        func setPooling(_ pooling: PlanPooling?) {
            guard let pooling else { return }
            unsafe step.pooled = pooling.target.described
            unsafe step.indices = Int32(pooling.indices ?? -1)
        }
        switch self {
        case .input(let target):
            unsafe step.kind = CPLAN_STEP_INPUT
            unsafe step.target = target.described
        case .convolve(let source, let target, let weights, let slope, let inputRange):
            unsafe step.kind = CPLAN_STEP_CONVOLVE
            setSource(PlanPlace(buffer: source, channel: 0, channels: weights.weight.shape[1]))
            unsafe step.target = CPlanPlace(
                buffer: Int32(target), channel: 0, channels: Int32(weights.weight.shape[0]))
            unsafe step.weight = try numbers(weights.weight)
            unsafe step.bias = try numbers(weights.bias)
            unsafe step.kernel = Int32(weights.weight.shape[2])
            unsafe step.padding = Int32(weights.weight.shape[2] / 2)
            unsafe step.slope = slope
            unsafe step.low = inputRange?.lowerBound ?? 0
            unsafe step.high = inputRange?.upperBound ?? 0
        case .convolveFreely(
            let source, let target, let weights, let stride, let dilation, let padding, let groups,
            let slope):
            unsafe step.kind = CPLAN_STEP_CONVOLVE
            setSource(source)
            unsafe step.target = target.described
            unsafe step.weight = try numbers(weights.weight)
            unsafe step.bias = try numbers(weights.bias)
            unsafe step.kernel = Int32(weights.weight.shape[2])
            unsafe step.stride = Int32(stride)
            unsafe step.dilation = Int32(dilation)
            unsafe step.padding = Int32(padding)
            unsafe step.groups = Int32(groups)
            unsafe step.slope = slope
        case .join(let sources, let target, let affine, let slope, let pooling):
            unsafe step.kind = CPLAN_STEP_CONCATENATE
            setSources(sources.map(\.place), indices: sources.map(\.indices))
            unsafe step.target = target.described
            unsafe step.slope = slope
            try setAffine(affine)
            setPooling(pooling)
        case .interpolate(let source, let target):
            unsafe step.kind = CPLAN_STEP_UPSAMPLE_BILINEAR
            setSource(source)
            unsafe step.target = target.described
        case .repeat(let source, let target):
            unsafe step.kind = CPLAN_STEP_UPSAMPLE_NEAREST
            setSource(source)
            unsafe step.target = target.described
        case .spread(let source, let target):
            unsafe step.kind = CPLAN_STEP_DEPTH_TO_SPACE
            setSource(source)
            unsafe step.target = target.described
        case .recalibrate(
            let source, let target, let affine, let reduce, let expand, let spatial,
            let combination, let pooling):
            unsafe step.kind = CPLAN_STEP_RECALIBRATE
            setSource(source)
            unsafe step.target = target.described
            try setAffine(affine)
            unsafe step.reduce_weight = try numbers(reduce?.weight)
            unsafe step.reduce_bias = try numbers(reduce?.bias)
            unsafe step.expand_weight = try numbers(expand?.weight)
            unsafe step.expand_bias = try numbers(expand?.bias)
            unsafe step.spatial_weight = try numbers(spatial?.weight)
            unsafe step.spatial_bias = try numbers(spatial?.bias)
            unsafe step.hidden = Int32(reduce?.weight.shape[0] ?? 0)
            unsafe step.combination = CPlanCombination(Int32(combination.rawValue))
            setPooling(pooling)
        case .add(let sources, let target, let slope):
            unsafe step.kind = CPLAN_STEP_ADD
            setSources(sources)
            unsafe step.target = target.described
            unsafe step.slope = slope
        case .pool(let source, let target, let reduction, let kernel, let stride, let padding):
            unsafe step.kind = CPLAN_STEP_POOL
            setSource(source)
            unsafe step.target = target.described
            unsafe step.pooling = CPlanPooling(Int32(reduction.rawValue))
            unsafe step.kernel = Int32(kernel)
            unsafe step.stride = Int32(stride)
            unsafe step.padding = Int32(padding)
        case .select(let sources, let target, let reduce, let select):
            unsafe step.kind = CPLAN_STEP_SELECT
            setSources(sources)
            unsafe step.target = target.described
            unsafe step.reduce_weight = try numbers(reduce.weight)
            unsafe step.reduce_bias = try numbers(reduce.bias)
            unsafe step.expand_weight = try numbers(select.weight)
            unsafe step.expand_bias = try numbers(select.bias)
            unsafe step.hidden = Int32(reduce.weight.shape[0])
        case .classify(let source, let weights):
            unsafe step.kind = CPLAN_STEP_CLASSIFY
            setSource(source)
            unsafe step.classes = Int32(weights.weight.shape[0])
            unsafe step.weight = try numbers(weights.weight)
            unsafe step.bias = try numbers(weights.bias)
        }
        return unsafe step
    }
}
