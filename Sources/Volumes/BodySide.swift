/// A side of the body, as the names of paired structures begin with it.
public enum BodySide: String, Sendable, Hashable, CaseIterable {
    /// `Left-Thalamus`, `ctx-lh-cuneus`.
    case left
    /// `Right-Thalamus`, `ctx-rh-cuneus`.
    case right

    /// The beginnings of FreeSurfer's names of this side, and what they are without it.
    var prefixes: [(sided: String, plain: String)] {
        switch self {
        case .left: [("Left-", ""), ("ctx-lh-", "ctx-")]
        case .right: [("Right-", ""), ("ctx-rh-", "ctx-")]
        }
    }
}

extension Structure {
    /// The side that the name tells; `nil` for structures of the middle.
    public var side: BodySide? { sideAndRest?.side }

    /// The name without the side, which both of a pair have in common.
    public var nameWithoutSide: String { sideAndRest?.rest ?? name }

    private var sideAndRest: (side: BodySide, rest: String)? {
        for side in BodySide.allCases {
            for (sided, plain) in side.prefixes where name.hasPrefix(sided) {
                return (side, plain + name.dropFirst(sided.count))
            }
        }
        return nil
    }
}

extension LabelTable {
    /// Structures of both sides that belong together, by their positions in the table.
    public struct SidePair: Sendable, Hashable {
        /// The name without the side.
        public var name: String
        /// The position of the left one.
        public var left: Int
        /// The position of the right one.
        public var right: Int

        /// Makes a pair.
        public init(name: String, left: Int, right: Int) {
            self.name = name
            self.left = left
            self.right = right
        }
    }

    /// The pairs of a left and a right structure of one name.
    public var sidePairs: [SidePair] {
        structures.enumerated().compactMap { left, structure in
            guard structure.side == .left else { return nil }
            let name = structure.nameWithoutSide
            return structures.firstIndex { $0.side == .right && $0.nameWithoutSide == name }
                .map { SidePair(name: name, left: left, right: $0) }
        }
    }
}
