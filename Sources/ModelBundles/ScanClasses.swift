import Preprocessing
public import Volumes

/// The answers of a model that classifies scans, and how it looks at them.
///
/// A classifier's network sees square slices along all three axes of a scan. Its class 0 is none of the
/// kinds; the others are the kinds, or each kind in each of `SliceOrientation`'s ways to lie.
public struct ScanClasses: Sendable, Hashable, Codable {
    /// The kinds of scans that it tells apart.
    public var kinds: [String]
    /// A Boolean value indicating whether it tells the way a head lies, too.
    public var tellsOrientation: Bool
    /// Voxels along an edge of the slices.
    public var windowVoxels: Int
    /// Slices that it looks at along each axis.
    public var slicesPerAxis: Int

    /// Makes the answers of a classifier.
    public init(
        kinds: [String], tellsOrientation: Bool, windowVoxels: Int, slicesPerAxis: Int
    ) {
        self.kinds = kinds
        self.tellsOrientation = tellsOrientation
        self.windowVoxels = windowVoxels
        self.slicesPerAxis = slicesPerAxis
    }

    /// The ways to lie that each kind has a class for.
    package var orientationCount: Int { tellsOrientation ? SliceOrientation.count : 1 }

    /// The classes as a label table, for cards and training pages.
    public var labelTable: LabelTable {
        let names = kinds.flatMap { kind in
            tellsOrientation ? SliceOrientation.names.map { "\(kind), \($0)" } : [kind]
        }
        let structures = names.enumerated().map { position, name in
            let shade = UInt8(55 + 200 * position / max(1, names.count - 1))
            return Structure(
                index: UInt16(position + 1), name: name,
                color: LabelColor(red: shade, green: 120, blue: 255 - shade))
        }
        guard let table = LabelTable(structures) else { preconditionFailure("indices from 1") }
        return table
    }

    /// The problem as a sentence, or `nil` if there is none.
    package var problem: String? {
        let classes = kinds.count * orientationCount
        if kinds.isEmpty || Set(kinds).count != kinds.count || kinds.contains("") {
            return "kinds of scans must have names of their own"
        }
        if classes > 255 { return "\(classes) classes; at most 255 can be" }
        if !(16...1024).contains(windowVoxels) {
            return "windowVoxels must be 16 to 1024, not \(windowVoxels)"
        }
        if !(1...64).contains(slicesPerAxis) {
            return "slicesPerAxis must be 1 to 64, not \(slicesPerAxis)"
        }
        return nil
    }
}
