import Preprocessing
public import SegmentationModels
public import Tensors
public import Volumes

/// A network for the slices of one plane, and what its outputs stand for.
public struct PlaneNetwork {
    /// The plane that the volume is sliced in.
    public var plane: Plane
    /// The network.
    public var network: SegmentationNetwork
    /// Its weight in view aggregation.
    public var weight: Double
    /// For each class the network output that stands for it; several classes may share one, as
    /// left and right do in sagittal slices.
    public var outputOfClass: [Int]
    /// For `int8`, the range that each convolution's input is rounded in; see ``Calibration``.
    public var inputRanges: [String: ClosedRange<Double>]

    /// Makes a plane's network.
    public init(
        plane: Plane, network: SegmentationNetwork, weight: Double, outputOfClass: [Int],
        inputRanges: [String: ClosedRange<Double>] = [:]
    ) {
        self.plane = plane
        self.network = network
        self.weight = weight
        self.outputOfClass = outputOfClass
        self.inputRanges = inputRanges
    }
}

/// Labels conformed volumes slice by slice and joins the planes by view aggregation.
///
/// The probability of a class at a voxel is the weighted mean over the planes of the softmax of the
/// slice that holds the voxel; the class of highest probability wins, and of equals the first.
/// Source: Roy et al., arXiv:1801.04161, section 2.4.
public final class VolumePredictor {
    private let networks: [PlaneNetwork]
    private let classCount: Int
    private let device: Device
    private let precision: Precision
    private let batchSize: Int?
    private let compiles: Bool
    private let isResident: Bool
    private let beforeBatch: (Int) throws -> Void
    /// The memory that the process may hold, or `nil` where it is not bounded.
    var memory: MemoryBudget?
    /// The execution path of the last prediction, such as ``InferencePlan/Summary/description``.
    public private(set) var computation = ""
    /// The time that each plane's network and the aggregation took in the last prediction.
    public private(set) var stageSeconds: [(stage: SegmentationStage, seconds: Double)] = []

    /// Makes a predictor.
    ///
    /// - Parameters:
    ///   - networks: One or more planes, on `device`.
    ///   - classCount: Classes of the result, background included.
    ///   - device: Where the networks are.
    ///   - precision: How they are computed.
    ///   - batchSize: How many slices are computed at once; `nil` for as many as suit the device.
    ///     Where memory runs out they are halved.
    ///   - compiles: Whether an ``InferencePlan`` is made of a network where that can be; else
    ///     its layers are called one after another.
    public convenience init(
        networks: [PlaneNetwork], classCount: Int, device: Device, precision: Precision,
        batchSize: Int? = nil, compiles: Bool = true
    ) {
        self.init(
            networks: networks, classCount: classCount, device: device, precision: precision,
            batchSize: batchSize, compiles: compiles, isResident: device != .cpu)
    }

    /// Makes a predictor that keeps the volume on the device or not, and says before each batch how
    /// many slices it has; what `beforeBatch` throws, the batch throws.
    package init(
        networks: [PlaneNetwork], classCount: Int, device: Device, precision: Precision,
        batchSize: Int?, compiles: Bool, isResident: Bool,
        beforeBatch: @escaping (Int) throws -> Void = { _ in }
    ) {
        precondition(!networks.isEmpty, "no plane to predict in")
        self.networks = networks
        self.classCount = classCount
        self.device = device
        self.precision = precision.resolved(on: device)
        self.batchSize = batchSize
        self.compiles = compiles
        self.isResident = isResident
        self.beforeBatch = beforeBatch
    }

    /// Predicts the class of each voxel.
    ///
    /// - Parameters:
    ///   - volume: Conformed intensities.
    ///   - progress: Called after each part of the volume with the fraction that is done.
    /// - Returns: The classes, in storage order.
    /// - Throws: `TensorError`, and what `progress` throws.
    public func classes(
        of volume: Volume, progress: (Plane, Double) throws -> Void = { _, _ in }
    ) throws -> [UInt8] {
        try prediction(of: volume, measuresDisagreement: false, progress: progress).classes
    }

