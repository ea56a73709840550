public import SegmentationMetrics
public import Volumes

/// The structure volumes of one scan.
public struct ScanVolumes: Sendable, Hashable {
    /// The scan's name.
    public var scan: String
    /// Its structures.
    public var volumes: [StructureVolume]
    /// The labels of those that touch the edge of the field of view, so that their volumes are parts.
    public var cut: Set<UInt16>
    /// Oddities of the scan or its labels.
    public var warnings: [String]

    /// Makes the volumes of a scan.
    public init(
        scan: String, volumes: [StructureVolume], cut: Set<UInt16> = [], warnings: [String] = []
    ) {
        self.scan = scan
        self.volumes = volumes
        self.cut = cut
        self.warnings = warnings
    }
}

/// A scan that failed.
public struct ScanFailure: Sendable, Hashable {
    /// The scan's name.
    public var scan: String
    /// One sentence with the next step.
    public var reason: String
    /// The stage that failed, such as `read`, or `nil` where it is not known.
    public var stage: String?
    /// The kind of failure, such as `volume.truncated`, or `nil` where it is not known.
    public var code: String?
    /// The sentence without the next step, where both are known apart.
    public var problem: String?
    /// The next step, where it is known apart.
    public var nextStep: String?

    /// Makes a failure.
    public init(
        scan: String, reason: String, stage: String? = nil, code: String? = nil,
        problem: String? = nil, nextStep: String? = nil
    ) {
        self.scan = scan
        self.reason = reason
        self.stage = stage
        self.code = code
        self.problem = problem
        self.nextStep = nextStep
    }
}

extension TSVTable {
    /// The meaning of a label map's values (`NAME_dseg.tsv`): index, name, color, mapping.
    ///
    /// - Parameters:
    ///   - table: The structures.
    ///   - mapping: For each label, the tissue class of BIDS' common list; `n/a` where absent.
    /// - Returns: A row per structure.
    public static func labels(_ table: LabelTable, mapping: [UInt16: Int] = [:]) -> TSVTable {
        TSVTable(
            columns: ["index", "name", "color", "mapping"],
            rows: table.structures.map { structure in
                [
                    .integer(Int(structure.index)), .text(structure.name),
                    .text(structure.color.hexadecimal),
                    mapping[structure.index].map(TSVField.integer) ?? .missing,
                ]
            })
    }

    /// The structures of one scan (`NAME_volumes.tsv`): index, name, voxels, volume_mm3, and where a
    /// judgement is given confidence and cut.
    ///
    /// `confidence` is `ScanQuality.Structure.confidence`; `cut` is `true` where the structure touches
    /// the edge of the field of view, so that its volume is a part of it.
    ///
    /// - Parameters:
    ///   - volumes: The measured structures, in the order of the rows.
    ///   - table: Names them; a label that it lacks is named `n/a`.
    ///   - quality: The judgement of the scan, or `nil` for a table without it.
    /// - Returns: A row per structure.
    public static func volumes(
        _ volumes: [StructureVolume], table: LabelTable, quality: ScanQuality? = nil
    ) -> TSVTable {
        let judged = Dictionary(
            (quality?.structures ?? []).map { ($0.label, $0) },
            uniquingKeysWith: { first, _ in first })
        return TSVTable(
            columns: ["index", "name", "voxels", "volume_mm3"]
                + (quality == nil ? [] : ["confidence", "cut"]),
            rows: volumes.map { volume in
                [
                    .integer(Int(volume.label)),
                    table[volume.label].map { .text($0.name) } ?? .missing,
                    .integer(volume.voxelCount),
                    .fixed(volume.volumeCubicMillimeters, decimals: 3),
                ]
                    + (quality == nil
                        ? []
                        : [
                            judged[volume.label]?.confidence.map { .fixed($0, decimals: 3) }
                                ?? .missing,
                            .text(judged[volume.label]?.isCut == true ? "true" : "false"),
                        ])
            })
    }

    /// The volumes of a run in mm³ (`volumes.tsv`): a row per scan, a column per structure.
    ///
    /// Structures that a scan's list lacks are `n/a`. Where two structures have one name, their
    /// columns carry the index too. The last columns are `cut`, the structures that touch the edge of
    /// the field of view, so that their volumes are parts, and `warnings`, what reading the scan told.
    ///
    /// - Parameters:
    ///   - scans: The scans, in the order of the rows.
    ///   - table: The structures, in the order of the columns.
    /// - Returns: A row per scan.
    public static func volumes(ofScans scans: [ScanVolumes], table: LabelTable) -> TSVTable {
        let names = Dictionary(grouping: table.structures, by: \.name)
        let columns = table.structures.map { structure in
            names[structure.name]?.count == 1
                ? structure.name : "\(structure.name) \(structure.index)"
        }
        return TSVTable(
            columns: ["scan"] + columns + ["cut", "warnings"],
            rows: scans.map { scan in
                let measured = Dictionary(
                    scan.volumes.map { ($0.label, $0.volumeCubicMillimeters) },
                    uniquingKeysWith: { first, _ in first })
                return [.text(scan.scan)]
                    + table.structures.map { structure in
                        measured[structure.index].map { .fixed($0, decimals: 3) } ?? .missing
                    }
                    + [
                        .list(
                            zip(table.structures, columns).filter { scan.cut.contains($0.0.index) }
                                .map(\.1)), .list(scan.warnings),
                    ]
            })
    }

    /// The scans of a run that failed (`failures.tsv`): scan, stage, code, reason, next_step.
    public static func failures(_ failures: [ScanFailure]) -> TSVTable {
        func field(_ text: String?) -> TSVField { text.map { .text($0) } ?? .missing }
        return TSVTable(
            columns: ["scan", "stage", "code", "reason", "next_step"],
            rows: failures.map {
                [
                    .text($0.scan), field($0.stage), field($0.code),
                    .text($0.problem ?? $0.reason), field($0.nextStep),
                ]
            })
    }
}
