public import Datasets
import Preprocessing
public import Volumes

/// A slice of a held-out case, and how well it was labelled.
public struct SliceAgreement: Sendable, Hashable {
    /// The plane of the slice.
    public var plane: Plane
    /// The index of the slice, from the patient's left, back or bottom.
    public var index: Int
    /// Mean Dice over the structures that it shows.
    public var meanDice: Double
    /// The number of structures that it shows.
    public var structureCount: Int
}

/// Finds the slices of a case on which prediction and reference agree least.
///
/// A structure counts in a slice where one of the two has 20 pixels of it or more, and a slice
/// where the reference fills a quarter of what it fills in the fullest one: at the ends of the brain
/// a few pixels decide. Slices within five of a worse one are left out.
///
/// - Parameters:
///   - trainingCase: The case.
///   - classes: The class of each voxel of its conformed volume, as predicted.
///   - plane: How slices are cut.
///   - count: How many are wanted at most.
/// - Returns: Slices, worst first.
public func worstSlices(
    of trainingCase: TrainingCase, classes: [UInt8], plane: Plane, count: Int
) -> [SliceAgreement] {
    let grid = trainingCase.conformed.volume.grid
    let layout = SliceLayout(plane: plane, orientation: grid.orientation, size: grid.size)
    let classCount = Int(max(classes.max() ?? 0, trainingCase.classes.max() ?? 0)) + 1
    let isFlipped = !grid.orientation.axes[layout.stackAxis].isPositive
    var agreements: [SliceAgreement] = []
    var filled: [Int] = []
    var predicted = [UInt8](repeating: 0, count: layout.voxelsPerSlice)
    var expected = predicted
    for slice in 0..<layout.sliceCount {
        predicted.withUnsafeMutableBufferPointer {
            layout.copyLabels(slice, from: classes, into: $0)
        }
        expected.withUnsafeMutableBufferPointer {
            layout.copyLabels(slice, from: trainingCase.classes, into: $0)
        }
        var overlap = [Int](repeating: 0, count: classCount)
        var (found, wanted) = (overlap, overlap)
        for (first, second) in zip(predicted, expected) {
            found[Int(first)] += 1
            wanted[Int(second)] += 1
            if first == second { overlap[Int(first)] += 1 }
        }
        let dice = (1..<max(1, classCount)).filter { max(found[$0], wanted[$0]) >= 20 }
            .map { 2 * Double(overlap[$0]) / Double(found[$0] + wanted[$0]) }
        filled.append(expected.count { $0 != 0 })
        agreements.append(
            SliceAgreement(
                plane: plane, index: isFlipped ? layout.sliceCount - 1 - slice : slice,
                meanDice: dice.isEmpty ? 1 : dice.reduce(0, +) / Double(dice.count),
                structureCount: dice.count))
    }
    let fullest = filled.max() ?? 0
    let candidates = zip(agreements, filled)
        .filter { $0.structureCount > 0 && 4 * $1 >= fullest }.map(\.0)
        .sorted { ($0.meanDice, $0.index) < ($1.meanDice, $1.index) }
    var worst: [SliceAgreement] = []
    for slice in candidates where worst.count < count {
        if worst.allSatisfy({ abs($0.index - slice.index) > 5 }) { worst.append(slice) }
    }
    return worst
}
