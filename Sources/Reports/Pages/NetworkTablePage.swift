import Foundation
import PageResources
import SegmentationMetrics

extension NetworkTable {
    /// The page: everything in one file, without scripts.
    ///
    /// - Returns: HTML in UTF-8.
    package var page: String {
        PageShell(
            title: title, lead: summary, styles: [.networks],
            sections: [
                tiles, meansSection, intervalsSection, comparisonsSection, structuresSection,
                costSection, deviationsSection, provenanceSection,
            ]
        ).text
    }

    private var positions: [(row: Int, column: Int)] {
        families.indices.flatMap { row in recalibrations.indices.map { (row, $0) } }
    }

    /// The mark of published figures that were not checked.
    private var unchecked: String { arePublishedChecked ? "" : " (unchecked)" }

    private func name(_ row: Int, _ column: Int) -> String {
        "\(families[row]) \(recalibrations[column])"
    }

    private static let missing: HTML = "<span class=\"flag\">missing</span>"

    private func columnHeadings(first: String) -> HTML {
        let headings = recalibrations.map { "<th scope=\"col\">\($0)</th>" as HTML }
        return "<thead><tr><th scope=\"col\">\(first)</th>\(headings)</tr></thead>"
    }

    // MARK: - Figures

    private var tiles: HTML {
        func tile(_ name: String, _ figure: HTML, _ note: String) -> HTML {
            """
            <div class="tile"><h2>\(name)</h2><p class="figure">\(figure)</p>\
            <p class="quiet">\(note)</p></div>
            """
        }
        var tiles = [
            tile(
                "Networks", "\(finishedCount)<small> of \(count)</small>",
                finishedCount == count ? "all finished" : "the rest is missing")
        ]
        let means = positions.compactMap { row, column in
            summary(row: row, column: column)?.mean.map { (row, column, $0) }
        }
        if let best = means.max(by: { $0.2 < $1.2 }) {
            tiles.append(
                tile("Best mean Dice", "\(fixedDecimals(best.2, 3))", name(best.0, best.1)))
        }
        tiles.append(
            tile(
                "Measured on", "\(cases.count)<small> scans</small>",
                "\(structures.count) structures, held out of training"))
        tiles.append(
            tile(
                "Training in all",
                "\(fixedDecimals(totalSeconds / 60, 1))<small> min</small>",
                "sum over the networks"))
        return "<div class=\"tiles\">\(lines: tiles)</div>"
    }

    private var totalSeconds: Double {
        networks.joined().reduce(0) { $0 + ($1?.trainingSeconds ?? 0) }
    }

    private var meansSection: HTML {
        let rows = families.indices.map { row -> HTML in
            let cells = recalibrations.indices.map { column -> HTML in
                let published = published[row][column].map {
                    "<small>published \(fixedDecimals($0, 3))\(unchecked)</small>" as HTML
                }
                guard let summary = summary(row: row, column: column), let mean = summary.mean
                else { return "<td>\(Self.missing)\(published)</td>" }
                let interval = summary.meanInterval.map {
                    """
                    <small>\(fixedDecimals($0.lower, 3))–\(fixedDecimals($0.upper, 3))</small>
                    """ as HTML
                }
                return
                    "<td><b>\(fixedDecimals(mean, 3))</b>\(interval)\(published)</td>"
            }
            return
                "<tr><th scope=\"row\">\(families[row])</th>\(cells)</tr>"
        }
        let source: HTML? =
            publishedSource.isEmpty
            ? nil : "<p class=\"quiet\">Published figures: \(publishedSource)</p>"
        return .section(
            "means", "Mean Dice",
            """
            <div class="scroll"><table class="grid-table">
            \(columnHeadings(first: "Network"))
            <tbody>
            \(lines: rows)
            </tbody></table></div>
            <p class="quiet">Mean over \(structures.count) structures of \(cases.count) held-out \
            scans (\(cases.joined(separator: ", "))), on whole volumes and the \
            scans' own grids, with the 95 % interval of a seeded bootstrap over all \
            scan-and-structure values. Structures of one scan are not independent and the scans \
            are few: the interval tells how far the mean depends on these values, not how another \
            group of people would do.</p>
            \(source)
            """)
    }

