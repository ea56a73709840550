/// Side of the head that a structure lies on.
enum HeadSide: Sendable, Hashable {
    case left, right, middle
}

/// Mean and standard deviation of a tissue's intensity, and how far they vary between scans.
struct TissuePrior: Sendable {
    /// Mean of the tissue's mean over scans, on a scale of 0 to 250.
    var mean: Float
    /// Standard deviation of the mean over scans.
    var meanDeviation: Float
    /// Standard deviation inside the tissue.
    var deviation: Float
}

/// Contrast of a sequence or of another way to take pictures.
public enum ScanContrast: String, CaseIterable, Sendable, Hashable, Codable {
    /// T1-weighted MRI.
    case t1Weighted
    /// T2-weighted MRI.
    case t2Weighted
    /// Proton density.
    case protonDensity
    /// FLAIR: T2-weighted with dark fluid.
    case flair
    /// Computed tomography.
    case computedTomography
}

/// A tissue of the head, as far as sequences tell tissues apart.
///
/// The T1 priors are SynthSeg's (`prior_means_t1.npy`, `prior_stds_t1.npy`, Apache-2.0,
/// arXiv:2107.09559); those of the other sequences are typical values, broad on purpose. Tissues
/// outside the brain have a prior for T1 and CT alone.
enum HeadTissue: Int, CaseIterable, Sendable {
    case background, fluid, whiteMatter, greyMatter, cerebellarWhiteMatter, cerebellarCortex
    case thalamus, putamen, pallidum, ventralDiencephalon, lesion, vessel, choroidPlexus, brainStem
    case head502, head506, head507, head508, head509, head511, head512, head514, head515, head516
    case head530

    /// A Boolean value indicating whether it lies outside the brain and its fluid.
    var isOutsideBrain: Bool { rawValue >= Self.head502.rawValue || self == .background }

    /// A Boolean value indicating whether it is large enough to be split into sub-classes.
    var isLarge: Bool {
        switch self {
        case .whiteMatter, .greyMatter, .cerebellarWhiteMatter, .cerebellarCortex, .fluid: true
        default: isOutsideBrain && self != .background
        }
    }

    /// The prior for a sequence; `nil` where none is known.
    func prior(_ contrast: ScanContrast) -> TissuePrior? {
        switch contrast {
        case .t1Weighted:
            let (mean, meanDeviation, deviation) = Self.t1Priors[rawValue]
            return TissuePrior(mean: mean, meanDeviation: meanDeviation, deviation: deviation)
        case .t2Weighted: return prior(Self.t2Means)
        case .protonDensity: return prior(Self.protonDensityMeans)
        case .flair: return prior(Self.flairMeans)
        case .computedTomography: return nil
        }
    }

    /// The prior for CT that was stored between two values of Hounsfield's scale.
    func tomographyPrior(window: ClosedRange<Float>) -> TissuePrior {
        let (value, deviation) = Self.hounsfieldValues[rawValue]
        let scale = 250 / (window.upperBound - window.lowerBound)
        let mean = max(0, min(250, (value - window.lowerBound) * scale))
        return TissuePrior(
            mean: mean, meanDeviation: 5 * scale, deviation: min(60, deviation * scale))
    }

    /// Typical values and deviations on Hounsfield's scale.
    private static let hounsfieldValues: [(Float, Float)] = [
        (-1000, 10), (8, 6), (28, 5), (37, 5), (28, 5), (37, 5), (35, 5), (36, 5), (40, 5), (32, 5),
        (30, 5), (45, 5), (60, 15), (32, 5), (45, 30), (10, 6), (40, 30), (45, 30), (-60, 80),
        (-60, 40), (60, 20), (50, 15), (900, 300), (350, 250), (40, 40),
    ]

    private func prior(_ means: [Float]) -> TissuePrior? {
        guard means.indices.contains(rawValue) else { return nil }
        return TissuePrior(mean: means[rawValue], meanDeviation: 14, deviation: 14)
    }

