import Volumes

/// The surface area in a cell for each of its 256 patterns.
///
/// A cell is the cube between the centres of 2x2x2 voxels. Bit `x + 2y + 4z` of its pattern says
/// whether the voxel at that corner belongs to the structure. The surface cuts cell edges between
/// unlike corners in the middle (marching cubes at level ½).
///
/// The pattern's smaller side (at most four corners) falls into pieces of corners that are joined
/// by edges. Each piece is closed off by the convex hull of its corners and cut edges; hull faces
/// in the cell's own faces are not surface. One piece is treated apart: four corners in a twisted
/// chain, where the cut edges form a hexagon that is far from flat. There the surface is the
/// triangle through every other cut edge and three triangles around it.
///
/// Source: Lorensen and Cline, SIGGRAPH 1987, <https://doi.org/10.1145/37401.37422>. All areas
/// agree with those of DeepMind's `surface-distance`.
struct SurfaceElements {
    /// Square millimetres, by pattern.
    let areas: [Double]

    /// Measures the elements in cells of a size.
    ///
    /// - Parameter spacing: The cell's edges in millimetres.
    init(spacing: SIMD3<Double>) {
        // Scaling the axes scales a flat piece's area vector by the product of the other two.
        let scale = SIMD3(
            spacing.y * spacing.z, spacing.x * spacing.z, spacing.x * spacing.y)
        areas = Self.areaVectors.map { $0.reduce(0) { $0 + ($1 * scale).length } }
    }

    /// Measures the elements in cells whose edges are not perpendicular.
    ///
    /// - Parameter axes: The cell's edges in millimetres.
    init(axes: [SIMD3<Double>]) {
        // A linear map takes area vectors along by the matrix of its cofactors.
        let faces = [
            axes[1].cross(axes[2]), axes[2].cross(axes[0]), axes[0].cross(axes[1]),
        ]
        areas = Self.areaVectors.map {
            $0.reduce(0) { sum, vector in
                sum + (faces[0] * vector.x + faces[1] * vector.y + faces[2] * vector.z).length
            }
        }
    }

    /// The area vectors of the flat pieces of surface in a cell with unit edges, by pattern.
    private static let areaVectors: [[SIMD3<Double>]] = (0..<256).map { pattern in
        let isSmaller = pattern.nonzeroBitCount <= 4
        let inside = Set((0..<8).filter { (pattern >> $0 & 1 == 1) == isSmaller })
        return Self.pieces(of: inside).flatMap { piece in
            Self.pieceVectors(corners: piece, inside: inside)
        }
    }

    /// Groups corners that are joined by edges of the cell.
    private static func pieces(of corners: Set<Int>) -> [[Int]] {
        var left = corners
        var pieces: [[Int]] = []
        while let first = left.min() {
            left.remove(first)
            var piece = [first]
            var next = 0
            while next < piece.count {
                for axis in 0..<3 {
                    if let corner = left.remove(piece[next] ^ (1 << axis)) { piece.append(corner) }
                }
                next += 1
            }
            pieces.append(piece)
        }
        return pieces
    }

    /// The surface that closes off one piece.
    private static func pieceVectors(corners: [Int], inside: Set<Int>) -> [SIMD3<Double>] {
        // Positions are doubled, so that the middle of an edge is a whole number.
        func position(_ corner: Int) -> SIMD3<Int> {
            SIMD3(2 * (corner & 1), 2 * (corner >> 1 & 1), 2 * (corner >> 2 & 1))
        }
        var cuts: [(corner: Int, middle: SIMD3<Int>)] = []
        for corner in corners {
            for axis in 0..<3 where !inside.contains(corner ^ (1 << axis)) {
                let outer = position(corner ^ (1 << axis))
                cuts.append((corner, (position(corner) &+ outer) / 2))
            }
        }
        let cutsPerCorner = Dictionary(grouping: cuts, by: \.corner).mapValues(\.count)
        // Corners of a chain lose two edges at its ends and one between; those of a star lose none
        // in the middle; four in a square lose one each.
        let isTwistedChain =
            cutsPerCorner.count == 4 && cuts.count == 6 && cutsPerCorner.values.max() == 2
        guard isTwistedChain else {
            return hullVectors(of: corners.map(position) + cuts.map(\.middle))
        }
        let between = cuts.filter { cutsPerCorner[$0.corner] == 1 }.map(\.middle)
        let ends = cuts.filter { cutsPerCorner[$0.corner] == 2 }.map(\.middle)
        return hexagonVectors(between: between, ends: ends)
    }

