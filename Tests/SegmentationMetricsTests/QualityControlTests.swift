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
            of: [Self.scan("a", [12_000, 9000, 10_000], fraction: 0.05, disagreement: 0.06)],
            table: table)
        // Asymmetry 1/11 of 1/3, fragments 0.05 of 0.3, disagreement 0.06 of 0.3.
        #expect(abs(quality[0].score - 3.0 / 11) < 1e-15)
        #expect(quality[0].flags.isEmpty)
        let asymmetries: [Double?] = [2000.0 / 22_000, nil, 2000.0 / 22_000]
        #expect(quality[0].structures.map(\.asymmetry) == asymmetries)
        #expect(quality[0].structures.allSatisfy { $0.volumeZScore == nil })
        #expect(quality[0].structures.map(\.name) == table.structures.map(\.name))
    }

    @Test func `a scan with flags scores their sum, gravest first`() throws {
        let table = try Self.table(["Left-Amygdala", "Brain-Stem", "Right-Amygdala"])
        let quality = qualityControl(
            of: [
                Self.scan("fine", [10_000, 9000, 10_000]),
                Self.scan("broken", [10_000, 0, 2500], fraction: 0.6, disagreement: 0.45),
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
        #expect(flags[3].reason == "Amygdala: 10000 mm3 on the left and 2500 mm3 on the right")
        #expect(
            flags[1].reason
                == "Left-Amygdala: 60.0 % of the voxels lie apart, in 1 fragments in all")
        #expect(flags[4].reason == "Left-Amygdala: the planes disagree by 45.0 %")
        #expect(quality[1].score == 0)
    }

    @Test func `volumes are measured against the run, without the missing ones`() throws {
        let table = try Self.table(["Brain-Stem"])
        let volumes = [10_000.0, 11_000, 12_000, 13_000, 14_000, 60_000, 0]
        let quality = qualityControl(
            of: volumes.enumerated().map { Self.scan("scan \($0)", [$1]) }, table: table)
        // numpy: the median of the logarithms is 9.432683283; the median distance from it, between
        // those of 11,000 and 14,000, is 0.120581028.
        let spread = 1.482602218505602 * 0.12058102840844409
        let byName = Dictionary(uniqueKeysWithValues: quality.map { ($0.name, $0) })
        for (position, volume) in volumes.enumerated() {
            let scan = try #require(byName["scan \(position)"])
            let score = scan.structures[0].volumeZScore
            #expect((score == nil) == (volume == 0))
            let expected = (log(volume) - 9.432683282606906) / spread
            if let score { #expect(abs(score - expected) < 1e-6) }
        }
        #expect(quality.prefix(2).map(\.name) == ["scan 6", "scan 5"])
        #expect(quality[0].flags.map(\.measure) == [.missing] && quality[0].score == 10)
        #expect(quality[1].flags.map(\.measure) == [.volume])
        #expect(
            quality[1].flags[0].reason
                == "Brain-Stem: 60000 mm3, 8.8 robust standard deviations above the run's median")
        #expect(quality.dropFirst(2).prefix(3).map(\.name) == ["scan 0", "scan 1", "scan 4"])
    }

    @Test func `few scans have no z-scores`() throws {
        let table = try Self.table(["Brain-Stem"])
        let scans = [1.0, 1.1, 1.2, 9e9].enumerated().map { Self.scan("\($0)", [$1]) }
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
                fraction: 0.32 * random(), disagreement: 0.32 * random())
        }
        let quality = qualityControl(of: scans, table: table)
        #expect(quality.map(\.name).sorted() == scans.map(\.name).sorted())
        #expect(quality.allSatisfy { ($0.score > 1) == !$0.flags.isEmpty })
        #expect(zip(quality, quality.dropFirst()).allSatisfy { $0.score >= $1.score })
        #expect(quality.contains { $0.flags.isEmpty } && quality.contains { !$0.flags.isEmpty })
        let data = try JSONEncoder().encode(quality)
        #expect(try JSONDecoder().decode([ScanQuality].self, from: data) == quality)
    }

    @Test func `what is smaller than a ball of 10 mm raises no flag`() throws {
        let table = try Self.table(["Left-Accumbens-area", "Right-Accumbens-area"])
        func flags(_ volumes: [Double]) -> [QualityMeasure] {
            qualityControl(
                of: [Self.scan("a", volumes, fraction: 0.5, disagreement: 0.5)], table: table
            )[0].flags.map(\.measure)
        }
        // 400 mm3 between the sides; 300 and 100 mm3 apart and disputed.
        #expect(flags([600, 200]).isEmpty)
        // 4000 mm3 between the sides; 3000 and 1000 mm3 apart and disputed.
        #expect(
            flags([6000, 2000]) == [
                .fragments, .planeDisagreement, .fragments, .planeDisagreement, .asymmetry,
            ])
        #expect(flags([600, 0]) == [.missing])
    }

    @Test func `a label map is measured on its grid`() throws {
        let table = try Self.table(["Left-Caudate", "Right-Caudate", "Brain-Stem"])
        let map = LabelMap(
            grid: Grid(size: GridSize(6, 1, 1), affine: Affine(spacing: SIMD3(10, 20, 15))),
            labels: [1, 1, 2, 1, 7, 7])
        let input = QualityInput(
            name: "a", segmentation: map, table: table, planeDisagreement: [2: 0.25])
        #expect(input.measurements.map(\.volumeCubicMillimeters) == [9000, 3000, 0])
        #expect(input.measurements.map(\.fragmentCount) == [2, 1, 0])
        let disagreements: [Double?] = [nil, 0.25, nil]
        #expect(input.measurements.map(\.planeDisagreement) == disagreements)
        #expect(abs(input.measurements[0].fractionOutsideLargest - 1.0 / 3) < 1e-15)
        let flags = qualityControl(of: [input], table: table)[0].flags
        // The one row of voxels ends at both edges.
        #expect(flags.map(\.measure) == [.cut, .missing, .asymmetry, .fragments])
        #expect(input.edgeContacts.map(\.fraction) == [1, 1])
        #expect(Set(input.edgeContacts.map(\.side)) == [.left, .right])
    }

    /// A scan of all structures of the adults' table, each with its share times a factor.
    private static func adult(
        _ name: String, totalCubicMillimeters: Double = 1_200_000,
        times factors: [String: Double] = [:]
    ) throws -> (table: LabelTable, input: QualityInput) {
        let names = AdultVolume.all.map(\.name)
        let shares = AdultVolume.all.map { exp($0.meanLogarithm) * (factors[$0.name] ?? 1) }
        let sum = shares.reduce(0, +)
        return (
            try table(names), scan(name, shares.map { $0 / sum * totalCubicMillimeters })
        )
    }

    @Test func `an adult's volumes are ordinary, and no adult of the table is flagged`() throws {
        let (table, input) = try Self.adult("a")
        let quality = qualityControl(of: [input], table: table)[0]
        #expect(quality.flags.isEmpty && !quality.hasLikelyFailed)
        let sum = quality.structures.compactMap(\.labelledShare).reduce(0, +)
        #expect(abs(sum - 1) < 1e-12)
        #expect(AdultVolume.all.count == 27)
        for adult in AdultVolume.all {
            for share in [adult.shareRange.lowerBound, adult.shareRange.upperBound] {
                #expect(
                    abs(adult.deviation(ofShare: share)) < QualityThresholds.standardAdultDeviation,
                    "\(adult.name)")
            }
        }
    }

    @Test func `a single scan's structure is judged against adults`() throws {
        let (table, input) = try Self.adult("a", times: ["Left-Hippocampus": 0.1])
        let quality = qualityControl(of: [input], table: table)[0]
        let flag = try #require(quality.flags.first { $0.measure == .adultVolume })
        #expect(table[flag.label]?.name == "Left-Hippocampus")
        // ln 10 / 0.24 standard deviations of the adults' logarithms: 9.6, of 4.
        #expect(flag.severity > 2.3 && flag.severity < 2.5)
        #expect(flag.grade == .serious)
        #expect(
            flag.reason.hasPrefix("Left-Hippocampus: 0.029 % of the labelled volume; 35 adults"))
        #expect(quality.flags.allSatisfy { $0.measure == .adultVolume || $0.measure == .asymmetry })
    }

    @Test(arguments: [(150_000.0, true), (700_000, false), (1_528_273, false), (4_000_000, true)])
    func `a whole of no adult's size has likely failed`(total: Double, hasFailed: Bool) throws {
        let (table, input) = try Self.adult("a", totalCubicMillimeters: total)
        let quality = qualityControl(of: [input], table: table)[0]
        #expect(quality.hasLikelyFailed == hasFailed)
        // Below 867 mL by more than a quarter of itself is flagged.
        #expect(
            quality.flags.contains { $0.measure == .totalVolume } == hasFailed || total < 693_842)
    }

    @Test func `a model of other structures is not judged against adults`() throws {
        let quality = qualityControl(
            of: [Self.scan("a", [12])], table: try Self.table(["Brain-Stem"]))[0]
        #expect(quality.structures[0].adultDeviation == nil && quality.flags.isEmpty)
    }

    @Test func `a brain that the field of view cuts is named with the side`() throws {
        let table = try Self.table(["Brain-Stem"])
        // Stored from left to right, front to back and top to bottom: LPI+ to RAS+.
        var map = LabelMap(
            grid: Grid(
                size: GridSize(9, 9, 9),
                affine: Affine(
                    columns: [SIMD3(1, 0, 0), SIMD3(0, -1, 0), SIMD3(0, 0, -1)],
                    translation: .zero)),
            labels: [UInt16](repeating: 0, count: 729))
        for k in 0..<5 {
            for j in 2..<7 { for i in 2..<7 { map[i, j, k] = 1 } }
        }
        let input = QualityInput(name: "a", segmentation: map, table: table)
        #expect(input.edgeContacts == [EdgeContact(side: .superior, fraction: 1)])
        #expect(input.measurements[0].edgeVoxelCount == 25)
        let quality = qualityControl(of: [input], table: table)[0]
        #expect(quality.flags.map(\.measure) == [.cut])
        #expect(
            quality.flags[0].reason
                == "the superior edge of the field of view cuts the brain: 1 structure touches an "
                + "edge")
        #expect(quality.structures[0].isCut && quality.hasLikelyFailed)
    }

    @Test func `confidence is the smaller of probability and agreement`() throws {
        let table = try Self.table(["a", "b", "c", "d"])
        var input = Self.scan("x", [1, 1, 1, 1])
        input.measurements[0].meanProbability = 0.9
        input.measurements[0].planeDisagreement = 0.2
        input.measurements[1].meanProbability = 0.7
        input.measurements[2].planeDisagreement = 0.25
        let confidences: [Double?] = [0.8, 0.7, 0.75, nil]
        #expect(
            qualityControl(of: [input], table: table)[0].structures.map(\.confidence) == confidences
        )
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
