import Reports

/// The lines of `--profile`: seconds of each stage of a scan and their share, and the networks'.
///
/// - Parameters:
///   - stages: The stages in order.
///   - path: How the networks were computed.
/// - Returns: A line for each stage, one for the networks together, and one for the path.
package func profile(of stages: [StageSeconds], path: String) -> [String] {
    let total = stages.reduce(0) { $0 + $1.seconds }
    let networks = stages.reduce(0) { sum, entry in
        if case .network = entry.stage { sum + entry.seconds } else { sum }
    }
    var table = TerminalTable([
        .init("", .left, leastWidth: 10), .init("", leastWidth: 8), .init("", leastWidth: 9),
    ])
    let rows = stages.map { ($0.stage.description, $0.seconds) } + [("networks", networks)]
    for (name, seconds) in rows {
        let share = total > 0 ? 100 * seconds / total : 0
        table.append([name, decimals(seconds, 2) + " s", decimals(share, 1) + " %"])
    }
    return table.rendered().split(separator: "\n").map { "  " + $0 } + ["  \(path)"]
}

/// The line of `--profile` on a whole run: its scans are read and written while others are computed, so
/// that their stages add up to more than the time that has passed.
///
/// - Parameters:
///   - seconds: The stages of all scans together.
///   - elapsed: The time that has passed.
/// - Returns: The line.
package func overlap(ofStages seconds: Double, in elapsed: Double) -> String {
    "  stages of all scans " + decimals(seconds, 2) + " s, in " + decimals(elapsed, 2)
        + " s (scans are read and written while others are computed)"
}
