import Volumes

/// The lines of `--profile`: seconds of each stage of a scan and their share, and the networks'.
///
/// - Parameters:
///   - stages: The stages in order.
///   - path: How the networks were computed.
/// - Returns: A line for each stage, one for the networks together, and one for the path.
package func profile(of stages: [StageSeconds], path: String) -> [String] {
    let total = stages.reduce(0) { $0 + $1.seconds }
    func line(_ name: String, _ seconds: Double) -> String {
        let share = total > 0 ? 100 * seconds / total : 0
        return "  " + name.padding(to: 10) + decimals(seconds, 2).padding(to: 8, atStart: true)
            + " s" + decimals(share, 1).padding(to: 7, atStart: true) + " %"
    }
    let networks = stages.filter { Plane(rawValue: $0.stage) != nil }.reduce(0) { $0 + $1.seconds }
    return stages.map { line($0.stage, $0.seconds) }
        + [line("networks", networks), "  \(path)"]
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

extension String {
    fileprivate func padding(to width: Int, atStart: Bool = false) -> String {
        let blanks = String(repeating: " ", count: max(0, width - count))
        return atStart ? blanks + self : self + blanks
    }
}
