public import ModelBundles
public import Preprocessing
import SegmentationModels
public import Tensors
public import Volumes

/// Options of running a model bundle.
public struct SegmenterOptions: Sendable, Hashable {
    /// The planes to use, or `nil` for all that the bundle has.
    public var planes: [Plane]?
    /// The device that the networks run on.
    public var device: Device
    /// The precision of the networks.
    public var precision: Precision
    /// Slices computed at once, or `nil` for a number that fits.
    public var batchSize: Int?
    /// A Boolean value indicating whether networks are compiled where they can be; see
    /// ``InferencePlan``.
    public var compiles: Bool
    /// The interpolation of scans, or `nil` for that of the model card.
    public var interpolation: Interpolation?
    /// A Boolean value indicating whether ``Segmentation/probabilities`` are wanted.
    public var keepsProbabilities: Bool
    /// A Boolean value indicating whether the mirror image of a scan is computed too, and both
    /// probabilities averaged.
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

/// A stage of segmenting a scan.
public enum SegmentationStage: Sendable, Hashable, CustomStringConvertible {
    /// Finding the brain, by another model.
    case brain
    /// Reorienting, resampling, normalising.
    case conform
    /// The network of a plane.
    case network(Plane)
    /// View aggregation of the planes, and the argmax.
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
        /// The model classifies scans where one that labels voxels is needed, or the reverse.
        case otherTask
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
        try card.checkLabelsVoxels()
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

extension ModelCard {
    /// Throws where the model classifies scans as a whole.
    package func checkLabelsVoxels() throws(SegmenterError) {
        guard classification != nil else { return }
        throw SegmenterError(
            code: .otherTask,
            description: "the model '\(name)' classifies scans and labels no voxels; use it with "
                + "'sliceseg check'")
    }
}
