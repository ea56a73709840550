import Foundation
import Reports
import SegmentationMetrics
import Testing
import Volumes

@Suite struct ReportPageTests {
    @Test func `every name stays text`() throws {
        let page = try makeReport().page(pictures: [], stamp: "s")
        for text in ["<script>alert", "</script><!--", "Left <b>", "<i>", "<flagged>", "<at all>"] {
            #expect(!page.contains(text), "\(text)")
        }
        #expect(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"))
        #expect(page.contains("Run &quot;7&quot; &lt;i&gt;"))
        #expect(page.contains("&#39;quoted&#39; &amp; &lt;flagged&gt;"))
        // The page's own two scripts and its data, and no others.
        #expect(page.matches(of: /<script/).count == 2)
        #expect(page.matches(of: /<\/script>/).count == 2)
    }

    @Test func `the data holds names and numbers as they are`() throws {
        let data = try PageData(of: try makeReport().page(pictures: [], stamp: "s"))
        #expect(data.stamp == "s")
        #expect(
            data.cases.map(\.name) == [
                "<script>alert(1)</script>", "</script><!--", #"tab\there"#, "gone",
            ])
        #expect(data.cases[0].values == [[0.9, 0.8], [1.5, nil]])
        #expect(data.cases[1].values == [[0.5, nil], [nil, nil]])
        #expect(data.cases[3].failure == "no prediction <at all>")
        #expect(data.structures.map(\.name) == ["Left <b>", "Right & co"])
    }

    @Test func `the page asks for nothing from outside`() throws {
        let page = try makeReport().page(pictures: [], stamp: "s")
        #expect(page.contains("default-src 'none'"))
        for reference in page.matches(of: /(?:src|href)="([^"]*)"/) {
            Issue.record("refers to \(reference.1)")
        }
        #expect(!page.contains("http://") && !page.contains("https://"))
    }

    @Test func `failures come first, then the worst case`() throws {
        let report = try makeReport()
        // Dice: 0.85, 0.5, 0.65, undefined (failed).
        #expect(report.worstFirst() == [3, 1, 2, 0])
        var distances = report
        distances.metrics.removeFirst()
        // HD95: 1.5, and undefined ones last.
        #expect(distances.worstFirst() == [3, 0, 1, 2])
        var volumes = report
        volumes.metrics = [ReportMetric(name: "Volume", unit: "mm³", direction: nil)]
        // Neither end is worse: flags decide.
        #expect(volumes.worstFirst() == [3, 1, 0, 2])
    }

    @Test func `figures are means over cases, with intervals from four on`() throws {
        let page = try makeReport().page(pictures: [], stamp: "s")
        // (0.85 + 0.5 + 0.65) / 3; one case has no Dice, HD95 has one value.
        #expect(page.contains("<p class=\"figure\">0.667</p>"))
        #expect(page.contains("<p class=\"figure\">1.50 <small>mm</small></p>"))
        #expect(page.contains("no interval below four cases"))
        #expect(!page.contains("95 % interval 0"))
        #expect(page.contains("1 failed, 1 flagged, 2 structures"))
        // Left: 0.9, 0.5, 0.7; Right: 0.8 and 0.6.
        #expect(page.contains("<b>0.700</b>"))
        #expect(page.contains("n = 2"))
        #expect(page.contains("3 undefined values left out"))
    }

    @Test func `a report without cases or metrics is a page`() throws {
        let empty = Report(title: "Empty", table: try makeReportTable(), metrics: [], cases: [])
        #expect(try PageData(of: empty.page(pictures: [], stamp: "")).cases.isEmpty)
        let report = try makeReport(cases: [])
        #expect(report.page(pictures: [], stamp: "").contains("undefined everywhere"))
    }

    @Test func `three remarks on a case are shown and the rest counted`() throws {
        let flags = (1...12).map { "remark \($0)" }
        let page = try makeReport(cases: [ReportCase(name: "a", values: [:], flags: flags)])
            .page(pictures: [], stamp: "s")
        #expect(page.contains("<summary>and 9 more</summary><span class=\"flag\">remark 4</span>"))
    }

    @Test func `markup is escaped by its type, and control characters are seen`() {
        let name = "<b>&\"'\n"
        let html: HTML = "<p title=\"\(name)\">\(HTML(text: "a<b"))\(markup: "<i>")\(7)</p>"
        #expect(
            html.source
                == #"<p title="&lt;b&gt;&amp;&quot;&#39;\n">a&lt;b<i>7</p>"#)
    }

    @Test func `the same report is the same text`() throws {
        let (first, second) = (try makeReport(), try makeReport())
        #expect(
            first.page(pictures: [], stamp: "s") == second.page(pictures: [], stamp: "s"))
    }

    @Test(
        arguments: [
            // Black becomes the gray whose luminance is 0.18: 0.18 = ((v + 0.055) / 1.055)^2.4.
            (LabelColor(red: 0, green: 0, blue: 0), LabelColor(red: 120, green: 120, blue: 120)),
            (LabelColor(red: 230, green: 148, blue: 34), nil),
            (LabelColor(red: 255, green: 255, blue: 255), nil),
        ] as [(LabelColor, LabelColor?)])
    func `colors are seen over black`(color: LabelColor, expected: LabelColor?) {
        let legible = legibleColor(color)
        let wanted = expected ?? color
        #expect(abs(Int(legible.red) - Int(wanted.red)) <= 3)
        #expect(abs(Int(legible.green) - Int(wanted.green)) <= 3)
        #expect(abs(Int(legible.blue) - Int(wanted.blue)) <= 3)
    }
}

