import Datasets
import Foundation
import TestSupport
import Testing

struct LabelTableFuzzTests {
    @Test func `tables are read or refused with a line, whatever is in them`() throws {
        let texts = [
            "index\tname\tcolor\tsource\n0\tBackground\t#000000\tn/a\n"
                + "2\tLeft-Cerebral-White-Matter\t#f5f5f5\t45\n3\tCortex\t205,62,78\todd 101-207\n"
                + "16\tBrain-Stem\tn/a\t35,61-62\n",
            "index,name,color,source\n17,\"Left, Hippocampus\",#dcd814,\"48,101-103\"\n\n"
                + "53,Right,\"1,2,3\",n/a\n",
            "\u{FEFF}Index\tName\r\n1\tliver\r\n65535\tspleen\r\n",
        ]
        let inputs = texts.enumerated().map { number, text in
            FuzzInput(name: "table-\(number).tsv", bytes: Array(text.utf8))
        }
        let words = [
            "\t", "\n", "\r\n", "\"", ",", "odd ", "even 0-65535", "0-65535,", "65536", "-1", "#",
            "#-12345", "mapping", "source", "index", "\u{FEFF}", "\u{2028}", "é", "1-1-1", "+7",
            "１",
        ].map { Array($0.utf8) }
        try Fuzzer(count: 1500).run(
            "label-tables", inputs: inputs,
            damage: { mutator, file, other in
                mutator.damaged(file, other: other, words: words)
            },
            read: { path in
                // Files that are not UTF-8 are refused before.
                let text = String(
                    decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
                do {
                    let mapping = try LabelMapping.parse(text, path: path)
                    let table = mapping.table
                    // What was read can be written and read again.
                    let copy = try labelTable(fromBIDS: bidsTable(of: table), path: path)
                    guard copy == table else {
                        throw FuzzFinding(description: "\(table) comes back as \(copy)")
                    }
                } catch let error as LabelMappingError {
                    let text = error.description
                    guard error.line > 0, !text.contains("\n"), text.hasSuffix(".") else {
                        throw FuzzFinding(description: "says '\(text)'")
                    }
                }
            })
    }
}
