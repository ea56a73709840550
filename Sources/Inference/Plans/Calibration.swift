import Preprocessing
public import SegmentationModels
public import Tensors
public import Volumes

/// The input ranges of a network's convolutions on sample slices, for rounding the inputs to 8-bit
/// integers.
///
/// Of a range the rounding error is known: numbers inside move to the nearest of 256, numbers outside
/// to its end. ``inputRanges()`` chooses for each convolution the range with the least mean square
/// error, which lies within what was seen.
public struct Calibration {
    private let network: SegmentationNetwork
    /// The histogram of bfloat16 values by convolution.
    private var counts: [String: [Int64]] = [:]

    /// Begins with nothing seen.
    public init(of network: SegmentationNetwork) { self.network = network }

    /// Looks at slices of a volume, evenly spread.
    ///
    /// - Parameters:
    ///   - volume: A conformed scan.
    ///   - plane: The network's plane.
    ///   - sliceCount: How many slices.
    /// - Throws: `TensorError`.
    public mutating func observe(_ volume: Volume, plane: Plane, sliceCount: Int = 24) throws {
        let layout = SliceLayout(
            plane: plane, orientation: volume.grid.orientation, size: volume.grid.size)
        let view = try HostVolume(volume, classCount: 1, keepsSums: false)
        let count = min(sliceCount, layout.sliceCount)
        let context = network.architecture.contextSlices
        try observe(
            (0..<count).map { position in
                let slice = (2 * position + 1) * layout.sliceCount / (2 * count)
                return try view.images(slice..<slice + 1, layout, context: context)
            })
    }

    /// Looks at slices.
    ///
    /// - Parameter images: `[N, contextSlices, H, W]` in single precision.
    /// - Throws: `TensorError`.
    public mutating func observe(_ images: Tensor) throws { try observe([images]) }

    /// Looks at batches of slices of one size by one plan.
    private mutating func observe(_ batches: [Tensor]) throws {
        guard let shape = batches.first?.shape else { return }
        let compiled = try PlanCompiler.compile(network, height: shape[2], width: shape[3])
        let plan = try SlicePlan(
            buffers: compiled.buffers, steps: compiled.steps, type: .float32, kernels: .best)
        var seen = [Int64](repeating: 0, count: compiled.convolutions.count << 16)
        for images in batches { try plan.observe(images, counts: &seen) }
        for (position, convolution) in compiled.convolutions.enumerated() where convolution.isHeavy
        {
            var sum = counts[convolution.name] ?? [Int64](repeating: 0, count: 1 << 16)
            for bits in sum.indices { sum[bits] += seen[position << 16 + bits] }
            counts[convolution.name] = sum
        }
    }

    /// The ranges for the convolutions that are worth it, by the names of their layers.
    ///
    /// Left out is a convolution that saw nothing but zeros.
    public func inputRanges() -> [String: ClosedRange<Double>] {
        counts.compactMapValues { counts in
            let numbers = counts.enumerated().compactMap { bits, count in
                let number = Double(Float(bitPattern: UInt32(bits) << 16))
                return count > 0 && number != 0 && number.isFinite ? (number, Double(count)) : nil
            }
            return Self.range(of: numbers)
        }
    }

    /// The range with 0 in it that rounds numbers with the least square error, each counted so often;
    /// `nil` where all are 0.
    package static func range(
        of numbers: [(value: Double, count: Double)]
    ) -> ClosedRange<Double>? {
        let lowest = min(0, numbers.map(\.value).min() ?? 0)
        let highest = max(0, numbers.map(\.value).max() ?? 0)
        guard lowest < highest else { return nil }
        func error(_ range: ClosedRange<Double>) -> Double {
            let step = (range.upperBound - range.lowerBound) / 255
            let zero = (-range.lowerBound / step).rounded()
            return numbers.reduce(0) { sum, number in
                let integer = min(max((number.value / step).rounded() + zero, 0), 255)
                let difference = number.value - (integer - zero) * step
                return sum + number.count * difference * difference
            }
        }
        let parts = 64
        var best = lowest...highest
        // One end after the other, and again.
        for _ in 0..<2 {
            let uppers = (1...parts).map { best.lowerBound...highest * Double($0) / Double(parts) }
            if highest > 0 { best = least(of: uppers, by: error) }
            let lowers = (1...parts).map { lowest * Double($0) / Double(parts)...best.upperBound }
            if lowest < 0 { best = least(of: lowers, by: error) }
        }
        return best
    }
}

private func least(
    of ranges: [ClosedRange<Double>], by error: (ClosedRange<Double>) -> Double
) -> ClosedRange<Double> {
    let errors = ranges.map(error)
    let position = errors.indices.min { errors[$0] < errors[$1] }
    return ranges[position ?? ranges.count - 1]
}
