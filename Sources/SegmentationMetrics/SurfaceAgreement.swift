import Volumes

/// The points of one structure's surface with their distances to the other surface.
struct DirectedDistances {
    /// Millimetres, ascending.
    var distances: [Double]
    /// How much each point counts, in the order of the distances: square millimetres of surface,
    /// or empty where every point counts 1.
    var weights: [Double]

    /// Sorts points by distance.
    init(distances: [Double], weights: [Double]) {
        guard !weights.isEmpty else {
            self.distances = distances.sorted()
            self.weights = []
            return
        }
        let sorted = zip(distances, weights).sorted { $0 < $1 }
        self.distances = sorted.map(\.0)
        self.weights = sorted.map(\.1)
    }

    /// The weights' sum.
    var total: Double { weights.isEmpty ? Double(distances.count) : weights.reduce(0, +) }

    /// The weighted sum of a function of the distances.
    func sum(_ function: (Double) -> Double) -> Double {
        guard !weights.isEmpty else { return distances.reduce(0) { $0 + function($1) } }
        return zip(distances, weights).reduce(0) { $0 + function($1.0) * $1.1 }
    }

    /// The weighted mean.
    var mean: Double { sum(\.self) / total }

    /// The distance at which a share of the weights is first reached, without interpolation.
    func weightedQuantile(_ share: Double) -> Double {
        let total = total
        var cumulative = 0.0
        for (distance, weight) in zip(distances, weights) {
            cumulative += weight
            if cumulative / total >= share { return distance }
        }
        return distances[distances.count - 1]
    }
}

/// How two surfaces of a structure agree.
struct SurfaceAgreement {
    var hausdorff: Double
    var hausdorff95: Double
    var meanToReference: Double
    var meanToPrediction: Double
    var mean: Double
    var rootMeanSquare: Double
    var surfaceDice: Double

    /// Sums up the distances of both directions as a convention says.
    ///
    /// - Parameters:
    ///   - toReference: From the prediction's surface; not empty.
    ///   - toPrediction: From the reference's surface; not empty.
    ///   - options: The convention and the tolerance.
    init(toReference: DirectedDistances, toPrediction: DirectedDistances, options: MetricOptions) {
        let both = [toReference, toPrediction]
        let total = toReference.total + toPrediction.total
        hausdorff = both.map { $0.distances[$0.distances.count - 1] }.max() ?? 0
        meanToReference = toReference.mean
        meanToPrediction = toPrediction.mean
        rootMeanSquare = (both.reduce(0) { $0 + $1.sum { $0 * $0 } } / total).squareRoot()
        mean = both.reduce(0) { $0 + $1.sum(\.self) } / total
        switch options.convention {
        case .surfaceDistance: hausdorff95 = both.map { $0.weightedQuantile(0.95) }.max() ?? 0
        case .monai:
            hausdorff95 = both.map { singlePrecisionQuantile(0.95, of: $0.distances) }.max() ?? 0
        case .nnunet: hausdorff95 = percentile(95, of: both.flatMap(\.distances)) ?? 0
        }
        let tolerance = options.toleranceMillimeters
        let isInSinglePrecision = !options.convention.usesSurfaceElements
        let agreeing = both.reduce(0) { sum, directed in
            sum
                + directed.sum { distance in
                    let isWithin =
                        isInSinglePrecision
                        ? Float(distance) <= Float(tolerance) : distance <= tolerance
                    return isWithin ? 1 : 0
                }
        }
        surfaceDice = agreeing / total
    }
}

/// A quantile by linear interpolation, its rank in single precision as `torch.quantile` has it.
private func singlePrecisionQuantile(_ share: Float, of sorted: [Double]) -> Double {
    let rank = share * Float(sorted.count - 1)
    let lower = Int(rank)
    let upper = min(lower + 1, sorted.count - 1)
    return sorted[lower] + (sorted[upper] - sorted[lower]) * Double(rank - Float(lower))
}

/// Measures surfaces on a grid.
struct SurfaceComparison: Sendable {
    private let options: MetricOptions
    private let nearest: NearestDistances
    /// Areas by cell pattern; `nil` where border voxels count.
    private let elements: SurfaceElements?

    /// Prepares for a grid's spacing.
    init(spacing: SIMD3<Double>, options: MetricOptions) {
        self.options = options
        nearest = NearestDistances(spacing: spacing)
        elements =
            options.convention.usesSurfaceElements ? SurfaceElements(spacing: spacing) : nil
    }

    /// Compares a structure's surfaces in a box that holds all of its voxels.
    func compare(
        _ prediction: LabelMap, with reference: LabelMap, label: UInt16, box: VoxelBox
    ) -> SurfaceAgreement {
        let predicted = StructureMask(of: label, in: prediction, box: box)
        let referred = StructureMask(of: label, in: reference, box: box)
        let (predictedSurface, referredSurface) = (surface(of: predicted), surface(of: referred))
        return SurfaceAgreement(
            toReference: DirectedDistances(
                distances: nearest.distances(from: predictedSurface, to: referredSurface),
                weights: weights(of: predictedSurface, mask: predicted)),
            toPrediction: DirectedDistances(
                distances: nearest.distances(from: referredSurface, to: predictedSurface),
                weights: weights(of: referredSurface, mask: referred)),
            options: options)
    }

    private func surface(of mask: StructureMask) -> StructureMask {
        elements == nil ? mask.border() : mask.surfaceCells()
    }

    private func weights(of cells: StructureMask, mask: StructureMask) -> [Double] {
        guard let elements else { return [] }
        var weights: [Double] = []
        mask.words.withUnsafeBufferPointer { words in
            elements.areas.withUnsafeBufferPointer { areas in
                cells.forEachVoxel { x, row in
                    let pattern = StructureMask.pattern(
                        of: words, rowWords: mask.rowWords, size: mask.size, x: x, row: row)
                    weights.append(areas[pattern])
                }
            }
        }
        return weights
    }
}
