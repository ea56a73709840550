import Files
import Foundation
import VolumeIO
public import Volumes

/// The output of `sliceseg info` for one volume.
public struct VolumeInformation: Sendable, Codable, Hashable {
    /// The file.
    public var path: String
    /// `nifti1`, `nifti2` or `mgh`.
    public var format: String
    /// The number of volumes in the file; intensities are those of the first.
    public var volumes: Int
    /// Voxels along the three storage axes.
    public var size: [Int]
    /// Millimetres along them.
    public var spacing: [Double]
    /// The orientation of the axes, such as `RAS`.
    public var orientation: String
    /// The rows of the matrix from voxel index to RAS+ mm.
    public var affine: [[Double]]
    /// The part of the header that the affine was taken from.
    public var affineSource: String
    /// The other spatial fields of a NIfTI header; `nil` for MGH.
    public var header: Placement?
    /// The ways in which the header contradicts itself, a clause each.
    public var contradictions: [String]
    /// The type of the stored numbers.
    public var datatype: String
    /// The smallest intensity, scaled; `nil` where no voxel is finite.
    public var minimum: Double?
    /// The largest one.
    public var maximum: Double?
    /// The mean of the finite ones.
    public var mean: Double?
    /// Voxels that are not a number.
    public var nanVoxels: Int
    /// Voxels that are infinite.
    public var infiniteVoxels: Int
    /// The label table in the file's header, where it has one.
    public var labels: LabelTable?

    /// All that a NIfTI header says of the voxels' places, in millimetres.
    public struct Placement: Sendable, Codable, Hashable {
        /// The declared unit of lengths: `unknown`, `meter`, `millimeter` or `micron`.
        public var unit: String
        /// The edge lengths in `pixdim`.
        public var pixdim: [Double]
        /// The sform's code.
        public var sformCode: Int
        /// The rows of the sform, where its code is not 0.
        public var sform: [[Double]]?
        /// The qform's code.
        public var qformCode: Int
        /// The rows of the qform, where its code is not 0 and it is usable.
        public var qform: [[Double]]?

        init(_ geometry: NIfTIGeometry, of header: VolumeHeader) {
            unit = geometry.unit.rawValue
            pixdim = (0..<3).map { geometry.pixdimMillimeters[$0] }
            sformCode = header.sformCode
            sform = geometry.sform.map(rows)
            qformCode = header.qformCode
            qform = geometry.qform.map(rows)
        }
    }

    /// Reads a volume, of a 4-D series the first one.
    ///
    /// - Parameter path: The file.
    /// - Throws: `VolumeIOError`.
    public init(path: String) throws {
        let loaded = try readVolume(at: path, volume: 0)
        let header = loaded.header
        let grid = header.grid
        self.path = path
        format = header.format.rawValue
        volumes = header.volumeCount
        size = [grid.size.x, grid.size.y, grid.size.z]
        spacing = (0..<3).map { grid.spacing[$0] }
        orientation = grid.orientation.description
        affine = rows(of: grid.affine)
        affineSource = header.affineSource.rawValue
        self.header = header.niftiGeometry.map { Placement($0, of: header) }
        contradictions = header.niftiGeometry?.contradictions.map(\.description) ?? []
        datatype = header.storedType.rawValue
        nanVoxels = loaded.nanVoxelCount
        infiniteVoxels = loaded.infiniteVoxelCount
        labels = try embeddedLabelTable(at: path)
        var smallest = Float.infinity
        var largest = -Float.infinity
        var sum = 0.0
        var count = 0
        for value in loaded.volume.voxels where value.isFinite {
            smallest = min(smallest, value)
            largest = max(largest, value)
            sum += Double(value)
            count += 1
        }
        if count > 0 {
            minimum = Double(smallest)
            maximum = Double(largest)
            mean = sum / Double(count)
        }
    }

    /// The same as lines of text.
    public var text: String {
        func list(_ values: [Double]) -> String {
            values.map { shortest($0) }.joined(separator: " x ")
        }
        var lines = [
            path, "  size         \(size.map(String.init).joined(separator: " x ")) voxels",
            "  spacing      \(list(spacing)) mm",
            "  orientation  \(orientation)",
        ]
        lines += matrix(affine, titled: "affine")
        func number(_ value: Double?) -> String { value.map(shortest) ?? "n/a" }
        lines += [
            "               from \(affineSource)"
        ]
        if let header {
            lines += form(header.sform, code: header.sformCode, titled: "sform")
            lines += form(header.qform, code: header.qformCode, titled: "qform")
            lines += [
                "  pixdim       \(list(header.pixdim)) mm", "  unit         \(header.unit)",
            ]
        }
        lines += contradictions.map { "  contradiction: \($0)" }
        lines += [
            "  datatype     \(datatype) in \(format)",
            "  minimum      \(number(minimum))", "  maximum      \(number(maximum))",
            "  mean         \(number(mean))",
        ]
        if nanVoxels > 0 { lines.append("  not a number \(nanVoxels) voxels") }
        if infiniteVoxels > 0 { lines.append("  infinite     \(infiniteVoxels) voxels") }
        if volumes > 1 {
            lines.append("  volumes      \(volumes), of which the intensities are the first one's")
        }
        for (position, structure) in (labels?.structures ?? []).enumerated() {
            let title = position == 0 ? "labels      " : "            "
            lines.append("  \(title) \(structure.index) \(structure.name)")
        }
        return lines.map { $0 + "\n" }.joined()
    }

    /// The same as a JSON object on one line.
    public var json: String {
        get throws { try jsonLine(self) }
    }
}

/// The rows of an affine.
private func rows(of affine: Affine) -> [[Double]] {
    (0..<3).map { row in (0..<4).map { affine[row, $0] } }
}

/// An affine's rows as lines under a title.
private func matrix(_ rows: [[Double]], titled title: String) -> [String] {
    rows.enumerated().map { position, row in
        let numbers = row.map { value in
            let text = decimals(value, 4)
            return String(repeating: " ", count: max(0, 11 - text.count)) + text
        }
        let start = position == 0 ? title : ""
        return "  " + start + String(repeating: " ", count: 11 - start.count) + numbers.joined()
    }
}

/// A form of a NIfTI header as lines, its code after them.
private func form(_ rows: [[Double]]?, code: Int, titled title: String) -> [String] {
    let padded = title + String(repeating: " ", count: 13 - title.count)
    guard let rows else {
        return ["  \(padded)\(code == 0 ? "none" : "unusable"), code \(code)"]
    }
    return matrix(rows, titled: title) + ["               code \(code)"]
}

/// A number with at most four decimals.
private func shortest(_ value: Double) -> String {
    let rounded = (value * 1e4).rounded() / 1e4
    return rounded == rounded.rounded() && abs(rounded) < 1e15
        ? String(Int(rounded)) : String(rounded)
}
