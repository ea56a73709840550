public import Volumes

/// The classes of a model in a mirrored picture: left structures become right ones.
public struct MirroredClasses: Sendable, Hashable {
    /// For each class, the class that its mirror image has.
    public let classes: [Int]

    /// Pairs the structures of a table by their names: `Left-Thalamus` and `Right-Thalamus`, also
    /// `ctx-lh-…` and `ctx-rh-…`; the others are their own mirror image.
    public init(of table: LabelTable) {
        var classes = Array(0..<table.classCount)
        for pair in table.sidePairs {
            classes[pair.left + 1] = pair.right + 1
            classes[pair.right + 1] = pair.left + 1
        }
        self.classes = classes
    }
}
