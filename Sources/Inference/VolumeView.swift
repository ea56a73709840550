import Preprocessing
import Tensors

/// A volume while its slices are computed: it gives slices and takes their votes.
///
/// The sums are a tensor `[z, y, x, classes]` in half precision, for storage extents `[x, y, z]`.
/// Where a single plane's outputs are the classes, each slice can be decided at once and no sums are
/// kept. ``HostVolume`` works in the machine's memory, ``ResidentVolume`` in the device's.
protocol VolumeView: AnyObject {
    /// The images of some slices, `[N, context, height, width]` in single precision.
    func images(_ slices: Range<Int>, _ layout: SliceLayout, context: Int) throws -> Tensor

    /// From here on the likeliest output of each voxel is noted too, for one more plane.
    func beginOpinion() throws

    /// Adds the softmax of the slices' logits `[N, outputs, height, width]`, times `weight`.
    ///
    /// Nothing that is summed up has changed if it throws.
    func add(
        _ logits: Tensor, _ slices: Range<Int>, _ layout: SliceLayout, outputOfClass: [Int],
        weight: Double) throws

    /// By plane, the likeliest output of each voxel, in storage order.
    func opinions() throws -> [[UInt8]]

    /// The class with the most votes at each voxel, in storage order.
    func classes() throws -> [UInt8]

    /// The sums, where they are; `nil` where none are kept.
    var sums: Tensor? { get }
}
