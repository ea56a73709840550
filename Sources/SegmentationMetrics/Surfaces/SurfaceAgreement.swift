import Volumes

/// The points of one structure's surface with their distances to the other surface.
struct DirectedDistances {
    /// Millimetres, one for each point; not empty.
    let distances: [Double]
    /// The weight of each point: square millimetres of surface, or empty where each counts 1.
    let weights: [Double]
    /// The weights' sum.
    let total: Double
    /// The largest distance.
    let largest: Double

    /// Takes points.
    init(distances: [Double], weights: [Double]) {
        self.distances = distances
        self.weights = weights
        total = weights.isEmpty ? Double(distances.count) : weights.reduce(0, +)
        largest = distances.reduce(0, max)
    }

    /// The weighted sum of a function of the distances.
    @inline(__always)
    func sum(_ function: (Double) -> Double) -> Double {
        var sum = 0.0
        if weights.isEmpty {
            for distance in distances { sum += function(distance) }
        } else {
            for (distance, weight) in zip(distances, weights) { sum += function(distance) * weight }
        }
        return sum
    }

    /// The distance at which a share of the weights is first reached, without interpolation.
    func quantile(_ share: Double) -> Double {
        // A little less, since sums in another order round otherwise.
        let (tail, before) = tail(reaching: share * total * (1 - 1e-9))
        var cumulative = before
        for (distance, weight) in tail {
            cumulative += weight
            if cumulative / total >= share { return distance }
        }
        return largest
    }

    /// The distance at a rank among all by size, linearly interpolated; every point counts 1.
    func interpolated(rank: Double) -> Double {
        let lower = Int(rank)
        let (tail, before) = tail(reaching: Double(lower + 1))
        let index = lower - Int(before)
        let next = tail[min(index + 1, tail.count - 1)].distance
        return tail[index].distance + (next - tail[index].distance) * (rank - Double(lower))
    }

    /// The larger distances, ascending, beginning where the weights' running sum reaches a value
    /// or before, and the sum of the weights before these.
    ///
    /// Sorting only these takes most of the time out of a percentile.
    private func tail(
        reaching sum: Double
    ) -> (tail: [(distance: Double, weight: Double)], before: Double) {
        let binCount = 256
        let scale = largest > 0 ? Double(binCount - 1) / largest : 0
        var bins = [Double](repeating: 0, count: binCount)
        for (index, distance) in distances.enumerated() {
            bins[Int(distance * scale)] += weights.isEmpty ? 1 : weights[index]
        }
        var (first, before) = (0, 0.0)
        while first < binCount - 1, before + bins[first] < sum {
            before += bins[first]
            first += 1
        }
        var tail: [(distance: Double, weight: Double)] = []
        for (index, distance) in distances.enumerated() where Int(distance * scale) >= first {
            tail.append((distance, weights.isEmpty ? 1 : weights[index]))
        }
        tail.sort { $0.distance < $1.distance }
        return (tail, before)
    }
}

/// The agreement of two surfaces of a structure.
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
        hausdorff = max(toReference.largest, toPrediction.largest)
        meanToReference = toReference.sum(\.self) / toReference.total
        meanToPrediction = toPrediction.sum(\.self) / toPrediction.total
        rootMeanSquare = (both.reduce(0) { $0 + $1.sum { $0 * $0 } } / total).squareRoot()
        mean = both.reduce(0) { $0 + $1.sum(\.self) } / total
        switch options.convention {
        case .surfaceDistance: hausdorff95 = both.reduce(0) { max($0, $1.quantile(0.95)) }
        case .monai:
            hausdorff95 = both.reduce(0) { largest, directed in
                // The rank in single precision, as `torch.quantile` has it.
                let rank = Float(0.95) * Float(directed.distances.count - 1)
                return max(largest, directed.interpolated(rank: Double(rank)))
            }
        case .nnunet:
            let pooled = DirectedDistances(distances: both.flatMap(\.distances), weights: [])
            hausdorff95 = pooled.interpolated(rank: 0.95 * Double(pooled.distances.count - 1))
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

/// Measures surfaces on a grid.
struct SurfaceComparison: Sendable {
    private let options: MetricOptions
    private let nearest: NearestDistances
    /// In place of `nearest`, where the grid's axes are not perpendicular.
    private let sheared: ShearedDistances?
    /// Areas by cell pattern; `nil` where border voxels count.
    private let elements: SurfaceElements?

    /// Prepares for a grid.
    init(grid: Grid, options: MetricOptions) {
        self.options = options
        let axes = (0..<3).map(grid.affine.column)
        nearest = NearestDistances(spacing: grid.spacing)
        sheared = ShearedDistances(axes: axes)
        let elements =
            sheared == nil
            ? SurfaceElements(spacing: grid.spacing) : SurfaceElements(axes: axes)
        self.elements = options.convention.usesSurfaceElements ? elements : nil
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
                distances: distances(from: predictedSurface, to: referredSurface),
                weights: weights(of: predictedSurface, mask: predicted)),
            toPrediction: DirectedDistances(
                distances: distances(from: referredSurface, to: predictedSurface),
                weights: weights(of: referredSurface, mask: referred)),
            options: options)
    }

    private func distances(
        from points: StructureMask, to targets: StructureMask
    ) -> [Double] {
        sheared?.distances(from: points, to: targets)
            ?? nearest.distances(from: points, to: targets)
    }

    private func surface(of mask: StructureMask) -> StructureMask {
        elements == nil ? mask.border() : mask.surfaceCells()
    }

    private func weights(of cells: StructureMask, mask: StructureMask) -> [Double] {
        guard let elements else { return [] }
        var weights: [Double] = []
        weights.reserveCapacity(cells.voxelCount)
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
