/// One of the six directions of the body.
public enum AnatomicalDirection: Character, Sendable, Hashable, Codable, CaseIterable {
    /// Toward the patient's left.
    case left = "L"
    /// Toward the patient's right.
    case right = "R"
    /// Toward the back.
    case posterior = "P"
    /// Toward the front.
    case anterior = "A"
    /// Toward the feet.
    case inferior = "I"
    /// Toward the head.
    case superior = "S"

    /// The RAS+ world axis this direction lies on: 0 for left-right, 1 for back-front, 2 for
    /// down-up.
    public var worldAxis: Int {
        switch self {
        case .left, .right: 0
        case .posterior, .anterior: 1
        case .inferior, .superior: 2
        }
    }

    /// A Boolean value indicating whether world coordinates grow in this direction.
    public var isPositive: Bool {
        switch self {
        case .right, .anterior, .superior: true
        case .left, .posterior, .inferior: false
        }
    }

    /// The direction on a world axis with a sign.
    public init(worldAxis: Int, isPositive: Bool) {
        switch (worldAxis, isPositive) {
        case (0, true): self = .right
        case (0, false): self = .left
        case (1, true): self = .anterior
        case (1, false): self = .posterior
        case (2, true): self = .superior
        case (2, false): self = .inferior
        default: preconditionFailure("no world axis \(worldAxis)")
        }
    }

    /// Encodes the letter.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(String(rawValue))
    }

    /// Decodes a letter.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard text.count == 1, let letter = text.first, let value = Self(rawValue: letter) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "'\(text)' is not one of L R P A I S")
        }
        self = value
    }
}

/// The directions in which the three storage axes of a volume point, such as `RAS` or `LIA`.
///
/// Letters name where each axis *goes to*, as in nibabel (`RAS+`) and FreeSurfer.
public struct Orientation: Sendable, Hashable, CustomStringConvertible {
    /// The directions of the first, second and third storage axes.
    public let axes: [AnatomicalDirection]

    /// Makes an orientation of three directions on three different world axes.
    ///
    /// - Returns: `nil` where two of them lie on the same axis.
    public init?(_ axes: [AnatomicalDirection]) {
        guard axes.count == 3, Set(axes.map(\.worldAxis)).count == 3 else { return nil }
        self.axes = axes
    }

    /// Reads an orientation from its three letters, such as `"LIA"`.
    public init?(_ code: String) {
        let directions = code.uppercased().compactMap(AnatomicalDirection.init(rawValue:))
        guard directions.count == code.count else { return nil }
        self.init(directions)
    }

    /// The first axis goes right, the second to the front, the third up.
    public static let ras = Orientation(checked: [.right, .anterior, .superior])

    private init(checked axes: [AnatomicalDirection]) { self.axes = axes }

    /// All 48 ways to store a volume along the world axes.
    public static var allCases: [Orientation] {
        let permutations = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
        return permutations.flatMap { order in
            (0..<8).map { signs in
                Orientation(
                    checked: (0..<3).map { axis in
                        AnatomicalDirection(
                            worldAxis: order[axis], isPositive: signs >> axis & 1 == 0)
                    })
            }
        }
    }

    /// The storage axis that runs along a world axis (0 left-right, 1 back-front, 2 down-up).
    public func storageAxis(ofWorldAxis worldAxis: Int) -> Int {
        axes.firstIndex { $0.worldAxis == worldAxis } ?? 0
    }

    /// The three letters.
    public var description: String { String(axes.map(\.rawValue)) }

    /// The orientation nearest to an affine, which may be oblique or sheared.
    ///
    /// The columns are freed of spacing and shear by the polar decomposition, then matched with
    /// the world axes strongest first; the same choice as nibabel's `io_orientation`.
    ///
    /// - Precondition: the affine is invertible.
    public init(of affine: Affine) {
        let rotation = affine.nearestRotation
        var axes = [AnatomicalDirection?](repeating: nil, count: 3)
        var takenWorldAxes: Set<Int> = []
        // Strongest column first, and columns that are alike in order, as nibabel 5.4 does:
        // near 45 degrees an order by column would depend on how the volume is stored.
        let strength = rotation.map { max(abs($0.x), abs($0.y), abs($0.z)) }
        let order = (0..<3).sorted { (strength[$1], $0) < (strength[$0], $1) }
        for column in order {
            let vector = rotation[column]
            let free = (0..<3).filter { !takenWorldAxes.contains($0) }
            var best = free[0]
            for row in free where abs(vector[row]) > abs(vector[best]) { best = row }
            takenWorldAxes.insert(best)
            axes[column] = AnatomicalDirection(worldAxis: best, isPositive: vector[best] >= 0)
        }
        self.axes = axes.compactMap(\.self)
    }
}

extension Orientation {
    /// The 24 orientations that pictures tell apart, each with its first direction between left and
    /// right as right: its mirror image looks the same.
    public static let distinguishable: [Orientation] = allCases.filter { $0.axes.contains(.right) }

    /// The orientation with left and right exchanged.
    public var mirrored: Orientation {
        let axes = axes.map { direction in
            direction.worldAxis == 0
                ? AnatomicalDirection(worldAxis: 0, isPositive: !direction.isPositive) : direction
        }
        guard let result = Orientation(axes) else { preconditionFailure("three axes") }
        return result
    }
}

extension Orientation: Codable {
    /// Encodes the three letters.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    /// Decodes three letters.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let code = try container.decode(String.self)
        guard let value = Orientation(code) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "'\(code)' is not an orientation; write three letters like RAS")
        }
        self = value
    }
}

extension Affine {
    /// The orthogonal 3x3 matrix nearest to this affine's directions, as three columns: the
    /// orthogonal factor of the polar decomposition of the columns scaled to length 1.
    ///
    /// Source: Higham, SIAM J. Sci. Stat. Comput. 7(4), 1986 (Newton's iteration).
    public var nearestRotation: [SIMD3<Double>] {
        var columns = (0..<3).map { column($0) / column($0).length }
        for _ in 0..<100 {
            let determinant = columns[0].dot(columns[1].cross(columns[2]))
            let inverseTransposed = [
                columns[1].cross(columns[2]) / determinant,
                columns[2].cross(columns[0]) / determinant,
                columns[0].cross(columns[1]) / determinant,
            ]
            let next = zip(columns, inverseTransposed).map { ($0 + $1) / 2 }
            let change = zip(next, columns).map { ($0 - $1).length }.max() ?? 0
            columns = next
            if change < 1e-14 { break }
        }
        return columns
    }
}
