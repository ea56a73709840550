import Volumes

/// Finds, for each point of one set, the exact Euclidean distance to the nearest of another, on a
/// lattice whose axes are not perpendicular.
///
/// There the distance transform does not separate into axes, so that the targets go into a tree that
/// halves them along one world axis after the other.
///
/// Source: Friedman, Bentley and Finkel, ACM Trans. Math. Softw. 3(3), 1977,
/// <https://doi.org/10.1145/355744.355745>.
struct ShearedDistances {
    /// The steps along the three axes, in millimetres.
    private let axes: [SIMD3<Double>]

    /// Prepares the search on lattices of some axes.
    ///
    /// `nil` where the axes are perpendicular to a thousandth.
    ///
    /// - Parameter axes: One step along each, in millimetres.
    init?(axes: [SIMD3<Double>]) {
        let isSheared = [(0, 1), (0, 2), (1, 2)].contains { first, second in
            let (a, b) = (axes[first], axes[second])
            return abs(a.dot(b)) > 1e-3 * a.length * b.length
        }
        guard isSheared else { return nil }
        self.axes = axes
    }

    /// Measures the distances from each point to the nearest target, in millimetres.
    ///
    /// - Parameters:
    ///   - points: Where to measure.
    ///   - targets: What to measure to, on a lattice of the same size; not empty.
    /// - Returns: One distance for each point, by ascending row, then x.
    func distances(from points: StructureMask, to targets: StructureMask) -> [Double] {
        precondition(points.size == targets.size, "sizes: \(points.size) and \(targets.size)")
        let tree = PointTree(places(of: targets))
        return places(of: points).map { tree.nearestSquared(to: $0).squareRoot() }
    }

    private func places(of mask: StructureMask) -> [SIMD3<Double>] {
        var places: [SIMD3<Double>] = []
        places.reserveCapacity(mask.voxelCount)
        mask.forEachVoxel { x, row in
            let (y, z) = (row % mask.size.y, row / mask.size.y)
            places.append(axes[0] * Double(x) + axes[1] * Double(y) + axes[2] * Double(z))
        }
        return places
    }
}

/// Points, sorted so that the middle of each range parts the others of it along an axis.
private struct PointTree {
    private var points: [SIMD3<Double>]

    init(_ points: [SIMD3<Double>]) {
        precondition(!points.isEmpty, "no point to measure to")
        self.points = points
        sort(0..<points.count, axis: 0)
    }

    private mutating func sort(_ range: Range<Int>, axis: Int) {
        guard range.count > 1 else { return }
        points[range].sort { $0[axis] < $1[axis] }
        let middle = (range.lowerBound + range.upperBound) / 2
        sort(range.lowerBound..<middle, axis: (axis + 1) % 3)
        sort(middle + 1..<range.upperBound, axis: (axis + 1) % 3)
    }

    func nearestSquared(to place: SIMD3<Double>) -> Double {
        var best = Double.infinity
        search(0..<points.count, axis: 0, place, &best)
        return best
    }

    private func search(
        _ range: Range<Int>, axis: Int, _ place: SIMD3<Double>, _ best: inout Double
    ) {
        guard !range.isEmpty else { return }
        let middle = (range.lowerBound + range.upperBound) / 2
        let offset = place - points[middle]
        best = min(best, offset.dot(offset))
        let (lower, upper) = (range.lowerBound..<middle, middle + 1..<range.upperBound)
        let isLower = offset[axis] < 0
        search(isLower ? lower : upper, axis: (axis + 1) % 3, place, &best)
        if offset[axis] * offset[axis] < best {
            search(isLower ? upper : lower, axis: (axis + 1) % 3, place, &best)
        }
    }
}
