package import Volumes

/// The rule that keeps paired structures on their own side of the head.
///
/// A network of sagittal slices cannot tell left from right and gives both sides the same probability, so the
/// other planes decide. Where these err far beyond the midline, the side is known better: a voxel of
/// `Left-…` that lies deep in the right half becomes `Right-…`, and the other way round. The midline
/// is the plane midway between the centroids of all left and all right voxels, at right angles to the
/// line between them, so a tilted head has a tilted one.
package struct SideRule {
    /// A voxel counts as being on the wrong side from this distance to the midline on.
    ///
    /// Convolutions of one hemisphere reach over the midline by a few millimetres, and a tumour
    /// shifts it by up to 15.
    package static let toleranceMillimeters = 20.0

    /// For each label of a paired structure its counterpart's, and whether it is a left one.
    private let counterparts: [(label: UInt16, other: UInt16, isLeft: Bool)]

    /// Makes the rule for a table's structures.
    package init(_ table: LabelTable) {
        counterparts = table.sidePairs.flatMap { pair in
            let (left, right) = (table.structures[pair.left], table.structures[pair.right])
            return [(left.index, right.index, true), (right.index, left.index, false)]
        }
    }

    /// Gives voxels on the wrong side to their counterpart.
    ///
    /// - Parameter map: The labels.
    /// - Returns: How many voxels were changed.
    package func apply(to map: inout LabelMap) -> Int {
        guard !counterparts.isEmpty else { return 0 }
        // 0 for labels without a side, 1 for left and 2 for right.
        var side = [UInt8](repeating: 0, count: 1 << 16)
        var other = [UInt16](repeating: 0, count: 1 << 16)
        for entry in counterparts {
            side[Int(entry.label)] = entry.isLeft ? 1 : 2
            other[Int(entry.label)] = entry.other
        }
        var sums = [SIMD3<Int>](repeating: .zero, count: 3)
        var counts = [0, 0, 0]
        Self.forEachLabelled(map) { index, place in
            let own = Int(side[Int(map.labels[index])])
            sums[own] = sums[own] &+ place
            counts[own] += 1
        }
        guard counts[1] > 0, counts[2] > 0 else { return 0 }
        let left = map.grid.affine(SIMD3<Double>(sums[1]) / Double(counts[1]))
        let right = map.grid.affine(SIMD3<Double>(sums[2]) / Double(counts[2]))
        let distance = (right - left).length
        // Centroids this near say nothing about where the midline is.
        guard distance > Self.toleranceMillimeters else { return 0 }
        let normal = (right - left) / distance
        let middle = (left + right) / 2
        // The signed distance to the midline is linear in the voxel's indices.
        let origin = (map.grid.affine(.zero) - middle).dot(normal)
        let steps = SIMD3(
            map.grid.affine.column(0).dot(normal), map.grid.affine.column(1).dot(normal),
            map.grid.affine.column(2).dot(normal))
        var changes: [Int] = []
        Self.forEachLabelled(map) { index, place in
            let own = side[Int(map.labels[index])]
            if own == 0 { return }
            let depth = origin + SIMD3<Double>(place).dot(steps)
            if own == 1 ? depth > Self.toleranceMillimeters : depth < -Self.toleranceMillimeters {
                changes.append(index)
            }
        }
        for index in changes { map.labels[index] = other[Int(map.labels[index])] }
        return changes.count
    }

    private static func forEachLabelled(_ map: LabelMap, _ body: (Int, SIMD3<Int>) -> Void) {
        let size = map.grid.size
        map.labels.withUnsafeBufferPointer { labels in
            for z in 0..<size.z {
                for y in 0..<size.y {
                    let row = size.offset(0, y, z)
                    for x in 0..<size.x where labels[row + x] != 0 { body(row + x, SIMD3(x, y, z)) }
                }
            }
        }
    }
}
