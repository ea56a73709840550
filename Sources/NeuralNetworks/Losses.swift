public import Tensors

/// The treatment of classes absent from a batch in the soft Dice loss.
public enum AbsentClasses: String, Sendable, Hashable, Codable {
    /// They count: a prediction of a class that is not there costs.
    case included
    /// They are left out of the mean.
    case excluded
}

/// The soft Dice loss: `1 - mean over classes of (2 Σ p g + s) / (Σ p + Σ g + s)`.
///
/// Sums run over N, H and W of the whole batch. Source: Milletari et al., arXiv:1606.04797, with
/// the sums of first powers that SD-Net and QuickNAT use (arXiv:1801.04161).
///
/// - Parameters:
///   - logits: `[N, K, H, W]`.
///   - target: `int64` class indices `[N, H, W]`.
///   - smoothing: `s`, which also defines the loss of an empty class.
///   - absentClasses: Whether classes without a pixel in `target` count.
/// - Returns: A scalar in `0...1`.
/// - Throws: `TensorError` where the shapes do not fit.
public func softDiceLoss(
    logits: Tensor, target: Tensor, smoothing: Double = 1e-5,
    absentClasses: AbsentClasses = .included
) throws -> Tensor {
    try PixelRows(logits: logits, target: target)
        .softDiceLoss(smoothing: smoothing, absentClasses: absentClasses)
}

/// A batch of logits as rows `[P, K]`, one a pixel: what both terms of the loss are computed from.
///
/// With channels-last logits the rows lie in memory as they are, and no one-hot image is made.
private struct PixelRows {
    private let classes: Int
    /// `[N, H, W]`, and as rows.
    private let targetImages: Tensor
    private let target: Tensor
    private let logProbabilities: Tensor
    private let logOfTarget: Tensor

    init(logits: Tensor, target: Tensor) throws {
        classes = logits.shape[1]
        targetImages = target
        self.target = try target.reshaped([-1])
        logProbabilities = try logits.permuted([0, 2, 3, 1]).reshaped([-1, classes])
            .converted(to: .float32).logSoftmax()
        logOfTarget = try logProbabilities.entries(columns: self.target)
    }

    func crossEntropy(weights: Tensor?, boundaryWeight: Double) throws -> Tensor {
        var ofPixel = try weights?.lookedUp(target)
        if boundaryWeight > 0 {
            let extra = try boundaries(of: targetImages).reshaped([-1]) * boundaryWeight
            ofPixel = try ofPixel.map { try $0 + extra } ?? extra + 1
        }
        guard let ofPixel else { return try logOfTarget.mean() * -1 }
        return try (logOfTarget * ofPixel).sum() / ofPixel.sum() * -1
    }

    func softDiceLoss(smoothing: Double, absentClasses: AbsentClasses) throws -> Tensor {
        let overlap = try logOfTarget.exponential().summed(byClass: target, classes: classes)
        let members = try target.classCounts(classes).converted(to: .float32)
        let total = try logProbabilities.exponential().sum(over: [0]) + members
        let dice = try (overlap * 2 + smoothing) / (total + smoothing)
        switch absentClasses {
        case .included: return try dice.mean() * -1 + 1
        case .excluded:
            let present = try members.isAbove(0)
            return try (dice * present).sum() / present.sum() * -1 + 1
        }
    }
}

/// 1 where the classes on the two sides of a pixel differ, along rows or columns, and 0 elsewhere:
/// where the central difference of the label image, one-sided at its edges, is not 0.
private func boundaries(of target: Tensor) throws -> Tensor {
    let labels = try target.converted(to: .float32)
    let squares = try [1, 2].map { dimension in
        let length = labels.shape[dimension]
        let extended = try Tensor.concatenated(
            [
                try labels.narrowed(dimension: dimension, start: 0, length: 1), labels,
                try labels.narrowed(dimension: dimension, start: length - 1, length: 1),
            ], dimension: dimension)
        let difference =
            try extended.narrowed(dimension: dimension, start: 2, length: length)
            - extended.narrowed(dimension: dimension, start: 0, length: length)
        return try difference * difference
    }
    return try (squares[0] + squares[1]).isAbove(0)
}

/// Weighted cross-entropy plus soft Dice, as SD-Net and QuickNAT are trained (arXiv:1801.04161,
/// section 2.2).
public struct SegmentationLoss {
    /// Weight of each class in the cross-entropy, or `nil` for 1.
    public var classWeights: Tensor?
    /// The weight added to pixels at a boundary between classes, in the cross-entropy: 2 in the
    /// code of QuickNAT, where the gradient of the label image is not 0.
    public var boundaryWeight: Double
    /// Factor of the cross-entropy term.
    public var crossEntropyFactor: Double
    /// Factor of the Dice term.
    public var diceFactor: Double
    /// The smoothing term added to numerator and denominator of the Dice term.
    public var smoothing: Double
    /// A Boolean value indicating whether classes that a batch does not hold count in the Dice
    /// term.
    public var absentClasses: AbsentClasses

    /// Makes a loss.
    public init(
        classWeights: Tensor?, boundaryWeight: Double = 0, crossEntropyFactor: Double = 1,
        diceFactor: Double = 1, smoothing: Double = 1e-5, absentClasses: AbsentClasses = .included
    ) {
        self.classWeights = classWeights
        self.boundaryWeight = boundaryWeight
        self.crossEntropyFactor = crossEntropyFactor
        self.diceFactor = diceFactor
        self.smoothing = smoothing
        self.absentClasses = absentClasses
    }

    /// The loss of a batch.
    ///
    /// - Parameters:
    ///   - logits: `[N, K, H, W]`.
    ///   - target: `int64` class indices `[N, H, W]`.
    /// - Returns: A scalar.
    /// - Throws: `TensorError` where the shapes do not fit.
    public func callAsFunction(logits: Tensor, target: Tensor) throws -> Tensor {
        let rows = try PixelRows(logits: logits, target: target)
        let crossEntropy =
            try rows.crossEntropy(weights: classWeights, boundaryWeight: boundaryWeight)
            * crossEntropyFactor
        guard diceFactor != 0 else { return crossEntropy }
        let dice = try rows.softDiceLoss(smoothing: smoothing, absentClasses: absentClasses)
        return try crossEntropy + dice * diceFactor
    }
}

/// Class weights by median-frequency balancing: `median(f) / f_c` over the classes that occur.
///
/// Source: Eigen and Fergus, arXiv:1411.4734, section 6.3.2; used by SD-Net and QuickNAT. The
/// division is exact, unlike QuickNAT's code, whose whole-number division gives the weight 0 to
/// every class above the median.
///
/// - Parameters:
///   - counts: Pixels of each class.
///   - bounds: No weight is outside of these, so that tiny structures do not drown the rest.
/// - Returns: One weight a class; 0 for a class that never occurs.
public func medianFrequencyWeights(
    counts: [Int], bounds: ClosedRange<Double> = 0...Double.infinity
) -> [Float] {
    let present = counts.filter { $0 > 0 }.sorted()
    guard !present.isEmpty else { return counts.map { _ in 0 } }
    let middle = present.count / 2
    let median =
        present.count % 2 == 1
        ? Double(present[middle]) : Double(present[middle - 1] + present[middle]) / 2
    return counts.map {
        $0 > 0 ? Float(min(max(median / Double($0), bounds.lowerBound), bounds.upperBound)) : 0
    }
}
