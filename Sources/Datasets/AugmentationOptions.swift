/// The augmentations of training slices, each with its probability.
///
/// In a file every part may be left out, which means its default; a name that is not among them is
/// an error. ``none`` changes nothing. The defaults are mild: heads lie within about 15° of upright,
/// and scans of one kind differ by contrast and noise.
public struct AugmentationOptions: Sendable, Hashable, Codable {
    /// The probability of an affine transform: rotation, scaling, shear and translation together.
    public var affineProbability = 0.8
    /// Largest turn either way, in degrees.
    public var rotationDegrees = 15.0
    /// Smallest and largest magnification.
    public var scale = 0.9...1.1
    /// Largest shear either way: how far a row moves per row of distance.
    public var shear = 0.05
    /// Largest move either way along each axis, in pixels.
    public var translationPixels = 6.0

    /// The probability of an elastic deformation.
    public var elasticProbability = 0.5
    /// Largest displacement of a control point, in pixels; the image moves by about a quarter of it.
    public var elasticPixels = 8.0
    /// Pixels between control points.
    public var elasticSpacingPixels = 32.0

    /// The probability of simulated aging: wider fluid spaces and white matter lesions.
    public var agingProbability = 0.0
    /// The structures that widen most, by their names in the label table.
    public var ventricles: [String] = []
    /// Least and greatest way that the border of a ventricle moves outward, in pixels.
    public var ventriclePixels = 0.0...8.0
    /// The same for the fluid around the brain's folds, which has no label.
    public var sulcusPixels = 0.0...1.0
    /// The structures that get lesions, by their names in the label table.
    public var whiteMatter: [String] = []
    /// Least and greatest part of its brightness that a lesion loses.
    public var lesionDarkening = 0.0...0.35

    /// The probability of a gamma transform.
    public var gammaProbability = 0.5
    /// Smallest and largest exponent of the brightness curve; half of the draws lie below 1 where
    /// the range is like `0.7...1.4`.
    public var gamma = 0.7...1.4

    /// The probability of a contrast and brightness change (both together).
    public var contrastProbability = 0.5
    /// Smallest and largest factor about the mean of the foreground.
    public var contrast = 0.8...1.25
    /// Largest shift either way, as a part of the foreground's standard deviation.
    public var brightness = 0.3

    /// The probability of a bias field.
    public var biasProbability = 0.3
    /// Largest departure of the factor from 1.
    public var biasAmplitude = 0.4

    /// The probability of blurring.
    public var blurProbability = 0.2
    /// Smallest and largest standard deviation of the blur, in pixels.
    public var blurPixels = 0.4...1.0

    /// The probability of added noise.
    public var noiseProbability = 0.4
    /// Smallest and largest standard deviation, as a part of the foreground's.
    public var noise = 0.0...0.15

    /// Makes the default options.
    public init() {}

    /// Options that leave every slice as it is.
    public static var none: AugmentationOptions {
        var options = AugmentationOptions()
        for probability in probabilities { options[keyPath: probability] = 0 }
        return options
    }

    /// All probabilities.
    private static var probabilities: [WritableKeyPath<AugmentationOptions, Double>] {
        [
            \.affineProbability, \.elasticProbability, \.agingProbability, \.gammaProbability,
            \.contrastProbability, \.biasProbability, \.blurProbability, \.noiseProbability,
        ]
    }

    /// The problem with the options as a sentence, or `nil` if they are valid.
    public var problem: String? {
        for probability in Self.probabilities where !(0...1).contains(self[keyPath: probability]) {
            return "the probability \(self[keyPath: probability]) is not between 0 and 1"
        }
        for (name, size) in [
            ("rotationDegrees", rotationDegrees), ("shear", shear), ("brightness", brightness),
            ("translationPixels", translationPixels), ("elasticPixels", elasticPixels),
            ("biasAmplitude", biasAmplitude), ("blurPixels", blurPixels.lowerBound),
            ("noise", noise.lowerBound), ("ventriclePixels", ventriclePixels.lowerBound),
            ("sulcusPixels", sulcusPixels.lowerBound),
            ("lesionDarkening", lesionDarkening.lowerBound),
        ] where !(size >= 0 && size.isFinite) {
            return "\(name) is \(size); write a number from 0 up"
        }
        for (name, range) in [("scale", scale), ("gamma", gamma), ("contrast", contrast)]
        where !(range.lowerBound > 0 && range.upperBound.isFinite) {
            return "\(name) is \(range); write two numbers above 0"
        }
        if !(elasticSpacingPixels >= 2) {
            return "elasticSpacingPixels is \(elasticSpacingPixels); write a number from 2 up"
        }
        if agingProbability > 0 && ventricles.isEmpty {
            return "agingProbability is \(agingProbability) and ventricles names no structure; "
                + "name those that widen"
        }
        if !(lesionDarkening.upperBound < 1) {
            return "lesionDarkening is \(lesionDarkening); write two numbers below 1"
        }
        return biasAmplitude < 1 ? nil : "biasAmplitude is \(biasAmplitude); write one below 1"
    }
}

extension AugmentationOptions {
    private enum CodingKeys: String, CodingKey, CaseIterable {
        case affineProbability, rotationDegrees, scale, shear, translationPixels
        case elasticProbability, elasticPixels, elasticSpacingPixels
        case agingProbability, ventricles, ventriclePixels, sulcusPixels, whiteMatter
        case lesionDarkening
        case gammaProbability, gamma, contrastProbability, contrast, brightness
        case biasProbability, biasAmplitude, blurProbability, blurPixels, noiseProbability, noise
    }

    /// Decodes the parts that are there; the others keep their defaults.
    public init(from decoder: any Decoder) throws {
        self.init()
        try rejectUnknownKeys(in: decoder, known: CodingKeys.allCases.map(\.rawValue).sorted())
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func read<Value: Decodable>(_ key: CodingKeys, into value: inout Value) throws {
            value = try container.decodeIfPresent(Value.self, forKey: key) ?? value
        }
        try read(.affineProbability, into: &affineProbability)
        try read(.rotationDegrees, into: &rotationDegrees)
        try read(.scale, into: &scale)
        try read(.shear, into: &shear)
        try read(.translationPixels, into: &translationPixels)
        try read(.elasticProbability, into: &elasticProbability)
        try read(.elasticPixels, into: &elasticPixels)
        try read(.elasticSpacingPixels, into: &elasticSpacingPixels)
        try read(.agingProbability, into: &agingProbability)
        try read(.ventricles, into: &ventricles)
        try read(.ventriclePixels, into: &ventriclePixels)
        try read(.sulcusPixels, into: &sulcusPixels)
        try read(.whiteMatter, into: &whiteMatter)
        try read(.lesionDarkening, into: &lesionDarkening)
        try read(.gammaProbability, into: &gammaProbability)
        try read(.gamma, into: &gamma)
        try read(.contrastProbability, into: &contrastProbability)
        try read(.contrast, into: &contrast)
        try read(.brightness, into: &brightness)
        try read(.biasProbability, into: &biasProbability)
        try read(.biasAmplitude, into: &biasAmplitude)
        try read(.blurProbability, into: &blurProbability)
        try read(.blurPixels, into: &blurPixels)
        try read(.noiseProbability, into: &noiseProbability)
        try read(.noise, into: &noise)
        if let problem {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: problem))
        }
    }
}
