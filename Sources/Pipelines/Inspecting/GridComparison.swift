import Foundation
import Preprocessing
import VolumeIO
package import Volumes

/// The result of `sliceseg verify`: a comparison of two volumes' grids.
public struct GridComparison: Sendable, Codable, Hashable {
    /// A way in which two grids differ.
    public enum Difference: String, Sendable, Codable, Hashable, CaseIterable {
        /// The numbers of voxels.
        case size
        /// The distances of voxels along an axis.
        case spacing
        /// The directions of the axes, or their order.
        case orientation
        /// The world position of voxel (0, 0, 0).
        case origin
    }

    /// One of the files.
    public var first: String
    /// The other one.
    public var second: String
    /// A Boolean value indicating whether sizes agree and the corners lie less than a tenth of a
    /// voxel apart.
    public var isSameGrid: Bool
    /// A Boolean value indicating whether the two show the same places, though their axes may be
    /// stored in another order or direction: `sliceseg evaluate` and trainings then take them for
    /// one grid.
    public var showsSamePlaces: Bool
    /// The differences of a hundredth of a voxel or more; empty where ``isSameGrid``.
    public var differences: [Difference]
    /// Voxels along the axes of the first one.
    public var firstSize: [Int]
    /// Voxels along the axes of the other one.
    public var secondSize: [Int]
    /// The largest distance of corner voxels with the same index; `nil` where the sizes differ.
    public var largestCornerDistanceMillimeters: Double?
    /// The distance between the two centers, whatever the sizes.
    public var centerDistanceMillimeters: Double
    /// The largest angle between an axis of the first one and the same axis of the other.
    public var largestAxisAngleDegrees: Double

    /// Compares the grids of two volumes; of a 4-D series the first volume counts, as all have one
    /// grid.
    ///
    /// - Parameters:
    ///   - first: A file.
    ///   - second: Another one.
    /// - Throws: `VolumeIOError`.
    public init(_ first: String, _ second: String) throws {
        self.init(
            try readVolumeHeader(at: first, volume: 0).grid, at: first,
            try readVolumeHeader(at: second, volume: 0).grid, at: second)
    }

    /// Compares two grids.
    package init(_ one: Grid, at first: String, _ other: Grid, at second: String) {
        self.first = first
        self.second = second
        firstSize = [one.size.x, one.size.y, one.size.z]
        secondSize = [other.size.x, other.size.y, other.size.z]
        let distance = one.largestCornerDistanceMillimeters(from: other)
        largestCornerDistanceMillimeters = distance
        centerDistanceMillimeters = (one.center - other.center).length
        // As an arc tangent: an arc cosine loses small angles.
        let angles = (0..<3).map { axis in
            let (a, b) = (one.affine.column(axis), other.affine.column(axis))
            return atan2(a.cross(b).length, a.dot(b))
        }
        largestAxisAngleDegrees = (angles.max() ?? 0) * 180 / .pi
        isSameGrid = one.coincides(with: other)
        showsSamePlaces = AxisPermutation(from: one, onto: other) != nil
        guard !isSameGrid else {
            differences = []
            return
        }
        // Each by how far it moves the voxel at the end of an axis.
        let threshold = one.toleranceMillimeters(with: other) / 10
        let steps = (0..<3).map { Double(max(one.size[$0], other.size[$0]) - 1) }
        func anyAxis(_ shift: (Int) -> Double) -> Bool {
            (0..<3).contains { shift($0) * steps[$0] >= threshold }
        }
        var found: [Difference] = []
        if one.size != other.size { found.append(.size) }
        if anyAxis({ abs(one.spacing[$0] - other.spacing[$0]) }) { found.append(.spacing) }
        if anyAxis({ angles[$0] * one.spacing[$0] }) { found.append(.orientation) }
        if (one.affine.translation - other.affine.translation).length >= threshold {
            found.append(.origin)
        }
        differences = found
    }

    /// The same as a sentence.
    public var sentence: String {
        func written(_ size: [Int]) -> String { size.map(String.init).joined(separator: "x") }
        let apart = decimals(largestCornerDistanceMillimeters ?? centerDistanceMillimeters, 3)
        let angle = decimals(largestAxisAngleDegrees, 3)
        guard !isSameGrid else {
            return "'\(first)' and '\(second)' have the same grid: \(written(firstSize)) voxels, "
                + "corners within \(apart) mm, axes within \(angle) degrees."
        }
        let names = differences.map(\.rawValue).joined(separator: ", ")
        let sizes =
            firstSize == secondSize
            ? "" : " (\(written(firstSize)) and \(written(secondSize)) voxels)"
        let places = largestCornerDistanceMillimeters == nil ? "centers" : "corners up to"
        return
            "'\(first)' and '\(second)' lie on different grids: they differ in \(names)\(sizes); "
            + "\(places) \(apart) mm apart, axes up to \(angle) degrees"
            + (showsSamePlaces ? "; both show the same places, stored in another order." : ".")
    }

    /// The same as a JSON object on one line.
    public var json: String {
        get throws { try jsonLine(self) }
    }
}

extension Grid {
    /// The world position of the middle of all voxels.
    fileprivate var center: SIMD3<Double> {
        affine(SIMD3(Double(size.x - 1), Double(size.y - 1), Double(size.z - 1)) / 2)
    }
}

/// A value as JSON on one line, with its keys in order.
func jsonLine(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
}
