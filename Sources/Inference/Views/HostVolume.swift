import Preprocessing
import Tensors
import Volumes

/// A volume whose slices are cut and summed up in the machine's memory.
final class HostVolume: VolumeView {
    private let volume: Volume
    let sums: Tensor?
    private let places: SumPlaces?
    private var decided: [UInt8]
    private var labels: [[UInt8]] = []

    /// Allocates the sums of probabilities.
    ///
    /// - Parameters:
    ///   - volume: The intensities.
    ///   - classCount: The number of classes.
    ///   - keepsSums: Whether probabilities are summed, rather than each slice decided at once.
    ///   - places: The places of the voxels' sums, where not all have some.
    /// - Throws: `TensorError` where memory runs out.
    init(_ volume: Volume, classCount: Int, keepsSums: Bool, places: SumPlaces? = nil) throws {
        let size = volume.grid.size
        let whole = [size.z, size.y, size.x]
        let shape = places.map { $0.isDense ? whole : [$0.count] } ?? whole
        self.volume = volume
        self.places = places
        sums = keepsSums ? try .zeros(shape + [classCount], type: .float16) : nil
        decided = [UInt8](repeating: 0, count: keepsSums ? 0 : size.count)
    }

    func images(_ slices: Range<Int>, _ layout: SliceLayout, context: Int) throws -> Tensor {
        let pixels = context * layout.voxelsPerSlice
        var input = [Float](repeating: 0, count: slices.count * pixels)
        input.withUnsafeMutableBufferPointer { input in
            for (position, slice) in slices.enumerated() {
                let start = position * pixels
                layout.copySlice(
                    slice, context: context, from: volume.voxels,
                    into: UnsafeMutableBufferPointer(rebasing: input[start..<start + pixels]))
            }
        }
        return try Tensor(input, shape: [slices.count, context, layout.height, layout.width])
    }

    func beginPlaneLabels() { labels.append([UInt8](repeating: 0, count: volume.grid.size.count)) }

    func add(
        _ logits: Tensor, _ slices: Range<Int>, _ layout: SliceLayout, outputOfClass: [Int],
        weight: Double
    ) throws {
        func add(argmax: inout [UInt8]) throws {
            try logits.addViewScores(
                to: sums, places: places, likeliest: &argmax, voxelCount: volume.grid.size.count,
                strides: SliceStrides(
                    slice: layout.sliceStride, row: layout.rowStride, column: layout.columnStride),
                firstSlice: slices.lowerBound, outputOfClass: outputOfClass, weight: weight)
        }
        var none: [UInt8] = []
        if sums == nil {
            try add(argmax: &decided)
        } else if labels.isEmpty {
            try add(argmax: &none)
        } else {
            try add(argmax: &labels[labels.count - 1])
        }
    }

    func planeLabels() -> [[UInt8]] { labels }

    func classes() throws -> [UInt8] {
        guard let sums else { return decided }
        let likeliest = try sums.likeliestClasses()
        guard let places else { return likeliest }
        return places.ofVoxels.map { $0 < 0 ? 0 : likeliest[Int($0)] }
    }
}
