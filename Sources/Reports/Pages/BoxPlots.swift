import Foundation
import SegmentationMetrics
import Volumes

/// A strip of box plots: a structure or a group of cases.
struct PlotRow {
    var name: String
    /// The structure's color, where it is one.
    var color: LabelColor?
    /// A value a case; `nil` where it is undefined.
    var values: [Double?]
    /// A Boolean value indicating whether penalties are among the values.
    var hasPenalties = false
}

/// The box plots of one metric, a strip for each structure or group.
///
/// A strip is an SVG picture 1,000 units wide that stretches to the space it gets: lines and dots
/// keep their width in pixels (`vector-effect`), so the plots need no script and no fixed width.
struct BoxPlots {
    private let metric: ReportMetric
    private let rows: [PlotRow]
    private let axis: PlotAxis

    init(metric: ReportMetric, rows: [PlotRow]) {
        self.metric = metric
        self.rows = rows
        let samples = rows.map { $0.values.compactMap(\.self) }
        axis =
            metric.isLogarithmic ? PlotAxis(ofMagnitudes: samples) : PlotAxis(of: samples)
    }

    /// The plots of a report's structures.
    init(report: Report, metric: ReportMetric) {
        self.init(
            metric: metric,
            rows: report.table.structures.map {
                PlotRow(
                    name: $0.name, color: $0.color,
                    values: report.values(of: metric, structure: $0),
                    hasPenalties: report.hasPenalties(of: metric, structure: $0))
            })
    }

    /// The plots as a figure of the page.
    ///
    /// - Parameters:
    ///   - position: The metric's place in the report.
    ///   - isHidden: Whether a reader has to ask for them.
    ///   - kind: `of-structures`, whose dots lead to cases, or `of-groups`.
    /// - Returns: HTML.
    func html(position: Int, isHidden: Bool, kind: String = "of-structures") -> HTML {
        let strips = rows.enumerated().map { number, row in strip(row, number: number) }
        let ticks = axis.ticks.map { tick -> HTML in
            "<span style=\"left:\(percent(axis.position(tick)))\">\(axis.label(tick))</span>"
        }
        let unit = metric.unit.isEmpty ? "" : ", \(metric.unit)"
        let direction =
            switch metric.direction {
            case .higherIsBetter: "higher is better"
            case .lowerIsBetter: "lower is better"
            case .zeroIsBest: "near zero is better"
            case nil: ""
            }
        let beyond = rows.reduce(0) { sum, row in
            sum + row.values.compactMap(\.self).count { !axis.holds($0) }
        }
        let hidden = isHidden ? " hidden" : ""
        let note: HTML? =
            beyond == 0
            ? nil
            : """
            <p class="quiet" data-note="\(position)"\(hidden)>\(beyond) \(beyond == 1 ? "value lies" : "values lie") beyond \
            the axis and \(beyond == 1 ? "is" : "are") drawn at its end, with an arrowhead.</p>
            """
        return """
            <figure class="plots \(kind)" data-metric="\(position)"\(hidden)>
            <figcaption class="row axis"><span class="name">\(metric.name)\(unit) \
            <small>\(direction)</small></span><span class="ticks">\(ticks)</span>\
            <span class="mean">mean and 95 % interval</span></figcaption>
            \(lines: strips)
            </figure>
            \(note)
            """
    }

    private func strip(_ row: PlotRow, number: Int) -> HTML {
        let summary = SampleSummary(of: row.values)
        let name: HTML = "\(row.color.map(swatch))\(row.name)"
        guard let mean = summary.mean else {
            return """
                <div class="row" data-structure="\(number)"><span class="name">\(name)</span>\
                <span class="strip"></span><span class="mean quiet">undefined everywhere</span>\
                </div>
                """
        }
        var figure: HTML = """
            <b>\(fixedDecimals(mean, metric.decimals))\(row.hasPenalties ? Report.penaltyMark : "")</b>
            """
        if let interval = summary.interval(decimals: metric.decimals) {
            figure += " <span class=\"quiet\">\(interval)</span>"
        }
        if summary.undefinedCount > 0 {
            figure += " <span class=\"quiet\">n = \(summary.count)</span>"
        }
        let spoken =
            "\(row.name): mean \(fixedDecimals(mean, metric.decimals)), "
            + "\(summary.count) cases"
        return """
            <div class="row" data-structure="\(number)" data-mean="\(mean)"><span class="name">\
            \(name)</span><span class="strip"><svg viewBox="0 0 1000 28" \
            preserveAspectRatio="none" role="img" aria-label="\(spoken)">\
            \(drawing(values: row.values, summary: summary))</svg></span>\
            <span class="mean">\(figure)</span></div>
            """
    }

    private func drawing(values: [Double?], summary: SampleSummary) -> HTML {
        var parts = axis.ticks.map { tick -> HTML in
            "<path class=\"grid\" d=\"M\(unit(tick)) 0V28\"/>"
        }
        let defined = values.compactMap(\.self)
        if let box = BoxSummary(of: defined) {
            parts += [
                """
                <path class="whisker" d="M\(unit(box.lowerWhisker)) 13H\(unit(box.lower))\
                M\(unit(box.upper)) 13H\(unit(box.upperWhisker))"/>
                """,
                "<path class=\"box\" d=\"M\(unit(box.lower)) 6V20H\(unit(box.upper))V6Z\"/>",
            ]
        }
        // Dots of one structure are spread a little, by position and not by chance.
        let dots = values.enumerated().compactMap { position, value in
            value.map { "M\(unit($0)) \(8 + position * 7 % 11)h0" }
        }
        parts.append(
            "<path class=\"dots\(dots.count > 40 ? " many" : "")\" d=\"\(dots.joined())\"/>")
        let beyond = Set(defined.filter { !axis.holds($0) }.map { axis.position($0) }).sorted()
        if !beyond.isEmpty {
            // Arrowheads that point over the end of the axis.
            let arrows = beyond.map { $0 == 0 ? "M8 8L0 13L8 18" : "M992 8L1000 13L992 18" }
            parts.append("<path class=\"beyond\" d=\"\(arrows.joined())\"/>")
        }
        if let box = BoxSummary(of: defined) {
            parts.append("<path class=\"median\" d=\"M\(unit(box.median)) 5V21\"/>")
        }
        if let interval = summary.reliableMeanInterval {
            let ends = (unit(interval.lower), unit(interval.upper))
            parts.append("<path class=\"interval\" d=\"M\(ends.0) 25H\(ends.1)\"/>")
        }
        return HTML(parts)
    }

