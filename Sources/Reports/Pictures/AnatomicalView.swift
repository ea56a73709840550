import Volumes

/// Reads voxels by anatomy instead of by storage: index 0 of each axis is the patient's left, back
/// and bottom, whatever the order in which the volume is stored.
struct AnatomicalView {
    /// Voxels along left-right, back-front and down-up.
    let size: [Int]
    /// Voxel edges along the same axes, in millimetres.
    let spacing: [Double]
    private let origin: Int
    private let strides: [Int]
    private let storageAxes: [Int]
    private let isFlipped: [Bool]

    init(of grid: Grid) {
        let orientation = grid.orientation
        let storageStrides = [1, grid.size.x, grid.size.x * grid.size.y]
        storageAxes = (0..<3).map { orientation.storageAxis(ofWorldAxis: $0) }
        isFlipped = storageAxes.map { !orientation.axes[$0].isPositive }
        size = storageAxes.map { grid.size[$0] }
        spacing = storageAxes.map { grid.spacing[$0] }
        var origin = 0
        var strides = [0, 0, 0]
        for axis in 0..<3 {
            let stride = storageStrides[storageAxes[axis]]
            strides[axis] = isFlipped[axis] ? -stride : stride
            if isFlipped[axis] { origin += stride * (size[axis] - 1) }
        }
        self.origin = origin
        self.strides = strides
    }

    /// The position in storage of the voxel at an anatomical index.
    func offset(_ index: SIMD3<Int>) -> Int {
        origin + index.x * strides[0] + index.y * strides[1] + index.z * strides[2]
    }

    /// The number of voxels of each slice that satisfy a condition, for each anatomical axis.
    ///
    /// - Parameter isCounted: Tells by the position in storage.
    /// - Returns: Three lists, from left, back and bottom on.
    func countsPerSlice(where isCounted: (Int) -> Bool) -> [[Int]] {
        var storageSize = [0, 0, 0]
        for axis in 0..<3 { storageSize[storageAxes[axis]] = size[axis] }
        var counts = storageSize.map { [Int](repeating: 0, count: $0) }
        var offset = 0
        for k in 0..<storageSize[2] {
            for j in 0..<storageSize[1] {
                var inRow = 0
                for i in 0..<storageSize[0] {
                    if isCounted(offset) {
                        counts[0][i] += 1
                        inRow += 1
                    }
                    offset += 1
                }
                counts[1][j] += inRow
                counts[2][k] += inRow
            }
        }
        return (0..<3).map { axis in
            let perSlice = counts[storageAxes[axis]]
            return isFlipped[axis] ? perSlice.reversed() : perSlice
        }
    }
}
