package import Volumes

/// The values of a scan that stand for no measurement: what fills a scan beyond the brain or the head,
/// padding, and numbers that are not finite.
///
/// A value is one of them if it is repeated exactly in at least a tenth of all voxels and in at least
/// a tenth of the outer faces of the volume, wherever it lies among the others: at the bottom (0 around
/// a stripped brain), far below (-1000 around a head) or in their midst (0 after z-scores). Two such
/// values at most; the second may also fill a quarter of the faces of the box that the first leaves,
/// as the air of a head does inside padding, if at least 32 other values remain.
package struct NoDataValues: Sendable, Equatable {
    /// The values in ascending order.
    package let values: [Float]
    // A number that is not one equals nothing, so it can stand for a value that is not there.
    private let first: Float
    private let second: Float

    /// No value; only numbers that are not finite hold no measurement.
    package static let none = NoDataValues([])

    init(_ values: [Float]) {
        precondition(values.count <= 2, "\(values.count) values that hold no measurement")
        self.values = values.sorted()
        first = values.first ?? .nan
        second = values.count > 1 ? values[1] : .nan
    }

    package static func == (a: Self, b: Self) -> Bool { a.values == b.values }

    /// Finds the values.
    ///
    /// - Parameters:
    ///   - voxels: Any intensities.
    ///   - size: The volume's voxels.
    package init(of voxels: [Float], size: GridSize) {
        precondition(voxels.count == size.count, "\(voxels.count) voxels in \(size)")
        var found: [Float] = []
        voxels.withUnsafeBufferPointer { voxels in
            let all = Faces(of: VoxelBox(all: size), size: size)
            for value in all.repeatedValues(in: voxels, leastShare: 0.1, excluding: .none) {
                Self.add(value, to: &found, of: voxels)
            }
            guard found.count < 2,
                let rest = NoDataValues(found).measuredBox(of: voxels, size: size),
                rest != VoxelBox(all: size)
            else { return }
            let faces = Faces(of: rest, size: size)
            let known = NoDataValues(found)
            for value in faces.repeatedValues(in: voxels, leastShare: 0.25, excluding: known) {
                Self.add(value, to: &found, of: voxels)
            }
        }
        self.init(found)
    }

    /// Adds a value if a tenth of the remaining voxels hold it and a picture remains without it.
    private static func add(
        _ value: Float, to found: inout [Float], of voxels: UnsafeBufferPointer<Float>
    ) {
        guard found.count < 2 else { return }
        let known = NoDataValues(found)
        let extended = NoDataValues(found + [value])
        var count = 0
        var others = 0
        for voxel in voxels {
            count += voxel == value ? 1 : 0
            others += extended.contains(voxel) ? 0 : 1
        }
        let total = known.values.isEmpty ? voxels.count : others + count
        guard others > 0, 10 * count >= total else { return }
        if !found.isEmpty, !extended.leavesTones(in: voxels) { return }
        found.append(value)
    }

    /// Returns whether a voxel with this intensity holds no measurement.
    @inline(__always)
    package func contains(_ intensity: Float) -> Bool {
        // Both comparisons are false for what is not a number.
        !(intensity.magnitude <= Float.greatestFiniteMagnitude)
            || intensity == first || intensity == second
    }

    /// Returns whether 32 different measured intensities or more remain.
    private func leavesTones(in voxels: UnsafeBufferPointer<Float>) -> Bool {
        var tones: Set<Float> = []
        var last = Float.nan
        for voxel in voxels where voxel != last && !contains(voxel) {
            last = voxel
            if tones.insert(voxel).inserted, tones.count >= 32 { return true }
        }
        return false
    }

    /// The smallest box with every voxel that holds a measurement, or `nil` where none does.
    package func measuredBox(of voxels: [Float], size: GridSize) -> VoxelBox? {
        voxels.withUnsafeBufferPointer { measuredBox(of: $0, size: size) }
    }

    private func measuredBox(
        of voxels: UnsafeBufferPointer<Float>, size: GridSize
    ) -> VoxelBox? {
        var lower = SIMD3(size.x, size.y, size.z)
        var upper = SIMD3(0, 0, 0)
        for z in 0..<size.z {
            for y in 0..<size.y {
                let row = size.offset(0, y, z)
                guard let first = (0..<size.x).first(where: { !contains(voxels[row + $0]) }),
                    let last = (0..<size.x).last(where: { !contains(voxels[row + $0]) })
                else { continue }
                lower = SIMD3(min(lower.x, first), min(lower.y, y), min(lower.z, z))
                upper = SIMD3(max(upper.x, last + 1), max(upper.y, y + 1), z + 1)
            }
        }
        return lower.x < upper.x ? VoxelBox(lower: lower, upper: upper) : nil
    }
}

/// The voxels on the six faces of a box.
struct Faces {
    private let box: VoxelBox
    private let size: GridSize

    init(of box: VoxelBox, size: GridSize) {
        self.box = box
        self.size = size
    }

    private func forEach(_ body: (Int) -> Void) {
        for z in box.lower.z..<box.upper.z {
            let isOuterSlice = z == box.lower.z || z == box.upper.z - 1
            for y in box.lower.y..<box.upper.y {
                let row = size.offset(0, y, z)
                if isOuterSlice || y == box.lower.y || y == box.upper.y - 1 {
                    for x in box.lower.x..<box.upper.x { body(row + x) }
                } else {
                    body(row + box.lower.x)
                    if box.upper.x - box.lower.x > 1 { body(row + box.upper.x - 1) }
                }
            }
        }
    }

    /// The share of their voxels that meet a condition.
    func share(where condition: (Int) -> Bool) -> Double {
        var (count, total) = (0, 0)
        forEach { index in
            total += 1
            count += condition(index) ? 1 : 0
        }
        return Double(count) / Double(max(1, total))
    }

    /// The finite values that make up a share of the faces or more, the most frequent first.
    ///
    /// - Parameters:
    ///   - voxels: The volume.
    ///   - leastShare: The share, at least a tenth.
    ///   - known: Values that are left out; their voxels count all the same.
    /// - Returns: The values.
    func repeatedValues(
        in voxels: UnsafeBufferPointer<Float>, leastShare: Double, excluding known: NoDataValues
    ) -> [Float] {
        // Ten counters keep every value that a tenth of the voxels hold: Misra and Gries, Science of
        // Computer Programming 2(2), 1982, <https://doi.org/10.1016/0167-6423(82)90012-0>.
        var candidates: [(value: Float, count: Int)] = []
        var total = 0
        forEach { index in
            total += 1
            let value = voxels[index]
            if known.contains(value) { return }
            if let position = candidates.firstIndex(where: { $0.value == value }) {
                candidates[position].count += 1
            } else if candidates.count < 10 {
                candidates.append((value, 1))
            } else {
                for position in candidates.indices { candidates[position].count -= 1 }
                candidates.removeAll { $0.count == 0 }
            }
        }
        for position in candidates.indices { candidates[position].count = 0 }
        forEach { index in
            let value = voxels[index]
            if let position = candidates.firstIndex(where: { $0.value == value }) {
                candidates[position].count += 1
            }
        }
        return candidates.filter { Double($0.count) >= leastShare * Double(total) }
            .sorted { $0.count == $1.count ? $0.value < $1.value : $0.count > $1.count }
            .map(\.value)
    }
}
