public import SegmentationMetrics

extension TSVTable {
    /// The judgement of the scans of a run (`qc.tsv`): a row per scan, in the order given.
    ///
    /// `score` is above 1 exactly where there are flags; `verdict` is `ordinary`, `flagged` or
    /// `likely-failed`; `flags` counts the flags and `reasons` names them, gravest first. Between them
    /// stands the worst of each measure over the scan's structures: the number of missing ones, the
    /// asymmetry `|L - R| / (L + R)`, the share of voxels that lie apart, the disagreement of the
    /// planes, the robust z-score of the volume among the run's scans and the distance of the volume's
    /// share from adults'; then the lowest confidence, the volume of all structures, and the share of
    /// the fullest slice that lies at an edge of the field of view. `warnings` has what reading the
    /// scan told.
    ///
    /// - Parameters:
    ///   - scans: The scans, as `qualityControl(of:table:thresholds:)` orders them.
    ///   - warnings: What reading each scan told, by its name.
    /// - Returns: A row per scan.
    public static func qualityControl(
        _ scans: [ScanQuality], warnings: [String: [String]] = [:]
    ) -> TSVTable {
        TSVTable(
            columns: [
                "scan", "score", "verdict", "flags", "missing", "asymmetry", "apart",
                "plane_disagreement", "volume_z", "adult_z", "confidence", "total_ml", "edge",
                "reasons", "warnings",
            ],
            rows: scans.map { scan in
                let structures = scan.structures
                let measures = [
                    structures.compactMap { $0.asymmetry.map(abs) }.max(),
                    structures.map(\.fractionOutsideLargest).max(),
                    structures.compactMap(\.planeDisagreement).max(),
                    structures.compactMap(\.volumeZScore).max { abs($0) < abs($1) },
                    structures.compactMap(\.adultDeviation).max { abs($0) < abs($1) },
                    structures.compactMap(\.confidence).min(),
                    scan.totalVolumeCubicMillimeters / 1000,
                    scan.edgeContacts.first?.fraction ?? 0,
                ]
                let verdict =
                    scan.hasLikelyFailed
                    ? "likely-failed" : scan.flags.isEmpty ? "ordinary" : "flagged"
                return [
                    .text(scan.name), .fixed(scan.score, decimals: 3), .text(verdict),
                    .integer(scan.flags.count),
                    .integer(structures.count { $0.volumeCubicMillimeters == 0 }),
                ] + measures.map { $0.map { .fixed($0, decimals: 3) } ?? .missing }
                    + [.list(scan.flags.map(\.reason)), .list(warnings[scan.name] ?? [])]
            })
    }
}
