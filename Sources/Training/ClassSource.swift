public import Datasets
import ModelBundles

/// The classes of whole scans, and where scans of them come from: a folder for each class, a table, or
/// synthesis.
public struct ClassSource: Sendable, Hashable, Codable {
    /// A kind of scans that are synthesised.
    public struct SyntheticKind: Sendable, Hashable, Codable {
        /// Its name.
        public var name: String
        /// Its contrast; `nil` for any.
        public var contrast: ScanContrast?
    }

    /// A folder with a folder for each class, relative to the configuration's own folder.
    public var directory: String?
    /// A table with the columns `scan` (a path relative to the table's folder) and `class`.
    public var table: String?
    /// The kinds that are synthesised from the label maps of `cases.synthesis`.
    public var synthetic: [SyntheticKind]
    /// The fraction of synthetic scans that show no head: random shapes.
    public var shapesFraction: Double
    /// A Boolean value indicating whether the way in which slices lie is learnt, too; needs scans whose
    /// headers are right.
    public var tellsOrientation: Bool
    /// Voxels along an edge of the slices.
    public var windowVoxels: Int
    /// Slices that a scan is classified by, along each axis.
    public var slicesPerAxis: Int

    /// The class of scans that are of no kind, in folders and tables.
    public static let noneName = "none"

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case directory, table, synthetic, shapesFraction, tellsOrientation, windowVoxels
        case slicesPerAxis
    }

    /// Decodes a source; all may be left out but one of folder, table and synthetic kinds.
    public init(from decoder: any Decoder) throws {
        try rejectUnknownKeys(in: decoder, known: CodingKeys.allCases.map(\.rawValue))
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func value<Value: Decodable>(_ key: CodingKeys, default known: Value) throws -> Value {
            try container.decodeIfPresent(Value.self, forKey: key) ?? known
        }
        directory = try container.decodeIfPresent(String.self, forKey: .directory)
        table = try container.decodeIfPresent(String.self, forKey: .table)
        synthetic = try value(.synthetic, default: [])
        shapesFraction = try value(.shapesFraction, default: 0.15)
        tellsOrientation = try value(.tellsOrientation, default: false)
        windowVoxels = try value(.windowVoxels, default: 80)
        slicesPerAxis = try value(.slicesPerAxis, default: 5)
        guard directory == nil || table == nil, (0..<1).contains(shapesFraction),
            directory != nil || table != nil || !synthetic.isEmpty
        else {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: decoder.codingPath,
                    debugDescription: "name one of directory and table, or synthetic kinds, and a "
                        + "shapesFraction from 0 to below 1"))
        }
    }
}
