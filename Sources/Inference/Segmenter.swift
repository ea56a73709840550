public import ModelBundles
import NeuralNetworks
import Preprocessing
import SegmentationModels
import Tensors
public import Volumes

/// The labels of one scan.
public struct Segmentation {
    /// The labels on the scan's own grid, by the label table's indices.
    public var labels: LabelMap
    /// The time taken by each stage, in order.
    public var stageSeconds: [(stage: SegmentationStage, seconds: Double)]
    /// The precision in which the networks were computed.
    public var precision: Precision
    /// The execution path: a compiled plan and its instruction sets, or layer by layer and the
    /// reason.
    public var computation: String
    /// The planes that were used.
    public var planes: [Plane]
    /// The disagreement of the planes on each structure, 0...1, by label.
    ///
    /// It is 1 minus the mean pairwise Dice coefficient of the planes' own labels; empty with one
    /// plane. A structure that no plane has is missing.
    public var planeDisagreement: [UInt16: Double]
    /// The mean probability of each structure over its own voxels, 0...1, by label.
    ///
    /// The probabilities are the aggregated ones of the planes, normalized to a sum of 1 over all classes. Empty
    /// where a single plane was decided without them; a structure without voxels is missing.
    public var meanProbability: [UInt16: Double]
    /// The number of voxels deep in the wrong hemisphere that were relabelled as their structure's
    /// counterpart.
    public var voxelsMovedToTheirSide: Int
    /// The brain, where the bundle's card asks for it.
    public var brain: ExtractedBrain?
    /// The method that brought the labels back to the scan's own grid.
    public var restoration: Restoration
    /// The input of the networks: the scan's foreground in the model's orientation, spacing and
    /// intensities.
    public var conformedScan: Volume
    /// The labels on the grid of ``conformedScan``.
    public var conformedLabels: LabelMap
    /// The probabilities of all classes, where they were asked for.
    public var probabilities: ClassProbabilities?
    /// The spread of samples with dropout, where they were asked for.
    public var uncertainty: Uncertainty?
}

/// Segments scans with the networks of a bundle: conforms them, labels their slices, aggregates the
/// planes and brings the labels back to the scan's own grid.
public final class Segmenter {
    private let bundle: ModelBundle
    private let predictor: VolumePredictor
    private let extractor: BrainExtractor?
    private let sideRule: SideRule
    private let precision: Precision
    private let planes: [Plane]
    private let options: SegmenterOptions
    /// The memory that the process may hold, or `nil` where it is not bounded.
    ///
    /// If it is short, fewer slices are computed at once; a scan that cannot fit is a
    /// ``MemoryLimitError`` before the memory is taken.
    public var memory: MemoryBudget? {
        didSet {
            predictor.memory = memory
            extractor?.memory = memory
        }
    }

    /// Loads the networks.
    ///
    /// - Parameters:
    ///   - bundle: The model.
    ///   - options: How it is run.
    /// - Throws: ``SegmenterError`` where the bundle lacks a plane or the device is not there;
    ///   errors of the bundle's weights and of the engine.
    public init(bundle: ModelBundle, options: SegmenterOptions = SegmenterOptions()) throws {
        let planes = try options.validatedPlanes(of: bundle.card)
        if case .cuda(let index) = options.device {
            let count = try Engine.cudaDeviceCount()
            guard index < count else {
                throw SegmenterError(
                    code: .missingDevice,
                    description: "there is no CUDA device \(index): \(count) found; use --device "
                        + "cpu, or an engine built against a CUDA LibTorch")
            }
        }
        let classCount = bundle.card.labels.classCount
        let networks = try planeNetworks(of: bundle, planes: planes, device: options.device)
        extractor = try bundle.brainModel().map { try BrainExtractor(bundle: $0, options: options) }
        sideRule = SideRule(bundle.card.labels)
        self.bundle = bundle
        self.options = options
        self.planes = networks.map(\.plane)
        precision = options.precision.resolved(on: options.device)
        predictor = VolumePredictor(
            networks: networks, classCount: classCount, device: options.device,
            precision: precision, batchSize: options.batchSize, compiles: options.compiles)
    }

