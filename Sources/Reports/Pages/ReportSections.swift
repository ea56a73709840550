import SegmentationMetrics
import Volumes

/// The sections of a page that not every report has: groups of cases, and another run.
extension Report {
    // MARK: - Groups

    /// The cases by their groups: box plots of the cases' figures, and means by structure.
    var groupsSection: HTML {
        guard let groups, !metrics.isEmpty else { return "" }
        let members = (groups.categories.map(Optional.some) + [nil]).compactMap { category in
            let positions = cases.indices.filter {
                groups.categoryOfCase[cases[$0].name] == category
            }
            return positions.isEmpty ? nil : (name: category ?? "in no group", positions: positions)
        }
        let parts = metrics.enumerated().map { position, metric -> HTML in
            """
            <div class="of-group" data-metric="\(position)"\(position > 0 ? " hidden" : "")>
            \(groupPlots(of: metric, position: position, members: members))
            \(groupTable(of: metric, members: members))
            </div>
            """
        }
        return .section(
            "groups", "By \(groups.name)",
            controls: metricChoice(of: metrics.map(\.name), id: "group-metric"),
            HTML(parts, separator: "\n"))
    }

    private func groupPlots(
        of metric: ReportMetric, position: Int, members: [(name: String, positions: [Int])]
    ) -> HTML {
        BoxPlots(
            metric: metric,
            rows: members.map { name, positions in
                PlotRow(
                    name: name,
                    values: positions.map { cases[$0].figure(of: metric, table: table) })
            }
        ).html(position: position, isHidden: false, kind: "of-groups")
    }

    private func groupTable(
        of metric: ReportMetric, members: [(name: String, positions: [Int])]
    ) -> HTML {
        let headings = members.map { name, positions -> HTML in
            """
            <th scope="col" class="number">\(name) \
            <small>n = \(positions.count)</small></th>
            """
        }
        let rows = table.structures.map { structure -> HTML in
            let cells = members.map { _, positions -> HTML in
                let summary = SampleSummary(
                    of: positions.map { cases[$0].value(of: metric, structure: structure) })
                let mean = summary.mean.map { fixedDecimals($0, metric.decimals) } ?? "–"
                let deviation = summary.standardDeviation.map {
                    " <span class=\"quiet\">\(fixedDecimals($0, metric.decimals))</span>" as HTML
                }
                return "<td class=\"number\">\(mean)\(deviation)</td>"
            }
            return """
                <tr><th scope="row">\(swatch(structure.color))\(structure.name)</th>\
                \(cells)</tr>
                """
        }
        let unit = metric.unit.isEmpty ? "" : ", \(metric.unit)"
        return """
            <details><summary>\(metric.name)\(unit) by structure: mean and standard \
            deviation of each group</summary>
            <div class="scroll"><table class="dense"><thead><tr><th scope="col">Structure</th>\
            \(headings)</tr></thead>
            <tbody>
            \(lines: rows)
            </tbody></table></div></details>
            """
    }

    // MARK: - Another run

    /// The differences to another run: their means with intervals, structure by structure.
    var comparisonSection: HTML {
        guard let comparison else { return "" }
        let parts = comparison.entries.enumerated().map { position, entry in
            DifferencePlots(entry: entry, comparison: comparison)
                .html(position: position, isHidden: position > 0)
        }
        let pairs = comparison.entries.first?.comparison.overall.summary.count ?? 0
        let unpaired = comparison.unpairedReferences.count
        let left =
            unpaired == 0
            ? ""
            : " \(unpaired) \(unpaired == 1 ? "case is" : "cases are") in one run only and left out."
        return .section(
            "comparison", "Against another run",
            controls: metricChoice(
                of: comparison.entries.map(\.metric.title), id: "comparison-metric"),
            """
            <p class="lead">\(pairs) \(pairs == 1 ? "case" : "cases"), each minus the same of \
            <b>\(comparedRun.isEmpty ? "the other run" : comparedRun)</b>.\(left)</p>
            \(lines: parts)
            <p class="quiet">The dot is the mean difference, the bar its 95 % bootstrap interval. p is \
            Wilcoxon's signed-rank test, two-sided; over structures it is corrected after Holm, and \
            an arrow marks those below 0.05: ▲ better than the other run, ▼ worse.</p>
            """)
    }