    /// A value's place in a strip, in units.
    private func unit(_ value: Double) -> String { fixedDecimals(1000 * axis.position(value), 1) }

    private func percent(_ share: Double) -> String { fixedDecimals(100 * share, 2) + "%" }
}

/// Quartiles and whiskers of a sample.
///
/// Source: Tukey, Exploratory Data Analysis, 1977; whiskers end at the last value within 1.5 box
/// lengths of the box.
package struct BoxSummary: Hashable {
    /// The last value within reach below the box.
    package let lowerWhisker: Double
    /// The first quartile.
    package let lower: Double
    /// The second.
    package let median: Double
    /// The third.
    package let upper: Double
    /// The last value within reach above the box.
    package let upperWhisker: Double

    /// Summarises a sample; `nil` below four values, where dots say it all.
    package init?(of values: [Double]) {
        guard values.count > 3, let lower = percentile(25, of: values),
            let median = percentile(50, of: values), let upper = percentile(75, of: values)
        else { return nil }
        let reach = 1.5 * (upper - lower)
        self.lower = lower
        self.median = median
        self.upper = upper
        // The quartiles are interpolated and may lie outside all values within reach.
        lowerWhisker = min(lower, values.filter { $0 >= lower - reach }.min() ?? lower)
        upperWhisker = max(upper, values.filter { $0 <= upper + reach }.max() ?? upper)
    }
}

/// The axis that all structures of a metric share.
package struct PlotAxis: Hashable {
    /// Round numbers, ascending; the first and the last are the ends of the axis.
    package let ticks: [Double]
    /// A Boolean value indicating whether equal ratios have equal lengths.
    private let isLogarithmic: Bool

    /// Finds a logarithmic axis for samples above 0; other values lie at its lower end.
    package init(ofMagnitudes samples: [[Double]]) {
        isLogarithmic = true
        let all = samples.joined().filter { $0 > 0 }
        let low = floor(log10(all.min() ?? 1) + 1e-9)
        let high = max(ceil(log10(all.max() ?? 1) - 1e-9), low + 1)
        ticks = stride(from: low, through: high, by: 1).map { pow(10, $0) }
    }

    /// Finds an axis for samples.
    ///
    /// It holds all values, unless a few lie far beyond everything else: those would press the rest
    /// into a corner, and are drawn at its end.
    package init(of samples: [[Double]]) {
        isLogarithmic = false
        let all = samples.flatMap(\.self)
        var low = all.min() ?? 0
        var high = all.max() ?? 1
        // Scores in 0...1 end at 1, and a score of 0 is seen as one.
        let isShare = all.allSatisfy { (0...1).contains($0) }
        if !isShare, let box = BoxSummary(of: all) {
            let whiskers = samples.compactMap { BoxSummary(of: $0) }
            let usualHigh = whiskers.map(\.upperWhisker).max() ?? box.upperWhisker
            let usualLow = whiskers.map(\.lowerWhisker).min() ?? box.lowerWhisker
            let usual = usualHigh - usualLow
            if usual > 0, high - usualHigh > 2 * usual { high = usualHigh + usual / 2 }
            if usual > 0, usualLow - low > 2 * usual { low = usualLow - usual / 2 }
        }
        if high == low {
            let pad = max(abs(high) / 10, 0.05)
            (low, high) = (low - pad, high + pad)
        }
        if isShare { (low, high) = (max(0, low), min(1, high)) }
        let rough = (high - low) / 5
        let power = pow(10, floor(log10(rough)))
        let step = ([1, 2, 5].first { $0 * power >= rough * 0.999 } ?? 10) * power
        let first = (low / step + 1e-9).rounded(.down)
        let last = (high / step - 1e-9).rounded(.up)
        ticks = stride(from: first, through: last, by: 1).map { $0 * step }
    }

    /// The position of a value: 0 at the lower end, 1 at the upper; values beyond are clamped.
    package func position(_ value: Double) -> Double {
        guard let first = ticks.first, let last = ticks.last, last > first else { return 0 }
        if isLogarithmic {
            guard value > first else { return 0 }
            return min(log(value / first) / log(last / first), 1)
        }
        return min(max((value - first) / (last - first), 0), 1)
    }

    /// Returns whether a value lies within the axis.
    package func holds(_ value: Double) -> Bool {
        guard let first = ticks.first, let last = ticks.last else { return false }
        return (first...last).contains(value)
    }

    /// A tick as text, with the decimals that its step needs.
    func label(_ tick: Double) -> String {
        guard ticks.count > 1 else { return fixedDecimals(tick, 1) }
        if isLogarithmic { return tick >= 1 ? String(Int(tick.rounded())) : String(tick) }
        let step = ticks[1] - ticks[0]
        return fixedDecimals(tick, max(0, -Int(floor(log10(step) + 1e-9))))
    }
}
