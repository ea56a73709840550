import Preprocessing
public import SegmentationModels
public import Tensors
public import Volumes

/// A network for the slices of one plane, and what its outputs stand for.
public struct PlaneNetwork {
    /// How the volume is cut for it.
    public var plane: Plane
    /// The network.
    public var network: SegmentationNetwork
    /// Its weight in view aggregation.
    public var weight: Double
    /// For each class the network output that stands for it; several classes may share one, as
    /// left and right do in sagittal slices.
    public var outputOfClass: [Int]

    /// Makes a plane's network.
    public init(
        plane: Plane, network: SegmentationNetwork, weight: Double, outputOfClass: [Int]
    ) {
        self.plane = plane
        self.network = network
        self.weight = weight
        self.outputOfClass = outputOfClass
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
    private let batchSize: Int
    private let compiles: Bool
    /// How the networks were computed last, such as ``InferencePlan/Summary/description``.
    public private(set) var computation = ""
    /// How long each plane's network and the aggregation took last.
    public private(set) var stageSeconds: [(stage: SegmentationStage, seconds: Double)] = []

    /// Makes a predictor.
    ///
    /// - Parameters:
    ///   - networks: One or more planes, on `device`.
    ///   - classCount: Classes of the result, background included.
    ///   - device: Where the networks are.
    ///   - precision: How they are computed.
    ///   - batchSize: How many slices are computed at once.
    ///   - compiles: Whether an ``InferencePlan`` is made of a network where that can be; else
    ///     its layers are called one after another.
    public init(
        networks: [PlaneNetwork], classCount: Int, device: Device, precision: Precision,
        batchSize: Int, compiles: Bool = true
    ) {
        precondition(!networks.isEmpty, "no plane to predict in")
        self.networks = networks
        self.classCount = classCount
        self.device = device
        self.precision = precision.resolved(on: device)
        self.batchSize = max(1, batchSize)
        self.compiles = compiles
    }

    /// Predicts the class of each voxel.
    ///
    /// - Parameters:
    ///   - volume: Conformed intensities.
    ///   - progress: As in ``prediction(of:measuresDisagreement:progress:)``.
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
    ///   - keepsScores: Whether the votes are kept also where a single plane could do without: two
    ///     bytes for each voxel and class.
    ///   - progress: Is told the plane at work and which part of all slices is done; what it throws
    ///     stops the work.
    /// - Returns: The classes, and the disagreement where there are several planes.
    /// - Throws: `TensorError`, and what `progress` throws.
    public func prediction(
        of volume: Volume, measuresDisagreement: Bool = true, keepsScores: Bool = false,
        progress: (Plane, Double) throws -> Void = { _, _ in }
    ) throws -> VolumePrediction {
        let size = volume.grid.size
        let layouts = networks.map {
            SliceLayout(
                plane: $0.plane, orientation: volume.grid.orientation, size: size)
        }
        let sliceTotal = layouts.reduce(0) { $0 + $1.sliceCount }
        var slicesDone = 0
        let clock = ContinuousClock()
        var aggregationTime = Duration.zero
        stageSeconds = []
        return try withoutGradients {
            let decidesAtOnce =
                networks.count == 1 && !keepsScores
                && networks[0].outputOfClass == Array(0..<networks[0].network.architecture.classes)
            let votes = try Votes(
                size: size, classCount: classCount, keepsSums: !decidesAtOnce, device: device)
            let totalWeight = networks.reduce(0) { $0 + $1.weight }
            let opinions = PlaneOpinions(
                voxelCount: measuresDisagreement && networks.count > 1 ? size.count : 0,
                outputOfClass: networks.map(\.outputOfClass))
            for (number, (network, layout)) in zip(networks, layouts).enumerated() {
                let begun = clock.now
                let compute = SliceComputation(
                    of: network.network, precision: precision, device: device, compiles: compiles,
                    height: layout.height, width: layout.width)
                computation = compute.description
                var networkTime = clock.now - begun
                var first = 0
                while first < layout.sliceCount {
                    try progress(network.plane, Double(slicesDone) / Double(sliceTotal))
                    let count = min(batchSize, layout.sliceCount - first)
                    let started = clock.now
                    let images = try self.images(
                        of: volume, network.network, layout, slices: first..<first + count)
                    let logits = try compute(images)
                    let computed = clock.now
                    networkTime += computed - started
                    try votes.add(
                        logits, layout, firstSlice: first, outputOfClass: network.outputOfClass,
                        weight: network.weight / totalWeight,
                        opinions: &opinions.outputs[number])
                    aggregationTime += clock.now - computed
                    first += count
                    slicesDone += count
                }
                stageSeconds.append((.network(network.plane), networkTime / .seconds(1)))
                try progress(network.plane, Double(slicesDone) / Double(sliceTotal))
            }
            let added = clock.now
            let prediction = VolumePrediction(
                classes: try votes.classes(), planeDisagreement: opinions.disagreement(),
                scores: votes.sums)
            aggregationTime += clock.now - added
            stageSeconds.append((.aggregate, aggregationTime / .seconds(1)))
            return prediction
        }
    }

    private func images(
        of volume: Volume, _ network: SegmentationNetwork, _ layout: SliceLayout,
        slices: Range<Int>
    ) throws -> Tensor {
        let context = network.architecture.contextSlices
        let pixels = context * layout.voxelsPerSlice
        var input = [Float](repeating: 0, count: slices.count * pixels)
        input.withUnsafeMutableBufferPointer { input in
            for (position, slice) in slices.enumerated() {
                let start = position * pixels
                layout.copySlice(
                    slice, context: context, from: volume.voxels,
                    into: UnsafeMutableBufferPointer(rebasing: input[start..<start + pixels]))
            }
        }
        return try Tensor(
            input, shape: [slices.count, context, layout.height, layout.width], device: device)
    }
}

/// The classes' probabilities of every voxel, added up over the planes.
///
/// With a single plane nothing needs adding up and each slice can be decided at once.
private final class Votes {
    private let size: GridSize
    /// `[x, y, z]` extents of storage as a tensor `[z, y, x, classes]` in half precision.
    let sums: Tensor?
    private var decided: [UInt8]

