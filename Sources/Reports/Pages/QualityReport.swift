public import SegmentationMetrics
public import Volumes

extension Report {
    /// Segmentations without references as a page to read: volumes, and what is unusual about them.
    ///
    /// The most suspicious scan comes first, after those that failed.
    ///
    /// - Parameters:
    ///   - quality: The scans, as `qualityControl(of:table:thresholds:)` gives them.
    ///   - failures: Scans without a segmentation.
    ///   - table: The structures.
    ///   - title: The page's title.
    ///   - summary: A sentence under the title.
    ///   - provenance: Where the numbers come from.
    public init(
        quality: [ScanQuality], failures: [ScanFailure], table: LabelTable, title: String,
        summary: String = "", provenance: [ReportFact] = []
    ) {
        let measured = Self.qualityMeasures.filter { measure in
            quality.contains { $0.structures.contains { measure.value($0) != nil } }
        }
        let failed = failures.map {
            ReportCase(name: $0.scan, values: [:], failure: $0.reason)
        }
        self.init(
            title: title, summary: summary, table: table, metrics: measured.map(\.shown),
            cases: failed
                + quality.map { scan in
                    var values: [ReportMetric: [UInt16: Double]] = [:]
                    for measure in measured {
                        for structure in scan.structures {
                            values[measure.shown, default: [:]][structure.label] =
                                measure.value(structure)
                        }
                    }
                    var reported = ReportCase(
                        name: scan.name, values: values, flags: scan.flags.map(\.reason),
                        severity: scan.score)
                    reported.hasLikelyFailed = scan.hasLikelyFailed
                    return reported
                }, provenance: provenance)
    }

    /// The measures shown for each structure.
    private static var qualityMeasures:
        [(shown: ReportMetric, value: (ScanQuality.Structure) -> Double?)]
    {
        func percentage(_ name: String) -> ReportMetric {
            ReportMetric(
                name: name, unit: "%", direction: .lowerIsBetter, decimals: 1, caseFigure: .largest)
        }
        return [
            (
                ReportMetric(
                    name: "Volume", unit: "mL", direction: nil, decimals: 2,
                    caseFigure: .sum, isLogarithmic: true),
                { $0.volumeCubicMillimeters / 1000 }
            ),
            (
                ReportMetric(
                    name: "Volume in the run", unit: "robust SD", direction: nil, decimals: 1,
                    caseFigure: .largest), { $0.volumeZScore }
            ),
            (percentage("Asymmetry"), { $0.asymmetry.map { abs($0) * 100 } }),
            (percentage("Voxels apart"), { $0.fractionOutsideLargest * 100 }),
            (percentage("Planes disagree"), { $0.planeDisagreement.map { $0 * 100 } }),
            (
                ReportMetric(
                    name: "Volume among adults", unit: "SD of log share", direction: nil,
                    decimals: 1, caseFigure: .largest), { $0.adultDeviation }
            ),
            (
                ReportMetric(name: "Confidence", direction: .higherIsBetter),
                { $0.confidence }
            ),
        ]
    }
}
