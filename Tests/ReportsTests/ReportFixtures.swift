import Foundation
import Reports
import SegmentationMetrics
import Testing
import Volumes

func makeReportTable() throws -> LabelTable {
    try #require(
        LabelTable([
            Structure(
                index: 17, name: "Left <b>", color: LabelColor(red: 220, green: 216, blue: 20)),
            Structure(
                index: 300, name: "Right & co", color: LabelColor(red: 0, green: 0, blue: 60)),
        ]))
}

let dice = ReportMetric(name: "Dice", direction: .higherIsBetter)
let hausdorff95 = ReportMetric(
    name: "HD95", unit: "mm", direction: .lowerIsBetter, decimals: 2)

func makeReport(cases: [ReportCase]? = nil) throws -> Report {
    Report(
        title: "Run \"7\" <i>", summary: "a & b", table: try makeReportTable(),
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

func makeFolder() throws -> String {
    let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("report-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    return folder
}

/// The data that the page hands to its script.
struct PageData: Decodable {
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

/// The pictures that a case's file hands over.
struct Pictures: Decodable {
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
func inflated(_ zlib: Data) throws -> [UInt8] {
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
