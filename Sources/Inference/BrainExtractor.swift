public import ModelBundles
import NeuralNetworks
public import Preprocessing
import Tensors
public import Volumes

/// A scan's brain as a model has found it.
public struct ExtractedBrain: Sendable {
    /// The brain.
    public var mask: BrainMask
    /// A Boolean value indicating whether the scan shows nothing but a brain: then the mask holds
    /// all that it shows.
    public var isAlreadyStripped: Bool
    /// The time taken to find it.
    public var seconds: Double

    /// The meaning of a mask's values: 1 is brain.
    public static let labelTable: LabelTable = {
        let brain = Structure(
            index: 1, name: "Brain", color: LabelColor(red: 205, green: 62, blue: 78))
        guard let table = LabelTable([brain]) else { preconditionFailure("one structure") }
        return table
    }()

    /// The mask on a scan's own grid.
    ///
    /// - Parameter scan: The scan that the brain was found in.
    /// - Returns: 1 where there is brain and 0 elsewhere.
    public func labels(on scan: Volume) -> LabelMap {
        guard isAlreadyStripped else { return mask.labels(on: scan.grid) }
        // Around a stripped brain lies nothing, up to which the mask reaches.
        var mask = mask.mask(on: scan.grid)
        let noData = NoDataValues(of: scan.voxels, size: scan.grid.size)
        for index in mask.values.indices where noData.contains(scan.voxels[index]) {
            mask.values[index] = 0
        }
        mask = mask.holesClosed()
        return LabelMap(grid: scan.grid, labels: mask.values.map(UInt16.init))
    }
}

/// Finds the brain in scans with the networks of a bundle.
///
/// The brain is the largest part, joined through faces, of the voxels whose aggregated probability of
/// background is less than a half, with its holes. A scan that was stripped before keeps all that it
/// shows, also one of a slab, which is told by its border: below it lies brain, and not bone.
public final class BrainExtractor {
    /// The model.
    public let bundle: ModelBundle
    private let predictor: VolumePredictor

    /// A scan was stripped before where, of the voxels farther than this from the brain, hardly any
    /// shows anything.
    static let strippedDistanceMillimeters = 10.0
    /// Voxels brighter than this part of the scan's range show something.
    static let faintestSignal: Float = 0.1
    /// The most that may show something there, as a part of the brain.
    static let largestSignalShare = 0.02
    /// The least part of the band up to that distance that must show nothing.
    ///
    /// A block cut out of a head does not count as stripped. A mask may be too small by most of the band's width.
    static let leastEmptyShare = 0.2
    /// In a field of view that is thinner than this along one axis the network loses a part of one in
    /// twelve brains without skull; the border tells them then.
    static let thickestStrippedSlabMillimeters = 60.0
    /// A slab of a brain is at least this wide in its plane, and at most as long as a head.
    static let slabWidthsMillimeters = 60.0...230.0
    /// The depth below what a slab shows at which heads have bone, and brains have none.
    static let boneDepthsMillimeters = 4.0...12.0
    /// The largest part of that depth that may be as dark as bone: 0.01 to 0.05 in skull-stripped scans,
    /// 0.16 to 0.29 in heads.
    static let largestBoneShare = 0.1
    /// Voxels darker than this part of the scan's range may be bone.
    static let brightestBone: Float = 0.15
    /// The smallest brain; what is smaller is none.
    static let smallestBrainCubicMillimeters = 10_000.0

    /// Loads the networks.
    ///
    /// - Parameters:
    ///   - bundle: A model whose labels are all brain.
    ///   - options: How it is run; planes and interpolation are the bundle's own, and precisions
    ///     that it is not calibrated for are replaced by `auto`.
    /// - Throws: Errors of the bundle's weights and of the engine.
    public init(bundle: ModelBundle, options: SegmenterOptions = SegmenterOptions()) throws {
        try bundle.card.checkLabelsVoxels()
        self.bundle = bundle
        var precision = options.precision
        if precision == .int8,
            bundle.card.uncalibratedPlane(among: bundle.card.planes.map(\.plane)) != nil
        {
            precision = .auto
        }
        predictor = VolumePredictor(
            networks: try planeNetworks(
                of: bundle, planes: bundle.card.planes.map(\.plane), device: options.device),
            classCount: bundle.card.labels.classCount, device: options.device,
            precision: precision.resolved(on: options.device), batchSize: options.batchSize,
            compiles: options.compiles)
    }

