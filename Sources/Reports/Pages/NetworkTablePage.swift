import Foundation
import SegmentationMetrics

extension NetworkTable {
    /// The page: everything in one file, without scripts.
    ///
    /// - Returns: HTML in UTF-8.
    package var page: String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
        style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
        <title>\(escapedForHTML(title))</title>
        <style>
        \(reportStyle)
            section > h2 { margin-bottom: 10px; }
            .grid-table td, .grid-table th { padding-top: 9px; padding-bottom: 9px; }
            .grid-table b { font-size: 17px; font-weight: 600; }
            .grid-table small { display: block; white-space: nowrap; }
            .columns td { white-space: nowrap; }
            ul { font-size: 13.5px; max-width: 90ch; padding-left: 1.3em; }
            .strip .dots.mean { stroke: var(--ink); stroke-width: 8; }
        </style>
        </head>
        <body>
        <main>
        <header>
        <h1>\(escapedForHTML(title))</h1>
        \(summary.isEmpty ? "" : "<p class=\"lead\">\(escapedForHTML(summary))</p>")
        </header>
        \(tiles)
        \(meansSection)
        \(intervalsSection)
        \(comparisonsSection)
        \(structuresSection)
        \(costSection)
        \(deviationsSection)
        \(provenanceSection)
        </main>
        </body>
        </html>