    init(size: GridSize, classCount: Int, keepsSums: Bool, device: Device) throws {
        self.size = size
        sums =
            keepsSums
            ? try .zeros([size.z, size.y, size.x, classCount], type: .float16, device: device) : nil
        decided = [UInt8](repeating: 0, count: keepsSums ? 0 : size.count)
    }

    /// Adds a batch's probabilities, and notes the likeliest outputs in `opinions` unless these are
    /// empty.
    func add(
        _ logits: Tensor, _ layout: SliceLayout, firstSlice: Int, outputOfClass: [Int],
        weight: Double, opinions: inout [UInt8]
    ) throws {
        guard logits.device == .cpu else {
            try addOnDevice(
                logits, layout, firstSlice: firstSlice, outputOfClass: outputOfClass,
                weight: weight, opinions: &opinions)
            return
        }
        func add(likeliest: inout [UInt8]) throws {
            try logits.addVotes(
                to: sums, likeliest: &likeliest, voxelCount: size.count,
                strides: SliceStrides(
                    slice: layout.sliceStride, row: layout.rowStride, column: layout.columnStride),
                firstSlice: firstSlice, outputOfClass: outputOfClass, weight: weight)
        }
        if sums == nil { try add(likeliest: &decided) } else { try add(likeliest: &opinions) }
    }

    private func addOnDevice(
        _ logits: Tensor, _ layout: SliceLayout, firstSlice: Int, outputOfClass: [Int],
        weight: Double, opinions: inout [UInt8]
    ) throws {
        let slices = firstSlice..<firstSlice + logits.shape[0]
        let likeliest: [UInt8] =
            sums == nil || !opinions.isEmpty ? try logits.argmax(dimension: 1).elements() : []
        guard let sums else {
            layout.scatter(likeliest, slices: slices, into: &decided)
            return
        }
        if !opinions.isEmpty { layout.scatter(likeliest, slices: slices, into: &opinions) }
        let probabilities = try logits.permuted([0, 2, 3, 1]).converted(to: .float32)
            .softmax(dimension: 3).selected(dimension: 3, indices: outputOfClass)
        // Storage axis a is dimension 2 - a; the slice's dimensions go where its axes lie.
        let dimensions = [layout.stackAxis, layout.heightAxis, layout.widthAxis].map { 2 - $0 }
        let part = try sums.narrowed(
            dimension: dimensions[0], start: firstSlice, length: logits.shape[0])
        try part.permuted(dimensions + [3]).addInPlace(probabilities, scale: weight)
    }

    /// The class with the most votes at each voxel.
    func classes() throws -> [UInt8] {
        guard let sums else { return decided }
        guard sums.device != .cpu else { return try sums.elected() }
        var classes: [UInt8] = []
        classes.reserveCapacity(size.count)
        for slab in 0..<size.z {
            classes += try sums.narrowed(dimension: 0, start: slab, length: 1)
                .converted(to: .float32).argmax(dimension: 3).elements(as: UInt8.self)
        }
        return classes
    }
}
