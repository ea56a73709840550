import Datasets
import Foundation
import Testing
import Volumes

struct SliceAugmenterTests {
    private static var probabilities: [WritableKeyPath<AugmentationOptions, Double>] {
        [
            \.affineProbability, \.elasticProbability, \.gammaProbability, \.contrastProbability,
            \.biasProbability, \.blurProbability, \.noiseProbability,
        ]
    }

    private static func only(
        _ probabilities: WritableKeyPath<AugmentationOptions, Double>...
    ) -> AugmentationOptions {
        var options = AugmentationOptions.none
        for probability in probabilities { options[keyPath: probability] = 1 }
        return options
    }

    /// A disk of several tissues in a background of 0; three slices of context.
    private static let context = 3
    private static let side = 64
    private static let image: [Float] = {
        var generator = SeededGenerator(seed: 9)
        return (0..<context * side * side).map { position in
            let (x, y) = (position % side - 32, position / side % side - 32)
            guard x * x + y * y < 26 * 26 else { return 0 }
            return (x * y > 0 ? 0.7 : 0.4) + generator.uniform(-0.05, 0.05)
        }
    }()
    private static let labels = (0..<side * side).map {
        UInt8(image[$0] == 0 ? 0 : 3 + 4 * ($0 % 2))
    }

    private func augmented(
        _ options: AugmentationOptions, seed: UInt64, image: [Float] = Self.image
    ) -> (image: [Float], labels: [UInt8]) {
        var image = image
        var labels = Self.labels
        var generator = SeededGenerator(seed: seed)
        SliceAugmenter(options).augment(
            image: &image, labels: &labels, context: image.count / (Self.side * Self.side),
            height: Self.side, width: Self.side, using: &generator)
        return (image, labels)
    }

    @Test func `no augmentation changes nothing`() {
        for seed in UInt64(0)..<5 {
            let result = augmented(.none, seed: seed)
            let isSame = result.image == Self.image && result.labels == Self.labels
            #expect(isSame)
        }
    }

    @Test func `the same seed gives the same slice, another seed another`() {
        let options = AugmentationOptions()
        var different = 0
        for seed in UInt64(0)..<10 {
            let first = augmented(options, seed: seed)
            let second = augmented(options, seed: seed)
            let isSame = first.image == second.image && first.labels == second.labels
            #expect(isSame)
            if first.image != augmented(options, seed: seed + 1).image { different += 1 }
        }
        #expect(different >= 8)
    }

    @Test func `one number is drawn for a slice whatever the options`() {
        for options in [AugmentationOptions.none, AugmentationOptions()] {
            var (image, labels) = (Self.image, Self.labels)
            var generator = SeededGenerator(seed: 4)
            var other = generator
            SliceAugmenter(options).augment(
                image: &image, labels: &labels, context: Self.context, height: Self.side,
                width: Self.side, using: &generator)
            _ = other.next()
            #expect(generator == other)
        }
    }

    @Test func `turning off one variation leaves the others as they are`() {
        let geometry = augmented(Self.only(\.affineProbability, \.elasticProbability), seed: 6)
        let all = augmented(
            Self.only(\.affineProbability, \.elasticProbability, \.gammaProbability), seed: 6)
        let (sameLabels, sameImage) = (geometry.labels == all.labels, geometry.image == all.image)
        #expect(sameLabels && !sameImage)
    }

    @Test func `labels stay within those that were there`() {
        for seed in UInt64(0)..<20 {
            let result = augmented(Self.only(\.affineProbability, \.elasticProbability), seed: seed)
            #expect(Set(result.labels).isSubset(of: [0, 3, 7]))
            let sameLabels = result.labels == Self.labels
            #expect(!sameLabels)
        }
    }

    @Test func `intensity changes leave the labels alone`() {
        let options = Self.only(
            \.gammaProbability, \.contrastProbability, \.biasProbability, \.blurProbability,
            \.noiseProbability)
        let result = augmented(options, seed: 1)
        let (sameLabels, sameImage) = (result.labels == Self.labels, result.image == Self.image)
        #expect(sameLabels && !sameImage)
    }

    @Test(arguments: 2..<7)
    func `background stays exactly 0 and the foreground changes`(variation: Int) {
        let options = Self.only(Self.probabilities[variation])
        for seed in UInt64(0)..<10 {
            let result = augmented(options, seed: seed).image
            let leaked = zip(Self.image, result).count { $0 == 0 && $1 != 0 }
            let changed = zip(Self.image, result).count { $0 != 0 && $0 != $1 }
            #expect(leaked == 0)
            #expect(changed > 1000)
        }
    }

    @Test func `an empty slice stays empty`() {
        var options = AugmentationOptions()
        for probability in Self.probabilities { options[keyPath: probability] = 1 }
        let empty = [Float](repeating: 0, count: Self.side * Self.side)
        let isEmpty = augmented(options, seed: 3, image: empty).image == empty
        #expect(isEmpty)
    }

    @Test func `slices of context move and change alike`() {
        let slice = Array(Self.image[..<(Self.side * Self.side)])
        var options = AugmentationOptions()
        for probability in Self.probabilities.dropLast() { options[keyPath: probability] = 1 }
        options.noiseProbability = 0
        let result = augmented(options, seed: 2, image: slice + slice).image
        let isSame = result[..<slice.count] == result[slice.count...]
        #expect(isSame)
    }