    private func metricChoice(of names: [String], id: String) -> HTML {
        guard names.count > 1 else { return "" }
        return "<span class=\"controls\">\(HTML.choice("Metric", id: id, of: names))</span>"
    }
}

/// One metric's differences to another run, a strip for each structure around zero.
private struct DifferencePlots {
    private let entry: EvaluationComparison.Entry
    private let comparison: EvaluationComparison
    private let axis: PlotAxis
    private let decimals: Int

    init(entry: EvaluationComparison.Entry, comparison: EvaluationComparison) {
        self.entry = entry
        self.comparison = comparison
        decimals =
            switch entry.metric.unit {
            case .ratio: 3
            case .millimeters: 2
            case .cubicMillimeters, .voxels: 0
            }
        let summaries = (entry.comparison.structures + [entry.comparison.overall]).map(\.summary)
        let reach =
            summaries.flatMap { summary in
                [
                    summary.mean, summary.reliableMeanInterval?.lower,
                    summary.reliableMeanInterval?.upper,
                ]
                .compactMap { $0.map(abs) }
            }.max() ?? 0
        // Zero in the middle; runs that agree fully still have an axis.
        let end = max(reach, 1 / Double(repeatElement(10, count: decimals).reduce(1, *)))
        axis = PlotAxis(of: [[-end, end]])
    }

    func html(position: Int, isHidden: Bool) -> HTML {
        let differences = entry.comparison.structures + [entry.comparison.overall]
        let ticks = axis.ticks.map { tick -> HTML in
            """
            <span style="left:\(fixedDecimals(100 * axis.position(tick), 2))%">\
            \(tick > 1e-12 ? "+" : "")\(axis.label(abs(tick) < 1e-12 ? 0 : tick))</span>
            """
        }
        let unit =
            switch entry.metric.unit {
            case .millimeters: ", mm"
            case .cubicMillimeters: ", mm³"
            case .ratio, .voxels: ""
            }
        return """
            <figure class="plots of-comparison" data-metric="\(position)"\(isHidden ? " hidden" : "")>
            <figcaption class="row axis"><span class="name">\(entry.metric.title)\
            \(unit)</span><span class="ticks">\(ticks)</span>\
            <span class="mean">mean difference, 95 % interval, p</span></figcaption>
            \(lines: differences.map(row))
            </figure>
            """
    }

    private func row(_ difference: RunComparison.Difference) -> HTML {
        let structure = difference.label.flatMap { comparison.table[$0] }
        let name: HTML =
            "\(structure.map { swatch($0.color) })\(comparison.name(of: difference))"
        guard let mean = difference.summary.mean else {
            return """
                <div class="row"><span class="name">\(name)</span><span class="strip"></span>\
                <span class="mean quiet">undefined everywhere</span></div>
                """
        }
        func unit(_ value: Double) -> String { fixedDecimals(1000 * axis.position(value), 1) }
        func signed(_ value: Double) -> String {
            (value < 0 ? "−" : "+") + fixedDecimals(abs(value), decimals)
        }
        var drawing: HTML = "<path class=\"zero\" d=\"M\(unit(0)) 0V28\"/>"
        var text: HTML = "<b>\(signed(mean))</b>"
        if let interval = difference.summary.reliableMeanInterval {
            drawing +=
                "<path class=\"interval\" d=\"M\(unit(interval.lower)) 14H\(unit(interval.upper))\"/>"
            text +=
                " <span class=\"quiet\">\(signed(interval.lower)) to \(signed(interval.upper))</span>"
        }
        drawing += "<path class=\"difference\" d=\"M\(unit(mean)) 14h0\"/>"
        if let p = difference.adjustedPValue {
            text += " <span class=\"quiet\">p \(p < 0.001 ? "< 0.001" : fixedDecimals(p, 3))</span>"
            if p < 0.05, mean != 0, let gains = entry.metric.direction?.isGain(mean) {
                text += """
                     <span class="\(gains ? "gain" : "loss")">\(gains ? "▲" : "▼")\
                    <span class="spoken"> \(gains ? "better" : "worse")</span></span>
                    """
            }
        }
        return """
            <div class="row"><span class="name">\(name)</span><span class="strip">\
            <svg viewBox="0 0 1000 28" preserveAspectRatio="none" aria-hidden="true">\(drawing)</svg>\
            </span><span class="mean">\(text)</span></div>
            """
    }
}
