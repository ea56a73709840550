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
                ], cut: [17, 4], warnings: ["one", "two"]),
            ScanVolumes(scan: "s2", volumes: []),
        ]
        #expect(
            TSVTable.volumes(ofScans: scans, table: try table()).text == """
                scan\tLeft-Hippocampus\ta\\tb\tcut\twarnings
                s1\t1.062\t2.000\tLeft-Hippocampus; a\\tb\tone; two
                s2\tn/a\tn/a\tn/a\tn/a

                """)
    }

    @Test func `structures of one name have columns of two`() throws {
        let table = try #require(
            LabelTable([
                Structure(index: 1, name: "x", color: black),
                Structure(index: 2, name: "x", color: black),
                Structure(index: 3, name: "y", color: black),
            ]))
        #expect(
            TSVTable.volumes(ofScans: [], table: table).text == "scan\tx 1\tx 2\ty\tcut\twarnings\n"
        )
    }

    @Test func `failures are named with their reason`() {
        let failures = [
            ScanFailure(scan: "a", reason: "'a.nii' ends\nearly; fetch it again."),
            ScanFailure(
                scan: "b", reason: "'b.nii' is empty; fetch it again.", stage: "read",
                code: "volume.truncated", problem: "'b.nii' is empty", nextStep: "fetch it again"),
        ]
        #expect(
            TSVTable.failures(failures).text
                == "scan\tstage\tcode\treason\tnext_step\n"
                + "a\tn/a\tn/a\t'a.nii' ends\\nearly; fetch it again.\tn/a\n"
                + "b\tread\tvolume.truncated\t'b.nii' is empty\tfetch it again\n")
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

    private func evaluation(_ options: MetricOptions = MetricOptions()) throws -> Evaluation {
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
                    structures: structureMeasurements(
                        of: LabelMap(grid: grid, labels: example.prediction),
                        against: LabelMap(grid: grid, labels: example.reference),
                        labels: structures.map(\.index), options: options))
            }, table: try #require(LabelTable(structures)), options: options)
    }

    /// Two cubes of two voxels' edge, the second one voxel further, in voxels of 1 x 1 x 2 mm; and
    /// a case without a prediction.
    private func cubes() throws -> Evaluation {
        let grid = Grid(
            size: GridSize(6, 4, 4), affine: Affine(spacing: SIMD3(1, 1, 2)))
        func cube(at x: Int) -> LabelMap {
            var map = LabelMap(grid: grid, labels: [UInt16](repeating: 0, count: 96))
            for k in 1...2 {
                for j in 1...2 {
                    for i in x...x + 1 { map.labels[grid.size.offset(i, j, k)] = 7 }
                }
            }
            return map
        }
        let options = MetricOptions(convention: .monai, toleranceMillimeters: 0.5)
        func metrics(_ prediction: LabelMap) -> [StructureMeasurement] {
            structureMeasurements(
                of: prediction, against: cube(at: 1), labels: [7, 8], options: options)
        }
        let table = try #require(
            LabelTable([
                Structure(index: 7, name: "cube, \"red\"", color: black),
                Structure(index: 8, name: "absent", color: black),
            ]))
        let nothing = LabelMap(grid: grid, labels: [UInt16](repeating: 0, count: 96))
        return Evaluation(
            cases: [
                EvaluatedCase(
                    name: "a", predictionFile: "a", referenceFile: "ra",
                    structures: metrics(cube(at: 2))),
                EvaluatedCase(
                    name: "b", predictionFile: "", referenceFile: "rb",
                    structures: metrics(nothing), failure: "it is gone"),
            ], table: table, options: options)
    }

    @Test func `the summary holds all that nnU-Net's formulas and Python's json give`() throws {
        func parsed(_ text: String) throws -> Any {
            try JSONSerialization.jsonObject(with: Data(text.utf8))
        }
        func expect(_ actual: Any?, toHold expected: Any, at path: String) {
            switch expected {
            case let expected as [String: Any]:
                let actual = actual as? [String: Any]
                for (key, value) in expected {
                    expect(actual?[key], toHold: value, at: path + "/" + key)
                }
            case let expected as [Any]:
                let actual = actual as? [Any] ?? []
                #expect(actual.count == expected.count, "\(path)")
                for (position, value) in zip(expected.indices, expected) {
                    expect(
                        position < actual.count ? actual[position] : nil, toHold: value,
                        at: path + "/\(position)")
                }
            default:
                #expect(expected as? NSObject == actual as? NSObject, "\(path)")
            }
        }
        // nnU-Net writes NaN, which is not JSON.
        let expected = String(decoding: try reportsFixture("summary.json"), as: UTF8.self)
            .replacing(": NaN", with: ": null")
        var values = try #require(try parsed(expected) as? [String: Any])
        // nnU-Net's is NaN because no case has the structure 77.
        let foreground = values.removeValue(forKey: "foreground_mean")
        #expect((foreground as? [String: Any])?["Dice"] is NSNull)
        let means = try #require(values["mean"] as? [String: [String: Any]])
        let defined = means.values.compactMap { $0["Dice"] as? Double }
        #expect(defined.count == 3)
        for convention in MetricConvention.allCases {
            let evaluation = try evaluation(MetricOptions(convention: convention))
            let summary = try parsed(evaluation.summaryJSON)
            expect(summary, toHold: values, at: "")
            let ours = (summary as? [String: Any])?["foreground_mean"] as? [String: Any]
            let mean = try #require(ours?["Dice"] as? Double)
            #expect(abs(mean - defined.reduce(0, +) / 3) < 1e-12)
        }
        // Each line of nnU-Net's metrics is there byte for byte.
        let lines = Set(try evaluation().summaryJSON.split(separator: "\n"))
        for line in expected.split(separator: "\n")
        where line.contains("\"Dice\"") && !line.contains("null") {
            #expect(lines.contains(line))
        }
    }

    @Test func `a summary without cases is JSON of undefined means`() throws {
        let table = try #require(LabelTable([Structure(index: 1, name: "x", color: black)]))
        let evaluation = Evaluation(cases: [], table: table, options: MetricOptions())
        #expect(evaluation.summaryJSON.contains(#""metric_per_case": []"#))
        #expect(evaluation.summaryJSON.contains(#""Dice": null"#))
        #expect(evaluation.strictSummaryJSON.contains(#""Dice":null"#))
    }

    @Test func `the summary names the convention, failures and distances`() throws {
        let value = try JSONSerialization.jsonObject(
            with: Data(try cubes().strictSummaryJSON.utf8))
        let summary = try #require(value as? [String: Any])
        #expect(summary["convention"] as? String == "monai")
        #expect(summary["tolerance_mm"] as? Double == 0.5)
        let cases = try #require(summary["metric_per_case"] as? [[String: Any]])
        #expect(cases.map { $0["failure"] as? String } == [nil, "it is gone"])
        let means = try #require(summary["mean"] as? [String: [String: Any]])
        // (0.5 + 0) / 2; the missing cube has no distance under this convention.
        #expect(means["7"]?["dice"] as? Double == 0.25)
        #expect(means["7"]?["hausdorff95_mm"] as? Double == 1)
        #expect(means["7"]?["prediction_volume_mm3"] as? Double == 8)
        #expect(means["8"]?["dice"] is NSNull)
    }

    @Test func `metrics have a line per case, structure and metric`() throws {
        let lines = try evaluation().metricsTable.text.split(separator: "\n").map(String.init)
        #expect(lines.count == 1 + 3 * (4 * StructureMetric.all.count + 2))
        #expect(
            lines[0]
                == "case\tindex\tname\tmetric\tvalue\tunit\tconvention\ttolerance_mm\tnote")
        // From summary.json, "case 2".
        let definitions = "\tsurface-distance\t1.0\tn/a"
        #expect(
            lines.contains(
                "case 2\t10\tLeft-Thalamus\tdice\t0.6896551724137931\t1" + definitions))
        #expect(
            lines.contains(
                "case 2\t10\tLeft-Thalamus\tfalse_negatives\t4\tvoxels" + definitions))
        #expect(lines.contains("case 2\t77\tabsent\tjaccard\tn/a\t1" + definitions))
        #expect(
            lines.contains("case 2\t77\tabsent\ttrue_negatives\t60\tvoxels" + definitions))
    }

    @Test func `a shifted cube has the values that arithmetic gives`() throws {
        let lines = try cubes().metricsTable.text.split(separator: "\n").map(String.init)
        func value(_ name: String, ofCase row: String) -> String? {
            for line in lines {
                let fields: [Substring] = line.split(separator: "\t")
                guard fields[0] == row, fields[1] == "7", fields[3] == name else { continue }
                return String(fields[4])
            }
            return nil
        }
        let expectations: [(String, String)] = [
            ("dice", "0.5"), ("jaccard", "0.3333333333333333"), ("sensitivity", "0.5"),
            ("precision", "0.5"), ("volumetric_similarity", "1.0"), ("hausdorff", "1.0"),
            ("hausdorff95", "1.0"), ("mean_surface_distance", "0.5"), ("surface_dice", "0.5"),
            ("centroid_distance", "1.0"), ("prediction_volume", "16.0"),
            ("absolute_volume_difference", "0.0"), ("true_positives", "4"),
        ]
        for (metric, expected) in expectations {
            #expect(value(metric, ofCase: "a") == expected, "\(metric)")
        }
        #expect(value("dice", ofCase: "b") == "0.0")
        #expect(value("hausdorff", ofCase: "b") == "n/a")
    }

    @Test func `the wide table has a line per case and structure, quoted for spreadsheets`() throws
    {
        let lines = try cubes().wideTable.csvText.split(separator: "\n").map(String.init)
        #expect(lines.count == 1 + 2 * 2)
        #expect(lines[0].hasPrefix("case,index,name,presence,dice,jaccard,sensitivity,precision,"))
        #expect(lines[0].contains(",hausdorff95_mm,"))
        #expect(lines[0].hasSuffix(",penalty_distances,convention,tolerance_mm,failure"))
        #expect(lines[1].hasPrefix(#"a,7,"cube, ""red""",both,0.5,0.3333333333333333,0.5,0.5,"#))
        #expect(lines[1].hasSuffix(",4,4,4,84,false,monai,0.5,"))
        #expect(lines[2].hasPrefix("a,8,absent,neither,,,,,,"))
        #expect(lines[3].contains(",missing,0.0,0.0,0.0,,"))
        #expect(lines[3].hasSuffix(",false,monai,0.5,it is gone"))
    }

    @Test func `statistics count failures and leave out what neither map holds`() throws {
        let lines = try cubes().statisticsTable.text.split(separator: "\n").map {
            $0.split(separator: "\t").map(String.init)
        }
        let dice = lines.filter { $0[1] == "dice" }
        #expect(dice.map { $0[0] } == ["all", "all", "all"])
        #expect(dice.map { $0[4] } == ["cube, \"red\"", "absent", "mean of structures"])
        // n, undefined, mean, SD (0.5 / √2), median
        #expect(Array(dice[0][5...7]) == ["2", "0", "0.25"])
        #expect(Double(dice[0][8]).map { abs($0 - 0.3535533905932738) < 1e-15 } == true)
        #expect(Array(dice[0].suffix(2)) == ["b", "0"])
        #expect(Array(dice[1][5...7]) == ["0", "2", "n/a"])
        #expect(Array(dice[2][5...7]) == ["2", "0", "0.25"])
    }

    @Test func `groups have statistics, means in the summary and columns on the terminal`() throws {
        var evaluation = try cubes()
        evaluation.groups = CaseGroups(name: "sex", categoryOfCase: ["b": "F", "nobody": "M"])
        let rows = evaluation.statisticsTable.text.split(separator: "\n").map {
            $0.split(separator: "\t").map(String.init)
        }.filter { $0[1] == "dice" && $0[3] == "7" }
        // The case that is in no group comes last; a group without cases does not come.
        #expect(rows.map { $0[0] } == ["all", "F", "n/a"])
        #expect(rows.map { $0[7] } == ["0.25", "0.0", "0.5"])
        let value = try JSONSerialization.jsonObject(
            with: Data(evaluation.strictSummaryJSON.utf8))
        let summary = try #require((value as? [String: Any])?["groups"] as? [String: Any])
        #expect(summary["by"] as? String == "sex")
        let groups = try #require(summary["groups"] as? [[String: Any]])
        #expect(groups.map { $0["group"] as? String } == ["F", nil])
        #expect(groups.map { $0["cases"] as? [String] } == [["b"], ["a"]])
        let means = try #require(groups[1]["mean"] as? [String: [String: Any]])
        #expect(means["7"]?["dice"] as? Double == 0.5)
        #expect(means["7"]?["hausdorff95_mm"] as? Double == 1)
        #expect(
            evaluation.renderedGroups(
                for: TerminalStyle(
                    isInteractive: false, columns: 80, usesColor: false, usesUnicode: false))
                    == """
                    by sex                 F, n = 1  none, n = 1
                    cube, "red"         0.000     -  0.500     -
                    absent                      n/a          n/a
                    mean of structures  0.000     -  0.500     -
                    Dice: mean and SD of each group.

                    """)
        #expect(try cubes().renderedGroups(for: .init(fileDescriptor: 1)).isEmpty)
        #expect(!(try cubes().summaryJSON.contains("groups")))
    }

    @Test func `structures that one map lacks are listed`() throws {
        let found = try cubes().presenceMismatches
        #expect(found.map(\.name) == ["b"])
        #expect(found.map(\.structure.index) == [7])
        #expect(found.map(\.presence) == [.missing])
    }

    @Test func `every case that was asked for stands in the summary with its state`() throws {
        var evaluation = try cubes()
        evaluation.unmeasured = [
            UnmeasuredCase(name: "c", state: .otherGrid, reason: "the grids lie apart"),
            UnmeasuredCase(name: "d", state: .noReference, reason: "no reference"),
        ]
        evaluation.notes = ["a note"]
        #expect(
            evaluation.coverageDescription
                == "2 of 4 cases; not measured: 1 on another grid, 1 without a reference")
        let value = try JSONSerialization.jsonObject(with: Data(evaluation.summaryJSON.utf8))
        let summary = try #require(value as? [String: Any])
        let cases = try #require(summary["cases"] as? [[String: String]])
        #expect(
            cases.map { [$0["name"], $0["state"]] } == [
                ["a", "measured"], ["b", "no-prediction"], ["c", "other-grid"],
                ["d", "no-reference"],
            ])
        #expect(
            summary["case_counts"] as? [String: Int] == [
                "requested": 4, "in_figures": 2, "measured": 1, "no-prediction": 1,
                "other-grid": 1, "no-reference": 1,
            ])
        #expect(summary["notes"] as? [String] == ["a note"])
        // Case a has 0.5, case b, of which nothing was found, 0.
        let means = try #require(summary["mean_of_cases"] as? [String: [String: Any]])
        #expect(means["dice"]?["mean"] as? Double == 0.25)
        #expect(means["dice"]?["n"] as? Int == 2)
        let report = evaluation.report(title: "t")
        #expect(report.cases.map(\.name) == ["a", "b", "c", "d"])
        #expect(report.cases.map(\.isUnmeasured) == [false, false, true, true])
        let page = report.page(pictures: [], stamp: "")
        #expect(page.contains("2 not measured, 1 failed"))
        #expect(page.contains("means over 2 of 4 cases"))
        #expect(page.contains("<li>a note</li>"))
        // The terminal's mean is the page's.
        #expect(page.contains("<p class=\"figure\">0.250</p>"))
        let text = evaluation.diceTable.rendered(
            for: TerminalStyle(
                isInteractive: false, columns: 80, usesColor: false, usesUnicode: false))
        #expect(text.contains("mean over 2 cases   0.250"))
        #expect(text.contains("Means are over 2 of 4 cases; not measured: 1 on another grid"))
    }

    @Test func `a penalty distance is marked wherever it is shown`() throws {
        let grid = Grid(size: GridSize(3, 4, 12), affine: .identity)
        let nothing = LabelMap(grid: grid, labels: [UInt16](repeating: 0, count: 144))
        var one = nothing
        one[0, 0, 0] = 7
        let table = try #require(LabelTable([Structure(index: 7, name: "seven", color: black)]))
        let evaluation = Evaluation(
            cases: [
                EvaluatedCase(
                    name: "a", predictionFile: "a", referenceFile: "r",
                    structures: structureMeasurements(of: nothing, against: one, labels: [7]))
            ], table: table, options: MetricOptions())
        // The diagonal of 3 x 4 x 12 mm.
        let rows = evaluation.metricsTable.text.split(separator: "\n").map {
            $0.split(separator: "\t").map(String.init)
        }
        let hausdorff = try #require(rows.first { $0[3] == "hausdorff95" })
        #expect(hausdorff[4] == "13.0" && hausdorff.last == "penalty")
        #expect(rows.first { $0[3] == "dice" }?.last == "n/a")
        #expect(evaluation.wideTable.text.contains("\ttrue\tsurface-distance"))
        let statistics = evaluation.statisticsTable.text.split(separator: "\n")
        #expect(statistics.first { $0.contains("\thausdorff95\t") }?.hasSuffix("\t1") == true)
        #expect(statistics.first { $0.contains("\tdice\t") }?.hasSuffix("\t0") == true)
        #expect(evaluation.strictSummaryJSON.contains(#""penalty_distances":[7]"#))
        let page = evaluation.report(title: "t").page(pictures: [], stamp: "")
        #expect(page.contains("<td class=\"number\">13.00†</td>"))
        #expect(page.contains("† A penalty"))
        let text = evaluation.diceTable.rendered(
            for: TerminalStyle(
                isInteractive: false, columns: 80, usesColor: false, usesUnicode: false))
        #expect(text.contains("13.00*"))
        #expect(text.contains("* with 1 penalty: the image's diagonal"))
    }

    @Test func `a case that lacks a structure's metrics is our own mistake`() async {
        await #expect(processExitsWith: .failure) {
            guard let table = LabelTable([Structure(index: 1, name: "x", color: black)]) else {
                return
            }
            _ = Evaluation(
                cases: [
                    EvaluatedCase(name: "a", predictionFile: "", referenceFile: "", structures: [])
                ], table: table, options: MetricOptions())
        }
    }
}
