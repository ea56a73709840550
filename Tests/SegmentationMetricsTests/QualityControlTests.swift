import Foundation
import SegmentationMetrics
import Testing
import Volumes

struct QualityControlTests {
    private static func table(_ names: [String]) throws -> LabelTable {
        try #require(
            LabelTable(
                names.enumerated().map { position, name in
                    Structure(
                        index: UInt16(position + 1), name: name,
                        color: LabelColor(red: 0, green: 0, blue: 0))
                }))
    }

    /// A scan whose structures have volumes and are whole.
    private static func scan(
        _ name: String, _ volumes: [Double], fraction: Double = 0, disagreement: Double? = nil
    ) -> QualityInput {
        QualityInput(
            name: name,
            measurements: volumes.enumerated().map { position, volume in
                QualityInput.Measurement(
                    label: UInt16(position + 1), volumeCubicMillimeters: volume,
                    fragmentCount: volume > 0 ? 1 : 0, fractionOutsideLargest: fraction,
                    planeDisagreement: disagreement)
            })
    }

    @Test func `an ordinary scan's score is its largest severity`() throws {
        let table = try Self.table(["Left-Amygdala", "Brain-Stem", "Right-Amygdala"])
        let quality = qualityControl(
            of: [Self.scan("a", [1200, 900, 1000], fraction: 0.05, disagreement: 0.06)],
            table: table)
        // Asymmetry 1/11 of 1/3, fragments 0.05 of 0.1, disagreement 0.06 of 0.3.
        #expect(quality[0].score == 0.5)
        #expect(quality[0].flags.isEmpty)
        let asymmetries: [Double?] = [200.0 / 2200, nil, 200.0 / 2200]
        #expect(quality[0].structures.map(\.asymmetry) == asymmetries)
        #expect(quality[0].structures.allSatisfy { $0.volumeZScore == nil })
        #expect(quality[0].structures.map(\.name) == table.structures.map(\.name))
    }

    @Test func `a scan with flags scores their sum, gravest first`() throws {
        let table = try Self.table(["Left-Amygdala", "Brain-Stem", "Right-Amygdala"])
        let quality = qualityControl(
            of: [
                Self.scan("fine", [1000, 900, 1000]),
                Self.scan("broken", [1000, 0, 250], fraction: 0.2, disagreement: 0.45),
            ], table: table)
        #expect(quality.map(\.name) == ["broken", "fine"])
        let flags = quality[0].flags
        #expect(
            flags.map(\.measure) == [
                .missing, .fragments, .fragments, .asymmetry, .planeDisagreement,
                .planeDisagreement,
            ])
        #expect(flags.map(\.label) == [2, 1, 3, 1, 1, 3])
        // 10 + 2 + 2 + 0.6 / (1/3) + 1.5 + 1.5
        #expect(abs(quality[0].score - 18.8) < 1e-12)
        #expect(flags[0].reason == "Brain-Stem is missing")
        #expect(flags[3].reason == "Amygdala: 1000 mm3 on the left and 250 mm3 on the right")
        #expect(
            flags[1].reason
                == "Left-Amygdala: 20.0 % of the voxels lie apart, in 1 fragments in all")
        #expect(flags[4].reason == "Left-Amygdala: the planes disagree by 45.0 %")
        #expect(quality[1].score == 0)
    }

    @Test func `volumes are measured against the run, without the missing ones`() throws {
        let table = try Self.table(["Brain-Stem"])
        let volumes = [10_000.0, 11_000, 12_000, 13_000, 14_000, 30_000, 0]
        let quality = qualityControl(
            of: volumes.enumerated().map { Self.scan("scan \($0)", [$1]) }, table: table)
        // Median 12,500; distances 500, 500, 1500, 1500, 2500, 17,500, so that MAD is 1500.
        let spread = 1.482602218505602 * 1500
        let byName = Dictionary(uniqueKeysWithValues: quality.map { ($0.name, $0) })
        for (position, volume) in volumes.enumerated() {
            let scan = try #require(byName["scan \(position)"])
            let score = scan.structures[0].volumeZScore
            #expect((score == nil) == (volume == 0))
            let expected = (volume - 12_500) / spread
            if let score { #expect(agree(score, expected)) }
        }
        #expect(quality.prefix(2).map(\.name) == ["scan 6", "scan 5"])
        #expect(quality[0].flags.map(\.measure) == [.missing] && quality[0].score == 10)
        #expect(quality[1].flags.map(\.measure) == [.volume])
        #expect(
            quality[1].flags[0].reason
                == "Brain-Stem: 30000 mm3, 7.9 robust standard deviations above the run's median")
        // Equal scores by name: 11,000 and 14,000 lie as far from the median.
        #expect(
            quality.dropFirst(2).map(\.name)
                == ["scan 0", "scan 1", "scan 4", "scan 2", "scan 3"])
    }

    @Test func `few scans have no z-scores`() throws {
        let table = try Self.table(["Brain-Stem"])
        let scans = [1.0, 1.1, 1.2, 90].enumerated().map { Self.scan("\($0)", [$1]) }
        let strict = qualityControl(of: scans, table: table)
        #expect(strict.allSatisfy { $0.structures[0].volumeZScore == nil && $0.score == 0 })
        let lenient = qualityControl(
            of: scans, table: table, thresholds: QualityThresholds(scansForZScores: 4))
        #expect(lenient[0].name == "3" && lenient[0].score == ScanQuality.largestSeverity)
    }

    @Test func `a missing side is flagged once and has asymmetry 1`() throws {
        let table = try Self.table(["Left-Caudate", "Right-Caudate"])
        let quality = qualityControl(
            of: [Self.scan("a", [3000, 0]), Self.scan("b", [0, 0])], table: table)
        #expect(quality.map(\.name) == ["b", "a"])
        #expect(quality[1].flags.map(\.measure) == [.missing])
        #expect(quality[1].structures.allSatisfy { $0.asymmetry == 1 })
        #expect(quality[0].structures.allSatisfy { $0.asymmetry == nil })
    }

    @Test func `a score is above 1 exactly where there is a flag`() throws {
        let table = try Self.table(["Left-Caudate", "Right-Caudate", "Brain-Stem"])
        var generator = SplitMix64(seed: 3)
        func random() -> Double { Double(generator.next() >> 11) / Double(1 << 53) }
        let scans = (0..<60).map { number in
            Self.scan(
                "\(number)", (0..<3).map { _ in 3000 * (0.75 + 0.5 * random()) },
                fraction: 0.12 * random(), disagreement: 0.32 * random())
        }
        let quality = qualityControl(of: scans, table: table)
        #expect(quality.map(\.name).sorted() == scans.map(\.name).sorted())
        #expect(quality.allSatisfy { ($0.score > 1) == !$0.flags.isEmpty })
        #expect(zip(quality, quality.dropFirst()).allSatisfy { $0.score >= $1.score })
        #expect(quality.contains { $0.flags.isEmpty } && quality.contains { !$0.flags.isEmpty })
        let data = try JSONEncoder().encode(quality)
        #expect(try JSONDecoder().decode([ScanQuality].self, from: data) == quality)
    }

    @Test func `a label map is measured on its grid`() throws {
        let table = try Self.table(["Left-Caudate", "Right-Caudate", "Brain-Stem"])
        let map = LabelMap(
            grid: Grid(size: GridSize(6, 1, 1), affine: Affine(spacing: SIMD3(1, 2, 1.5))),
            labels: [1, 1, 2, 1, 7, 7])
        let input = QualityInput(
            name: "a", segmentation: map, table: table, planeDisagreement: [2: 0.25])
        #expect(input.measurements.map(\.volumeCubicMillimeters) == [9, 3, 0])
        #expect(input.measurements.map(\.fragmentCount) == [2, 1, 0])
        let disagreements: [Double?] = [nil, 0.25, nil]
        #expect(input.measurements.map(\.planeDisagreement) == disagreements)
        #expect(abs(input.measurements[0].fractionOutsideLargest - 1.0 / 3) < 1e-15)
        let flags = qualityControl(of: [input], table: table)[0].flags
        #expect(flags.map(\.measure) == [.missing, .fragments, .asymmetry])
    }

    @Test func `a run of no scans has no qualities`() throws {
        #expect(qualityControl(of: [], table: try Self.table(["Brain-Stem"])).isEmpty)
    }

    @Test func `a structure that was not measured stops the program`() async {
        await #expect(processExitsWith: .failure) {
            let table = try QualityControlTests.table(["Brain-Stem"])
            _ = qualityControl(of: [QualityInput(name: "a", measurements: [])], table: table)
        }
    }
}
