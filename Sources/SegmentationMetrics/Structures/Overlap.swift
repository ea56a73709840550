public import Volumes

/// The overlap counts of one structure between a prediction and a reference.
public struct OverlapCounts: Sendable, Hashable, Codable {
    /// The structure's value in both maps.
    public var label: UInt16
    /// Voxels that carry the label in both.
    public var truePositives: Int
    /// Voxels that carry it in the prediction only.
    public var falsePositives: Int
    /// Voxels that carry it in the reference only.
    public var falseNegatives: Int
    /// Voxels that carry it in neither.
    public var trueNegatives: Int

    /// Makes counts.
    public init(
        label: UInt16, truePositives: Int, falsePositives: Int, falseNegatives: Int,
        trueNegatives: Int
    ) {
        self.label = label
        self.truePositives = truePositives
        self.falsePositives = falsePositives
        self.falseNegatives = falseNegatives
        self.trueNegatives = trueNegatives
    }

    /// Voxels of the structure in the prediction.
    public var predictionVoxels: Int { truePositives + falsePositives }

    /// Voxels of the structure in the reference.
    public var referenceVoxels: Int { truePositives + falseNegatives }

    /// `2TP / (2TP + FP + FN)`, or `nil` where neither map holds the structure.
    ///
    /// Source: Dice, Ecology 26(3), 1945, <https://doi.org/10.2307/1932409>.
    public var diceCoefficient: Double? {
        let sum = predictionVoxels + referenceVoxels
        return sum == 0 ? nil : Double(2 * truePositives) / Double(sum)
    }

    /// Intersection over union, `TP / (TP + FP + FN)`, or `nil` where neither map holds the
    /// structure.
    ///
    /// Source: Jaccard, New Phytologist 11(2), 1912,
    /// <https://doi.org/10.1111/j.1469-8137.1912.tb05611.x>.
    public var jaccardIndex: Double? {
        let union = truePositives + falsePositives + falseNegatives
        return union == 0 ? nil : Double(truePositives) / Double(union)
    }
}

/// Counts how two segmentations agree, for each structure, in one pass over the voxels.
///
/// - Parameters:
///   - prediction: The segmentation under test.
///   - reference: The segmentation it is measured against, on the same grid.
///   - labels: The structures to count, in the order of the result; `nil` for all that either map
///     holds, by ascending label, without background (0).
/// - Returns: One entry for each structure.
/// - Precondition: the two grids have the same size.
public func overlapCounts(
    of prediction: LabelMap, against reference: LabelMap, labels: [UInt16]? = nil
) -> [OverlapCounts] {
    precondition(
        prediction.grid.size == reference.grid.size,
        "grids differ: \(prediction.grid.size) and \(reference.grid.size)")
    let labelCount = Int(UInt16.max) + 1
    var inPrediction = [Int](repeating: 0, count: labelCount)
    var inReference = [Int](repeating: 0, count: labelCount)
    var inBoth = [Int](repeating: 0, count: labelCount)
    prediction.labels.withUnsafeBufferPointer { predicted in
        reference.labels.withUnsafeBufferPointer { referred in
            inPrediction.withUnsafeMutableBufferPointer { inPrediction in
                inReference.withUnsafeMutableBufferPointer { inReference in
                    inBoth.withUnsafeMutableBufferPointer { inBoth in
                        for index in 0..<predicted.count {
                            let (p, r) = (Int(predicted[index]), Int(referred[index]))
                            inPrediction[p] += 1
                            inReference[r] += 1
                            if p == r { inBoth[p] += 1 }
                        }
                    }
                }
            }
        }
    }
    let wanted =
        labels
        ?? (1..<labelCount).filter { inPrediction[$0] + inReference[$0] > 0 }.map(UInt16.init)
    return wanted.map { label in
        let index = Int(label)
        let union = inPrediction[index] + inReference[index] - inBoth[index]
        return OverlapCounts(
            label: label, truePositives: inBoth[index],
            falsePositives: inPrediction[index] - inBoth[index],
            falseNegatives: inReference[index] - inBoth[index],
            trueNegatives: prediction.labels.count - union)
    }
}

/// Measures how much two segmentations of one structure overlap.
///
/// The result is `2|P ∩ R| / (|P| + |R|)`, where `P` and `R` are the voxels that carry `label`
/// in the prediction and in the reference: 1 where they agree fully, 0 where they are disjoint.
/// For several structures ``overlapCounts(of:against:labels:)`` needs one pass.
///
/// Source: Dice, Ecology 26(3), 1945, <https://doi.org/10.2307/1932409>.
///
/// - Parameters:
///   - prediction: The segmentation under test.
///   - reference: The segmentation it is measured against, on the same grid.
///   - label: The structure to compare.
/// - Returns: A number in `0...1`, or `nil` where neither segmentation holds the structure.
/// - Precondition: `prediction.grid.size == reference.grid.size`.
public func diceCoefficient(
    of prediction: LabelMap, against reference: LabelMap, label: UInt16
) -> Double? {
    overlapCounts(of: prediction, against: reference, labels: [label])[0].diceCoefficient
}