        """
    }

    private var positions: [(row: Int, column: Int)] {
        families.indices.flatMap { row in recalibrations.indices.map { (row, $0) } }
    }

    /// What stands beside a published figure that nobody looked up.
    private var unchecked: String { arePublishedChecked ? "" : " (unchecked)" }

    private func name(_ row: Int, _ column: Int) -> String {
        escapedForHTML("\(families[row]) \(recalibrations[column])")
    }

    private static let missing = "<span class=\"flag\">missing</span>"

    private func section(_ identifier: String, _ title: String, _ content: String) -> String {
        """
        <section aria-labelledby="\(identifier)">
        <h2 id="\(identifier)">\(title)</h2>
        \(content)
        </section>
        """
    }

    private func columnHeadings(first: String) -> String {
        "<thead><tr><th scope=\"col\">\(first)</th>"
            + recalibrations.map { "<th scope=\"col\">\(escapedForHTML($0))</th>" }.joined()
            + "</tr></thead>"
    }

    // MARK: - Figures

    private var tiles: String {
        func tile(_ name: String, _ figure: String, _ note: String) -> String {
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
            tiles.append(tile("Best mean Dice", fixedDecimals(best.2, 3), name(best.0, best.1)))
        }
        tiles.append(
            tile(
                "Measured on", "\(cases.count)<small> scans</small>",
                "\(structures.count) structures, held out of training"))
        tiles.append(
            tile(
                "Training in all",
                fixedDecimals(totalSeconds / 60, 1) + "<small> min</small>",
                "sum over the networks"))
        return "<div class=\"tiles\">\(tiles.joined(separator: "\n"))</div>"
    }

    private var totalSeconds: Double {
        networks.joined().reduce(0) { $0 + ($1?.trainingSeconds ?? 0) }
    }

    private var meansSection: String {
        let rows = families.indices.map { row in
            let cells = recalibrations.indices.map { column -> String in
                let published = published[row][column].map {
                    "<small>published \(fixedDecimals($0, 3))\(unchecked)</small>"
                }
                guard let summary = summary(row: row, column: column), let mean = summary.mean
                else { return "<td>\(Self.missing)\(published ?? "")</td>" }
                let interval = summary.meanInterval.map {
                    "<small>\(fixedDecimals($0.lower, 3))–\(fixedDecimals($0.upper, 3))</small>"
                }
                return
                    "<td><b>\(fixedDecimals(mean, 3))</b>\(interval ?? "")\(published ?? "")</td>"
            }
            return
                "<tr><th scope=\"row\">\(escapedForHTML(families[row]))</th>\(cells.joined())</tr>"
        }
        let source =
            publishedSource.isEmpty
            ? "" : "<p class=\"quiet\">Published figures: \(escapedForHTML(publishedSource))</p>"
        return section(
            "means", "Mean Dice",
            """
            <div class="scroll"><table class="grid-table">
            \(columnHeadings(first: "Network"))
            <tbody>
            \(rows.joined(separator: "\n"))
            </tbody></table></div>
            <p class="quiet">Mean over \(structures.count) structures of \(cases.count) held-out \
            scans (\(escapedForHTML(cases.joined(separator: ", ")))), on whole volumes and the \
            scans' own grids, with the 95 % interval of a seeded bootstrap over all \
            scan-and-structure values. Structures of one scan are not independent and the scans \
            are few: the interval tells how far the mean depends on these values, not how another \
            group of people would do.</p>
            \(source)
            """)
    }

    private var intervalsSection: String {
        let summaries = positions.map { ($0, summary(row: $0.row, column: $0.column)) }
        let ends = summaries.compactMap { $0.1?.meanInterval }.flatMap { [$0.lower, $0.upper] }
        guard let least = ends.min(), let most = ends.max(), least.isFinite else { return "" }
        let low = (least * 20).rounded(.down) / 20
        let high = max(low + 0.05, (most * 20).rounded(.up) / 20)
        func place(_ value: Double) -> String {
            fixedDecimals((value - low) / (high - low) * 1000, 1)
        }
        let ticks = (0...4).map { number in
            let value = low + (high - low) * Double(number) / 4
            return "<span style=\"left:\(25 * number)%\">\(fixedDecimals(value, 3))</span>"
        }
        let rows = summaries.map { position, summary -> String in
            let strip: String
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
        return section(
            "intervals", "Side by side",
            """
            <div class="plots">
            <div class="row axis"><span class="name">Mean Dice and 95 % interval</span>\
            <span class="ticks">\(ticks.joined())</span><span class="mean">mean</span></div>
            \(rows.joined(separator: "\n"))
            </div>
            """)
    }

    // MARK: - Differences

    private var comparisonsSection: String {
        let comparisons = comparisons
        let base = escapedForHTML(recalibrations.first ?? "")
        let rows = positions.filter { $0.column > 0 }.map { row, column -> String in
            let heading =
                "<th scope=\"row\">\(escapedForHTML(families[row])), \(base) → "
                + "\(escapedForHTML(recalibrations[column]))</th>"
            let publishedDifference = published[row][column].flatMap { value in
                published[row][0].map { signed(value - $0) }
            }
            let last = "<td class=\"number\">\(publishedDifference ?? "–")</td></tr>"
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
        return section(
            "differences", "What recalibration changes",
            """
            <div class="scroll"><table>
            <thead><tr><th scope="col">Comparison</th><th scope="col" class="number">Difference\
            </th><th scope="col" class="number">95 % interval</th>\
            <th scope="col" class="number">Pairs</th><th scope="col" class="number">p</th>\
            <th scope="col" class="number">p, Holm</th><th scope="col" class="number">Published\
            \(unchecked)</th></tr></thead>
            <tbody>
            \(rows.joined(separator: "\n"))
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
        value < 0.0001 ? "&lt; 0.0001" : fixedDecimals(value, 4)
    }

    // MARK: - Structures

    private var structuresSection: String {
        let groups = families.map {
            "<th scope=\"colgroup\" colspan=\"\(recalibrations.count)\">\(escapedForHTML($0))</th>"
        }
        let headings = positions.map {
            "<th scope=\"col\" class=\"number\">\(escapedForHTML(recalibrations[$0.column]))</th>"
        }
        let rows = structures.enumerated().map { position, structure -> String in
            let means = positions.map {
                mean(ofStructure: position, row: $0.row, column: $0.column)
                    .map { fixedDecimals($0, 3) }
            }
            let best = means.compactMap(\.self).max()
            let cells = means.map { mean in
                "<td class=\"number\">\(mean.map { $0 == best ? "<b>\($0)</b>" : $0 } ?? "–")</td>"
            }
            return "<tr><th scope=\"row\">\(escapedForHTML(structure))</th>\(cells.joined())</tr>"
        }
        return section(
            "structures", "By structure",
            """
            <div class="scroll"><table class="columns">
            <thead><tr><th></th>\(groups.joined())</tr>
            <tr><th scope="col">Structure</th>\(headings.joined())</tr></thead>
            <tbody>
            \(rows.joined(separator: "\n"))
            </tbody></table></div>
            <p class="quiet">Mean Dice over the held-out scans; the best of each row in bold.</p>
            """)
    }

    // MARK: - Cost

    private var costSection: String {
        let rows = positions.map { row, column -> String in
            let heading = "<th scope=\"row\">\(name(row, column))</th>"
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
        return section(
            "cost", "Weights and time",
            """
            <div class="scroll"><table>
            <thead><tr><th scope="col">Network</th><th scope="col" class="number">Parameters</th>\
            <th scope="col" class="number">Added</th>\
            <th scope="col" class="number">Training, s</th></tr></thead>
            <tbody>
            \(rows.joined(separator: "\n"))
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

    private var deviationsSection: String {
        guard !deviations.isEmpty else { return "" }
        let items = deviations.map { "<li>\(escapedForHTML($0))</li>" }
        return section(
            "deviations", "Not as published", "<ul>\(items.joined(separator: "\n"))</ul>")
    }

    private var provenanceSection: String {
        let facts = provenance.map {
            "<dt>\(escapedForHTML($0.name))</dt><dd>\(escapedForHTML($0.value))</dd>"
        }
        return section(
            "provenance", "Where this comes from", "<dl>\(facts.joined(separator: "\n"))</dl>")
    }
}
