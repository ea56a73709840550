import Foundation

/// A series of a line chart.
public struct ChartSeries: Sendable, Hashable {
    /// The name of the line.
    public var name: String
    /// The points, by rising x.
    public var points: [SIMD2<Double>]

    /// Makes a series.
    public init(name: String, points: [SIMD2<Double>]) {
        self.name = name
        self.points = points
    }
}

/// Lines over a common axis as one SVG picture that stretches to the space it gets.
///
/// Lines are told apart by dashes as well as by color. What is not a number, and on a logarithmic
/// scale what is not above 0, is left out.
struct LineChart {
    var title: String
    var note: String
    var series: [ChartSeries]
    /// A Boolean value indicating whether equal distances stand for equal ratios.
    var isLogarithmic = false
    /// A Boolean value indicating whether each point is marked, as for a few single measurements.
    var marksPoints = false

    private static let size = SIMD2(520.0, 230.0)
    private static let plot = (left: 56.0, right: 510.0, top: 10.0, bottom: 196.0)

    /// The chart as a figure of the page; empty where nothing is to be shown.
    var html: HTML {
        let shown = series.map { series in
            ChartSeries(
                name: series.name,
                points: series.points.filter {
                    $0.x.isFinite && $0.y.isFinite && (!isLogarithmic || $0.y > 0)
                })
        }
        let points = shown.flatMap(\.points)
        guard !points.isEmpty else { return "" }
        let xTicks = PlotAxis(of: [[0] + points.map(\.x)])
        let yTicks = isLogarithmic ? nil : PlotAxis(of: [points.map(\.y)])
        let bounds = (points.map(\.y).min() ?? 1, points.map(\.y).max() ?? 1)
        func x(_ value: Double) -> Double {
            Self.plot.left + (Self.plot.right - Self.plot.left) * xTicks.position(value)
        }
        func y(_ value: Double) -> Double {
            let share =
                yTicks?.position(value)
                ?? (bounds.0 == bounds.1 ? 0.5 : log(value / bounds.0) / log(bounds.1 / bounds.0))
            return Self.plot.bottom - (Self.plot.bottom - Self.plot.top) * share
        }
        var parts: [HTML] = []
        for tick in yTicks?.ticks ?? logarithmicTicks(from: bounds.0, to: bounds.1) {
            let place = fixedDecimals(y(tick), 1)
            parts.append(
                """
                <path class="grid" d="M\(Self.plot.left) \(place)H\(Self.plot.right)"/>\
                <text x="\(Self.plot.left - 8)" y="\(place)" dy="4" text-anchor="end">\
                \(yTicks?.label(tick) ?? shortest(tick))</text>
                """)
        }
        for tick in xTicks.ticks {
            parts.append(
                """
                <text x="\(fixedDecimals(x(tick), 1))" y="\(Self.plot.bottom + 20)" \
                text-anchor="middle">\(xTicks.label(tick))</text>
                """)
        }
        for (number, series) in shown.enumerated() where !series.points.isEmpty {
            let places = series.points.map {
                "\(fixedDecimals(x($0.x), 1)) \(fixedDecimals(y($0.y), 1))"
            }
            let style = "series s\(number % 6)"
            parts.append("<path class=\"\(style)\" d=\"M\(places.joined(separator: "L"))\"/>")
            guard marksPoints else { continue }
            for (point, place) in zip(series.points, places) {
                let spoken = "\(series.name): \(shortest(point.y)) at \(shortest(point.x))"
                parts.append(
                    """
                    <path class="\(style) mark" d="M\(place)h0"><title>\(spoken)</title></path>
                    """)
            }
        }
        let spoken = "\(title) over steps: " + shown.map(\.name).joined(separator: ", ")
        return """
            <figure class="chart">
            <figcaption>\(title) <small>\(note)</small></figcaption>
            <svg viewBox="0 0 \(Int(Self.size.x)) \(Int(Self.size.y))" role="img" \
            aria-label="\(spoken)">\(parts)</svg>
            </figure>
            """
    }

    /// The legend of the lines: one line of the page.
    static func legend(of names: [String]) -> HTML {
        let entries = names.enumerated().map { number, name -> HTML in
            """
            <span><svg width="34" height="10" aria-hidden="true"><path class="series \
            s\(number % 6)" d="M1 5H33"/></svg> \(name)</span>
            """
        }
        return "<p class=\"keys\">\(entries)</p>"
    }

    private func logarithmicTicks(from low: Double, to high: Double) -> [Double] {
        let powers = Int(floor(log10(low)))...Int(ceil(log10(high)))
        let fine = powers.flatMap { power in [1, 2, 3, 5, 7].map { $0 * pow(10, Double(power)) } }
            .filter { (low...high).contains($0) }
        return fine.isEmpty ? [low] : fine
    }

    private func shortest(_ value: Double) -> String { String(format: "%g", value) }
}