    private var intervalsSection: HTML {
        let summaries = positions.map { ($0, summary(row: $0.row, column: $0.column)) }
        let ends = summaries.compactMap { $0.1?.meanInterval }.flatMap { [$0.lower, $0.upper] }
        guard let least = ends.min(), let most = ends.max(), least.isFinite else { return "" }
        let low = (least * 20).rounded(.down) / 20
        let high = max(low + 0.05, (most * 20).rounded(.up) / 20)
        func place(_ value: Double) -> String {
            fixedDecimals((value - low) / (high - low) * 1000, 1)
        }
        let ticks = (0...4).map { number -> HTML in
            let value = low + (high - low) * Double(number) / 4
            return "<span style=\"left:\(25 * number)%\">\(fixedDecimals(value, 3))</span>"
        }
        let rows = summaries.map { position, summary -> HTML in
            let strip: HTML
            var figure = Self.missing
            if let summary, let mean = summary.mean, let interval = summary.meanInterval {
                strip = """
                    <path class="interval" d="M\(place(interval.lower)) 14H\(place(interval.upper))"/>\
                    <path class="dots mean" d="M\(place(mean)) 14h0"/>
                    """
                figure = "<b>\(fixedDecimals(mean, 3))</b>"
            } else {
                strip = ""
            }
            return """
                <div class="row"><span class="name">\(name(position.row, position.column))</span>\
                <span class="strip"><svg viewBox="0 0 1000 28" preserveAspectRatio="none" \
                aria-hidden="true"><path class="grid" d="M0 0V28M250 0V28M500 0V28M750 0V28M1000 \
                0V28"/>\(strip)</svg></span><span class="mean">\(figure)</span></div>
                """
        }
        return .section(
            "intervals", "Side by side",
            """
            <div class="plots">
            <div class="row axis"><span class="name">Mean Dice and 95 % interval</span>\
            <span class="ticks">\(ticks)</span><span class="mean">mean</span></div>
            \(lines: rows)
            </div>
            """)
    }

    // MARK: - Differences

    private var comparisonsSection: HTML {
        let comparisons = comparisons
        let base = recalibrations.first ?? ""
        let rows = positions.filter { $0.column > 0 }.map { row, column -> HTML in
            let heading: HTML = """
                <th scope="row">\(families[row]), \(base) → \(recalibrations[column])</th>
                """
            let publishedDifference = published[row][column].flatMap { value in
                published[row][0].map { signed(value - $0) }
            }
            let last: HTML = "<td class=\"number\">\(publishedDifference ?? "–")</td></tr>"
            guard let comparison = comparisons[row][column],
                let mean = comparison.differences.mean
            else { return "<tr>\(heading)<td colspan=\"5\">\(Self.missing)</td>\(last)" }
            let interval = comparison.differences.meanInterval.map {
                "\(signed($0.lower)) to \(signed($0.upper))"
            }
            return """
                <tr>\(heading)<td class="number">\(signed(mean))</td>\
                <td class="number">\(interval ?? "–")</td>\
                <td class="number">\(comparison.test.pairCount)</td>\
                <td class="number">\(probability(comparison.test.pValue))</td>\
                <td class="number">\(probability(comparison.adjustedPValue))</td>\(last)
                """
        }
        let tests = comparisons.joined().count { $0 != nil }
        return .section(
            "differences", "What recalibration changes",
            """
            <div class="scroll"><table>
            <thead><tr><th scope="col">Comparison</th><th scope="col" class="number">Difference\
            </th><th scope="col" class="number">95 % interval</th>\
            <th scope="col" class="number">Pairs</th><th scope="col" class="number">p</th>\
            <th scope="col" class="number">p, Holm</th><th scope="col" class="number">Published\
            \(unchecked)</th></tr></thead>
            <tbody>
            \(lines: rows)
            </tbody></table></div>
            <p class="quiet">A pair is one structure of one held-out scan, segmented by both \
            networks. Two-sided Wilcoxon signed-rank test, corrected by Holm over the \(tests) \
            comparisons of this table. The test takes pairs as independent; structures of one scan \
            are not, there are only \(cases.count) scans, and each network was trained once: \
            p-values are too small, and tell of these scans and these weights.</p>
            """)
    }

