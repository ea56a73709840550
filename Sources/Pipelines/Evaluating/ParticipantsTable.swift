import Files
import Foundation
import Reports
package import SegmentationMetrics

/// The grouping of cases: a column of a participants table, and the cut points of its numbers.
struct GroupChoice {
    var column: String
    /// Ascending; empty where none were given.
    var cutPoints: [Double] = []

    /// Reads `sex`, or `age:20,40,60` where no column has just this name.
    init(_ text: String, columns: [String]) throws(UsageError) {
        column = text
        guard !columns.contains(text), let colon = text.lastIndex(of: ":") else { return }
        column = String(text[..<colon])
        let parts = text[text.index(after: colon)...]
            .split(separator: ",", omittingEmptySubsequences: false)
        cutPoints = parts.compactMap { Double($0) }
        guard cutPoints.count == parts.count, cutPoints.allSatisfy(\.isFinite),
            zip(cutPoints, cutPoints.dropFirst()).allSatisfy({ $0 < $1 })
        else {
            throw UsageError(
                "'\(text)' does not say where to cut; write ascending numbers as in age:20,40,60")
        }
    }
}

/// A table of participants as BIDS has it: tab-separated, a row each, `n/a` for what is unknown.
///
/// Source: <https://bids-specification.readthedocs.io/en/stable/modality-agnostic-files.html>.
package struct ParticipantsTable {
    private let path: String
    private let columns: [String]
    private let rows: [(id: String, fields: TSVReader.Row)]

    /// Reads a table.
    ///
    /// The participants stand in the column `participant_id`, or in the first one without it.
    package init(readingFrom path: String) throws(UsageError) {
        guard isRegularFile(path), let reader = TSVReader(contentsOfFile: path) else {
            throw UsageError(
                "the participants table '\(path)' cannot be read; name a participants.tsv in UTF-8"
            )
        }
        let columns = reader.columns
        guard columns.count > 1 else {
            throw UsageError(
                "the participants table '\(path)' has no second column; separate columns by tabs")
        }
        if let ragged = reader.raggedRow {
            throw UsageError(
                "row \(ragged.number) of '\(path)' has \(ragged.fields.count) columns in place of "
                    + "\(columns.count); correct the table")
        }
        let identity = columns.firstIndex(of: "participant_id") ?? 0
        var rows: [(id: String, fields: TSVReader.Row)] = []
        var known: Set<String> = []
        for row in reader.rows {
            let id = Self.withoutPrefix(row.fields[identity])
            guard known.insert(id).inserted else {
                throw UsageError(
                    "'\(path)' has two rows for '\(id)'; leave one row a participant")
            }
            rows.append((id, row))
        }
        self.path = path
        self.columns = columns
        self.rows = rows
    }

    /// Groups cases.
    ///
    /// A case belongs to the participant whose name is a part of its path or begins one, up to a
    /// `_`; `sub-` counts for nothing, and the longest name wins: `sub-01/anat/sub-01_T1w` and
    /// `01_SS` are both of participant `sub-01`.
    ///
    /// - Parameters:
    ///   - cases: The cases' names.
    ///   - choice: As on the command line: `sex`, `age` or `age:20,40,60`. Numbers with many
    ///     different values are cut at their quartiles where no cut points are given.
    /// - Returns: The groups, and notes on cases without one and on cut points.
    /// - Throws: ``UsageError`` where the table has no such column, or one that makes no groups.
    package func groups(
        of cases: [String], by choice: String
    ) throws(UsageError) -> (groups: CaseGroups, notes: [String]) {
        let choice = try check(choice)
        let position = columns.firstIndex(of: choice.column) ?? 0
        let values = Dictionary(
            rows.map { ($0.id, $0.fields.fields[position]) },
            uniquingKeysWith: { first, _ in first })
        var valueOfCase: [String: String] = [:]
        var (unknown, undefined): ([String], [String]) = ([], [])
        for name in cases {
            switch Self.candidates(of: name).lazy.compactMap({ values[$0] }).first {
            case nil: unknown.append(name)
            case let value? where Self.isMissing(value): undefined.append(name)
            case let value?: valueOfCase[name] = value
            }
        }
        var notes: [String] = []
        func tell(_ names: [String], _ what: String) {
            guard !names.isEmpty else { return }
            notes.append(
                "\(names.count) \(names.count == 1 ? "case" : "cases") \(what) and in no group: "
                    + names.prefix(8).joined(separator: ", ") + (names.count > 8 ? ", ..." : ""))
        }
        tell(unknown, "without a row in '\(path)'")
        tell(undefined, "without '\(choice.column)' in '\(path)'")
        guard !valueOfCase.isEmpty else {
            throw UsageError(
                "no case has '\(choice.column)' in '\(path)'; check that participants are named as "
                    + "cases are, such as '\(cases.first ?? "")'")
        }

        let numbers = valueOfCase.compactMapValues { Double($0) }
        let areNumbers = valueOfCase.values.allSatisfy {
            Double($0) != nil || Self.isOpenEnded($0)
        }
        var cutPoints = choice.cutPoints
        if cutPoints.isEmpty, areNumbers, Set(numbers.values).count > Self.mostCategories {
            for percentage in [25.0, 50, 75] {
                guard let cut = percentile(percentage, of: Array(numbers.values)) else { continue }
                let rounded = (cut * 100).rounded() / 100
                if rounded > cutPoints.last ?? -.infinity { cutPoints.append(rounded) }
            }
            notes.append("'\(choice.column)' has many values and is cut at its quartiles")
        }
        let categoryCount = Set(valueOfCase.values).count
        if cutPoints.isEmpty, categoryCount > Self.largestGroupCount {
            throw UsageError(
                "'\(choice.column)' in '\(path)' has \(categoryCount) different values; choose a "
                    + "column of at most \(Self.largestGroupCount)")
        }
        let groups =
            cutPoints.isEmpty
            ? CaseGroups(name: choice.column, categoryOfCase: valueOfCase)
            : CaseGroups(
                name: choice.column, numberOfCase: numbers, cutPoints: cutPoints,
                otherCategories: valueOfCase.filter { numbers[$0.key] == nil })
        return (groups, notes)
    }

    /// Checks a choice against the table alone, before any case is measured.
    ///
    /// - Parameter choice: As on the command line: `sex`, `age` or `age:20,40,60`.
    /// - Returns: The choice.
    /// - Throws: ``UsageError`` where the table lacks the column, or where it cannot be cut.
    @discardableResult
    func check(_ choice: String) throws(UsageError) -> GroupChoice {
        let choice = try GroupChoice(choice, columns: columns)
        guard let position = columns.firstIndex(of: choice.column) else {
            throw UsageError(
                "'\(path)' has no column '\(choice.column)'; choose from "
                    + columns.joined(separator: ", "))
        }
        let texts = rows.map { $0.fields.fields[position] }.filter {
            !Self.isMissing($0) && !Self.isOpenEnded($0) && Double($0) == nil
        }
        if !choice.cutPoints.isEmpty, let text = texts.min() {
            throw UsageError(
                "'\(choice.column)' cannot be cut: '\(text)' in '\(path)' is not a number")
        }
        return choice
    }

    /// Returns whether a field has no value: BIDS' `n/a`, and what other programs write for it.
    private static func isMissing(_ text: String) -> Bool {
        ["", "n/a", "na", "nan", "null"].contains(text.lowercased())
            || Double(text).map { !$0.isFinite } ?? false
    }

    /// Returns whether a field names a number without an end, such as the `89+` of ages that would
    /// tell who somebody is; it is a class of its own, whose size nobody knows.
    private static func isOpenEnded(_ text: String) -> Bool {
        text.wholeMatch(of: /[0-9]+(\.[0-9]+)?\s*\+|[<>≤≥]=?\s*[0-9]+(\.[0-9]+)?/) != nil
    }

    /// The largest number of distinct numbers treated as categories, such as scanner codes.
    private static let mostCategories = 8

    /// More groups make no table to read.
    private static let largestGroupCount = 24

    private static func withoutPrefix(_ name: some StringProtocol) -> String {
        name.hasPrefix("sub-") ? String(name.dropFirst(4)) : String(name)
    }

    /// The possible participant names of a case, most likely first.
    private static func candidates(of name: String) -> [String] {
        name.split(separator: "/").reversed().flatMap { part in
            var names = [withoutPrefix(part)]
            while let end = names[names.count - 1].lastIndex(of: "_") {
                names.append(String(names[names.count - 1][..<end]))
            }
            return names
        }
    }
}
