import Datasets
import Foundation
import Testing
import Volumes

struct LabelMappingTests {
    private let header = "index\tname\tcolor\tsource\n"

    @Test func `single labels, lists, ranges, odd and even ones become the row's index`() throws {
        let mapping = try LabelMapping.parse(
            header + "2\tA\t#f5f5f5\t45\n" + "3\tB\t205,62,78\todd 101-107, 200\n"
                + "42\tC\t#cd3e4e\teven 101-107\n" + "5\tD\t#000001\t7,10-12\n", path: "t.tsv")
        let expected: [UInt16: UInt16] = [
            45: 2, 101: 3, 103: 3, 105: 3, 107: 3, 200: 3, 102: 42, 104: 42, 106: 42, 7: 5, 10: 5,
            11: 5, 12: 5,
        ]
        let wrong = (UInt16.min...UInt16.max).filter { mapping[$0] != expected[$0] ?? 0 }
        #expect(wrong == [])
        #expect(mapping.table.structures.map(\.index) == [2, 3, 42, 5])
        #expect(mapping.table[3]?.color == LabelColor(red: 205, green: 62, blue: 78))
    }

    @Test func `a label map keeps its grid and takes our labels`() throws {
        let mapping = try LabelMapping.parse(header + "9\tA\t#000001\t1,3\n", path: "t.tsv")
        let grid = Grid(size: GridSize(4, 1, 1), affine: Affine(spacing: SIMD3(1, 2, 3)))
        let mapped = mapping.apply(to: LabelMap(grid: grid, labels: [0, 1, 2, 3]))
        #expect(mapped == LabelMap(grid: grid, labels: [0, 9, 0, 9]))
    }

    @Test func `without the column labels stay, and those not named become background`() throws {
        let mapping = try LabelMapping.parse("index\tname\n7\tA\n300\tB\n", path: "t.tsv")
        #expect([0, 7, 8, 300].map { mapping[$0] } == [0, 7, 0, 300])
        #expect(mapping == LabelMapping(identity: mapping.table))
    }

    @Test func `a row of index 0 is background, n/a is no label`() throws {
        let mapping = try LabelMapping.parse(
            header + "0\tbackground\tn/a\t1-3\n4\tA\tn/a\tn/a\n5\tB\tn/a\t6\n", path: "t.tsv")
        #expect(mapping.table.structures.map(\.index) == [4, 5])
        #expect((0...6).map { mapping[$0] } == [0, 0, 0, 0, 0, 0, 5])
    }