    private static let t1Priors: [(Float, Float, Float)] = [
        (7, 1.8, 5), (44.4, 11.2, 25.6), (160.3, 21.7, 15.6), (96.3, 12.2, 18.9),
        (136, 13.4, 15.3), (88.2, 10.6, 17.1), (129.5, 17.7, 19.6), (124.1, 15.7, 13.8),
        (151.8, 19.5, 8.6), (142.5, 16.1, 21.1), (116.1, 14.8, 19.5), (86.8, 17.5, 17.2),
        (59.6, 10.4, 23.7), (129.8, 12.2, 17.5), (126.4, 24.8, 84), (18.1, 3.8, 13.9),
        (93.9, 9.1, 48.6), (117.1, 11.7, 64.8), (69.9, 9.2, 25.5), (113.7, 12.4, 74.9),
        (68.2, 11.1, 35.9), (48.4, 8.6, 19.9), (30.2, 6.9, 22), (94.2, 18.3, 43.3),
        (144.5, 16.3, 44.7),
    ]
    private static let t2Means: [Float] = [
        5, 225, 85, 125, 90, 125, 105, 105, 75, 90, 170, 35, 190, 95,
    ]
    private static let protonDensityMeans: [Float] = [
        5, 195, 150, 185, 155, 185, 170, 172, 150, 155, 200, 110, 190, 160,
    ]
    private static let flairMeans: [Float] = [
        5, 30, 110, 145, 110, 135, 125, 128, 105, 115, 200, 60, 120, 112,
    ]
}

/// A label of a map of the whole head: FreeSurfer's `aseg` ids, and 502 to 530 for tissue outside
/// the brain as in SynthSeg's maps.
struct GenerationLabel: Sendable {
    /// The label.
    let id: UInt16
    /// Its tissue.
    let tissue: HeadTissue
    /// Its side.
    let side: HeadSide
    /// The label of the same structure on the other side; its own where it lies in the middle.
    let partner: UInt16
    /// Labels of one group share a Gaussian where classes are drawn at random, so that their border
    /// is told from shape alone.
    let group: Int

    /// A Boolean value indicating whether the label belongs to the brain as a brain mask means it:
    /// not to fluid around it.
    var isBrain: Bool { id > 0 && id < 500 && id != 24 }

    /// All labels that a map may hold, background first.
    static let all: [GenerationLabel] = {
        var labels: [GenerationLabel] = []
        var groups = 0
        func add(_ id: UInt16, _ tissue: HeadTissue) {
            labels.append(
                GenerationLabel(id: id, tissue: tissue, side: .middle, partner: id, group: groups))
            groups += 1
        }
        func add(pairs: [(left: UInt16, right: UInt16)], _ tissue: HeadTissue) {
            for (left, right) in pairs {
                labels.append(
                    GenerationLabel(
                        id: left, tissue: tissue, side: .left, partner: right, group: groups))
                labels.append(
                    GenerationLabel(
                        id: right, tissue: tissue, side: .right, partner: left, group: groups + 1))
            }
            groups += 2
        }
        add(0, .background)
        add(14, .fluid)
        add(15, .fluid)
        add(16, .brainStem)
        add(24, .fluid)
        add(72, .fluid)
        add(85, .whiteMatter)
        add(502, .head502)
        add(506, .head506)
        add(507, .head507)
        add(508, .head508)
        add(509, .head509)
        add(511, .head511)
        add(512, .head512)
        add(514, .head514)
        add(515, .head515)
        add(516, .head516)
        add(530, .head530)
        add(pairs: [(2, 41)], .whiteMatter)
        add(pairs: [(3, 42)], .greyMatter)
        add(pairs: [(4, 43), (5, 44)], .fluid)
        add(pairs: [(7, 46)], .cerebellarWhiteMatter)
        add(pairs: [(8, 47)], .cerebellarCortex)
        add(pairs: [(10, 49)], .thalamus)
        add(pairs: [(11, 50)], .greyMatter)
        add(pairs: [(12, 51)], .putamen)
        add(pairs: [(13, 52)], .pallidum)
        add(pairs: [(17, 53), (18, 54)], .greyMatter)
        add(pairs: [(25, 57)], .lesion)
        add(pairs: [(26, 58)], .greyMatter)
        add(pairs: [(28, 60)], .ventralDiencephalon)
        add(pairs: [(30, 62)], .vessel)
        add(pairs: [(136, 163), (137, 164)], .choroidPlexus)
        return labels
    }()

    /// The position of each label in ``all``.
    static let position: [UInt16: Int] = Dictionary(
        uniqueKeysWithValues: all.enumerated().map { ($1.id, $0) })
}
