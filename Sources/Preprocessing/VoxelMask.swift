package import Volumes

/// A set of voxels and its morphology.
package struct VoxelMask: Sendable, Equatable {
    /// The grid's extents.
    package let size: GridSize
    /// 1 for each voxel of the set, 0 for the others, x fastest.
    package var values: [UInt8]

    /// Makes a mask.
    ///
    /// - Precondition: there is a value for each voxel, 0 or 1.
    package init(size: GridSize, values: [UInt8]) {
        precondition(values.count == size.count, "\(values.count) values in \(size)")
        self.size = size
        self.values = values
    }

    /// Its number of voxels.
    package var count: Int {
        values.withUnsafeBufferPointer { $0.reduce(0) { $0 &+ Int($1) } }
    }

    /// The smallest box with all its voxels, or `nil` where it has none.
    package var boundingBox: VoxelBox? {
        var lower = SIMD3(size.x, size.y, size.z)
        var upper = SIMD3(0, 0, 0)
        values.withUnsafeBufferPointer { values in
            for z in 0..<size.z {
                for y in 0..<size.y {
                    let row = values[size.offset(0, y, z)..<size.offset(0, y, z) + size.x]
                    guard let first = row.firstIndex(of: 1), let last = row.lastIndex(of: 1) else {
                        continue
                    }
                    lower = SIMD3(
                        min(lower.x, first - row.startIndex), min(lower.y, y), min(lower.z, z))
                    upper = SIMD3(
                        max(upper.x, last - row.startIndex + 1), max(upper.y, y + 1), z + 1)
                }
            }
        }
        return lower.x < upper.x ? VoxelBox(lower: lower, upper: upper) : nil
    }

    /// The largest of its parts, whose voxels are joined by faces; ties go to the first.
    package func largestComponent() -> VoxelMask {
        var labels = values
        var best: (count: Int, label: UInt8) = (0, 0)
        // A part's voxels are marked 2; the largest so far 3.
        labels.withUnsafeMutableBufferPointer { labels in
            for seed in labels.indices where labels[seed] == 1 {
                let count = Self.fill(labels, size: size, from: [Int32(seed)], old: 1, new: 2)
                let isLargest = count > best.count
                let loser: UInt8 = isLargest ? 3 : 2
                if isLargest { best = (count, 3) }
                // Each part is dropped once, so that all of this stays linear but for the largest.
                if isLargest {
                    for index in labels.indices where labels[index] == loser { labels[index] = 0 }
                    for index in labels.indices where labels[index] == 2 { labels[index] = 3 }
                } else {
                    _ = Self.fill(labels, size: size, from: [Int32(seed)], old: 2, new: 0)
                }
            }
            for index in labels.indices { labels[index] = labels[index] == 3 ? 1 : 0 }
        }
        return VoxelMask(size: size, values: labels)
    }

    /// The mask with its holes filled: voxels that no path through faces connects to the border.
    package func holesClosed() -> VoxelMask {
        var filled = values
        filled.withUnsafeMutableBufferPointer { filled in
            var seeds: [Int32] = []
            for z in 0..<size.z {
                for y in 0..<size.y {
                    let row = size.offset(0, y, z)
                    let isOuter = z == 0 || z == size.z - 1 || y == 0 || y == size.y - 1
                    let step = isOuter ? 1 : max(1, size.x - 1)
                    for x in stride(from: 0, to: size.x, by: step) where filled[row + x] == 0 {
                        filled[row + x] = 2
                        seeds.append(Int32(row + x))
                    }
                }
            }
            _ = Self.fill(filled, size: size, from: seeds, old: 0, new: 2)
            for index in filled.indices { filled[index] = filled[index] == 2 ? 0 : 1 }
        }
        return VoxelMask(size: size, values: filled)
    }

    /// Marks all voxels that are joined to seeds through voxels marked `old`; how many were marked.
    private static func fill(
        _ labels: UnsafeMutableBufferPointer<UInt8>, size: GridSize, from seeds: [Int32],
        old: UInt8, new: UInt8
    ) -> Int {
        var stack = seeds
        for seed in seeds { labels[Int(seed)] = new }
        var count = seeds.count
        let (rowStride, sliceStride) = (size.x, size.x * size.y)
        while let top = stack.popLast() {
            let index = Int(top)
            let x = index % size.x
            let y = index / size.x % size.y
            let z = index / sliceStride
            func visit(_ neighbor: Int) {
                if labels[neighbor] == old {
                    labels[neighbor] = new
                    count += 1
                    stack.append(Int32(neighbor))
                }
            }
            if x > 0 { visit(index - 1) }
            if x < size.x - 1 { visit(index + 1) }
            if y > 0 { visit(index - rowStride) }
            if y < size.y - 1 { visit(index + rowStride) }
            if z > 0 { visit(index - sliceStride) }
            if z < size.z - 1 { visit(index + sliceStride) }
        }
        return count
    }

    /// All voxels whose centres lie no farther than a distance from the centre of one of its voxels.
    ///
    /// - Parameters:
    ///   - distance: In millimetres.
    ///   - spacing: Millimetres per voxel along each axis.
    /// - Returns: The larger mask.
    package func dilated(byMillimeters distance: Double, spacing: SIMD3<Double>) -> VoxelMask {
        if distance <= 0 { return self }
        // Slightly more, so that voxels at the very distance are in whatever the rounding.
        let limit = Float(distance * distance * (1 + 1e-6))
        let far = Float.greatestFiniteMagnitude / 4
        // Squared distances to the nearest voxel along x, then in the xy plane, then in space.
        var distances = [Float](repeating: far, count: size.count)
        let reaches = (0..<3).map { min(size[$0] - 1, Int(distance / spacing[$0] + 1e-6)) }
        distances.withUnsafeMutableBufferPointer { distances in
            values.withUnsafeBufferPointer { values in
                let step = Float(spacing.x)
                for row in stride(from: 0, to: size.count, by: size.x) {
                    var nearest = far
                    for x in row..<row + size.x {
                        nearest = values[x] == 1 ? 0 : nearest + step
                        distances[x] = nearest
                    }
                    nearest = far
                    for x in (row..<row + size.x).reversed() {
                        nearest = values[x] == 1 ? 0 : nearest + step
                        let least = min(nearest, distances[x])
                        distances[x] = least * least < limit * 2 ? least * least : far
                    }
                }
            }
        }
        for axis in 1...2 where reaches[axis] > 0 {
            distances = Self.nearest(
                distances, size: size, axis: axis, reach: reaches[axis], step: spacing[axis])
        }
        return VoxelMask(size: size, values: distances.map { $0 <= limit ? 1 : 0 })
    }

    /// Adds the squared distance along an axis and takes the least.
    private static func nearest(
        _ distances: [Float], size: GridSize, axis: Int, reach: Int, step: Double
    ) -> [Float] {
        // Along both axes whole pieces of memory lie side by side: rows, or slices.
        let piece = axis == 1 ? size.x : size.x * size.y
        let count = size[axis]
        return [Float](unsafeUninitializedCapacity: distances.count) { result, initialized in
            distances.withUnsafeBufferPointer { distances in
                guard let source = distances.baseAddress, let target = result.baseAddress else {
                    return
                }
                for block in 0..<distances.count / (piece * count) {
                    for index in 0..<count {
                        let line = target + (block * count + index) * piece
                        line.update(
                            from: source + (block * count + index) * piece, count: piece)
                        for offset in -reach...reach
                        where offset != 0 && (0..<count).contains(index + offset) {
                            let other = source + (block * count + index + offset) * piece
                            let length = Float(Double(offset) * step)
                            let squared = length * length
                            for i in 0..<piece {
                                let candidate = other[i] + squared
                                line[i] = candidate < line[i] ? candidate : line[i]
                            }
                        }
                    }
                }
            }
            initialized = distances.count
        }
    }

    /// Closed: dilated and eroded again by a distance, which bridges gaps up to twice as wide.
    ///
    /// Beyond the grid counts as the set's outside.
    package func closed(byMillimeters distance: Double, spacing: SIMD3<Double>) -> VoxelMask {
        // Room around it, so that the grid's border erodes nothing.
        let margins = (0..<3).map { Int((distance / spacing[$0]).rounded(.up)) + 1 }
        let larger = GridSize(
            size.x + 2 * margins[0], size.y + 2 * margins[1], size.z + 2 * margins[2])
        var padded = VoxelMask(
            size: larger, values: [UInt8](repeating: 0, count: larger.count))
        for z in 0..<size.z {
            for y in 0..<size.y {
                let from = size.offset(0, y, z)
                let to = larger.offset(margins[0], y + margins[1], z + margins[2])
                padded.values.replaceSubrange(
                    to..<to + size.x, with: values[from..<from + size.x])
            }
        }
        var outside = padded.dilated(byMillimeters: distance, spacing: spacing)
        outside.values = outside.values.map { 1 - $0 }
        let eroded = outside.dilated(byMillimeters: distance, spacing: spacing)
        var result = self
        for z in 0..<size.z {
            for y in 0..<size.y {
                let to = size.offset(0, y, z)
                let from = larger.offset(margins[0], y + margins[1], z + margins[2])
                for x in 0..<size.x { result.values[to + x] = 1 - eroded.values[from + x] }
            }
        }
        return result
    }

    /// The part in a box.
    package func cropped(to box: VoxelBox) -> VoxelMask {
        VoxelMask(size: box.size, values: croppedValues(values, size: size, to: box))
    }
}
