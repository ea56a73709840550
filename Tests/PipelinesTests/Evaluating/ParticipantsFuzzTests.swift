import Foundation
import Pipelines
import SegmentationMetrics
import TestSupport
import Testing

struct ParticipantsFuzzTests {
    @Test func `tables of participants group cases or are refused, whatever is in them`() throws {
        let texts = [
            "participant_id\tsex\tage\nsub-01\tF\t31.5\nsub-02\tM\t89+\n03\tn/a\t20\n04\tF\t44\n"
                + (5...14).map { "\($0)\tM\t\($0 * 7)\n" }.joined(),
            "\u{FEFF}id\tage\r\n01\t1\r\n02\t<18\r\n",
        ]
        let inputs = texts.enumerated().map { number, text in
            FuzzInput(name: "participants-\(number).tsv", bytes: Array(text.utf8))
        }
        let words = [
            "\t", "\n", "\r\n", "\"", "nan", "inf", "1e308", "-1e308", "1e-320", "0x1p3", "89+",
            ">90", "≤3", "n/a", "sub-", "_", "\u{FEFF}", "\u{2028}", "é", "１", "age", "sex",
        ].map { Array($0.utf8) }
        let cases = ["sub-01/anat/sub-01_T1w", "02_SS", "03"] + (4...14).map { "sub-\($0)_x" }
        try Fuzzer(count: 1500).run(
            "participants", inputs: inputs,
            damage: { mutator, file, other in mutator.damaged(file, other: other, words: words) },
            read: { path in
                for choice in ["age", "age:20,40", "sex", "id"] {
                    do {
                        let table = try ParticipantsTable(readingFrom: path)
                        let (groups, notes) = try table.groups(of: cases, by: choice)
                        guard !groups.categories.isEmpty, !notes.contains("") else {
                            throw FuzzFinding(description: "makes no groups")
                        }
                        for (name, category) in groups.categoryOfCase
                        where !cases.contains(name) || !groups.categories.contains(category) {
                            throw FuzzFinding(description: "'\(name)' is in '\(category)'")
                        }
                    } catch let error as UsageError {
                        guard !error.description.isEmpty else {
                            throw FuzzFinding(description: "says nothing")
                        }
                    }
                }
            })
    }
}
