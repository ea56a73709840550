import Preprocessing
import Tensors
import Volumes

/// A volume that lies on the device as a whole: it goes there once, slices are cut and scores summed
/// up there, and labels come back once.
final class ResidentVolume: VolumeView {
    /// `[z, y, x]`.
    private let voxels: Tensor
    private let size: GridSize
    private let places: SumPlaces?
    let sums: Tensor?
    /// `[z, y, x]`, where each slice is decided at once.
    private let decided: Tensor?
    /// `[z, y, x]` by plane.
    private var argmax: [Tensor] = []

    /// Copies a volume to a device and allocates the sums of probabilities there.
    ///
    /// - Parameters:
    ///   - volume: The intensities.
    ///   - device: Where.
    ///   - classCount: The number of classes.
    ///   - keepsSums: Whether probabilities are summed, rather than each slice decided at once.
    ///   - places: The places of the voxels that may have a label, where not all may; dense.
    /// - Throws: `TensorError` where the device's memory runs out.
    init(
        _ volume: Volume, on device: Device, classCount: Int, keepsSums: Bool,
        places: SumPlaces? = nil
    ) throws {
        size = volume.grid.size
        self.places = places
        let shape = [size.z, size.y, size.x]
        voxels = try Tensor(volume.voxels, shape: shape, device: device)
        sums =
            keepsSums ? try .zeros(shape + [classCount], type: .float16, device: device) : nil
        decided = keepsSums ? nil : try .zeros(shape, type: .uint8, device: device)
    }

    func images(_ slices: Range<Int>, _ layout: SliceLayout, context: Int) throws -> Tensor {
        // Beyond the first and the last slice these are repeated.
        let neighbors = slices.flatMap { slice in
            (0..<context).map { min(max(slice + $0 - context / 2, 0), layout.sliceCount - 1) }
        }
        return try voxels.permuted(dimensions(of: layout))
            .selected(dimension: 0, indices: neighbors)
            .reshaped([slices.count, context, layout.height, layout.width])
            .contiguous(.channelsLast)
    }

    func beginPlaneLabels() throws {
        argmax.append(
            try .zeros([size.z, size.y, size.x], type: .uint8, device: voxels.device))
    }

    func add(
        _ logits: Tensor, _ slices: Range<Int>, _ layout: SliceLayout, outputOfClass: [Int],
        weight: Double
    ) throws {
        let order = dimensions(of: layout)
        func part(of volume: Tensor) throws -> Tensor {
            try volume.narrowed(
                dimension: order[0], start: slices.lowerBound, length: slices.count)
        }
        if let noted = decided ?? argmax.last {
            try part(of: noted).permuted(order).copyInPlace(
                from: logits.argmax(dimension: 1).converted(to: .uint8))
        }
        guard let sums else { return }
        let probabilities = try logits.permuted([0, 2, 3, 1]).converted(to: .float32)
            .softmax(dimension: 3).selected(dimension: 3, indices: outputOfClass)
        try part(of: sums).permuted(order + [3]).addInPlace(probabilities, scale: weight)
    }

    func planeLabels() throws -> [[UInt8]] { try argmax.map { limited(try $0.elements()) } }

    private func limited(_ labels: [UInt8]) -> [UInt8] { places?.limiting(labels) ?? labels }

    func classes() throws -> [UInt8] {
        guard let sums else { return limited(try decided?.elements() ?? []) }
        let argmax = try Tensor.zeros(
            [size.z, size.y, size.x], type: .uint8, device: voxels.device)
        // In slabs, as single precision takes twice the memory of the sums.
        let thickness = max(1, size.z / 16)
        for start in stride(from: 0, to: size.z, by: thickness) {
            let length = min(thickness, size.z - start)
            let slab = try sums.narrowed(dimension: 0, start: start, length: length)
            try argmax.narrowed(dimension: 0, start: start, length: length).copyInPlace(
                from: slab.converted(to: .float32).argmax(dimension: 3).converted(to: .uint8))
        }
        return limited(try argmax.elements())
    }

    /// The storage dimensions of a slice's axes: storage axis a is dimension 2 - a.
    private func dimensions(of layout: SliceLayout) -> [Int] {
        [layout.stackAxis, layout.heightAxis, layout.widthAxis].map { 2 - $0 }
    }
}
