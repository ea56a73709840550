public import ModelBundles
import NeuralNetworks
public import Preprocessing
import SegmentationModels
public import Tensors
public import Volumes

/// How a bundle is run.
public struct SegmenterOptions: Sendable, Hashable {
    /// The planes to use, or `nil` for all that the bundle has.
    public var planes: [Plane]?
    /// Where the networks run.
    public var device: Device
    /// How they are computed.
    public var precision: Precision
    /// Slices computed at once, or `nil` for a number that fits.
    public var batchSize: Int?
    /// Whether networks are compiled where they can be; see ``InferencePlan``.
    public var compiles: Bool
    /// How a scan is interpolated, or `nil` for what the bundle's card says.
    public var interpolation: Interpolation?
    /// Whether ``Segmentation/probabilities`` are wanted.
    public var keepsProbabilities: Bool
    /// Whether the mirror image of a scan is computed too, and both votes joined.
    public var mirrors: Bool
    /// The number of samples with dropout for ``Segmentation/uncertainty``; 0 for none.
    public var sampleCount: Int
    /// The seed of those samples.
    public var sampleSeed: UInt64
    /// The most bytes that the scores of a single plane may take to interpolate labels with; with
    /// several planes they are there anyway.
    public var largestScoreBytes: Int

    /// Makes options.
    ///
    /// By default a single plane's scores may take 1 GiB: 256 x 256 x 256 voxels of 32 classes.
    public init(
        planes: [Plane]? = nil, device: Device = .cpu, precision: Precision = .auto,
        batchSize: Int? = nil, compiles: Bool = true, interpolation: Interpolation? = nil,
        keepsProbabilities: Bool = false, mirrors: Bool = false, sampleCount: Int = 0,
        sampleSeed: UInt64 = 0, largestScoreBytes: Int = 1 << 30
    ) {
        self.planes = planes
        self.device = device
        self.precision = precision
        self.batchSize = batchSize
        self.compiles = compiles
        self.interpolation = interpolation
        self.keepsProbabilities = keepsProbabilities
        self.mirrors = mirrors
        self.sampleCount = sampleCount
        self.sampleSeed = sampleSeed
        self.largestScoreBytes = largestScoreBytes
    }
}

/// What is being done to a scan.
public enum SegmentationStage: Sendable, Hashable, CustomStringConvertible {
    /// Finding the brain, by another model.
    case brain
    /// Reorienting, resampling, normalising.
    case conform
    /// The network of a plane.
    case network(Plane)
    /// Joining the planes' opinions and choosing the classes.
    case aggregate
    /// Bringing the labels back to the scan's own grid.
    case restore

    /// The stage as progress shows it.
    public var description: String {
        switch self {
        case .brain: "brain"
        case .conform: "conform"
        case .network(let plane): plane.rawValue
        case .aggregate: "aggregate"
        case .restore: "restore"
        }
    }
}

/// The labels of one scan.
public struct Segmentation {
    /// The labels on the scan's own grid, by the label table's indices.
    public var labels: LabelMap
    /// How long each stage took, in order.
    public var stageSeconds: [(stage: SegmentationStage, seconds: Double)]
    /// How the networks were computed.
    public var precision: Precision
    /// By what path: a compiled plan and its instruction sets, or layer by layer and why.
    public var computation: String
    /// The planes that were used.
    public var planes: [Plane]
    /// By label, how far the planes disagree on a structure, 0...1.
    ///
    /// It is 1 minus the mean Dice coefficient of the planes' own labels, two by two; empty with one
    /// plane. A structure that no plane has is missing.
    public var planeDisagreement: [UInt16: Double]
    /// By label, the mean probability of a structure in the voxels that it won, 0...1.
    ///
    /// The probabilities are the votes of view aggregation as parts of their sum over all classes. Empty
    /// where a single plane was decided without them; a structure without voxels is missing.
    public var meanProbability: [UInt16: Double]
    /// How many voxels deep in the wrong half of the head were given to their structure's counterpart
    /// of the right side.
    public var voxelsMovedToTheirSide: Int
    /// The brain, where the bundle's card asks for it.
    public var brain: ExtractedBrain?
    /// How the labels came back to the scan's own grid.
    public var restoration: Restoration
    /// What the networks saw: the scan's foreground in the model's orientation, spacing and
    /// intensities.
    public var conformedScan: Volume
    /// The labels on the grid of ``conformedScan``.
    public var conformedLabels: LabelMap
    /// The probabilities of all classes, where they were asked for.
    public var probabilities: ClassProbabilities?
    /// The spread of samples with dropout, where they were asked for.
    public var uncertainty: Uncertainty?
}