@Suite struct BoxPlotTests {
    @Test func `quartiles and whiskers are Tukey's`() throws {
        // R: boxplot.stats(c(1:8, 30)) has whiskers at 1 and 8; quantile() gives 3, 5 and 7.
        let box = try #require(BoxSummary(of: [30, 8, 7, 6, 5, 4, 3, 2, 1]))
        #expect(
            [box.lowerWhisker, box.lower, box.median, box.upper, box.upperWhisker]
                == [1, 3, 5, 7, 8])
        #expect(BoxSummary(of: [1, 2, 3]) == nil)
    }

    @Test func `an axis has round ends and holds all scores`() {
        let axis = PlotAxis(of: [[0, 0.83, 0.9, 0.95], [0.88, 0.91, 0.93]])
        #expect(axis.ticks.first == 0 && axis.ticks.last == 1)
        #expect(axis.position(0.25) == 0.25)
        let narrow = PlotAxis(of: [[0.81, 0.83, 0.87]])
        #expect(narrow.holds(0.81) && narrow.holds(0.87))
        #expect((narrow.ticks.first ?? 0) >= 0.7)
    }

    @Test func `one missed structure does not press all distances into a corner`() {
        let axis = PlotAxis(of: [[1, 1.2, 1.4, 2, 2.2], [1, 2, 3, 4, 250]])
        #expect(axis.holds(4) && !axis.holds(250))
        #expect(axis.position(250) == 1)
    }

    @Test(arguments: [[], [[]], [[3]], [[0]], [[-2, -2]], [[1e-12, 1e9]]] as [[[Double]]])
    func `any sample has an axis`(samples: [[Double]]) {
        let axis = PlotAxis(of: samples)
        #expect(axis.ticks.count > 1 && axis.ticks.count < 20)
        #expect(axis.ticks == axis.ticks.sorted())
        for value in samples.joined() { #expect((0...1).contains(axis.position(value))) }
    }
}

@Suite struct ReportFolderTests {
    private func volumes() -> ReportVolumes {
        let grid = Grid(
            size: GridSize(4, 4, 4),
            affine: Affine(
                columns: [SIMD3(1, 0, 0), SIMD3(0, 1, 0), SIMD3(0, 0, 1)], translation: .zero))
        return ReportVolumes(
            prediction: LabelMap(grid: grid, labels: (0..<64).map { UInt16($0 % 3) }))
    }

    @Test func `pictures lie beside the page, those of an earlier report go`() throws {
        let folder = try makeFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func files() throws -> [String] {
            try FileManager.default.subpathsOfDirectory(atPath: folder).sorted()
        }
        let report = try makeReport()
        try report.write(to: folder) { _ in try ReportPictures(of: volumes()) }
        #expect(
            try files() == [
                "report-files", "report-files/case-0001.js", "report-files/case-0002.js",
                "report-files/case-0003.js", "report-files/case-0004.js", "report.html",
            ])
        try report.write(to: folder) {
            $0.failure == nil ? try ReportPictures(of: volumes()) : nil
        }
        let data = try PageData(
            of: String(contentsOfFile: folder + "/report.html", encoding: .utf8))
        #expect(data.cases.map(\.file).last == "")
        #expect(!(try files()).contains("report-files/case-0004.js"))
        // A picture tells which report it belongs to.
        let pictures = try Pictures(ofFile: folder + "/report-files/case-0002.js")
        #expect(pictures.stamp == data.stamp)
        try report.write(to: folder)
        #expect(try files() == ["report.html"])
    }

    @Test func `a report that says something else has another stamp`() throws {
        var stamps: Set<String> = []
        for title in ["one", "two"] {
            let folder = try makeFolder()
            defer { try? FileManager.default.removeItem(atPath: folder) }
            var report = try makeReport()
            report.title = title
            try report.write(to: folder)
            stamps.insert(
                try PageData(of: String(contentsOfFile: folder + "/report.html", encoding: .utf8))
                    .stamp)
        }
        #expect(stamps.count == 2)
    }

    @Test func `the same report is the same bytes`() throws {
        var written: [Data] = []
        for _ in 0..<2 {
            let folder = try makeFolder()
            defer { try? FileManager.default.removeItem(atPath: folder) }
            try makeReport().write(to: folder) { _ in try ReportPictures(of: volumes()) }
            written.append(try Data(contentsOf: URL(fileURLWithPath: folder + "/report.html")))
            written.append(
                try Data(
                    contentsOf: URL(fileURLWithPath: folder + "/report-files/case-0001.js")))
        }
        #expect(written[0] == written[2] && written[1] == written[3])
    }

    @Test func `a case of 27 structures and two metrics adds less than 4 kB to the page`() throws {
        let structures = (1...27).map {
            Structure(
                index: UInt16($0), name: "Structure-\($0)",
                color: LabelColor(red: 9, green: 99, blue: UInt8($0)))
        }
        let table = try #require(LabelTable(structures))
        let sizes = [5, 25].map { count in
            Report(
                title: "Many", table: table,
                metrics: [dice, hausdorff95],
                cases: (0..<count).map { number in
                    let values = (1...27).map {
                        (UInt16($0), Double((number * 31 + $0 * 17) % 997) / 997)
                    }
                    let byStructure = Dictionary(uniqueKeysWithValues: values)
                    return ReportCase(
                        name: "sub-\(number)",
                        values: [dice: byStructure, hausdorff95: byStructure])
                }
            ).page(pictures: [], stamp: "").utf8.count
        }
        #expect((sizes[1] - sizes[0]) / 20 < 4_000)
    }

    @Test func `the error names the file where the folder is missing`() throws {
        let folder = try makeFolder() + "/missing"
        let error = #expect(throws: (any Error).self) {
            try makeReport().write(to: folder)
        }
        #expect("\(error as Any)".contains("missing/report.html"))
    }
}
