internal import CPlan
internal import CTorch

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
    private let classifiesSlices: Bool
    /// The logits of the last images; the memory is used again once nobody else holds it.
    private var logits: HostStorage?

    /// Packs weights and lays memory out.
    ///
    /// - Parameters:
    ///   - buffers: The scratch memory.
    ///   - steps: What is done, from `input` to `classify` or `classifySlice`.
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
        classifiesSlices = steps.last?.isOfSlice ?? false
    }

    deinit { unsafe plans.table.pointee.plan_release(plan) }

    /// Computes images `[N, channels, height, width]`, single precision on the CPU.
    ///
    /// - Returns: Their logits `[N, height, width, classes]`, of whole slices `[N, 1, 1, classes]`.
    package func callAsFunction(_ images: Tensor) throws(TensorError) -> Tensor {
        let shape = try Self.shape(of: images)
        let classes = Int(unsafe plans.table.pointee.plan_class_count(plan))
        let (rows, columns) = classifiesSlices ? (1, 1) : (shape[2], shape[3])
        let count = shape[0] * rows * columns * classes
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
        return Tensor(logits, shape: [shape[0], rows, columns, classes])
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
    /// A Boolean value indicating whether it labels the slice as a whole.
    fileprivate var isOfSlice: Bool {
        if case .classifySlice = self { true } else { false }
    }

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
        case .classify(let source, let weights), .classifySlice(let source, let weights):
            unsafe step.kind = isOfSlice ? CPLAN_STEP_CLASSIFY_IMAGE : CPLAN_STEP_CLASSIFY
            setSource(source)
            unsafe step.classes = Int32(weights.weight.shape[0])
            unsafe step.weight = try numbers(weights.weight)
            unsafe step.bias = try numbers(weights.bias)
        }
        return unsafe step
    }
}