/// Tells that a bundle cannot be run as asked.
public struct SegmenterError: Error, Hashable, CustomStringConvertible {
    /// The part of the options that cannot be met.
    public enum Code: String, Sendable, Hashable {
        /// The bundle has no network for a plane, or none is asked for.
        case missingPlane
        /// A network is not calibrated for int8.
        case notCalibrated
        /// There is no such device.
        case missingDevice
        /// The device does not compute in this precision.
        case unsupportedPrecision
        /// No samples can be drawn.
        case noSamples
    }

    /// The part that cannot be met.
    public var code: Code
    /// One sentence with a next step.
    public var description: String
}

extension SegmenterOptions {
    /// Checks what can be checked before a network is loaded.
    ///
    /// - Parameter card: The bundle's card.
    /// - Returns: The planes to use, in the card's order.
    /// - Throws: ``SegmenterError``.
    public func validatedPlanes(of card: ModelCard) throws(SegmenterError) -> [Plane] {
        let available = card.planes.map(\.plane)
        let names = available.map(\.rawValue).joined(separator: ", ")
        let wanted = planes ?? available
        guard !wanted.isEmpty else {
            throw SegmenterError(
                code: .missingPlane, description: "no plane to segment in; choose from " + names)
        }
        for plane in wanted where !available.contains(plane) {
            throw SegmenterError(
                code: .missingPlane,
                description: "the model '\(card.name)' has no \(plane.rawValue) network; choose "
                    + "from " + names)
        }
        let planes = available.filter(wanted.contains)
        if sampleCount > 0 {
            guard sampleCount > 1 else {
                throw SegmenterError(
                    code: .noSamples,
                    description: "one sample has no spread; draw two or more with --uncertainty")
            }
            guard card.architecture.dropout > 0 else {
                throw SegmenterError(
                    code: .noSamples,
                    description: "the model '\(card.name)' was trained without dropout, so it has "
                        + "no samples; train one with 'dropout' in its architecture, or leave out "
                        + "--uncertainty")
            }
        }
        guard precision == .int8 else { return planes }
        if let uncalibrated = card.uncalibratedPlane(among: planes) {
            throw SegmenterError(
                code: .notCalibrated,
                description: "the \(uncalibrated.rawValue) network of the model '\(card.name)' is "
                    + "not calibrated for int8; calibrate it by 'sliceseg calibrate' or choose "
                    + "another --precision")
        }
        guard device == .cpu, compiles else {
            throw SegmenterError(
                code: .unsupportedPrecision,
                description: "int8 is for compiled networks on the processor; use --device cpu, or "
                    + "another --precision")
        }
        return planes
    }
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
    /// Where it is short, fewer slices are computed at once; a scan that cannot fit is a
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
        let classCount = bundle.card.labels.structures.count + 1
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
    ///   - progress: Is told the stage and which part of the scan is done; what it throws stops
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
        // The scan along the model's axes, and its part on the model's grid.
        try memory?.reserve(8 * scan.voxels.count, for: "conforming the scan")
        let conformed: ConformedScan
        if let brain, let extraction = bundle.card.brainExtraction {
            conformed = try conform(
                scan, to: specification,
                within: BrainRegion(
                    mask: brain.mask, dilationMillimeters: extraction.dilationMillimeters))
        } else {
            conformed = try conform(scan, to: specification)
        }
        finish(.conform)

        let passes = Double(options.sampleCount + 1)
        func report(_ plane: Plane, _ fraction: Double) throws {
            try progress(.network(plane), (begun + 2 + (93 - begun) * fraction / passes) / 100)
        }
        let prediction =
            options.mirrors
            ? try predictor.prediction(
                of: conformed.volume, mirrored: MirroredClasses(of: bundle.card.labels)
            ) { try report($0, $1) }
            : try predictor.prediction(
                of: conformed.volume, keepsScores: keepsScores(of: conformed)
            ) { try report($0, $1) }
        stageSeconds += predictor.stageSeconds
        let computation = predictor.computation
        var uncertainty: Uncertainty?
        if options.sampleCount > 0 {
            uncertainty = try predictor.uncertainty(
                of: conformed.volume, sampleCount: options.sampleCount, seed: options.sampleSeed,
                labelOfClass: bundle.card.labels.labelOfClass
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
        let classCount = bundle.card.labels.structures.count + 1
        let bytes = 2 * classCount * conformed.box.size.count
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

/// Turns a card's list of the classes that each output stands for around.
///
/// - Parameters:
///   - outputClasses: For each output its classes, or `nil` where they are the same.
///   - classCount: Classes, background included.
/// - Returns: For each class its output; background's where none is named.
public func outputOfClass(_ outputClasses: [[Int]]?, classCount: Int) -> [Int] {
    guard let outputClasses else { return Array(0..<classCount) }
    var outputs = [Int](repeating: 0, count: classCount)
    for (output, classes) in outputClasses.enumerated() {
        for member in classes where outputs.indices.contains(member) { outputs[member] = output }
    }
    return outputs
}
