import Foundation
import Reports
import SegmentationMetrics
import Testing
import Volumes

private func makeTable() throws -> LabelTable {
    try #require(
        LabelTable([
            Structure(
                index: 17, name: "Left <b>", color: LabelColor(red: 220, green: 216, blue: 20)),
            Structure(
                index: 300, name: "Right & co", color: LabelColor(red: 0, green: 0, blue: 60)),
        ]))
}

private let dice = ReportMetric(name: "Dice", direction: .higherIsBetter)
private let hausdorff95 = ReportMetric(
    name: "HD95", unit: "mm", direction: .lowerIsBetter, decimals: 2)

private func makeReport(cases: [ReportCase]? = nil) throws -> Report {
    Report(
        title: "Run \"7\" <i>", summary: "a & b", table: try makeTable(),
        metrics: [dice, hausdorff95],
        cases: cases ?? [
            ReportCase(
                name: "<script>alert(1)</script>",
                values: [dice: [17: 0.9, 300: 0.8], hausdorff95: [17: 1.5, 300: .infinity]]),
            ReportCase(
                name: "</script><!--", values: [dice: [17: 0.5]],
                flags: ["'quoted' & <flagged>"]),
            ReportCase(name: "tab\there", values: [dice: [17: 0.7, 300: 0.6]]),
            ReportCase(name: "gone", values: [:], failure: "no prediction <at all>"),
        ],
        provenance: [ReportFact(name: "Model", value: "<brain>")])
}

private func makeFolder() throws -> String {
    let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("report-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    return folder
}

/// The data that the page hands to its script.
private struct PageData: Decodable {
    struct Case: Decodable {
        var name: String
        var failure: String
        var flags: [String]
        var file: String
        var values: [[Double?]]
    }
    struct Named: Decodable {
        var name: String
    }
    var stamp: String
    var cases: [Case]
    var metrics: [Named]
    var structures: [Named]

    init(of page: String) throws {
        let match = try #require(
            page.firstMatch(of: /(?s)<script type="application\/json" id="data">(.*?)<\/script>/))
        self = try JSONDecoder().decode(PageData.self, from: Data(match.1.utf8))
    }
}

/// What a case's file hands over.
private struct Pictures: Decodable {
    var stamp: String
    var full: [Int]
    var origin: [Int]
    var extent: [Int]
    var scanSize: [Int]
    var scanFactor: [Int]
    var labelSize: [Int]
    var labels: [UInt16]
    var scan: String?
    var prediction: String?
    var reference: String?

    init(ofFile path: String) throws {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let match = try #require(text.wholeMatch(of: /sliceSegCase\((.*)\);\n/))
        self = try JSONDecoder().decode(Pictures.self, from: Data(match.1.utf8))
    }

