import Preprocessing
import Tensors
import Volumes

/// The grids that a segmentation can be written on.
public enum OutputSpace: String, Sendable, Hashable, Codable, CaseIterable {
    /// The scan's own.
    case native
    /// The model's: the box of the foreground in the model's orientation and spacing.
    case conformed
}

/// The method that brought labels from the model's grid to the scan's.
public enum Restoration: String, Sendable, Hashable, Codable, CaseIterable {
    /// Each scan voxel is a voxel of the model's grid: nothing was interpolated.
    case ownVoxels = "own voxels"
    /// The scores of the classes were interpolated and their argmax taken.
    case classScores = "class scores"
    /// Each scan voxel took the nearest label, as the scores of a single plane would have taken
    /// more than ``SegmenterOptions/largestScoreBytes``.
    case nearestLabels = "nearest labels"
}

/// The probabilities of every class in the voxels of a scan.
///
/// They are the aggregated probabilities of the planes, normalized to a sum of 1 over all classes. The numbers stay
/// where the networks have left them, in half precision; volumes are made of them as they are asked
/// for, so that memory holds only a few at a time.
public final class ClassProbabilities {
    /// The stored value of probability 1.
    public static let scale = 65535
    /// The number of classes, including the background.
    public let classCount: Int
    private let conformed: ConformedScan
    private let prediction: VolumePrediction
    private let threadCount: Int

    init(
        of prediction: VolumePrediction, classCount: Int, conformed: ConformedScan,
        threadCount: Int
    ) {
        self.prediction = prediction
        self.classCount = classCount
        self.conformed = conformed
        self.threadCount = threadCount
    }

    /// The probabilities of some classes.
    ///
    /// Interpolated linearly, as labels are; outside the foreground's box background is certain.
    ///
    /// - Parameters:
    ///   - range: The classes: 0 is background, then follow the structures of the label table.
    ///   - space: On which grid.
    /// - Returns: For each class a volume in storage order, in parts of ``scale``.
    /// - Throws: `TensorError`.
    public func volumes(ofClasses range: Range<Int>, in space: OutputSpace) throws -> [[UInt16]] {
        try prediction.withScores(
            classCount: classCount, size: conformed.box.size, threadCount: threadCount
        ) { scores in
            conformed.probabilities(
                ofClasses: range, scores, onScanGrid: space == .native,
                scale: Float(Self.scale))
        } ?? []
    }
}