    /// The memory that the process may hold, or `nil` where it is not bounded.
    var memory: MemoryBudget? {
        didSet { predictor.memory = memory }
    }

    /// Finds the brain in a scan.
    ///
    /// - Parameters:
    ///   - scan: Any scan of a head or of a brain.
    ///   - progress: Called with the fraction that is done; what it throws stops the work.
    /// - Returns: The brain.
    /// - Throws: `PreprocessingError` where the scan shows nothing or no brain, `TensorError`, and what
    ///   `progress` throws.
    public func brain(
        of scan: Volume, progress: (Double) throws -> Void = { _ in }
    ) throws -> ExtractedBrain {
        let clock = ContinuousClock()
        let started = clock.now
        try progress(0)
        try predictor.memory?.reserve(
            bytesToConform(scan.grid, to: bundle.card.conform), for: "finding the brain")
        let conformed = try conform(scan, to: bundle.card.conform)
        let prediction = try predictor.prediction(
            of: conformed.volume, measuresDisagreement: false, keepsScores: true
        ) { _, fraction in try progress(fraction * 0.9) }
        let background = try prediction.withScores(
            classCount: bundle.card.labels.classCount, size: conformed.box.size,
            threadCount: try Engine.threadCount()
        ) {
            conformed.probabilities(
                ofClasses: 0..<1, $0, onScanGrid: false, scale: Float(UInt16.max))[0]
        }
        guard let background else { preconditionFailure("scores that were not kept") }
        let probability = background.map { 1 - Float($0) / Float(UInt16.max) }
        var brain = try Self.brain(of: conformed, probability: probability)
        brain.seconds = (clock.now - started) / .seconds(1)
        try progress(1)
        return brain
    }

    /// The brain in a conformed scan whose voxels' probabilities of brain are known.
    ///
    /// - Parameters:
    ///   - conformed: The scan.
    ///   - probability: For each voxel of `conformed.volume`.
    /// - Returns: The brain; how long it took is not known.
    /// - Throws: `PreprocessingError` where there is none.
    package static func brain(
        of conformed: ConformedScan, probability: [Float]
    ) throws(PreprocessingError) -> ExtractedBrain {
        let grid = conformed.volume.grid
        if let slab = strippedSlab(of: conformed) {
            return ExtractedBrain(
                mask: BrainMask(
                    probability: Volume(grid: grid, voxels: slab.values.map(Float.init))),
                isAlreadyStripped: true, seconds: 0)
        }
        let found = VoxelMask(size: grid.size, values: probability.map { $0 >= 0.5 ? 1 : 0 })
            .largestComponent()
        let mask = found.holesClosed()
        guard
            Double(mask.count) * grid.voxelVolumeCubicMillimeters
                >= smallestBrainCubicMillimeters
        else { throw PreprocessingError.noBrain }
        if let stripped = strippedBrain(of: conformed, around: mask) {
            return ExtractedBrain(
                mask: BrainMask(
                    probability: Volume(grid: grid, voxels: stripped.values.map(Float.init))),
                isAlreadyStripped: true, seconds: 0)
        }
        // Other grids interpolate between the probabilities, but find the same parts and no holes.
        var voxels = probability
        for index in voxels.indices {
            if mask.values[index] == 1 {
                if found.values[index] == 0 { voxels[index] = 1 }
            } else if voxels[index] >= 0.5 {
                voxels[index] = 0
            }
        }
        return ExtractedBrain(
            mask: BrainMask(probability: Volume(grid: grid, voxels: voxels)),
            isAlreadyStripped: false, seconds: 0)
    }

