import Preprocessing
import Tensors

/// A volume during view aggregation: it provides slices and accumulates their probabilities.
///
/// The sums are a tensor `[z, y, x, classes]` in half precision, for storage extents `[x, y, z]`, or
/// `[place, classes]` where only some voxels have sums.
/// Where a single plane's outputs are the classes, each slice can be decided at once and no sums are
/// kept. ``HostVolume`` works in the machine's memory, ``ResidentVolume`` in the device's.
protocol VolumeView: AnyObject {
    /// The images of some slices, `[N, context, height, width]` in single precision.
    func images(_ slices: Range<Int>, _ layout: SliceLayout, context: Int) throws -> Tensor

    /// Starts keeping the argmax of each voxel for one more plane.
    func beginPlaneLabels() throws

    /// Adds the softmax of the slices' logits `[N, outputs, height, width]`, times `weight`.
    ///
    /// Nothing that is summed up has changed if it throws.
    func add(
        _ logits: Tensor, _ slices: Range<Int>, _ layout: SliceLayout, outputOfClass: [Int],
        weight: Double) throws

    /// The argmax of each voxel by plane, in storage order.
    func planeLabels() throws -> [[UInt8]]

    /// The argmax of the sums at each voxel, in storage order.
    func classes() throws -> [UInt8]

    /// The sums of probabilities, or `nil` if none are kept.
    var sums: Tensor? { get }
}