    /// The area vectors of a convex hull's faces that do not lie in a face of the cell.
    private static func hullVectors(of points: [SIMD3<Int>]) -> [SIMD3<Double>] {
        var faces: Set<Set<Int>> = []
        var vectors: [SIMD3<Double>] = []
        for a in points.indices {
            for b in points.indices.dropFirst(a + 1) {
                for c in points.indices.dropFirst(b + 1) {
                    let normal = cross(points[b] &- points[a], points[c] &- points[a])
                    guard normal != .zero else { continue }
                    let heights = points.map { dot(normal, $0 &- points[a]) }
                    guard heights.allSatisfy({ $0 >= 0 }) || heights.allSatisfy({ $0 <= 0 }) else {
                        continue
                    }
                    let face = Set(points.indices.filter { heights[$0] == 0 })
                    guard faces.insert(face).inserted else { continue }
                    let corners = face.sorted().map { points[$0] }
                    let isInCellFace = (0..<3).contains { axis in
                        corners.allSatisfy { $0[axis] == 0 }
                            || corners.allSatisfy { $0[axis] == 2 }
                    }
                    if !isInCellFace { vectors.append(polygonVector(corners, normal: normal)) }
                }
            }
        }
        return vectors
    }

    /// The area vector of the convex polygon through points of a plane, in any order.
    private static func polygonVector(
        _ points: [SIMD3<Int>], normal: SIMD3<Int>
    ) -> SIMD3<Double> {
        // Seen from its first point, which is a corner, the others are ordered by turning.
        let arms = points.dropFirst().map { $0 &- points[0] }
            .sorted { dot(normal, cross($0, $1)) > 0 }
        let sum = zip(arms, arms.dropFirst()).reduce(SIMD3<Int>.zero) { $0 &+ cross($1.0, $1.1) }
        // Half of the parallelograms, in doubled coordinates.
        return SIMD3<Double>(sum) / 8
    }

    /// The triangles of the hexagon that closes off a twisted chain.
    ///
    /// - Parameters:
    ///   - between: The cut edges of the chain's two inner corners; they lie opposite each other.
    ///   - ends: The cut edges of its ends.
    /// - Returns: The area vectors of four triangles.
    private static func hexagonVectors(
        between: [SIMD3<Int>], ends: [SIMD3<Int>]
    ) -> [SIMD3<Double>] {
        // Either inner cut edge can belong to the central triangle; the two surfaces mirror each
        // other. DeepMind's table prefers edges in this order.
        func rank(_ middle: SIMD3<Int>) -> Int {
            let first: [SIMD3<Int>] = [
                SIMD3(1, 2, 0), SIMD3(1, 0, 2), SIMD3(1, 2, 2), SIMD3(0, 1, 2),
            ]
            let second: [SIMD3<Int>] = [SIMD3(2, 1, 2), SIMD3(2, 2, 1)]
            return first.contains(middle) ? 0 : second.contains(middle) ? 1 : 2
        }
        func shareCellFace(_ a: SIMD3<Int>, _ b: SIMD3<Int>) -> Bool {
            (0..<3).contains { a[$0] == b[$0] && a[$0] != 1 }
        }
        let isFirst = rank(between[0]) < rank(between[1])
        let (chosen, other) = isFirst ? (between[0], between[1]) : (between[1], between[0])
        // The hexagon's neighbours share a face of the cell.
        let central = [chosen] + ends.filter { !shareCellFace($0, chosen) }
        let outer = [other] + ends.filter { shareCellFace($0, chosen) }
        let triangles =
            [central] + outer.map { tip in [tip] + central.filter { shareCellFace($0, tip) } }
        return triangles.map { triangle in
            SIMD3<Double>(cross(triangle[1] &- triangle[0], triangle[2] &- triangle[0])) / 8
        }
    }

    private static func dot(_ a: SIMD3<Int>, _ b: SIMD3<Int>) -> Int { (a &* b).wrappedSum() }

    private static func cross(_ a: SIMD3<Int>, _ b: SIMD3<Int>) -> SIMD3<Int> {
        SIMD3(
            a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x)
    }
}

/// The areas in mm² of a surface in a cell, by pattern; for the tests.
package func surfaceElementAreas(spacing: SIMD3<Double>) -> [Double] {
    SurfaceElements(spacing: spacing).areas
}

/// The areas of surface elements in cells whose edges are not perpendicular, by pattern.
package func surfaceElementAreas(axes: [SIMD3<Double>]) -> [Double] {
    SurfaceElements(axes: axes).areas
}