    /// The labels of a map, x fastest, decoded with gzip(1) and the inverse of the predictor.
    func labels(of text: String) throws -> [UInt16] {
        let count = labelSize.reduce(1, *)
        let bytes = try inflated(try #require(Data(base64Encoded: text)))
        let isWide = labels.count > 256
        try #require(bytes.count == (isWide ? 2 : 1) * count)
        let (row, slice) = (labelSize[0], labelSize[0] * labelSize[1])
        var codes = [Int](repeating: 0, count: count)
        for position in 0..<count {
            let (x, y) = (position % row, position / row % labelSize[1])
            func code(_ dx: Int, _ dy: Int, _ dz: Int) -> Int {
                x < dx || y < dy || position < dz * slice
                    ? 0 : codes[position - dx - dy * row - dz * slice]
            }
            var expected = code(1, 0, 0) == code(1, 1, 0) ? code(0, 1, 0) : code(1, 0, 0)
            if position >= slice, code(1, 0, 0) == code(1, 0, 1), code(0, 1, 0) == code(0, 1, 1) {
                expected = code(0, 0, 1)
            }
            codes[position] =
                isWide
                ? (expected + Int(bytes[position]) + Int(bytes[position + count]) << 8) & 0xffff
                : (expected + Int(bytes[position])) & 0xff
        }
        return codes.map { labels[$0] }
    }

    /// The gray levels, x fastest.
    func levels() throws -> [Int] {
        let count = scanSize.reduce(1, *)
        let coded = try #require(scan)
        let bytes = try inflated(try #require(Data(base64Encoded: coded)))
        try #require(bytes.count == count)
        let row = scanSize[0]
        var levels = [Int](repeating: 0, count: count)
        for position in 0..<count {
            let (x, y) = (position % row, position / row % scanSize[1])
            let a = x > 0 ? levels[position - 1] : 0
            let b = y > 0 ? levels[position - row] : 0
            let c = x > 0 && y > 0 ? levels[position - row - 1] : 0
            let expected = c >= max(a, b) ? min(a, b) : c <= min(a, b) ? max(a, b) : a + b - c
            levels[position] = (expected + Int(bytes[position])) & 0xff
        }
        return levels
    }
}

/// Decodes a zlib stream (RFC 1950) with gzip(1): both hold the same deflate data.
private func inflated(_ zlib: Data) throws -> [UInt8] {
    // gzip wants the checksum and size of what it will decode; without them it decodes all the
    // same and exits with 1, so only the bytes are looked at.
    var file = Data([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3])
    file += zlib.dropFirst(2).dropLast(4) + Data(repeating: 0, count: 8)
    let path = FileManager.default.temporaryDirectory
        .appendingPathComponent("report-\(UUID().uuidString).gz")
    try file.write(to: path)
    defer { try? FileManager.default.removeItem(at: path) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/gzip")
    process.arguments = ["-dc", path.path]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = Pipe()
    try process.run()
    let decoded = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    // Adler-32 of RFC 1950 tells that nothing was lost.
    var (a, b) = (UInt32(1), UInt32(0))
    for byte in decoded {
        a = (a + UInt32(byte)) % 65521
        b = (b + a) % 65521
    }
    #expect(zlib.suffix(4).reduce(0) { $0 << 8 | UInt32($1) } == b << 16 | a)
    return [UInt8](decoded)
}

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
        let empty = Report(title: "Empty", table: try makeTable(), metrics: [], cases: [])
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

@Suite struct ReportPictureTests {
    /// A volume stored as LAS whose labels tell their place.
    private func makeVolumes(size: GridSize = GridSize(9, 8, 7)) -> ReportVolumes {
        let grid = Grid(
            size: size,
            affine: Affine(
                columns: [SIMD3(-1, 0, 0), SIMD3(0, 2, 0), SIMD3(0, 0, 1)], translation: .zero))
        var scan = Volume(grid: grid, voxels: Array(repeating: 0, count: size.count))
        var prediction = LabelMap(grid: grid, labels: Array(repeating: 0, count: size.count))
        for k in 0..<size.z {
            for j in 0..<size.y {
                for i in 0..<size.x {
                    scan[i, j, k] = Float(i * 5 + j * 3 + k)
                    prediction[i, j, k] =
                        (2...5).contains(i) && (3...4).contains(j) && (1...5).contains(k)
                        ? UInt16(1 + i + 10 * k) : 0
                }
            }
        }
        var reference = prediction
        reference.labels = prediction.labels.map { $0 == 23 ? 300 : $0 }
        return ReportVolumes(scan: scan, prediction: prediction, reference: reference)
    }

    @Test func `labels come back from the file as they were, by anatomy`() throws {
        let folder = try makeFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let volumes = makeVolumes()
        let report = try makeReport(cases: [ReportCase(name: "a", values: [:])])
        try report.write(to: folder) { _ in try ReportPictures(of: volumes) }
        let pictures = try Pictures(ofFile: folder + "/report-files/case-0001.js")
        // The margin of 12 mm goes to the edges.
        #expect(pictures.full == [9, 8, 7] && pictures.extent == [9, 8, 7])
        for (map, text) in [
            (volumes.prediction, pictures.prediction), (volumes.reference, pictures.reference),
        ] {
            let map = try #require(map)
            let decoded = try pictures.labels(of: try #require(text))
            for k in 0..<7 {
                for j in 0..<8 {
                    for i in 0..<9 {
                        // Stored from right to left, shown from left to right on: mirrored.
                        #expect(decoded[(8 - i) + 9 * (j + 8 * k)] == map[i, j, k])
                    }
                }
            }
        }
    }

    @Test func `gray levels rise with the scan's values`() throws {
        let folder = try makeFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let volumes = makeVolumes()
        try makeReport(cases: [ReportCase(name: "a", values: [:])])
            .write(to: folder) { _ in try ReportPictures(of: volumes) }
        let levels = try Pictures(ofFile: folder + "/report-files/case-0001.js").levels()
        #expect(levels.min() == 0 && levels.max() == Int(CaseImages.brightest))
        let scan = try #require(volumes.scan)
        let pairs = (0..<7).flatMap { k in
            (0..<8).flatMap { j in
                (0..<9).map { i in (scan[i, j, k], levels[(8 - i) + 9 * (j + 8 * k)]) }
            }
        }
        let sorted = pairs.sorted { $0.0 < $1.0 }.map(\.1)
        #expect(sorted == sorted.sorted())
    }

    @Test func `more than 255 structures take two bytes`() throws {
        let folder = try makeFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let size = GridSize(20, 20, 2)
        let grid = Grid(
            size: size,
            affine: Affine(
                columns: [SIMD3(1, 0, 0), SIMD3(0, 1, 0), SIMD3(0, 0, 1)], translation: .zero))
        let map = LabelMap(grid: grid, labels: (0..<800).map { UInt16($0 * 77 % 60_000) })
        try makeReport(cases: [ReportCase(name: "a", values: [:])])
            .write(to: folder) { _ in try ReportPictures(of: ReportVolumes(prediction: map)) }
        let pictures = try Pictures(ofFile: folder + "/report-files/case-0001.js")
        #expect(try pictures.labels(of: try #require(pictures.prediction)) == map.labels)
        #expect(pictures.scan == nil && pictures.reference == nil)
    }

    @Test func `all 48 storage orders give one file`() throws {
        let volumes = makeVolumes()
        let table: (Orientation) -> ReportVolumes = { orientation in
            ReportVolumes(
                scan: volumes.scan.map { stored($0, as: orientation) },
                prediction: volumes.prediction.map { stored($0, as: orientation) })
        }
        let expected = try #require(CaseImages(of: table(.ras)))
        for orientation in Orientation.allCases {
            let images = try #require(CaseImages(of: table(orientation)))
            #expect(images.scan == expected.scan, "\(orientation)")
            #expect(images.prediction == expected.prediction, "\(orientation)")
            #expect(images.spacing == expected.spacing)
        }
    }

    @Test func `the box holds what either map labels and a margin`() throws {
        var volumes = makeVolumes(size: GridSize(60, 60, 60))
        volumes.reference?[40, 50, 30] = 9
        let images = try #require(CaseImages(of: volumes, marginMillimeters: 4))
        // Storage x runs to the left: 2...40 there is 19...57 from the left. Edges are 1, 2, 1 mm.
        #expect(images.origin == SIMD3(15, 1, 0))
        #expect(images.extent == SIMD3(45, 52, 35))
    }

    @Test func `large scans are averaged, not cut`() throws {
        let volumes = makeVolumes(size: GridSize(40, 20, 40))
        let images = try #require(
            CaseImages(of: volumes, marginMillimeters: 100, scanVoxels: 4_000, labelVoxels: 9_000))
        // 40 x 20 x 40 voxels of 1 x 2 x 1 mm: first the fine axes are halved.
        #expect(images.scanLattice.factor == SIMD3(3, 2, 2))
        #expect(images.scanLattice.size == SIMD3(14, 10, 20))
        #expect(images.scan?.count == 14 * 10 * 20)
        #expect(images.labelLattice.size == SIMD3(20, 20, 20))
        #expect(images.prediction?.count == 8_000)
    }

    @Test func `NaN is black and an empty map shows the whole scan`() throws {
        var volumes = makeVolumes()
        volumes.prediction = nil
        volumes.reference?.labels = Array(repeating: 0, count: 9 * 8 * 7)
        volumes.scan?[8, 7, 6] = .nan
        let images = try #require(CaseImages(of: volumes))
        #expect(images.extent == SIMD3(9, 8, 7))
        // Right-most in storage is left-most in the picture.
        #expect(images.scan?[0 + 9 * (7 + 8 * 6)] == 0)
        #expect(CaseImages(of: ReportVolumes()) == nil)
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

/// The same voxels in another storage order.
private func reordered<Value>(
    _ values: [Value], of grid: Grid, as orientation: Orientation
) -> ([Value], Grid) {
    let old = grid.orientation.axes
    let source = orientation.axes.map { axis in
        old.firstIndex { $0.worldAxis == axis.worldAxis } ?? 0
    }
    let size = GridSize(
        grid.size[source[0]], grid.size[source[1]], grid.size[source[2]])
    var columns: [SIMD3<Double>] = []
    for axis in 0..<3 {
        var column = SIMD3<Double>.zero
        let world = orientation.axes[axis].worldAxis
        column[world] = grid.spacing[source[axis]] * (orientation.axes[axis].isPositive ? 1 : -1)
        columns.append(column)
    }
    var result: [Value] = []
    for k in 0..<size.z {
        for j in 0..<size.y {
            for i in 0..<size.x {
                var index = [0, 0, 0]
                for (axis, value) in [i, j, k].enumerated() {
                    let isSame = old[source[axis]] == orientation.axes[axis]
                    index[source[axis]] = isSame ? value : size[axis] - 1 - value
                }
                result.append(values[grid.size.offset(index[0], index[1], index[2])])
            }
        }
    }
    return (result, Grid(size: size, affine: Affine(columns: columns, translation: .zero)))
}

private func stored(_ volume: Volume, as orientation: Orientation) -> Volume {
    let (voxels, grid) = reordered(volume.voxels, of: volume.grid, as: orientation)
    return Volume(grid: grid, voxels: voxels)
}

private func stored(_ map: LabelMap, as orientation: Orientation) -> LabelMap {
    let (labels, grid) = reordered(map.labels, of: map.grid, as: orientation)
    return LabelMap(grid: grid, labels: labels)
}