    /// Predicts the class of each voxel, and measures how far the planes disagree.
    ///
    /// - Parameters:
    ///   - volume: Conformed intensities.
    ///   - measuresDisagreement: Whether each plane's own labels are kept and compared.
    ///   - keepsScores: Whether the scores are kept also where a single plane could do without: two
    ///     bytes for each voxel and class.
    ///   - mask: 1 for each voxel that may have a label and 0 for those that are background, in storage
    ///     order; `nil` where all may have one. Outside it no plane labels anything and no scores are kept.
    ///   - progress: Is told the plane at work and which part of all slices is done; what it throws
    ///     stops the work.
    /// - Returns: The classes, and the disagreement where there are several planes.
    /// - Throws: `TensorError`, and what `progress` throws.
    public func prediction(
        of volume: Volume, measuresDisagreement: Bool = true, keepsScores: Bool = false,
        within mask: [UInt8]? = nil, progress: (Plane, Double) throws -> Void = { _, _ in }
    ) throws -> VolumePrediction {
        try prediction(
            of: volume, measuresDisagreement: measuresDisagreement, keepsScores: keepsScores,
            samples: false, places: places(within: mask), progress: progress)
    }

    private func places(within mask: [UInt8]?) -> SumPlaces? {
        mask.map { SumPlaces(of: $0, isDense: isResident) }
    }

    /// Predicts the class of each voxel from the volume and from its mirror image.
    ///
    /// The score of a class is the mean of its own and of that of its mirror image in the
    /// mirrored volume, turned back.
    ///
    /// - Parameters:
    ///   - volume: Conformed intensities.
    ///   - mirrored: The classes of mirror images.
    ///   - measuresDisagreement: As in ``prediction(of:measuresDisagreement:keepsScores:within:progress:)``;
    ///     the mirrored volume has no say in it.
    ///   - mask: As there.
    ///   - progress: As there.
    /// - Returns: The classes with their scores.
    /// - Throws: `TensorError`, and what `progress` throws.
    public func prediction(
        of volume: Volume, mirrored: MirroredClasses, measuresDisagreement: Bool = true,
        within mask: [UInt8]? = nil, progress: (Plane, Double) throws -> Void = { _, _ in }
    ) throws -> VolumePrediction {
        guard
            let axis = volume.grid.orientation.axes.firstIndex(where: { $0.worldAxis == 0 })
        else { preconditionFailure("a grid without a left and a right") }
        // Both are added voxel by voxel.
        let places = mask.map { SumPlaces(of: $0, isDense: true) }
        var prediction = try prediction(
            of: volume, measuresDisagreement: measuresDisagreement, keepsScores: true,
            samples: false, places: places
        ) { try progress($0, $1 / 2) }
        let stages = stageSeconds
        let other = try self.prediction(
            of: volume.mirrored(alongStorageAxis: axis), measuresDisagreement: false,
            keepsScores: true
        ) { try progress($0, 0.5 + $1 / 2) }
        stageSeconds = stages + stageSeconds
        guard let own = prediction.scores, let mirror = other.scores else { return prediction }
        func limited(_ labels: [UInt8]) -> [UInt8] { places?.limiting(labels) ?? labels }
        // Scores are stored [z, y, x, class].
        if device == .cpu {
            try own.averageInPlace(
                withMirrored: mirror, dimension: 2 - axis, mirroredClass: mirrored.classes)
            prediction.classes = limited(try own.likeliestClasses())
            return prediction
        }
        let turned = try mirror.flipped(dimension: 2 - axis)
            .selected(dimension: 3, indices: mirrored.classes)
        let mean = try (own + turned) * 0.5
        prediction.scores = mean
        prediction.classes = limited(
            try mean.converted(to: .float16, on: .cpu).contiguous().likeliestClasses())
        return prediction
    }

