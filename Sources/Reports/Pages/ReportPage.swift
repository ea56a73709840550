import Foundation
import PageResources
import SegmentationMetrics
package import Volumes

extension Report {
    /// The page.
    ///
    /// - Parameters:
    ///   - pictures: For each case the file of its pictures, relative to the page; `nil`, or the
    ///     list's end, without.
    ///   - stamp: Ties the page to those files.
    /// - Returns: HTML in UTF-8.
    package func page(pictures: [String?], stamp: String) -> String {
        PageShell(
            title: title, lead: summary,
            sections: [
                headline, notesSection, structuresSection, groupsSection, comparisonSection,
                casesSection(pictures: pictures), provenanceSection,
            ],
            appendix: """
                \(markup: PageResource.viewer.text)
                <div id="tip" role="status" hidden></div>
                """,
            scripts: [.reportScript, .viewerScript],
            data: pageData(pictures: pictures, stamp: stamp)
        ).text
    }

    /// The numbers of all cases as the page's script reads them.
    func pageData(pictures: [String?], stamp: String) -> String {
        JSONValue.object([
            "stamp": .string(stamp),
            "metrics": .array(
                metrics.map { metric in
                    .object([
                        "name": .string(metric.name), "unit": .string(metric.unit),
                        "decimals": .integer(metric.decimals),
                        "direction": .integer(metric.pageDirection),
                        "figure": .string(metric.caseFigure.rawValue),
                    ])
                }),
            "structures": .array(
                table.structures.map { structure in
                    .object([
                        "index": .integer(Int(structure.index)),
                        "name": .string(visibleText(structure.name)),
                        "color": .string(legibleColor(structure.color).hexadecimal),
                    ])
                }),
            "groups": .array((groups?.categories ?? []).map { .string(visibleText($0)) }),
            "cases": .array(
                cases.enumerated().map { position, reported in
                    .object([
                        "name": .string(visibleText(reported.name)),
                        "failure": .string(visibleText(reported.failure ?? "")),
                        "flags": .array(reported.flags.map { .string(visibleText($0)) }),
                        "weight": .number(shortened(reported.weight)),
                        "penalties": .array(
                            metrics.map { metric in
                                let labels = reported.penalties[metric] ?? []
                                return .array(
                                    table.structures.indices.filter {
                                        labels.contains(table.structures[$0].index)
                                    }.map { .integer($0) })
                            }),
                        "file": .string(
                            position < pictures.count ? pictures[position] ?? "" : ""),
                        "values": .array(
                            metrics.map { metric in
                                .array(
                                    table.structures.map { structure in
                                        .number(
                                            reported.value(of: metric, structure: structure)
                                                .map(shortened) ?? .nan)
                                    })
                            }),
                    ])
                }),
        ]).scriptText
    }

    // MARK: - Headline

