public import Volumes

/// The training target of a network on synthetic heads.
public enum SynthesisTarget: String, Sendable, Hashable, Codable, CaseIterable {
    /// The structures of the label table inside the brain; what lies beyond the brain mask and its
    /// margin is removed, as it is where a brain mask goes before the network.
    case structures
    /// The brain as one class in the whole head, with skull, face and neck.
    case brainMask
}

/// The random choices of ``HeadSynthesizer``.
///
/// The defaults follow SynthSeg's published settings (Billot et al., arXiv:2107.09559) with what
/// later work added: noise after blurring and a cropped field of view (Hoffmann et al.,
/// arXiv:2004.10282), sub-classes within tissues (FetalSynthSeg, arXiv:2411.06842), and priors of
/// known contrasts for a part of the draws.
public struct SynthesisOptions: Sendable, Hashable, Codable {
    /// The training target.
    public var target = SynthesisTarget.structures
    /// The synthetic volume, from left to right, from back to front and from below upward.
    public var size = GridSize(176, 208, 176)
    /// Edge of its cubic voxels, in mm.
    public var spacingMillimeters = 1.0

    /// Largest rotation about each axis, in degrees.
    public var rotationDegrees = 15.0
    /// Smallest and largest scale along each axis.
    public var scale = 0.85...1.18
    /// Largest shear of each pair of axes.
    public var shear = 0.012
    /// Largest displacement of the brain's centre from the volume's, in mm.
    public var translationMillimeters = 10.0
    /// Largest standard deviation of the coarse velocity field, in mm.
    public var deformationMillimeters = 4.0
    /// Largest standard deviation of the fine velocity field, in mm.
    public var fineDeformationMillimeters = 1.5
    /// Largest shift of the ventricles' walls outward, in mm.
    public var ventricleMillimeters = 4.0

    /// The contrast of all scans; `nil` for one that is drawn for each.
    public var contrast: ScanContrast?
    /// The probability that the contrast is that of T1, T2, PD or FLAIR; otherwise each class has
    /// its own Gaussian.
    public var priorProbability = 0.5
    /// The fraction of the draws with a prior that are T1-weighted.
    public var t1Fraction = 0.5
    /// The probability that left and right counterparts differ where classes are drawn at random.
    public var sidesApartProbability = 0.5
    /// Most sub-classes of a large tissue.
    public var largestSubclassCount = 4
    /// The probability of white matter patches of another intensity.
    public var lesionProbability = 0.3

    /// Largest amplitude of the logarithm of the bias field.
    public var biasAmplitude = 1.6
    /// Standard deviation of the logarithm of the exponent that bends intensities.
    public var gammaDeviation = 0.4
    /// Largest standard deviation of noise that is added after blurring, as a part of the range of
    /// intensities.
    public var noise = 0.08
    /// The probability that the volume keeps its resolution.
    public var nativeProbability = 0.35
    /// The fraction of the other volumes whose voxels are coarser along all axes; the rest have one
    /// thick axis.
    public var isotropicFraction = 0.35
    /// Coarsest spacing along all axes, in mm.
    public var largestIsotropicMillimeters = 3.0
    /// Coarsest spacing of one thick axis, in mm.
    public var largestThicknessMillimeters = 7.0

    /// The probability that the background is exactly 0.
    public var zeroBackgroundProbability = 0.35
    /// The probability that the skull is removed, with a random margin left (target `brainMask`).
    public var strippedProbability = 0.2
    /// The probability that the face is removed (target `brainMask`).
    public var defacedProbability = 0.2
    /// The probability that part of the head lies outside the field of view.
    public var croppedProbability = 0.25
    /// The margin kept around the brain mask, in mm (target `structures`).
    public var maskMarginMillimeters = 4.0
    /// The probability of a tighter mask, as from other skull-stripping programs (target
    /// `structures`).
    public var tightMaskProbability = 0.4

    /// Makes the default options.
    public init() {}

    /// The voxel sizes of the volumes that do not keep their resolution.
    var coarseResolution: CoarseResolution {
        CoarseResolution(
            isotropicFraction: isotropicFraction,
            largestIsotropicMillimeters: largestIsotropicMillimeters,
            largestThicknessMillimeters: largestThicknessMillimeters)
    }