    /// Segments one scan.
    ///
    /// - Parameters:
    ///   - scan: The scan, on any grid.
    ///   - progress: Called with the stage and the fraction of the scan that is done; what it throws stops
    ///     the work.
    /// - Returns: The labels on the scan's own grid.
    /// - Throws: `PreprocessingError` where the scan holds no signal, `TensorError`, and what
    ///   `progress` throws.
    public func segment(
        _ scan: Volume, progress: (SegmentationStage, Double) throws -> Void = { _, _ in }
    ) throws -> Segmentation {
        var stageSeconds: [(stage: SegmentationStage, seconds: Double)] = []
        let clock = ContinuousClock()
        var started = clock.now
        func finish(_ stage: SegmentationStage) {
            let now = clock.now
            stageSeconds.append((stage, (now - started) / .seconds(1)))
            started = now
        }

        var specification = bundle.card.conform
        if let interpolation = options.interpolation { specification.interpolation = interpolation }
        let brain = try extractor?.brain(of: scan) { fraction in
            try progress(.brain, fraction / 10)
        }
        if brain != nil { finish(.brain) }
        // In whole numbers, so that the last step is not above 0.95.
        let begun = brain == nil ? 0.0 : 10
        try progress(.conform, begun / 100)
        var region: BrainRegion?
        if let brain, let extraction = bundle.card.brainExtraction {
            region = BrainRegion(
                mask: brain.mask, dilationMillimeters: extraction.dilationMillimeters)
        }
        try memory?.reserve(
            bytesToConform(scan.grid, to: specification, within: region),
            for: "conforming the scan")
        let conformed = try conform(scan, to: specification, brain: region)
        // The labels, a mask, and copies of them until they are written.
        try memory?.reserve(5 * scan.voxels.count, for: "writing labels of the scan's size")
        finish(.conform)

        let passes = Double(options.sampleCount + 1)
        func report(_ plane: Plane, _ fraction: Double) throws {
            try progress(.network(plane), (begun + 2 + (93 - begun) * fraction / passes) / 100)
        }
        let prediction =
            options.mirrors
            ? try predictor.prediction(
                of: conformed.volume, mirrored: MirroredClasses(of: bundle.card.labels),
                within: conformed.nearBrain
            ) { try report($0, $1) }
            : try predictor.prediction(
                of: conformed.volume, keepsScores: keepsScores(of: conformed),
                within: conformed.nearBrain
            ) { try report($0, $1) }
        stageSeconds += predictor.stageSeconds
        let computation = predictor.computation
        var uncertainty: Uncertainty?
        if options.sampleCount > 0 {
            uncertainty = try predictor.uncertainty(
                of: conformed.volume, sampleCount: options.sampleCount, seed: options.sampleSeed,
                labelOfClass: bundle.card.labels.labelOfClass, within: conformed.nearBrain
            ) { try report($0, 1 + $1 * (passes - 1)) }
        }
        started = clock.now

        try progress(.restore, 0.95)
        let labelOfClass = bundle.card.labels.labelOfClass
        var labels = LabelMap(
            grid: conformed.volume.grid, labels: prediction.classes.map { labelOfClass[Int($0)] })
        var (restored, restoration) = try restored(labels, prediction, conformed)
        // Without a mask nothing tells how far the midline is from the volume's middle.
        var movedCount = 0
        if brain != nil {
            movedCount = sideRule.apply(to: &restored)
            _ = sideRule.apply(to: &labels)
        }
        let meanProbability = try meanProbability(of: prediction, in: conformed)
        finish(.restore)
        try progress(.restore, 1)
        var disagreement: [UInt16: Double] = [:]
        for (member, value) in prediction.planeDisagreement.enumerated() where member > 0 {
            disagreement[labelOfClass[member]] = value
        }
        return Segmentation(
            labels: restored, stageSeconds: stageSeconds, precision: precision,
            computation: computation, planes: planes,
            planeDisagreement: disagreement, meanProbability: meanProbability,
            voxelsMovedToTheirSide: movedCount, brain: brain, restoration: restoration,
            conformedScan: conformed.volume, conformedLabels: labels,
            probabilities: options.keepsProbabilities
                ? ClassProbabilities(
                    of: try prediction.onHost(), classCount: labelOfClass.count,
                    conformed: conformed,
                    threadCount: try Engine.threadCount()) : nil,
            uncertainty: uncertainty)
    }

    private func meanProbability(
        of prediction: VolumePrediction, in conformed: ConformedScan
    ) throws -> [UInt16: Double] {
        let labelOfClass = bundle.card.labels.labelOfClass
        let means = try prediction.withScores(
            classCount: labelOfClass.count, size: conformed.box.size,
            threadCount: try Engine.threadCount()
        ) { $0.meanProbabilities() }
        var result: [UInt16: Double] = [:]
        for (member, mean) in (means ?? []).enumerated() where member > 0 {
            result[labelOfClass[member]] = mean
        }
        return result
    }

    private func keepsScores(of conformed: ConformedScan) -> Bool {
        let classCount = bundle.card.labels.classCount
        let voxels = conformed.nearBrain?.count { $0 != 0 } ?? conformed.box.size.count
        let bytes = 2 * classCount * voxels
        return options.keepsProbabilities
            || (!conformed.isExact && bytes <= options.largestScoreBytes)
    }

    /// Brings labels back to the scan's own grid.
    private func restored(
        _ labels: LabelMap, _ prediction: VolumePrediction, _ conformed: ConformedScan
    ) throws -> (LabelMap, Restoration) {
        if conformed.isExact { return (conformed.labelsOnScanGrid(labels), .ownVoxels) }
        let labelOfClass = bundle.card.labels.labelOfClass
        let classes = try prediction.withScores(
            classCount: labelOfClass.count, size: conformed.box.size,
            threadCount: try Engine.threadCount(), conformed.classesOnScanGrid)
        guard let classes else { return (conformed.labelsOnScanGrid(labels), .nearestLabels) }
        let restored = LabelMap(
            grid: conformed.scanGrid, labels: classes.map { labelOfClass[Int($0)] })
        return (restored, .classScores)
    }
}

extension ModelBundle {
    /// The model that finds the brain for this one, where the card asks for it.
    ///
    /// - Returns: The bundle, or `nil` where scans are taken as they are.
    /// - Throws: `ModelBundleError` where there is none of that name.
    public func brainModel() throws -> ModelBundle? {
        try card.brainExtraction.map { try ModelBundle.find($0.model) }
    }
}