    private var headline: HTML {
        var tiles: [HTML] = []
        // A mean of volumes over structures says nothing: only what is good or bad stands here.
        for metric in hasWorstStructures ? metrics.prefix(4) : [] where metric.caseFigure == .mean {
            let summary = SampleSummary(of: cases.map { $0.figure(of: metric, table: table) })
            guard let mean = summary.mean else { continue }
            let interval = summary.interval(decimals: metric.decimals)
            tiles.append(
                tile(
                    name: metric.name, figure: fixedDecimals(mean, metric.decimals),
                    unit: metric.unit,
                    note: interval.map { "95 % interval \($0)" }
                        ?? "no interval below four cases"))
        }
        let unmeasured = cases.count(where: \.isUnmeasured)
        let failures = cases.count { $0.failure != nil && !$0.isUnmeasured }
        let flagged = cases.count { !$0.flags.isEmpty }
        var notes: [String] = []
        if unmeasured > 0 { notes.append("\(unmeasured) not measured") }
        if failures > 0 { notes.append("\(failures) failed") }
        if flagged > 0 { notes.append("\(flagged) flagged") }
        let shown = table.structures.filter { !structuresInNoReference.contains($0.index) }
        let undefined = metrics.first.map { metric in
            cases.filter { !$0.isUnmeasured }.reduce(0) { sum, reported in
                sum
                    + shown.count { reported.value(of: metric, structure: $0) == nil }
            }
        }
        let structures = shown.count
        let countOfStructures = "\(structures) structure\(structures == 1 ? "" : "s")"
        func countTile(_ name: String, _ count: Int, _ note: String) -> HTML {
            tile(name: name, figure: String(count), unit: "", note: note)
        }
        let casesName = cases.count == 1 ? "Case" : "Cases"
        if tiles.isEmpty {
            tiles = [
                countTile(casesName, cases.count, countOfStructures),
                countTile(
                    "Flagged", flagged, flagged > 0 ? "look at these first" : "nothing unusual"),
                countTile("Failed", failures, failures > 0 ? "no segmentation" : "all segmented"),
            ]
        } else {
            tiles.append(
                countTile(
                    casesName, cases.count,
                    (notes.isEmpty ? "none failed" : notes.joined(separator: ", "))
                        + ", " + countOfStructures))
        }
        var explanation: [String] = []
        if hasWorstStructures {
            explanation = [
                "Figures are means over \(unmeasured > 0 ? "\(cases.count - unmeasured) of " : "")"
                    + "\(cases.count) \(cases.count == 1 ? "case" : "cases") of each case's mean "
                    + "over its structures.",
                "Intervals are percentile bootstraps over cases; from few cases they come out too "
                    + "narrow, and statistics.tsv has Student's beside them.",
            ]
        }
        if let undefined, undefined > 0 {
            explanation.append(
                "\(undefined) undefined \(undefined == 1 ? "value" : "values") left out.")
        }
        return """
            <section class="tiles" aria-label="Headline figures">
            \(lines: tiles)
            </section>
            <p class="quiet">\(explanation.joined(separator: " "))</p>
            """
    }

    private var notesSection: HTML {
        guard !notes.isEmpty else { return "" }
        func list(_ notes: some Sequence<String>) -> HTML {
            "<ul class=\"remarks\">\(lines: notes.map { "<li>\($0)</li>" as HTML })</ul>"
        }
        let first = notes.prefix(5)
        let others = notes.dropFirst(5)
        let more: HTML? =
            others.isEmpty
            ? nil : "<details><summary>and \(others.count) more</summary>\(list(others))</details>"
        return .section("remarks", "To know", "\(list(first))\(more)")
    }

    private func tile(name: String, figure: String, unit: String, note: String) -> HTML {
        let unit: HTML = unit.isEmpty ? "" : " <small>\(unit)</small>"
        return """
            <div class="tile"><h2>\(name)</h2><p class="figure">\(figure)\(unit)\
            </p><p class="quiet">\(note)</p></div>
            """
    }

    // MARK: - Structures

    private var structuresSection: HTML {
        guard !metrics.isEmpty, !table.structures.isEmpty else { return "" }
        let plots = metrics.enumerated().map { position, metric in
            BoxPlots(report: self, metric: metric)
                .html(position: position, isHidden: position > 0)
        }
        let choice =
            metrics.count < 2
            ? nil : HTML.choice("Metric", id: "plot-metric", of: metrics.map(\.name))
        let hasBoxes = cases.count > 3
        return .section(
            "structures", "By structure",
            controls: """
                <span class="controls">\(choice)\
                \(hasWorstStructures ? Self.choiceOfOrder : nil)</span>
                """,
            """
            \(lines: plots)
            <p class="quiet key">\(hasBoxes ? Self.keyOfBoxes : "")Each dot is a case; click it to \
            open the case.</p>
            """)
    }

    private static let choiceOfOrder: HTML = """
        <label>Order <select id="plot-order"><option value="table">as in the table</option>\
        <option value="worst">worst first</option></select></label>
        """

    private static let keyOfBoxes =
        "The box holds the middle half of the cases, the line in it is the median, whiskers reach "
        + "the last case within 1.5 box lengths. The bar below is the 95 % interval of the mean. "

    // MARK: - Cases