    private func signed(_ value: Double) -> String {
        (value < 0 ? "−" : "+") + fixedDecimals(abs(value), 3)
    }

    private func probability(_ value: Double) -> String {
        value < 0.0001 ? "< 0.0001" : fixedDecimals(value, 4)
    }

    // MARK: - Structures

    private var structuresSection: HTML {
        let groups = families.map { family -> HTML in
            "<th scope=\"colgroup\" colspan=\"\(recalibrations.count)\">\(family)</th>"
        }
        let headings = positions.map { _, column -> HTML in
            "<th scope=\"col\" class=\"number\">\(recalibrations[column])</th>"
        }
        let rows = structures.enumerated().map { position, structure -> HTML in
            let means = positions.map {
                mean(ofStructure: position, row: $0.row, column: $0.column)
                    .map { fixedDecimals($0, 3) }
            }
            let best = means.compactMap(\.self).max()
            let cells = means.map { mean -> HTML in
                mean != nil && mean == best
                    ? "<td class=\"number\"><b>\(mean ?? "")</b></td>"
                    : "<td class=\"number\">\(mean ?? "–")</td>"
            }
            return "<tr><th scope=\"row\">\(structure)</th>\(cells)</tr>"
        }
        return .section(
            "structures", "By structure",
            """
            <div class="scroll"><table class="columns">
            <thead><tr><th></th>\(groups)</tr>
            <tr><th scope="col">Structure</th>\(headings)</tr></thead>
            <tbody>
            \(lines: rows)
            </tbody></table></div>
            <p class="quiet">Mean Dice over the held-out scans; the best of each row in bold.</p>
            """)
    }

    // MARK: - Cost

    private var costSection: HTML {
        let rows = positions.map { row, column -> HTML in
            let heading: HTML = "<th scope=\"row\">\(name(row, column))</th>"
            guard let network = networks[row][column] else {
                return "<tr>\(heading)<td colspan=\"3\">\(Self.missing)</td></tr>"
            }
            let added = networks[row][0].map { base in
                signedPercent(Double(network.parameters) / Double(base.parameters) - 1)
            }
            return """
                <tr>\(heading)<td class="number">\(grouped(network.parameters))</td>\
                <td class="number">\(column == 0 ? "–" : added ?? "–")</td>\
                <td class="number">\(fixedDecimals(network.trainingSeconds, 0))</td></tr>
                """
        }
        return .section(
            "cost", "Weights and time",
            """
            <div class="scroll"><table>
            <thead><tr><th scope="col">Network</th><th scope="col" class="number">Parameters</th>\
            <th scope="col" class="number">Added</th>\
            <th scope="col" class="number">Training, s</th></tr></thead>
            <tbody>
            \(lines: rows)
            <tr><th scope="row">Total</th><td></td><td></td>\
            <td class="number">\(fixedDecimals(totalSeconds, 0))</td></tr>
            </tbody></table></div>
            """)
    }

    private func signedPercent(_ part: Double) -> String {
        (part < 0 ? "−" : "+") + fixedDecimals(abs(part) * 100, 2) + " %"
    }

    private func grouped(_ number: Int) -> String {
        var digits = String(number)
        var groups: [String] = []
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits.removeLast(3)
        }
        return ([digits] + groups).joined(separator: ",")
    }

    // MARK: - What to know

    private var deviationsSection: HTML {
        guard !deviations.isEmpty else { return "" }
        let items = deviations.map { "<li>\($0)</li>" as HTML }
        return .section(
            "deviations", "Not as published", "<ul>\(lines: items)</ul>")
    }

    private var provenanceSection: HTML {
        .section("provenance", "Where this comes from", .facts(provenance))
    }
}
