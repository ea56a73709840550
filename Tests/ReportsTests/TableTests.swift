import Foundation
import Reports
import SegmentationMetrics
import Testing
import Volumes

private let black = LabelColor(red: 0, green: 0, blue: 0)

@Suite struct TableTests {
    private func table() throws -> LabelTable {
        try #require(
            LabelTable([
                Structure(
                    index: 17, name: "Left-Hippocampus",
                    color: LabelColor(red: 220, green: 216, blue: 20)),
                Structure(index: 4, name: "a\tb", color: black),
            ]))
    }

    @Test func `fields stay on one line and in one column`() {
        let table = TSVTable(
            columns: ["scan", "reason\tx"],
            rows: [[.text("a\tb\r\nc"), .text("\u{1B}[2J \u{202E}über \"quoted\"")]])
        #expect(
            table.text == "scan\treason\\tx\n"
                + #"a\tb\r\nc"# + "\t" + #"\u{1B}[2J \u{202E}über "quoted""# + "\n")
    }

    @Test(
        arguments: [
            (TSVField.number(0.1), "0.1"), (.number(1), "1.0"),
            (.number(1.0 / 3), "0.3333333333333333"),
            (.number(1e-7), "1e-07"), (.number(.nan), "n/a"), (.number(-.infinity), "-inf"),
            (.fixed(1234567.5, decimals: 3), "1234567.500"), (.fixed(0.0004, decimals: 3), "0.000"),
            (.fixed(.nan, decimals: 3), "n/a"), (.integer(-1_000_000), "-1000000"),
            (.missing, "n/a"), (.text(""), ""),
        ])
    func `numbers are written without locale`(field: TSVField, text: String) {
        #expect(field.text == text)
    }

    @Test func `a label table has BIDS' columns`() throws {
        #expect(
            TSVTable.labels(try table(), mapping: [17: 9]).text == """
                index\tname\tcolor\tmapping
                17\tLeft-Hippocampus\t#dcd814\t9
                4\ta\\tb\t#000000\tn/a

                """)
    }

    @Test func `a scan's volumes are counted in voxels and cubic millimetres`() throws {
        let grid = Grid(
            size: GridSize(2, 2, 1), affine: Affine(spacing: SIMD3(0.5, 0.5, 1.2)))
        let map = LabelMap(grid: grid, labels: [17, 17, 0, 17])
        let volumes = structureVolumes(of: map, labels: [17, 4, 99])
        #expect(
            TSVTable.volumes(volumes, table: try table()).text == """
                index\tname\tvoxels\tvolume_mm3
                17\tLeft-Hippocampus\t3\t0.900
                4\ta\\tb\t0\t0.000
                99\tn/a\t0\t0.000

                """)
    }

    @Test func `a run's volumes have a row per scan and n/a for what was not measured`() throws {
        let scans = [
            ScanVolumes(
                scan: "s1",
                volumes: [
                    StructureVolume(label: 4, voxelCount: 2, volumeCubicMillimeters: 2),
                    StructureVolume(label: 17, voxelCount: 1, volumeCubicMillimeters: 1.0625),
                ]),
            ScanVolumes(scan: "s2", volumes: []),
        ]
        #expect(
            TSVTable.volumes(ofScans: scans, table: try table()).text == """
                scan\tLeft-Hippocampus\ta\\tb
                s1\t1.062\t2.000
                s2\tn/a\tn/a

                """)
    }

    @Test func `structures of one name have columns of two`() throws {
        let table = try #require(
            LabelTable([
                Structure(index: 1, name: "x", color: black),
                Structure(index: 2, name: "x", color: black),
                Structure(index: 3, name: "y", color: black),
            ]))
        #expect(TSVTable.volumes(ofScans: [], table: table).text == "scan\tx 1\tx 2\ty\n")
    }

    @Test func `failures are named with their reason`() {
        let failures = [ScanFailure(scan: "a", reason: "'a.nii' ends\nearly; fetch it again.")]
        #expect(
            TSVTable.failures(failures).text
                == "scan\treason\na\t'a.nii' ends\\nearly; fetch it again.\n")
    }

    @Test func `a table is written as it reads`() throws {
        let path = NSTemporaryDirectory() + "reports-\(UUID().uuidString).tsv"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let table = TSVTable(columns: ["é"], rows: [[.number(0.5)]])
        try table.write(to: path)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "é\n0.5\n")
    }
}

@Suite struct EvaluationTests {
    private struct Input: Decodable {
        struct Name: Decodable {
            var index: UInt16
            var name: String
        }
        struct Case: Decodable {
            var name: String
            var reference: [UInt16]
            var prediction: [UInt16]
        }
        var structures: [Name]
        var cases: [Case]
    }

    private func evaluation() throws -> Evaluation {
        let input = try JSONDecoder().decode(
            Input.self, from: Data(reportsFixture("evaluation.json")))
        let grid = Grid(size: GridSize(5, 4, 3), affine: .identity)
        let structures = input.structures.map {
            Structure(index: $0.index, name: $0.name, color: black)
        }
        return Evaluation(
            cases: input.cases.map { example in
                EvaluatedCase(
                    name: example.name, predictionFile: "pred/\(example.name).nii.gz",
                    referenceFile: "ref/\(example.name).nii.gz",
                    overlaps: overlapCounts(
                        of: LabelMap(grid: grid, labels: example.prediction),
                        against: LabelMap(grid: grid, labels: example.reference),
                        labels: structures.map(\.index)))
            }, table: try #require(LabelTable(structures)))
    }

    @Test func `the summary is what nnU-Net's formulas and Python's json give, byte for byte`()
        throws
    {
        let expected = String(decoding: try reportsFixture("summary.json"), as: UTF8.self)
        #expect(try evaluation().summaryJSON == expected)
    }

    @Test func `a summary without cases is JSON of undefined means`() throws {
        let table = try #require(LabelTable([Structure(index: 1, name: "x", color: black)]))
        let text = Evaluation(cases: [], table: table).summaryJSON
        #expect(text.contains(#""metric_per_case": []"#))
        #expect(text.contains(#""Dice": NaN"#))
    }

    @Test func `metrics have a line per case, structure and metric`() throws {
        let lines = try evaluation().metricsTable.text.split(separator: "\n").map(String.init)
        #expect(lines.count == 1 + 3 * 4 * 8)
        #expect(lines[0] == "case\tindex\tname\tmetric\tvalue")
        // From summary.json, "case 2".
        #expect(lines.contains("case 2\t10\tLeft-Thalamus\tDice\t0.6896551724137931"))
        #expect(lines.contains("case 2\t10\tLeft-Thalamus\tFN\t4"))
        #expect(lines.contains("case 2\t77\tabsent\tIoU\tn/a"))
        #expect(lines.contains("case 2\t77\tabsent\tTN\t60"))
    }

    @Test func `a case that lacks a structure's counts is our own mistake`() async {
        await #expect(processExitsWith: .failure) {
            guard let table = LabelTable([Structure(index: 1, name: "x", color: black)]) else {
                return
            }
            _ = Evaluation(
                cases: [
                    EvaluatedCase(name: "a", predictionFile: "", referenceFile: "", overlaps: [])
                ], table: table)
        }
    }
}