    private func casesSection(pictures: [String?]) -> HTML {
        let columns = metrics.enumerated().map { position, metric in
            heading(
                metric.unit.isEmpty ? metric.name : "\(metric.name), \(metric.unit)",
                detail: metric.caseFigure == .mean ? "" : metric.caseFigure.rawValue,
                key: String(position), isNumber: true)
        }
        var names = [heading("Case", key: "name", isNumber: false)]
        if let groups { names.append(heading(groups.name, key: "group", isNumber: false)) }
        names += columns
        if hasWorstStructures { names.append("<th scope=\"col\">Worst structure</th>") }
        names.append(heading("Notes", key: "notes", isNumber: false))
        let rows = worstFirst().map {
            row($0, hasPictures: $0 < pictures.count && pictures[$0] != nil)
        }
        let structures = table.structures.enumerated().map { position, structure -> HTML in
            "<option value=\"\(position)\">\(structure.name)</option>"
        }
        let controls: HTML = """
            <span class="controls">\
            <label>Find <input id="filter" type="search" placeholder="name or note" \
            autocomplete="off" spellcheck="false"></label>\
            <label>Values of <select id="of-structure"><option value="">all structures</option>\
            \(structures)</select></label>\
            <label class="check"><input id="only-flagged" type="checkbox"> failed or flagged only\
            </label></span>
            """
        return .section(
            "cases", "Cases", controls: controls,
            """
            <p class="quiet" id="shown" aria-live="polite">\(cases.count) cases, worst first</p>
            <div class="scroll"><table id="case-table">
            <thead><tr>\(names)</tr></thead>
            <tbody>
            \(lines: rows)
            </tbody></table></div>
            \(penaltyNote)
            """)
    }

    /// The sign behind a figure with penalties in it.
    static let penaltyMark = "†"

    /// The number of a case's remarks that are shown at once, gravest first.
    private static let shownFlags = 3

    private var penaltyNote: HTML? {
        guard cases.contains(where: { !$0.penalties.isEmpty }) else { return nil }
        return """
            <p class="quiet">\(Self.penaltyMark) A penalty, or a mean with penalties in it: where only \
            one of the two maps holds a structure, the image's diagonal stands for a distance.</p>
            """
    }

    private func heading(
        _ name: String, detail: String = "", key: String, isNumber: Bool
    ) -> HTML {
        """
        <th scope="col" class="\(isNumber ? "number" : "text")" data-key="\(key)">\
        <button type="button">\
        \(name)\(detail.isEmpty ? nil : " <small>\(detail)</small>" as HTML)</button></th>
        """
    }

    /// A Boolean value indicating whether it can be said which structure of a case is the worst.
    private var hasWorstStructures: Bool {
        metrics.first.map { $0.direction != nil } ?? false
    }

    /// The positions of the cases: first those that failed, then by the first metric.
    package func worstFirst() -> [Int] {
        guard let metric = metrics.first, let direction = metric.direction else {
            return cases.indices.sorted { first, second in
                let weights = [first, second].map { cases[$0].weight }
                return weights[0] == weights[1] ? first < second : weights[0] > weights[1]
            }
        }
        let means = cases.map { $0.figure(of: metric, table: table) }
        return cases.indices.sorted { first, second in
            let hasFailed = (cases[first].failure != nil, cases[second].failure != nil)
            if hasFailed.0 != hasFailed.1 { return hasFailed.0 }
            switch (means[first], means[second]) {
            case (let a?, let b?) where a != b:
                return direction.rankKey(of: a) > direction.rankKey(of: b)
            case (_?, nil): return true
            case (nil, _?): return false
            default: return first < second
            }
        }
    }

    private func row(_ position: Int, hasPictures: Bool) -> HTML {
        let reported = cases[position]
        let name = HTML(text: reported.name)
        let title: HTML =
            hasPictures ? "<button type=\"button\" class=\"open\">\(name)</button>" : name
        let values = metrics.map { metric -> HTML in
            let figure = reported.figure(of: metric, table: table)
            let text = figure.map { fixedDecimals($0, metric.decimals) } ?? "–"
            let mark = figure != nil && reported.hasPenalties(of: metric) ? Self.penaltyMark : ""
            return "<td class=\"number\">\(text)\(mark)</td>"
        }
        let failure = reported.failure.map {
            """
            <span class="failed">\(reported.isUnmeasured ? "not measured" : "failed")</span> \($0)
            """ as HTML
        }
        let flags = reported.flags.map { "<span class=\"flag\">\($0)</span>" as HTML }
        let verdict: HTML? =
            reported.hasLikelyFailed ? "<span class=\"failed\">likely failed</span>" : nil
        var notes = [failure, verdict].compactMap(\.self) + flags.prefix(Self.shownFlags)
        if flags.count > Self.shownFlags {
            let others = HTML(flags.dropFirst(Self.shownFlags), separator: " ")
            notes.append(
                """
                <details><summary>and \(flags.count - Self.shownFlags) more</summary>\(others)\
                </details>
                """)
        }
        let mark: HTML? = reported.failure == nil ? nil : " class=\"has-failed\""
        let worst: HTML? =
            hasWorstStructures
            ? "<td class=\"worst\">\(worstStructure(of: reported))</td>" : nil
        return """
            <tr data-case="\(position)"\(mark)><th scope="row">\(title)</th>\
            \(groupCell(of: reported))\(values)\(worst)\
            <td class="notes">\(HTML(notes, separator: " "))</td></tr>
            """
    }