    /// Draws samples of the classes with dropout, and measures their spread.
    ///
    /// - Parameters:
    ///   - volume: Conformed intensities.
    ///   - sampleCount: The number of samples, two or more.
    ///   - seed: The seed of the dropped channels: the same seed gives the same samples for one
    ///     number of slices in a batch.
    ///   - labelOfClass: The label of each class.
    ///   - mask: As in ``prediction(of:measuresDisagreement:keepsScores:within:progress:)``; outside it nothing
    ///     is uncertain.
    ///   - progress: Is told the plane at work and which part of all samples is done.
    /// - Returns: The spread, with the entropy on the volume's grid.
    /// - Throws: `TensorError`, and what `progress` throws.
    public func uncertainty(
        of volume: Volume, sampleCount: Int, seed: UInt64, labelOfClass: [UInt16],
        within mask: [UInt8]? = nil, progress: (Plane, Double) throws -> Void = { _, _ in }
    ) throws -> Uncertainty {
        try Engine.setSeed(seed)
        var samples: [[UInt8]] = []
        var sum: Tensor?
        let places = places(within: mask)
        for number in 0..<sampleCount {
            let sample = try prediction(
                of: volume, measuresDisagreement: false, keepsScores: true, samples: true,
                places: places
            ) { try progress($0, (Double(number) + $1) / Double(sampleCount)) }
            samples.append(sample.classes)
            guard let scores = try sample.scores?.converted(to: .float32, on: .cpu) else {
                continue
            }
            try withoutGradients {
                if let sum { try sum.addInPlace(scores) } else { sum = try scores.clone() }
            }
        }
        var entropy: [Float] =
            try sum.map {
                try $0.reshaped([-1, classCount]).entropyOfRows().elements()
            } ?? []
        if let places { entropy = places.ofVoxels.map { $0 < 0 ? 0 : entropy[Int($0)] } }
        return Uncertainty(
            samples: samples, entropy: Volume(grid: volume.grid, voxels: entropy),
            labelOfClass: labelOfClass, seed: seed)
    }

