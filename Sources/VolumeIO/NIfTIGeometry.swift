import Foundation
public import Volumes

/// The unit of lengths that a NIfTI header declares (`xyzt_units`).
public enum SpatialUnit: String, Sendable, Hashable, Codable, CaseIterable {
    /// None is declared; lengths count as millimetres.
    case unknown
    /// Metres.
    case meter
    /// Millimetres.
    case millimeter
    /// Micrometres.
    case micron

    /// One of it in millimetres.
    public var millimeters: Double {
        switch self {
        case .unknown, .millimeter: 1
        case .meter: 1000
        case .micron: 0.001
        }
    }

    /// The unit of a header's `xyzt_units`, whose lowest three bits are that of lengths.
    init(niftiCode: Int32) {
        switch niftiCode & 7 {
        case 1: self = .meter
        case 2: self = .millimeter
        case 3: self = .micron
        default: self = .unknown
        }
    }
}

/// All that a NIfTI header says of the voxels' places, in millimetres.
///
/// Of the forms one counts: the sform where its code is positive, else the qform. The header may say
/// something else in the other one and in `pixdim`, which other programs go by.
public struct NIfTIGeometry: Sendable, Hashable {
    /// The declared unit of lengths.
    public let unit: SpatialUnit
    /// The edge lengths in `pixdim`, as they stand there but for the unit.
    public let pixdimMillimeters: SIMD3<Double>
    /// The sform; `nil` where its code is 0.
    public let sform: Affine?
    /// The qform; `nil` where its code is 0, or where it is flat, not finite or no rotation.
    public let qform: Affine?

    private let size: GridSize
    private let sformCode: Int
    private let qformCode: Int

    init(
        unit: SpatialUnit, pixdimMillimeters: SIMD3<Double>, sform: Affine?, qform: Affine?,
        size: GridSize, sformCode: Int, qformCode: Int
    ) {
        self.unit = unit
        self.pixdimMillimeters = pixdimMillimeters
        self.sform = sform
        self.qform = qform
        self.size = size
        self.sformCode = sformCode
        self.qformCode = qformCode
    }

    /// The ways in which the header contradicts itself; none in a sound one.
    ///
    /// Voxel sizes that differ by less than 1/1000 are rounding, and so are places that lie less than
    /// half a voxel apart. A form in scanner space and one in a template's (codes 3 to 5) are two
    /// places by right, but should have voxels of one size and axes of one handedness.
    public var contradictions: [HeaderContradiction] {
        var found: [HeaderContradiction] = []
        if unit == .meter || unit == .micron {
            let edges = (sform ?? qform)?.spacing ?? pixdimMillimeters
            if edges.max() > 50 || edges.min() < 0.005 {
                found.append(.unit(unit, voxelMillimeters: edges))
            }
        }
        guard let sform else { return found }
        let (edges, declared) = (sform.spacing, pixdimMillimeters)
        let isDeclared = (0..<3).allSatisfy { declared[$0].isFinite && declared[$0] > 0 }
        if isDeclared,
            (0..<3).contains(where: { abs(edges[$0] - declared[$0]) > 1e-3 * declared[$0] })
        {
            found.append(.voxelSize(sformMillimeters: edges, pixdimMillimeters: declared))
        }
        guard let qform else { return found }
        let distance =
            Grid(size: size, affine: sform).largestCornerDistanceMillimeters(
                from: Grid(size: size, affine: qform)) ?? 0
        let axes = (Orientation(of: sform), Orientation(of: qform))
        if (sform.determinant > 0) != (qform.determinant > 0) {
            found.append(.side(sform: axes.0, qform: axes.1, millimeters: distance))
        } else if distance > 0.5 * edges.min(), !areTwoSpaces {
            found.append(
                axes.0 == axes.1
                    ? .place(millimeters: distance)
                    : .side(sform: axes.0, qform: axes.1, millimeters: distance))
        }
        return found
    }

    /// A Boolean value indicating whether one form leads into a template's space (Talairach, MNI
    /// 152, another) and the other one does not.
    private var areTwoSpaces: Bool { (sformCode >= 3) != (qformCode >= 3) }
}

/// A way in which a NIfTI header says two different things of where its voxels lie.
public enum HeaderContradiction: Sendable, Hashable {
    /// The sform makes voxels of another size than `pixdim` does.
    case voxelSize(sformMillimeters: SIMD3<Double>, pixdimMillimeters: SIMD3<Double>)
    /// The forms have axes alike and places apart: the largest distance of a corner voxel.
    case place(millimeters: Double)
    /// The forms have axes that point elsewhere or are mirrored.
    case side(sform: Orientation, qform: Orientation, millimeters: Double)
    /// The declared unit makes voxels of a size that no scan has.
    case unit(SpatialUnit, voxelMillimeters: SIMD3<Double>)

    /// The figures that differ, the form that counts, and what follows from it, as a clause.
    public var description: String {
        switch self {
        case .voxelSize(let sform, let pixdim):
            let ratio = sform.x * sform.y * sform.z / (pixdim.x * pixdim.y * pixdim.z)
            return "its sform makes voxels of \(written(sform)) mm and its pixdim of "
                + "\(written(pixdim)) mm; the sform counts, so volumes are "
                + "\(written(ratio)) times those by pixdim"
        case .place(let distance):
            return "its sform and qform lie up to \(written(distance)) mm apart; the sform counts"
        case .side(let sform, let qform, let distance):
            return "its sform has the axes \(sform) and its qform \(qform), up to "
                + "\(written(distance)) mm apart"
                + (exchangesSides(sform, qform) ? ", with left and right exchanged" : "")
                + "; the sform counts, so check the sides in the picture"
        case .unit(let unit, let edges):
            return "its unit is \(unit.rawValue), which makes voxels of \(written(edges)) mm; "
                + "correct xyzt_units if they are not so"
        }
    }

    private func exchangesSides(_ one: Orientation, _ other: Orientation) -> Bool {
        one.axes[one.storageAxis(ofWorldAxis: 0)]
            != other.axes[one.storageAxis(ofWorldAxis: 0)]
    }
}

extension HeaderContradiction: CustomStringConvertible {}

/// Lengths with as many digits as tell them apart.
private func written(_ lengths: SIMD3<Double>) -> String {
    (0..<3).map { written(lengths[$0]) }.joined(separator: " x ")
}

/// A number to four significant digits.
private func written(_ value: Double) -> String { String(format: "%.4g", value) }
