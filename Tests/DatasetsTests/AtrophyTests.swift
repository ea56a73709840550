import Datasets
import Foundation
import Testing
import Volumes

struct AtrophyTests {
    private static let side = 96

    private static func mask(_ isInside: (_ y: Int, _ x: Int) -> Bool) -> [Float] {
        (0..<side * side).map { isInside($0 / side, $0 % side) ? 1 : 0 }
    }

    private static func flow(
        _ masks: [[Float]], reachPixels: Float, pixels: Float
    ) -> (down: [Float], across: [Float]) {
        var flow = AtrophyFlow(height: side, width: side)
        for mask in masks { flow.widen(mask, reachPixels: reachPixels, pixels: pixels) }
        return flow.displacements()
    }

    /// The slope of a blurred straight edge is a Gaussian about it, so that an edge moves by x in
    /// unit time where the integral of exp(u² / 2σ²) from 0 to x is the strength a: to third order
    /// x = a - a³ / 6σ².
    @Test func `a straight border moves as far as the flow equation says`() {
        let (sigma, strength): (Float, Float) = (8, 2)
        let moved = Self.flow(
            [Self.mask { _, x in x < 48 }], reachPixels: sigma, pixels: strength)
        let row = 48 * Self.side
        // The border lies at 47.5; find where it comes to lie.
        let sources = (0..<Self.side).map { Float($0) + moved.across[row + $0] }
        let after = sources.indices.dropLast().first { sources[$0 + 1] > 47.5 } ?? 0
        let part = (47.5 - sources[after]) / (sources[after + 1] - sources[after])
        let border = Float(after) + part
        let expected = 47.5 + strength - strength * strength * strength / (6 * sigma * sigma)
        #expect(abs(border - expected) < 0.05)
        let largestDown = moved.down[row..<row + Self.side].map(abs).max() ?? 1
        #expect(largestDown < 1e-4)
    }

    @Test func `a thin slit is stretched and never crossed`() {
        let moved = Self.flow(
            [Self.mask { y, x in (46...48).contains(x) && (30...66).contains(y) }],
            reachPixels: 6, pixels: 9)
        let row = 48 * Self.side
        let sources = (0..<Self.side).map { Float($0) + moved.across[row + $0] }
        let isOrdered = zip(sources, sources.dropFirst()).allSatisfy { $0 < $1 }
        #expect(isOrdered)
        let slit = sources.count { (45.5...48.5).contains($0) }
        #expect(slit >= 9)
    }

    @Test func `the wall between two equal spaces stays in its place`() {
        let moved = Self.flow(
            [
                Self.mask { y, x in (36...43).contains(x) && (40...56).contains(y) },
                Self.mask { y, x in (53...60).contains(x) && (40...56).contains(y) },
            ], reachPixels: 6, pixels: 5)
        let pixel = 48 * Self.side + 48
        #expect(abs(moved.across[pixel]) < 1e-3 && abs(moved.down[pixel]) < 1e-3)
    }

    // MARK: - In the augmenter

    /// A brain of white matter (2) with two ventricles (4, 5), nothing around it.
    private static let labels: [UInt8] = (0..<side * side).map { position in
        let (y, x) = (position / side - 48, position % side - 48)
        guard x * x + y * y < 40 * 40 else { return 0 }
        guard abs(y) < 10, (3...7).contains(abs(x)) else { return 2 }
        return x < 0 ? 4 : 5
    }
    private static let image: [Float] = labels.map { $0 == 0 ? 0 : $0 == 2 ? 0.8 : 0.2 }
    private static let classes: [String: UInt8] = ["white": 2, "left": 4, "right": 5]

    private static func aged(
        seed: UInt64, _ change: (inout AugmentationOptions) -> Void
    ) -> (image: [Float], labels: [UInt8]) {
        var options = AugmentationOptions.none
        options.agingProbability = 1
        options.ventricles = ["left", "right"]
        options.whiteMatter = ["white"]
        options.ventriclePixels = 0...0
        options.sulcusPixels = 0...0
        options.lesionDarkening = 0...0
        change(&options)
        var (image, labels) = (image, labels)
        var generator = SeededGenerator(seed: seed)
        SliceAugmenter(options, classOfStructure: classes).augment(
            image: &image, labels: &labels, context: 1, height: side, width: side,
            using: &generator)
        return (image, labels)
    }

    @Test func `ventricles widen and the brain's outline stays`() {
        for seed in UInt64(0)..<5 {
            let aged = Self.aged(seed: seed) { $0.ventriclePixels = 6...6 }
            for ventricle in [UInt8(4), 5] {
                let before = Self.labels.count { $0 == ventricle }
                let after = aged.labels.count { $0 == ventricle }
                #expect(Double(after) > 1.5 * Double(before))
            }
            let outlineMoved = zip(Self.labels, aged.labels).count { ($0 == 0) != ($1 == 0) }
            #expect(outlineMoved < 40)
            #expect(Set(aged.labels).isSubset(of: [0, 2, 4, 5]))
        }
    }

    @Test func `lesions darken white matter only and leave the labels`() {
        var darkened = 0
        for seed in UInt64(0)..<5 {
            let aged = Self.aged(seed: seed) { $0.lesionDarkening = 0.3...0.3 }
            #expect(aged.labels == Self.labels)
            for (position, value) in aged.image.enumerated() {
                if Self.labels[position] != 2 {
                    #expect(value == Self.image[position])
                } else if value != Self.image[position] {
                    #expect(value < Self.image[position] && value > 0.69 * Self.image[position])
                    darkened += 1
                }
            }
        }
        #expect(darkened > 500)
    }

    @Test func `a wish to age without a ventricle is refused`() throws {
        var options = AugmentationOptions.none
        options.agingProbability = 0.5
        let problem = try #require(options.problem)
        #expect(problem.contains("ventricles"))
    }
}