    @Test func `noise has mean 0 and the deviation asked for, anew for each slice of context`() {
        var options = Self.only(\.noiseProbability)
        options.noise = 0.2...0.2
        let before = (0..<2 * Self.side * Self.side).map { $0 % 2 == 0 ? Float(0.5) : 1.5 }
        let result = augmented(options, seed: 5, image: before).image
        let noise = zip(result, before).map { Double($0 - $1) }
        let mean = noise.reduce(0, +) / Double(noise.count)
        let deviation = (noise.reduce(0) { $0 + $1 * $1 } / Double(noise.count)).squareRoot()
        // The foreground's deviation is 0.5; 8,192 draws of deviation 0.1.
        #expect(abs(mean) < 0.005)
        #expect(abs(deviation - 0.1) < 0.004)
        let half = noise.count / 2
        let together = (0..<half).reduce(0) { $0 + noise[$1] * noise[half + $1] } / Double(half)
        #expect(abs(together) < 0.001)
    }

    @Test func `contrast scales the deviation and keeps the mean, brightness shifts it`() {
        var options = Self.only(\.contrastProbability)
        options.contrast = 1.2...1.2
        options.brightness = 0
        let before = statistics(of: Self.image)
        let scaled = statistics(of: augmented(options, seed: 1).image)
        #expect(abs(scaled.mean - before.mean) < 1e-4)
        #expect(abs(scaled.deviation / before.deviation - 1.2) < 1e-4)
        options.contrast = 1...1
        options.brightness = 0.5
        for seed in UInt64(0)..<10 {
            let shifted = statistics(of: augmented(options, seed: seed).image)
            #expect(abs(shifted.deviation - before.deviation) < 1e-4)
            #expect(abs(shifted.mean - before.mean) <= 0.5 * before.deviation + 1e-4)
        }
    }

    @Test func `gamma keeps the darkest and the brightest and bends between them`() throws {
        var options = Self.only(\.gammaProbability)
        options.gamma = 2...2
        let before = (0..<Self.side * Self.side).map { 1 + 2 * Float($0) / 4095 }
        let result = augmented(options, seed: 1, image: before).image
        let errors = zip(before, result).map { value, after in
            let part = (value - 1) / 2
            return abs(after - (1 + 2 * part * part))
        }
        // The curve is made of lines over 1/1024 of the range.
        #expect(try #require(errors.max()) < 1e-5)
        #expect(result.first == 1 && result.last == 3)
    }

    @Test func `half of the exponents of a range about 1 lie below it`() {
        var options = Self.only(\.gammaProbability)
        options.gamma = 0.5...3
        let before = (0..<Self.side * Self.side).map { 1 + Float($0) / 4095 }
        let brighter = (UInt64(0)..<100).count {
            augmented(options, seed: $0, image: before).image[2048] > before[2048]
        }
        #expect((35...65).contains(brighter))
    }

    @Test func `the bias field stays within its bound and is smooth`() throws {
        var options = Self.only(\.biasProbability)
        options.biasAmplitude = 0.3
        for seed in UInt64(0)..<10 {
            let before = [Float](repeating: 2, count: Self.side * Self.side)
            let result = augmented(options, seed: seed, image: before).image
            #expect(try #require(result.min()) >= 1.39999)
            #expect(try #require(result.max()) <= 2.60001)
            let steps = (1..<Self.side).map { abs(result[$0] - result[$0 - 1]) }
            #expect(try #require(steps.max()) < 0.1)
        }
    }

    @Test func `a blur spreads a point with the variance asked for and keeps its sum`() {
        var options = Self.only(\.blurProbability)
        options.blurPixels = 1.0...1.0
        var before = [Float](repeating: 1, count: Self.side * Self.side)
        before[32 * Self.side + 32] = 101
        let result = augmented(options, seed: 1, image: before).image
        var sum = 0.0
        var squares = 0.0
        for (position, value) in result.enumerated() {
            let x = Double(position % Self.side - 32)
            sum += Double(value) - 1
            squares += (Double(value) - 1) * x * x
        }
        #expect(abs(sum - 100) < 0.01)
        // exp(-x²/2) at 0, ±1, ±2, ±3: 2 · (0.6065 + 4 · 0.1353 + 9 · 0.0111) / 2.5059.
        #expect(abs(squares / sum - 0.996) < 0.005)
    }

    private func statistics(of image: [Float]) -> (mean: Double, deviation: Double) {
        let values = image.filter { $0 != 0 }.map(Double.init)
        let mean = values.reduce(0, +) / Double(values.count)
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        return (mean, (squares / Double(values.count)).squareRoot())
    }
}

struct AugmentationOptionsTests {
    @Test func `survives a round trip through JSON`() throws {
        var options = AugmentationOptions()
        options.scale = 0.5...2
        options.noiseProbability = 0.125
        let data = try JSONEncoder().encode(options)
        #expect(try JSONDecoder().decode(AugmentationOptions.self, from: data) == options)
    }

    @Test func `what is left out has its default`() throws {
        let options = try decoded(#"{"rotationDegrees": 30, "gamma": [0.5, 2]}"#)
        var expected = AugmentationOptions()
        expected.rotationDegrees = 30
        expected.gamma = 0.5...2
        #expect(options == expected)
        #expect(expected.problem == nil && AugmentationOptions.none.problem == nil)
    }

    @Test(
        arguments: [
            (#"{"rotation": 3}"#, "'rotation'"), (#"{"shear": -1}"#, "shear is -1.0"),
            (#"{"blurProbability": 1.5}"#, "1.5"), (#"{"scale": [0, 1]}"#, "scale"),
            (#"{"elasticSpacingPixels": 0}"#, "elasticSpacingPixels"),
            (#"{"biasAmplitude": 1}"#, "biasAmplitude"),
        ])
    func `a wrong name or number is refused by name`(json: String, mention: String) throws {
        let error = try #require(throws: DecodingError.self) { try decoded(json) }
        #expect("\(error)".contains(mention))
    }

    private func decoded(_ json: String) throws -> AugmentationOptions {
        try JSONDecoder().decode(AugmentationOptions.self, from: Data(json.utf8))
    }
}
