import Reports
import SegmentationMetrics
import Testing
import Volumes

/// Pages and tables made of measured cases.
@Suite struct `Evaluations and quality as reports` {
    private let grid = Grid(size: GridSize(4, 2, 1), affine: .identity)

    private func map(_ labels: [UInt16]) -> LabelMap { LabelMap(grid: grid, labels: labels) }

    /// The same inside a field of view whose edges it does not touch.
    private func surrounded(_ labels: [UInt16]) -> LabelMap {
        var map = LabelMap(
            grid: Grid(size: GridSize(6, 4, 3), affine: Affine(spacing: SIMD3(10, 10, 10))),
            labels: [UInt16](repeating: 0, count: 72))
        for (position, label) in labels.enumerated() {
            map[1 + position % 4, 1 + position / 4, 1] = label
        }
        return map
    }

    private func table() throws -> LabelTable {
        let color = LabelColor(red: 0, green: 0, blue: 0)
        return try #require(
            LabelTable([
                Structure(index: 3, name: "Left-Thalamus", color: color),
                Structure(index: 4, name: "Right-Thalamus", color: color),
            ]))
    }

    @Test func `a page shows the values, what one map lacks, and failures`() throws {
        let reference = map([3, 3, 0, 0, 4, 4, 0, 0])
        let options = MetricOptions(convention: .nnunet, toleranceMillimeters: 2)
        func metrics(_ prediction: LabelMap) -> [StructureMeasurement] {
            structureMeasurements(
                of: prediction, against: reference, labels: [3, 4], options: options)
        }
        let evaluation = Evaluation(
            cases: [
                EvaluatedCase(
                    name: "a", predictionFile: "a", referenceFile: "r",
                    structures: metrics(map([3, 3, 0, 0, 0, 0, 0, 0]))),
                EvaluatedCase(
                    name: "b", predictionFile: "", referenceFile: "s",
                    structures: metrics(map([0, 0, 0, 0, 0, 0, 0, 0])), failure: "It is gone."),
            ], table: try table(), options: options)
        let report = evaluation.report(
            title: "t", flags: ["a": ["Right-Thalamus is missing", "odd"]])
        #expect(report.cases.map(\.name) == ["a", "b"])
        #expect(report.cases.map(\.failure) == [nil, "It is gone."])
        #expect(report.cases.map(\.flags) == [["Right-Thalamus is missing", "odd"], []])
        func metric(_ name: String) throws -> ReportMetric {
            try #require(report.metrics.first { $0.name == name })
        }
        #expect(report.cases[0].values[try metric("Dice")] == [3: 1, 4: 0])
        #expect(report.cases[0].values[try metric("HD95")] == [3: 0])
        // 0 of 2 voxels are 100 % too few.
        #expect(report.cases[0].values[try metric("Volume error")] == [3: 0, 4: 100])
        #expect(report.cases[1].values[try metric("Dice")] == [3: 0, 4: 0])
        #expect(report.provenance.first == ReportFact(name: "Convention", value: "nnunet"))
    }

    @Test func `quality control has a row per scan, worst first, with its reasons`() throws {
        let table = try table()
        let scans = [
            ("good", surrounded([3, 3, 0, 0, 4, 4, 0, 0])),
            // One side is thrice the other: (1 - 3) / (1 + 3).
            ("asymmetric", surrounded([3, 0, 0, 0, 4, 4, 4, 0])),
            ("missing", surrounded([3, 3, 0, 0, 0, 0, 0, 0])),
            // A quarter of the left one lies apart.
            ("apart", surrounded([3, 0, 3, 3, 0, 0, 3, 0])),
        ].map {
            // A fifth of the threshold, 0.3.
            QualityInput(
                name: $0.0, segmentation: $0.1, table: table,
                planeDisagreement: $0.0 == "good" ? [3: 0.06, 4: 0.03] : [:])
        }
        let rows = TSVTable.qualityControl(
            qualityControl(of: scans, table: table), warnings: ["missing": ["an odd header"]]
        )
        .text.split(separator: "\n").map { $0.split(separator: "\t").map(String.init) }
        #expect(
            rows[0] == [
                "scan", "score", "verdict", "flags", "missing", "asymmetry", "apart",
                "plane_disagreement", "volume_z", "adult_z", "confidence", "total_ml", "edge",
                "reasons", "warnings",
            ])
        let byName = Dictionary(uniqueKeysWithValues: rows.dropFirst().map { ($0[0], $0) })
        #expect(rows.last?.first == "good")
        #expect(
            byName["good"]
                == [
                    "good", "0.200", "ordinary", "0", "0", "0.000", "0.000", "0.060", "n/a", "n/a",
                    "0.940", "4.000", "0.000", "n/a", "n/a",
                ])
        #expect(
            byName["asymmetric"]
                == [
                    "asymmetric", "1.500", "flagged", "1", "0", "0.500", "0.000", "n/a", "n/a",
                    "n/a", "n/a", "4.000", "0.000",
                    "Thalamus: 1000 mm3 on the left and 3000 mm3 on the right", "n/a",
                ])
        #expect(
            byName["missing"]
                == [
                    "missing", "10.000", "flagged", "1", "1", "1.000", "0.000", "n/a", "n/a",
                    "n/a", "n/a", "2.000", "0.000", "Right-Thalamus is missing", "an odd header",
                ])
        #expect(byName["apart"]?[6] == "0.250")
        #expect(byName["apart"]?[13] == "Right-Thalamus is missing")
    }
}
