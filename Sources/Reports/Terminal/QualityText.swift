public import SegmentationMetrics

/// The last words of a run on its scans: those that likely failed by name, each with its three
/// gravest reasons, and the number of those to look at.
///
/// - Parameter scans: The scans, as `qualityControl(of:table:thresholds:)` orders them.
/// - Returns: A line for each sentence; none where nothing is unusual.
public func qualityText(of scans: [ScanQuality]) -> [String] {
    let failed = scans.filter(\.hasLikelyFailed)
    let flagged = scans.filter { !$0.flags.isEmpty && !$0.hasLikelyFailed }
    func described(_ scan: ScanQuality) -> String {
        let others = scan.flags.count - 3
        return scan.name + " ("
            + scan.flags.prefix(3).map(\.reason).joined(separator: "; ")
            + (others > 0 ? "; and \(others) more)" : ")")
    }
    func sentence(_ what: String, _ named: [ScanQuality]) -> String {
        let shown = named.prefix(3).map(described).joined(separator: ", ")
        let others = named.count - 3
        return "\(what) \(named.count) of \(scans.count) "
            + "\(scans.count == 1 ? "scan" : "scans"), see qc.tsv: \(shown)"
            + (others > 0 ? ", and \(others) more" : "")
    }
    var lines: [String] = []
    if !flagged.isEmpty { lines.append(sentence("Look first at", flagged)) }
    if !failed.isEmpty { lines.append(sentence("Likely failed:", failed)) }
    return lines
}
