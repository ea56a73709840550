/// Categories of cases, such as the sex or the age of the participants.
public struct CaseGroups: Sendable, Hashable {
    /// The name of the grouping variable, such as `sex`.
    public let name: String
    /// The categories, in the order of tables.
    public let categories: [String]
    /// Each case's category by its name; cases without one are missing.
    public let categoryOfCase: [String: String]

    /// Groups cases by texts.
    ///
    /// - Parameters:
    ///   - name: What tells the cases apart.
    ///   - categoryOfCase: Each case's category by its name; the categories are put into ascending
    ///     order, numbers by their value.
    public init(name: String, categoryOfCase: [String: String]) {
        self.name = name
        self.categoryOfCase = categoryOfCase
        let texts = Set(categoryOfCase.values).sorted()
        let numbers = texts.compactMap { Double($0) }
        categories =
            numbers.count == texts.count
            ? zip(texts, numbers).sorted { $0.1 < $1.1 }.map(\.0) : texts
    }

    /// Groups cases by where their numbers lie between cut points.
    ///
    /// - Parameters:
    ///   - name: What was measured.
    ///   - numberOfCase: Each case's number by its name.
    ///   - cutPoints: The limits, each belonging to the group above it.
    ///   - otherCategories: Categories of cases without a number, such as `89+`, by the cases' names;
    ///     they come last.
    /// - Precondition: the cut points ascend; there is at least one.
    public init(
        name: String, numberOfCase: [String: Double], cutPoints: [Double],
        otherCategories: [String: String] = [:]
    ) {
        precondition(
            !cutPoints.isEmpty && zip(cutPoints, cutPoints.dropFirst()).allSatisfy { $0 < $1 },
            "cut points \(cutPoints) do not ascend")
        func text(_ value: Double) -> String {
            Int(exactly: value).map(String.init) ?? String(value)
        }
        let names =
            ["below " + text(cutPoints[0])]
            + zip(cutPoints, cutPoints.dropFirst()).map { "\(text($0)) to below \(text($1))" }
            + [text(cutPoints[cutPoints.count - 1]) + " and above"]
        let positions = numberOfCase.mapValues { number in
            cutPoints.count { $0 <= number }
        }
        self.name = name
        categoryOfCase = positions.mapValues { names[$0] }
            .merging(otherCategories) { category, _ in category }
        let used = Set(positions.values)
        categories =
            names.indices.filter(used.contains).map { names[$0] }
            + Set(otherCategories.values).sorted()
    }
}

extension MetricTable {
    /// Splits the table by a category of its cases, such as the scanner.
    ///
    /// - Parameter groups: The category of each case by its name.
    /// - Returns: The groups that have cases, in the order of the categories; then the cases that
    ///   have none.
    public func grouped(by groups: CaseGroups) -> [Group] {
        let rows = Dictionary(grouping: cases) { groups.categoryOfCase[$0.name] }
        return (groups.categories.map(Optional.some) + [nil]).compactMap { category in
            rows[category].map {
                Group(category: category, table: MetricTable(labels: labels, cases: $0))
            }
        }
    }
}