    /// The problem with the options as a sentence, or `nil` if they are valid.
    public var problem: String? {
        if (0..<3).contains(where: { size[$0] < 16 || size[$0] > 512 }) {
            return "size is \(size); write three numbers from 16 to 512"
        }
        let probabilities = [
            ("priorProbability", priorProbability), ("t1Fraction", t1Fraction),
            ("sidesApartProbability", sidesApartProbability),
            ("lesionProbability", lesionProbability), ("nativeProbability", nativeProbability),
            ("isotropicFraction", isotropicFraction),
            ("zeroBackgroundProbability", zeroBackgroundProbability),
            ("strippedProbability", strippedProbability),
            ("defacedProbability", defacedProbability), ("croppedProbability", croppedProbability),
            ("tightMaskProbability", tightMaskProbability),
        ]
        for (name, value) in probabilities where !(0...1).contains(value) {
            return "\(name) is \(value); write a number from 0 to 1"
        }
        let amounts = [
            ("rotationDegrees", rotationDegrees), ("shear", shear),
            ("translationMillimeters", translationMillimeters),
            ("deformationMillimeters", deformationMillimeters),
            ("fineDeformationMillimeters", fineDeformationMillimeters),
            ("ventricleMillimeters", ventricleMillimeters), ("biasAmplitude", biasAmplitude),
            ("gammaDeviation", gammaDeviation), ("noise", noise),
            ("maskMarginMillimeters", maskMarginMillimeters),
        ]
        for (name, value) in amounts where !(value >= 0 && value.isFinite) {
            return "\(name) is \(value); write a number from 0 up"
        }
        if !(spacingMillimeters >= 0.5 && spacingMillimeters <= 8) {
            return "spacingMillimeters is \(spacingMillimeters); write a number from 0.5 to 8"
        }
        if !(scale.lowerBound > 0.2 && scale.upperBound < 5) {
            return "scale is \(scale); write two numbers between 0.2 and 5"
        }
        if largestSubclassCount < 1 || largestSubclassCount > 8 {
            return "largestSubclassCount is \(largestSubclassCount); write a number from 1 to 8"
        }
        for (name, value) in [
            ("largestIsotropicMillimeters", largestIsotropicMillimeters),
            ("largestThicknessMillimeters", largestThicknessMillimeters),
        ] where !(value >= spacingMillimeters && value <= 20) {
            return "\(name) is \(value); write a number from the spacing to 20"
        }
        return nil
    }
}

extension SynthesisOptions {
    private enum Key: String, CodingKey, CaseIterable {
        case target, size, spacingMillimeters
        case rotationDegrees, scale, shear, translationMillimeters, deformationMillimeters
        case fineDeformationMillimeters, ventricleMillimeters
        case contrast, priorProbability, t1Fraction, sidesApartProbability, largestSubclassCount
        case lesionProbability
        case biasAmplitude, gammaDeviation, noise, nativeProbability, isotropicFraction
        case largestIsotropicMillimeters, largestThicknessMillimeters
        case zeroBackgroundProbability, strippedProbability, defacedProbability, croppedProbability
        case maskMarginMillimeters, tightMaskProbability
    }

    /// The names of the options in a configuration.
    package static var optionNames: [String] { Key.allCases.map(\.rawValue) }

    /// Decodes the options that are there; the others keep their defaults.
    public init(from decoder: any Decoder) throws {
        self.init()
        let container = try decoder.container(keyedBy: Key.self)
        func read<Value: Decodable>(_ key: Key, into value: inout Value) throws {
            value = try container.decodeIfPresent(Value.self, forKey: key) ?? value
        }
        try read(.target, into: &target)
        try read(.size, into: &size)
        try read(.spacingMillimeters, into: &spacingMillimeters)
        try read(.rotationDegrees, into: &rotationDegrees)
        try read(.scale, into: &scale)
        try read(.shear, into: &shear)
        try read(.translationMillimeters, into: &translationMillimeters)
        try read(.deformationMillimeters, into: &deformationMillimeters)
        try read(.fineDeformationMillimeters, into: &fineDeformationMillimeters)
        try read(.ventricleMillimeters, into: &ventricleMillimeters)
        contrast = try container.decodeIfPresent(ScanContrast.self, forKey: .contrast)
        try read(.priorProbability, into: &priorProbability)
        try read(.t1Fraction, into: &t1Fraction)
        try read(.sidesApartProbability, into: &sidesApartProbability)
        try read(.largestSubclassCount, into: &largestSubclassCount)
        try read(.lesionProbability, into: &lesionProbability)
        try read(.biasAmplitude, into: &biasAmplitude)
        try read(.gammaDeviation, into: &gammaDeviation)
        try read(.noise, into: &noise)
        try read(.nativeProbability, into: &nativeProbability)
        try read(.isotropicFraction, into: &isotropicFraction)
        try read(.largestIsotropicMillimeters, into: &largestIsotropicMillimeters)
        try read(.largestThicknessMillimeters, into: &largestThicknessMillimeters)
        try read(.zeroBackgroundProbability, into: &zeroBackgroundProbability)
        try read(.strippedProbability, into: &strippedProbability)
        try read(.defacedProbability, into: &defacedProbability)
        try read(.croppedProbability, into: &croppedProbability)
        try read(.maskMarginMillimeters, into: &maskMarginMillimeters)
        try read(.tightMaskProbability, into: &tightMaskProbability)
        if let problem {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: problem))
        }
    }
}
