import Preprocessing
import Tensors
import Volumes

/// The prediction for a volume.
public struct VolumePrediction {
    /// The class of each voxel, in storage order.
    public var classes: [UInt8]
    /// The disagreement of the planes by class, 0...1; empty with one plane.
    ///
    /// It is 1 minus the mean pairwise Dice coefficient of the planes' own labels; `nil` where no
    /// plane has the class. What a plane cannot tell apart, such as left and right in sagittal
    /// slices, is one structure beside it.
    public var planeDisagreement: [Double?]
    /// The aggregated probability of each class, `[z, y, x, class]` in half precision, or `[place, class]`
    /// where ``places`` are given; `nil` where the slices of a single plane were decided at once.
    var scores: Tensor?
    /// The places of the voxels' scores, where only some voxels have scores: the others are background.
    var places: SumPlaces?

    /// The same with the scores in the machine's memory, to look at them more than once.
    func onHost() throws -> VolumePrediction {
        var prediction = self
        prediction.scores = try scores?.converted(to: .float16, on: .cpu)
        return prediction
    }

    /// Looks at the scores, where they were kept, in the machine's memory.
    func withScores<Result>(
        classCount: Int, size: GridSize, threadCount: Int, _ body: (ClassScores) -> Result
    ) throws -> Result? {
        guard let scores = try scores?.converted(to: .float16, on: .cpu) else { return nil }
        return try scores.withBytes { bytes in
            body(
                ClassScores(
                    scores: bytes.bindMemory(to: UInt16.self), places: places?.ofVoxels,
                    classes: classes, classCount: classCount, size: size, threadCount: threadCount))
        }
    }
}
