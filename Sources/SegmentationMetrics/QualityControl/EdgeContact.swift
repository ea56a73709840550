import Volumes

/// A side of the body.
public enum AnatomicalSide: String, Sendable, Hashable, Codable, CaseIterable {
    /// The patient's left.
    case left
    /// The patient's right.
    case right
    /// The back.
    case posterior
    /// The front.
    case anterior
    /// Towards the feet.
    case inferior
    /// Towards the vertex.
    case superior

    /// The side to which an axis of the world runs.
    init(worldAxis: Int, isPositive: Bool) {
        switch (worldAxis, isPositive) {
        case (0, false): self = .left
        case (0, true): self = .right
        case (1, false): self = .posterior
        case (1, true): self = .anterior
        case (_, false): self = .inferior
        case (_, true): self = .superior
        }
    }
}

/// A face of the field of view that labelled voxels touch: the brain goes on beyond it.
public struct EdgeContact: Sendable, Hashable, Codable {
    /// The side on which the field of view ends.
    public var side: AnatomicalSide
    /// The labelled voxels of the outermost slice as a share of those of the slice with the most.
    public var fraction: Double

    /// Makes a contact.
    public init(side: AnatomicalSide, fraction: Double) {
        self.side = side
        self.fraction = fraction
    }
}

/// The contact of labels with the faces of the grid.
struct EdgeCensus {
    /// The faces that are touched, the largest contact first.
    private(set) var contacts: [EdgeContact] = []
    /// The voxels in outermost slices by label.
    private(set) var voxelCounts: [UInt16: Int] = [:]

    /// Counts the labelled voxels of each slice along each axis, and the labels of the outermost.
    init(of map: LabelMap) {
        let size = map.grid.size
        var counts = (0..<3).map { [Int](repeating: 0, count: size[$0]) }
        func isOutermost(_ index: Int, of count: Int) -> Bool {
            count > 1 && (index == 0 || index == count - 1)
        }
        var atEdge = [Int](repeating: 0, count: Int(UInt16.max) + 1)
        map.labels.withUnsafeBufferPointer { labels in
            for z in 0..<size.z {
                for y in 0..<size.y {
                    let isOuterRow = isOutermost(z, of: size.z) || isOutermost(y, of: size.y)
                    let row = size.x * (y + size.y * z)
                    var inRow = 0
                    for x in 0..<size.x {
                        let label = labels[row + x]
                        guard label != 0 else { continue }
                        inRow += 1
                        counts[0][x] += 1
                        if isOuterRow || isOutermost(x, of: size.x) { atEdge[Int(label)] += 1 }
                    }
                    counts[1][y] += inRow
                    counts[2][z] += inRow
                }
            }
        }
        for (axis, direction) in map.grid.orientation.axes.enumerated() {
            // A single slice has no outermost one.
            guard counts[axis].count > 1, let most = counts[axis].max(), most > 0 else { continue }
            for (count, isUpper) in [(counts[axis].first, false), (counts[axis].last, true)] {
                guard let count, count > 0 else { continue }
                contacts.append(
                    EdgeContact(
                        side: AnatomicalSide(
                            worldAxis: direction.worldAxis,
                            isPositive: direction.isPositive == isUpper),
                        fraction: Double(count) / Double(most)))
            }
        }
        contacts.sort { $0.fraction > $1.fraction }
        for (label, count) in atEdge.enumerated() where count > 0 {
            voxelCounts[UInt16(label)] = count
        }
    }
}
