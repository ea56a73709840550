/// A map from voxel index to world position, or back: the upper three rows of a 4x4 matrix.
///
/// World space is RAS+ in millimetres: x grows to the patient's right, y to the front, z upward.
/// Element `(row, column)` multiplies voxel axis `column`; column 3 is the world position of the
/// centre of voxel (0, 0, 0). Same convention as nibabel's `img.affine`.
public struct Affine: Sendable, Hashable, Codable {
    /// The three rows, each with four elements.
    public var rows: [SIMD4<Double>]

    /// Makes an affine of its first three rows.
    ///
    /// - Precondition: there are three rows.
    public init(rows: [SIMD4<Double>]) {
        precondition(rows.count == 3, "an affine has 3 rows, not \(rows.count)")
        self.rows = rows
    }

    /// Makes an affine of twelve elements, row by row.
    ///
    /// - Precondition: there are twelve elements.
    public init(rowMajor elements: [Double]) {
        precondition(elements.count == 12, "an affine has 12 elements, not \(elements.count)")
        rows = (0..<3).map { row in
            SIMD4(
                elements[4 * row], elements[4 * row + 1], elements[4 * row + 2],
                elements[4 * row + 3])
        }
    }

    /// Makes an affine of three column vectors (mm per voxel) and the position of voxel (0, 0, 0).
    public init(columns: [SIMD3<Double>], translation: SIMD3<Double>) {
        precondition(columns.count == 3, "an affine has 3 columns, not \(columns.count)")
        rows = (0..<3).map { row in
            SIMD4(columns[0][row], columns[1][row], columns[2][row], translation[row])
        }
    }

    /// Makes the affine of an axis-aligned grid.
    ///
    /// - Parameters:
    ///   - spacing: Millimetres per voxel along x, y, z.
    ///   - translation: World position of voxel (0, 0, 0).
    public init(spacing: SIMD3<Double>, translation: SIMD3<Double> = .zero) {
        self.init(
            columns: [
                SIMD3(spacing.x, 0, 0), SIMD3(0, spacing.y, 0), SIMD3(0, 0, spacing.z),
            ], translation: translation)
    }

    /// The map that leaves every point where it is.
    public static var identity: Affine { Affine(spacing: SIMD3(1, 1, 1)) }

    /// The element at a row (world axis) and a column (voxel axis, 3 is the translation).
    public subscript(row: Int, column: Int) -> Double {
        get { rows[row][column] }
        set { rows[row][column] = newValue }
    }

    /// The world vector of one step along a voxel axis, in millimetres.
    public func column(_ axis: Int) -> SIMD3<Double> {
        SIMD3(rows[0][axis], rows[1][axis], rows[2][axis])
    }

    /// World position of voxel (0, 0, 0), in millimetres.
    public var translation: SIMD3<Double> { column(3) }

    /// Voxel edge lengths in millimetres: the lengths of the three columns.
    public var spacing: SIMD3<Double> {
        SIMD3(column(0).length, column(1).length, column(2).length)
    }

    /// The determinant of the 3x3 part; its size is the volume of one voxel in mm³, and it is
    /// negative for left-handed storage.
    public var determinant: Double {
        column(0).dot(column(1).cross(column(2)))
    }

    /// A Boolean value indicating whether every element is finite and the map can be inverted.
    public var isInvertible: Bool {
        rows.allSatisfy { row in (0..<4).allSatisfy { row[$0].isFinite } } && determinant != 0
    }

    /// The world position of a voxel index (which may lie between voxels).
    public func callAsFunction(_ point: SIMD3<Double>) -> SIMD3<Double> {
        let homogeneous = SIMD4(point, 1)
        return SIMD3(
            (rows[0] * homogeneous).sum(), (rows[1] * homogeneous).sum(),
            (rows[2] * homogeneous).sum())
    }

    /// The map in the other direction.
    ///
    /// - Precondition: the affine is invertible.
    public var inverse: Affine {
        let determinant = determinant
        precondition(determinant != 0, "a singular affine has no inverse: \(rows)")
        let (a, b, c) = (column(0), column(1), column(2))
        let inverseRows = [b.cross(c), c.cross(a), a.cross(b)].map { $0 / determinant }
        return Affine(
            rows: inverseRows.map { SIMD4($0.x, $0.y, $0.z, -$0.dot(translation)) })
    }

    /// The map that applies `right` first and `left` after it.
    public static func * (left: Affine, right: Affine) -> Affine {
        Affine(
            columns: (0..<3).map { left.linear(right.column($0)) },
            translation: left(right.translation))
    }

    /// Applies the 3x3 part alone: maps a step, not a position.
    public func linear(_ vector: SIMD3<Double>) -> SIMD3<Double> {
        column(0) * vector.x + column(1) * vector.y + column(2) * vector.z
    }

    /// The largest difference between elements of two affines.
    public func largestDifference(from other: Affine) -> Double {
        var largest = 0.0
        for row in 0..<3 {
            for column in 0..<4 {
                largest = max(largest, abs(self[row, column] - other[row, column]))
            }
        }
        return largest
    }
}

extension SIMD3<Double> {
    /// The scalar product with another vector.
    public func dot(_ other: Self) -> Double { (self * other).sum() }

    /// The vector product with another vector (right-handed).
    public func cross(_ other: Self) -> Self {
        Self(
            y * other.z - z * other.y, z * other.x - x * other.z, x * other.y - y * other.x)
    }

    /// The Euclidean length.
    public var length: Double { dot(self).squareRoot() }
}