    private func prediction(
        of volume: Volume, measuresDisagreement: Bool, keepsScores: Bool, samples: Bool,
        places: SumPlaces?, progress: (Plane, Double) throws -> Void
    ) throws -> VolumePrediction {
        let size = volume.grid.size
        let networks = networks(seeing: volume.grid)
        let layouts = networks.map {
            SliceLayout(
                plane: $0.plane, orientation: volume.grid.orientation, size: size)
        }
        let sliceTotal = layouts.reduce(0) { $0 + $1.sliceCount }
        var slicesDone = 0
        let clock = ContinuousClock()
        var aggregationTime = Duration.zero
        stageSeconds = []
        let decidesAtOnce =
            networks.count == 1 && !keepsScores
            && networks[0].outputOfClass == Array(0..<networks[0].network.architecture.classes)
        let keepsPlaneLabels = measuresDisagreement && networks.count > 1
        // Scores in two bytes, labels of planes in one, places and the volume itself in four.
        let scoreBytes = 2 * classCount * (places?.count ?? size.count)
        let perVoxel =
            (decidesAtOnce ? 5 : 4) + (places == nil ? 0 : 4)
            + (keepsPlaneLabels ? networks.count : 0)
        try memory?.reserve(
            (decidesAtOnce ? 0 : scoreBytes) + perVoxel * size.count,
            for: "a volume of \(size) voxels")
        let view: any VolumeView =
            isResident
            ? try ResidentVolume(
                volume, on: device, classCount: classCount, keepsSums: !decidesAtOnce,
                places: places)
            : try HostVolume(
                volume, classCount: classCount, keepsSums: !decidesAtOnce, places: places)
        let totalWeight = networks.reduce(0) { $0 + $1.weight }
        // What memory once ran out for is not tried again.
        var largestBatch = Int.max
        for (network, layout) in zip(networks, layouts) {
            let begun = clock.now
            // What earlier work left behind would add to the most that is needed at once.
            try Engine.releaseMemory(of: device)
            let compute = SliceComputation(
                of: network.network, precision: precision, device: device, compiles: compiles,
                height: layout.height, width: layout.width, inputRanges: network.inputRanges,
                samples: samples)
            computation = compute.description
            try Engine.releaseMemory(of: device)
            if keepsPlaneLabels { try view.beginPlaneLabels() }
            let wanted =
                try batchSize.map(SliceBatches.init(size:))
                ?? SliceBatches(
                    freeMemory: Engine.freeMemory(of: device), network: network.network,
                    height: layout.height, width: layout.width)
            var batches = SliceBatches(size: min(wanted.size, largestBatch))
            if let memory, device == .cpu {
                batches = try SliceBatches(
                    size: batches.size, within: memory, network: network.network,
                    height: layout.height, width: layout.width)
            }
            var networkTime = clock.now - begun
            try batches.forEach(
                of: layout.sliceCount, release: { try Engine.releaseMemory(of: device) },
                exceeds: { memory.map { $0.freeBytes < 0 } ?? false }
            ) { slices in
                try progress(
                    network.plane,
                    Double(slicesDone + slices.lowerBound) / Double(sliceTotal))
                try beforeBatch(slices.count)
                let started = clock.now
                let logits = try compute(
                    view.images(
                        slices, layout, context: network.network.architecture.contextSlices))
                let computed = clock.now
                networkTime += computed - started
                try view.add(
                    logits, slices, layout, outputOfClass: network.outputOfClass,
                    weight: network.weight / totalWeight)
                aggregationTime += clock.now - computed
            }
            if batches.size < wanted.size { largestBatch = batches.size }
            slicesDone += layout.sliceCount
            stageSeconds.append((.network(network.plane), networkTime / .seconds(1)))
            try progress(network.plane, Double(slicesDone) / Double(sliceTotal))
        }
        let added = clock.now
        let planeLabels = PlaneLabels(
            outputs: try view.planeLabels(), outputOfClass: networks.map(\.outputOfClass))
        let prediction = VolumePrediction(
            classes: try view.classes(), planeDisagreement: planeLabels.disagreement(),
            scores: view.sums, places: places)
        aggregationTime += clock.now - added
        stageSeconds.append((.aggregate, aggregationTime / .seconds(1)))
        return prediction
    }
}

extension VolumePredictor {
    /// A slab is no thicker than this along one axis alone.
    static let thickestSlabMillimeters = 80.0

    /// The networks that have a say in a volume.
    ///
    /// In a slab, slices across it show strips, in which networks know no brain: then the network of the slab's
    /// own plane decides alone, where it tells all classes apart.
    private func networks(seeing grid: Grid) -> [PlaneNetwork] {
        let thin = Plane.allCases.filter { plane in
            let axis = grid.orientation.storageAxis(ofWorldAxis: plane.worldAxis)
            return Double(grid.size[axis]) * grid.spacing[axis] <= Self.thickestSlabMillimeters
        }
        let own = networks.filter {
            thin == [$0.plane] && Set($0.outputOfClass).count == $0.outputOfClass.count
        }
        return own.isEmpty ? networks : own
    }
}

extension Volume {
    /// The voxels in reverse order along a storage axis, on the same grid.
    func mirrored(alongStorageAxis axis: Int) -> Volume {
        let size = grid.size
        var mirrored = [Float](repeating: 0, count: voxels.count)
        for z in 0..<size.z {
            for y in 0..<size.y {
                for x in 0..<size.x {
                    let from = (
                        axis == 0 ? size.x - 1 - x : x, axis == 1 ? size.y - 1 - y : y,
                        axis == 2 ? size.z - 1 - z : z
                    )
                    mirrored[(z * size.y + y) * size.x + x] =
                        voxels[(from.2 * size.y + from.1) * size.x + from.0]
                }
            }
        }
        return Volume(grid: grid, voxels: mirrored)
    }
}