    private func groupCell(of reported: ReportCase) -> HTML {
        guard let groups else { return "" }
        let category = groups.categoryOfCase[reported.name]
        return "<td class=\"text\">\(category ?? "–")</td>"
    }

    private func worstStructure(of reported: ReportCase) -> HTML {
        guard let metric = metrics.first, let direction = metric.direction else {
            return ""
        }
        let measured = table.structures.compactMap { structure in
            reported.value(of: metric, structure: structure).map { (structure, $0) }
        }
        guard
            let worst = measured.max(by: {
                direction.rankKey(of: $0.1) < direction.rankKey(of: $1.1)
            })
        else { return "" }
        return """
            \(swatch(worst.0.color))\(worst.0.name) \
            <span class="quiet">\(fixedDecimals(worst.1, metric.decimals))</span>
            """
    }

    // MARK: - Provenance

    private var provenanceSection: HTML {
        guard !provenance.isEmpty else { return "" }
        return .section(
            "provenance", "Where this comes from",
            .facts(provenance.map { ($0.name, $0.value) }))
    }
}

extension ReportCase {
    /// The priority of a case for review, where no metric decides.
    fileprivate var weight: Double {
        (failure == nil ? 0 : 1_000_000) + (hasLikelyFailed ? 100_000 : 0)
            + (severity ?? Double(flags.count))
    }
}

extension SampleSummary {
    /// The 95 % interval of the mean as text, or `nil` below four cases.
    func interval(decimals: Int) -> String? {
        reliableMeanInterval.map {
            fixedDecimals($0.lower, decimals) + "–" + fixedDecimals($0.upper, decimals)
        }
    }
}

extension ReportMetric {
    /// The direction as the page's script reads it: 1 where large values are good, -1 where small
    /// ones are, 0 where neither end is.
    fileprivate var pageDirection: Int {
        switch direction {
        case .higherIsBetter: 1
        case .lowerIsBetter: -1
        case .zeroIsBest, nil: 0
        }
    }
}

/// A dot in a structure's color.
func swatch(_ color: LabelColor) -> HTML {
    "<i class=\"swatch\" style=\"background:\(legibleColor(color).hexadecimal)\"></i>"
}

/// A number with six significant digits: more than a page shows, and short in the file.
private func shortened(_ value: Double) -> Double {
    guard value != 0, value.isFinite else { return value }
    let scale = pow(10, 5 - floor(log10(abs(value))))
    guard scale.isFinite, scale > 0 else { return value }
    return (value * scale).rounded() / scale
}

/// A structure's color, made lighter where it would vanish over a dark picture.
///
/// The color keeps its hue: it is mixed with white until its relative luminance reaches 0.18, which
/// gives a contrast of 4.6 to black.
///
/// Source: relative luminance and contrast of WCAG 2.2, <https://www.w3.org/TR/WCAG22/>.
package func legibleColor(_ color: LabelColor) -> LabelColor {
    func linear(_ channel: Double) -> Double {
        let value = channel / 255
        return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
    }
    for step in 0...100 {
        let channels = [color.red, color.green, color.blue].map {
            (Double($0) + (255 - Double($0)) * Double(step) / 100).rounded()
        }
        let luminance =
            0.2126 * linear(channels[0]) + 0.7152 * linear(channels[1])
            + 0.0722 * linear(channels[2])
        if luminance >= 0.18 {
            return LabelColor(
                red: UInt8(channels[0]), green: UInt8(channels[1]), blue: UInt8(channels[2]))
        }
    }
    return color
}
