/// The intensities of one synthetic scan: a Gaussian for each label and sub-class of it.
///
/// A smooth random field, cut into ``levelCount`` levels, tells where in a tissue which sub-class
/// lies.
struct TissueContrast {
    /// Levels of the field of sub-classes.
    static let levelCount = 32

    /// The mean for each label of `GenerationLabel.all` and each level, the level fastest.
    private(set) var means: [Float]
    /// The standard deviation for each label.
    private(set) var deviations: [Float]

    /// Draws a contrast.
    ///
    /// Source: a Gaussian a class, mean from U(0, 250) and deviation from U(0, 30), of SynthSeg
    /// (arXiv:2107.09559); priors as in ``HeadTissue``.
    init(_ options: SynthesisOptions, using generator: inout SeededGenerator) {
        let labels = GenerationLabel.all
        means = [Float](repeating: 0, count: labels.count * Self.levelCount)
        deviations = [Float](repeating: 0, count: labels.count)
        let drawn: ScanContrast? =
            generator.happens(options.priorProbability)
            ? generator.happens(options.t1Fraction)
                ? .t1Weighted
                : [.t2Weighted, .protonDensity, .flair][Int(generator.next() % 3)] : nil
        let contrast = options.contrast ?? drawn
        let tomographyWindow =
            contrast == .computedTomography
            ? generator.uniform(-1000, -20)...generator.uniform(90, 1600) : nil
        let areSidesApart = contrast == nil && generator.happens(options.sidesApartProbability)
        // Head tissue often is as random where the brain follows a prior.
        let hasHeadPrior = contrast == .t1Weighted && generator.happens(0.6)
        let tissues: [(mean: Float, deviation: Float)?] = HeadTissue.allCases.map { tissue in
            let (a, b, c) = (generator.gaussian(), generator.unit(), generator.unit())
            guard let contrast,
                let prior = tomographyWindow.map({ tissue.tomographyPrior(window: $0) })
                    ?? tissue.prior(contrast),
                !tissue.isOutsideBrain || hasHeadPrior || tomographyWindow != nil
            else { return nil }
            let within = prior.deviation * (0.25 + 0.75 * b)
            return (
                prior.mean + prior.meanDeviation * a * (0.7 + 0.6 * c), min(within, 30)
            )
        }
        // Labels of a group share mean, deviation and sub-classes.
        var ofGroup: [Int: (means: [Float], deviation: Float)] = [:]
        for (position, label) in labels.enumerated() {
            // A label of the right takes what its partner of the left was given.
            let partner = GenerationLabel.position[label.partner] ?? position
            let group =
                label.side == .right && !areSidesApart ? labels[partner].group : label.group
            var own = SeededGenerator(seed: generator.next())
            let drawn =
                ofGroup[group]
                ?? {
                    let tissue = tissues[label.tissue.rawValue]
                    let mean = tissue.map { $0.mean + 4 * own.gaussian() } ?? own.unit() * 250
                    let deviation = tissue?.deviation ?? own.unit() * 30
                    let shifts = Self.subclassShifts(
                        of: label.tissue, isRandom: tissue == nil, options: options, using: &own)
                    return (shifts.map { mean + $0 }, deviation)
                }()
            ofGroup[group] = drawn
            deviations[position] = drawn.deviation
            means.replaceSubrange(
                position * Self.levelCount..<(position + 1) * Self.levelCount, with: drawn.means)
        }
        setBackground(using: &generator)
    }

    /// The offset of each level's sub-class mean from the tissue's.
    private static func subclassShifts(
        of tissue: HeadTissue, isRandom: Bool, options: SynthesisOptions,
        using generator: inout SeededGenerator
    ) -> [Float] {
        var shifts = [Float](repeating: 0, count: levelCount)
        if tissue.isLarge {
            let count = 1 + Int(generator.next() % UInt64(options.largestSubclassCount))
            let spread: Float = tissue.isOutsideBrain ? 45 : isRandom ? 16 : 7
            let bounds = (1..<count).map { _ in Int(generator.next() % UInt64(levelCount)) }
            let offsets = (0..<count).map { _ in spread * generator.gaussian() }
            for level in 0..<levelCount where count > 1 {
                shifts[level] = offsets[bounds.count { $0 <= level }]
            }
        }
        if tissue == .whiteMatter, generator.happens(options.lesionProbability) {
            // Patches in the rarest levels, as white matter lesions are.
            let shift = (generator.happens(0.5) ? 1 : -1) * generator.uniform(25, 80)
            for level in 0..<3 { shifts[level] = shift }
        }
        return shifts
    }

    /// Background: dark in most scans, anything in some.
    private mutating func setBackground(using generator: inout SeededGenerator) {
        let isDark = generator.happens(0.7)
        let (mean, deviation) = (generator.unit(), generator.unit())
        for level in 0..<Self.levelCount { means[level] = mean * (isDark ? 15 : 250) }
        deviations[0] = deviation * (isDark ? 6 : 30)
    }
}
