public import Volumes

/// The classes of a model in a mirrored picture: left structures become right ones.
public struct MirroredClasses: Sendable, Hashable {
    /// For each class, the class that its mirror image has.
    public let classes: [Int]

    /// Pairs the structures of a table by their names: `Left-Thalamus` and `Right-Thalamus`, also
    /// `ctx-lh-…` and `ctx-rh-…`; the others are their own mirror image.
    public init(of table: LabelTable) {
        let names = table.structures.map(\.name)
        classes =
            [0]
            + names.enumerated().map { position, name in
                let other = Self.mirrored(name)
                return (other.flatMap { names.firstIndex(of: $0) } ?? position) + 1
            }
    }

    private static func mirrored(_ name: String) -> String? {
        for (one, other) in [("Left-", "Right-"), ("ctx-lh-", "ctx-rh-")] {
            if name.hasPrefix(one) { return other + name.dropFirst(one.count) }
            if name.hasPrefix(other) { return one + name.dropFirst(other.count) }
        }
        return nil
    }
}
