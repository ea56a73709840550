import Foundation
public import SegmentationMetrics
public import Volumes

/// Structure volumes as FreeSurfer writes them in `stats/aseg.stats`, for what reads such files.
///
/// Comments begin with `#`; each row has an index, the structure's id, its voxels, its volume in mm³
/// and its name, as `# ColHeaders` says. Rows ascend by id; structures that were not found stand there
/// with 0, so that all files of a run have the same rows. Names have no blanks and no `#`, which
/// readers take for the end of a column and for a comment: `_` stands for them.
///
/// The only `# Measure` is the volume of all structures together. FreeSurfer's own measures, such
/// as `eTIV` and `BrainSegVol`, count what a label map does not hold, so they are not here; nor are
/// the columns of intensities.
///
/// Source: `mri_segstats/mri_segstats.cpp` writes such files and `asegstats2table` reads them, in
/// <https://github.com/freesurfer/freesurfer>.
public struct FreeSurferStatistics: Sendable, Hashable {
    /// The scan's name.
    public var scan: String
    /// Its structures; those that the table lacks are left out.
    public var volumes: [StructureVolume]
    /// Names the structures.
    public var table: LabelTable
    /// The volume of a voxel in mm³.
    public var voxelVolumeCubicMillimeters: Double
    /// The label map's file.
    public var labelFile: String
    /// The program and its version.
    public var software: String

    /// Collects what a file says.
    public init(
        scan: String, volumes: [StructureVolume], table: LabelTable,
        voxelVolumeCubicMillimeters: Double, labelFile: String, software: String
    ) {
        self.scan = scan
        self.volumes = volumes
        self.table = table
        self.voxelVolumeCubicMillimeters = voxelVolumeCubicMillimeters
        self.labelFile = labelFile
        self.software = software
    }

    /// The file's text.
    public var text: String {
        let rows = volumes.compactMap { volume in
            table[volume.label].map { (volume: volume, name: Self.word($0.name)) }
        }.sorted { $0.volume.label < $1.volume.label }
        let total = rows.reduce(0) { $0 + $1.volume.volumeCubicMillimeters }
        let columns = [
            ("Index", "Index", "NA"), ("SegId", "Segmentation Id", "NA"),
            ("NVoxels", "Number of Voxels", "unitless"), ("Volume_mm3", "Volume", "mm^3"),
            ("StructName", "Structure Name", "NA"),
        ]
        var lines = [
            "# Title Segmentation Statistics", "#",
            "# generating_program \(visibleText(software))", "# anatomy_type volume", "#",
            "# subjectname \(visibleText(scan))",
            "# Measure SegmentedStructures, SegmentedStructuresVol, "
                + "Volume of all segmented structures, \(fixedDecimals(total, 6)), mm^3",
            "# SegVolFile \(visibleText(labelFile))",
            "# VoxelVolume_mm3 \(String(format: "%g", voxelVolumeCubicMillimeters))",
        ]
        for (number, column) in columns.enumerated() {
            for (field, value) in [
                ("ColHeader", column.0), ("FieldName", column.1), ("Units    ", column.2),
            ] {
                lines.append("# TableCol  \(number + 1) \(field) \(value)")
            }
        }
        lines += [
            "# NRows \(rows.count)", "# NTableCols \(columns.count)",
            "# ColHeaders  " + columns.map(\.0).joined(separator: " "),
        ]
        for (number, row) in rows.enumerated() {
            let volume = row.volume
            let numbers = String(
                format: "%3ld %3ld  %8ld %12.3f  ", number + 1, Int(volume.label),
                volume.voxelCount, volume.volumeCubicMillimeters)
            lines.append(numbers + row.name)
        }
        return lines.map { $0 + "\n" }.joined()
    }

    /// A name without what readers split at.
    private static func word(_ name: String) -> String {
        let word = String(
            visibleText(name).map { $0.isWhitespace || $0 == "#" ? "_" : $0 })
        return word.isEmpty ? "_" : word
    }
}