    @Test func `comma-separated tables with quotes, a byte order mark and CRLF are read`() throws {
        let mapping = try LabelMapping.parse(
            "\u{FEFF}index,name,color,source\r\n2,A,\"1,2,3\",\"4,5\"\r\n\r\n", path: "t.csv")
        #expect(
            mapping.table.structures == [
                Structure(index: 2, name: "A", color: LabelColor(red: 1, green: 2, blue: 3))
            ])
        #expect([4, 5, 6].map { mapping[$0] } == [2, 2, 0])
    }

    @Test(
        arguments: [
            ("", 1, "'index'"), ("index\tcolor\n1\t#000000\n", 1, "'name'"),
            ("index\tname\tname\n", 1, "twice"),
            ("index\tname\tcolor\tsource\n", 2, "no structure"),
            ("index\tname\tcolor\tsource\n1\tA\t#000000\t1\n2\tB\t#00000\t2\n", 3, "'#00000'"),
            ("index\tname\tcolor\tsource\n1\tA\t#000000\n", 2, "3 fields"),
            ("index\tname\tcolor\tsource\n70000\tA\t#000000\t1\n", 2, "'70000'"),
            ("index\tname\tcolor\tsource\n-1\tA\t#000000\t1\n", 2, "'-1'"),
            ("index\tname\tcolor\tsource\n1\t\t#000000\t1\n", 2, "name"),
            ("index\tname\tcolor\tsource\n1\tA\t#000000\t\n", 2, "n/a"),
            ("index\tname\tcolor\tsource\n1\tA\t#000000\t9-3\n", 2, "'9-3'"),
            ("index\tname\tcolor\tsource\n1\tA\t#000000\todd\n", 2, "'odd'"),
            ("index\tname\tcolor\tsource\n1\tA\t#000000\t1..3\n", 2, "'1..3'"),
            ("index\tname\tcolor\tsource\n1\tA\t#000000\t1,\n", 2, "'1,'"),
            ("index\tname\tcolor\tsource\n1\tA\t#000000\t1\n1\tB\t#000000\t2\n", 3, "line 2"),
            ("index\tname\tcolor\tsource\n1\tA\t#000000\t1\n2\tB\t#000000\t1-4\n", 3, "label 1 "),
            ("index,name,color\n1,\"A,#000000\n", 2, "quotation"),
        ])
    func `a wrong table is refused with its file and line`(
        text: String, line: Int, mention: String
    ) throws {
        let error = try #require(throws: LabelMappingError.self) {
            try LabelMapping.parse(text, path: "dir/t.tsv")
        }
        #expect(error.path == "dir/t.tsv")
        #expect(error.line == line)
        #expect(error.description.hasPrefix("'dir/t.tsv', line \(line): "))
        #expect(error.problem.contains(mention), "\(error.problem)")
    }

    @Test func `a table written for BIDS is read back`() throws {
        let text = bidsTable(of: phantomLabelTable)
        #expect(
            text.hasPrefix(
                "index\tname\tcolor\tmapping\n2\tLeft-Cerebral-White-Matter\t#f5f5f5\t2\n"))
        #expect(text.contains("\n16\tBrain-Stem\t#779fb0\t10\n"))
        #expect(try labelTable(fromBIDS: text, path: "t.tsv") == phantomLabelTable)
        // As a training's table it keeps each label: cerebellum is no cortex.
        let mapping = try LabelMapping.parse(text, path: "t.tsv")
        #expect(mapping == LabelMapping(identity: phantomLabelTable))
    }

    @Test func `the column source counts beside one of BIDS`() throws {
        let mapping = try LabelMapping.parse(
            "index\tname\tmapping\tsource\n3\tA\t8\t100-102\n", path: "t.tsv")
        #expect([3, 8, 99, 100, 102].map { mapping[$0] } == [0, 0, 0, 3, 3])
    }

    @Test(
        arguments: [
            ("1\tA\t45\n", 2, "name the column 'source'"), ("1\tA\t1-3\n", 2, "'1-3'"),
            ("1\tA\t3\n2\tB\t1\n", 1, "name it 'source' in the latter case"),
        ])
    func `a mapping that may list labels is refused`(rows: String, line: Int, words: String) throws
    {
        let error = try #require(throws: LabelMappingError.self) {
            try LabelMapping.parse("index\tname\tmapping\n" + rows, path: "t.tsv")
        }
        #expect(error.line == line)
        #expect(error.problem.contains(words), "\(error.problem)")
    }

    @Test func `classes that stand twice or are the labels themselves are BIDS's`() throws {
        for rows in ["4\tA\t3\n43\tB\t3\n", "2\tA\t2\n10\tB\t10\n", "7\tA\tn/a\n"] {
            let mapping = try LabelMapping.parse("index\tname\tmapping\n" + rows, path: "t.tsv")
            #expect(mapping == LabelMapping(identity: mapping.table))
        }
    }

    @Test func `a name that BIDS has no class for is n/a`() throws {
        let table = try #require(
            LabelTable([
                Structure(index: 1, name: "spleen", color: LabelColor(red: 1, green: 2, blue: 255))
            ]))
        #expect(bidsTable(of: table) == "index\tname\tcolor\tmapping\n1\tspleen\t#0102ff\tn/a\n")
    }

    @Test func `the challenge's table has 27 structures, right ones of the smaller codes`() throws {
        let mapping = try malcMapping()
        #expect(mapping.table.structures.count == 27)
        #expect(
            mapping.table.structures.map(\.index) == mapping.table.structures.map(\.index).sorted())
        #expect(mapping[45] == 2 && mapping[44] == 41 && mapping[101] == 3 && mapping[100] == 42)
        #expect(mapping[207] == 3 && mapping[206] == 42 && mapping[208] == 0 && mapping[71] == 0)
    }
}

/// The mapping of the Multi-Atlas Labelling Challenge that the pipelines use.
func malcMapping() throws -> LabelMapping {
    let path = projectRoot + "/pipelines/labels/malc.tsv"
    return try LabelMapping.parse(String(contentsOfFile: path, encoding: .utf8), path: path)
}
