import Foundation
import Reports
import SegmentationMetrics
import Testing
import Volumes

/// `NAME.stats`, by the rules of FreeSurfer's `asegstats2table`: what holds a `#` is a comment,
/// columns are separated by blanks, the second is the id, the fourth the volume, the fifth the name.
@Suite struct `FreeSurfer statistics` {
    private func text() throws -> String {
        let color = LabelColor(red: 0, green: 0, blue: 0)
        let table = try #require(
            LabelTable([
                Structure(index: 1003, name: "ctx lh # cuneus", color: color),
                Structure(index: 17, name: "Left-Hippocampus", color: color),
                Structure(index: 53, name: "Right-Hippocampus", color: color),
            ]))
        return FreeSurferStatistics(
            scan: "a\nb",
            volumes: [
                StructureVolume(label: 1003, voxelCount: 2, volumeCubicMillimeters: 2.4),
                StructureVolume(label: 53, voxelCount: 0, volumeCubicMillimeters: 0),
                StructureVolume(
                    label: 17, voxelCount: 12_345_678, volumeCubicMillimeters: 14_814_813.6),
                StructureVolume(label: 9, voxelCount: 1, volumeCubicMillimeters: 1.2),
            ], table: table, voxelVolumeCubicMillimeters: 1.2, labelFile: "a_dseg.nii.gz",
            software: "SliceSeg 1"
        ).text
    }

    @Test func `rows ascend by id, with five columns each and empty structures too`() throws {
        let rows = try text().split(separator: "\n").filter { !$0.contains("#") }
            .map { $0.split(separator: " ").map(String.init) }
        #expect(
            rows == [
                ["1", "17", "12345678", "14814813.600", "Left-Hippocampus"],
                ["2", "53", "0", "0.000", "Right-Hippocampus"],
                ["3", "1003", "2", "2.400", "ctx_lh___cuneus"],
            ])
    }

    @Test func `comments name the columns and what was measured`() throws {
        let comments = try text().split(separator: "\n").filter { $0.hasPrefix("#") }
        #expect(comments.last == "# ColHeaders  Index SegId NVoxels Volume_mm3 StructName")
        #expect(comments.contains("# subjectname a\\nb"))
        #expect(comments.contains("# NRows 3"))
        #expect(comments.contains("# NTableCols 5"))
        #expect(comments.contains("# VoxelVolume_mm3 1.2"))
        // Fields are separated by commas; the fourth is the value.
        let measures = comments.filter { $0.hasPrefix("# Measure ") }
        #expect(measures.count == 1)
        #expect(measures[0].split(separator: ",")[3] == " 14814816.000000")
    }
}
