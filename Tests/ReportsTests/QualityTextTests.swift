import Reports
import SegmentationMetrics
import Testing
import Volumes

/// The last words of a run on its scans.
@Suite struct `Words on quality` {
    private func judged(_ disagreements: [[Double]]) throws -> [ScanQuality] {
        let names = ["a", "b", "c", "d"]
        let table = try #require(
            LabelTable(
                names.enumerated().map {
                    Structure(
                        index: UInt16($0 + 1), name: $1,
                        color: LabelColor(red: 0, green: 0, blue: 0))
                }))
        return qualityControl(
            of: disagreements.enumerated().map { number, values in
                QualityInput(
                    name: "scan \(number)",
                    measurements: values.enumerated().map {
                        QualityInput.Measurement(
                            label: UInt16($0 + 1), volumeCubicMillimeters: $1 < 0 ? 0 : 10_000,
                            fragmentCount: 1, fractionOutsideLargest: 0,
                            planeDisagreement: max($1, 0))
                    })
            }, table: table)
    }

    @Test func `failures come last, each with its three gravest reasons`() throws {
        let lines = qualityText(
            of: try judged([[0, 0, 0, 0], [-1, -1, -1, 0.9], [0.6, 0, 0, 0]]))
        #expect(
            lines == [
                "Look first at 1 of 3 scans, see qc.tsv: scan 2 (a: the planes disagree by 60.0 %)",
                "Likely failed: 1 of 3 scans, see qc.tsv: scan 1 (a is missing; b is missing; c is "
                    + "missing; and 1 more)",
            ])
    }

    @Test func `ordinary scans need no words, and many are counted`() throws {
        #expect(qualityText(of: try judged([[0, 0, 0, 0]])).isEmpty)
        let many = qualityText(of: try judged(Array(repeating: [-1, 0, 0, 0], count: 5)))
        #expect(many.count == 1 && many[0].hasPrefix("Look first at 5 of 5 scans"))
        #expect(many[0].hasSuffix("scan 2 (a is missing), and 2 more"))
    }
}