    /// All that a slab shows, where that is a brain alone, and a voxel around it; else `nil`.
    private static func strippedSlab(of conformed: ConformedScan) -> VoxelMask? {
        guard let measured = conformed.measured else { return nil }
        let grid = conformed.volume.grid
        let thickness = (0..<3).map { Double(grid.size[$0]) * grid.spacing[$0] }.min() ?? 0
        guard thickness <= thickestStrippedSlabMillimeters else { return nil }
        let shown = VoxelMask(size: grid.size, values: measured).largestComponent().holesClosed()
        guard let box = shown.boundingBox else { return nil }
        let widths = (0..<3).map { Double(box.size[$0]) * grid.spacing[$0] }.sorted()
        guard slabWidthsMillimeters.contains(widths[1]), slabWidthsMillimeters.contains(widths[2]),
            Double(shown.count) * grid.voxelVolumeCubicMillimeters >= smallestBrainCubicMillimeters
        else { return nil }
        let outside = VoxelMask(size: grid.size, values: shown.values.map { 1 - $0 })
        let (skin, bone) = (
            outside.dilated(
                byMillimeters: boneDepthsMillimeters.lowerBound, spacing: grid.spacing),
            outside.dilated(
                byMillimeters: boneDepthsMillimeters.upperBound, spacing: grid.spacing)
        )
        var (dark, count) = (0, 0)
        for index in shown.values.indices where bone.values[index] == 1 && skin.values[index] == 0 {
            count += 1
            dark += conformed.volume.voxels[index] <= brightestBone ? 1 : 0
        }
        guard count > 0, Double(dark) <= largestBoneShare * Double(count) else { return nil }
        return shown.dilated(byMillimeters: grid.spacing.max(), spacing: grid.spacing)
    }

    /// All that a scan shows, where that is a brain alone, and a voxel around it; else `nil`.
    private static func strippedBrain(
        of conformed: ConformedScan, around mask: VoxelMask
    ) -> VoxelMask? {
        let grid = conformed.volume.grid
        let voxels = conformed.volume.voxels
        let near = mask.dilated(
            byMillimeters: strippedDistanceMillimeters, spacing: grid.spacing)
        var (farSignal, farMeasured, farCount) = (0, 0, 0)
        var (emptyNear, nearCount) = (0, 0)
        for index in voxels.indices where mask.values[index] == 0 {
            let isMeasured = conformed.measured.map { $0[index] == 1 } ?? true
            if near.values[index] == 1 {
                nearCount += 1
                emptyNear += isMeasured && voxels[index] > faintestSignal / 4 ? 0 : 1
            } else {
                farCount += 1
                farMeasured += isMeasured ? 1 : 0
                farSignal += isMeasured && voxels[index] > faintestSignal ? 1 : 0
            }
        }
        guard Double(farSignal) <= largestSignalShare * Double(mask.count),
            Double(emptyNear) >= leastEmptyShare * Double(nearCount)
        else { return nil }
        // Where nothing is an exact value, all else is brain, however dark; where it is not quite
        // flat, only what is brighter.
        let isExact = 50 * farMeasured <= max(farCount, mask.count)
        var all = mask
        for index in voxels.indices {
            let isMeasured = conformed.measured.map { $0[index] == 1 } ?? true
            if isMeasured && (isExact || voxels[index] > faintestSignal) {
                all.values[index] = 1
            }
        }
        return all.largestComponent().holesClosed()
            .dilated(byMillimeters: grid.spacing.max(), spacing: grid.spacing)
    }
}

/// The networks of a bundle's planes, in the card's order.
func planeNetworks(
    of bundle: ModelBundle, planes: [Plane], device: Device
) throws -> [PlaneNetwork] {
    let classCount = bundle.card.labels.classCount
    return try bundle.card.planes.filter { planes.contains($0.plane) }.map { entry in
        let network = try bundle.makeNetwork(for: entry.plane, device: device)
        if device != .cpu { try network.arrangeChannelsLast() }
        return PlaneNetwork(
            plane: entry.plane, network: network, weight: entry.aggregationWeight,
            outputOfClass: outputOfClass(entry.outputClasses, classCount: classCount),
            inputRanges: entry.inputRanges ?? [:])
    }
}
