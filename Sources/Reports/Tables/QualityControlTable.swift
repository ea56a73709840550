public import SegmentationMetrics

extension TSVTable {
    /// What is unusual about the scans of a run (`qc.tsv`): a row per scan, in the order given.
    ///
    /// `score` is above 1 exactly where there are flags; `flags` counts them and `reasons` names
    /// them, gravest first. Between them stands the worst of each measure over the scan's
    /// structures: how many are missing, the asymmetry `|L - R| / (L + R)`, the share of voxels that
    /// lie apart, how far the planes disagree, and the robust z-score of the volume among the run's
    /// scans.
    ///
    /// - Parameter scans: The scans, as `qualityControl(of:table:thresholds:)` orders them.
    /// - Returns: A row per scan.
    public static func qualityControl(_ scans: [ScanQuality]) -> TSVTable {
        TSVTable(
            columns: [
                "scan", "score", "flags", "missing", "asymmetry", "apart",
                "plane_disagreement", "volume_z", "reasons",
            ],
            rows: scans.map { scan in
                let structures = scan.structures
                let measures = [
                    structures.compactMap { $0.asymmetry.map(abs) }.max(),
                    structures.map(\.fractionOutsideLargest).max(),
                    structures.compactMap(\.planeDisagreement).max(),
                    structures.compactMap(\.volumeZScore).max { abs($0) < abs($1) },
                ]
                return [
                    .text(scan.name), .fixed(scan.score, decimals: 3),
                    .integer(scan.flags.count),
                    .integer(structures.count { $0.volumeCubicMillimeters == 0 }),
                ] + measures.map { $0.map { .fixed($0, decimals: 3) } ?? .missing }
                    + [
                        scan.flags.isEmpty
                            ? .missing
                            : .text(scan.flags.map(\.reason).joined(separator: "; "))
                    ]
            })
    }
}
