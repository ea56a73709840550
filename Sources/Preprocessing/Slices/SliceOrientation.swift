public import Volumes

/// The way in which a slice of a head lies, as far as the picture tells it: its plane, and where the
/// front and the top of the head are.
///
/// Left and right look alike, and so do a slice and its mirror image: the 48 orientations of a volume
/// make 16 of slices.
public struct SliceOrientation: Sendable, Hashable {
    /// The number of orientations.
    public static let count = 16

    /// Its number, from 0: four of axial slices by where the front is, four of coronal slices by where
    /// the top is, eight of sagittal slices by both.
    public let index: Int

    /// The orientation of the slices of a volume that are stacked along a storage axis.
    ///
    /// - Parameters:
    ///   - orientation: The directions of the volume's storage axes.
    ///   - stackAxis: The storage axis across the slices. Of the other two the faster one runs across
    ///     the picture, to the right, and the slower one down.
    public init(of orientation: Orientation, stackAxis: Int) {
        let across = stackAxis == 0 ? 1 : 0
        func direction(_ worldAxis: Int) -> Int {
            let axis = orientation.storageAxis(ofWorldAxis: worldAxis)
            let sign = orientation.axes[axis].isPositive ? 0 : 1
            return (axis == across ? 0 : 2) + sign
        }
        switch orientation.axes[stackAxis].worldAxis {
        case 2: index = direction(1)
        case 1: index = 4 + direction(2)
        default: index = 8 + 2 * direction(2) + direction(1) % 2
        }
    }

    /// The orientations as words, such as `axial, front to the right`.
    public static let names: [String] = {
        let directions = ["to the right", "to the left", "down", "up"]
        var names = directions.map { "axial, front \($0)" }
        names += directions.map { "coronal, top \($0)" }
        for (position, top) in directions.enumerated() {
            for sign in 0..<2 {
                let front = directions[(position < 2 ? 2 : 0) + sign]
                names.append("sagittal, top \(top), front \(front)")
            }
        }
        return names
    }()
}
