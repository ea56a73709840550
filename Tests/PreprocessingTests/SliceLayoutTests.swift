import Preprocessing
import Testing
import Volumes

struct SliceLayoutTests {
    private let size = GridSize(3, 4, 5)
    /// Each voxel holds its index as digits: `100 i + 10 j + k`.
    private var voxels: [Float] {
        (0..<60).map { offset -> Float in
            let (i, j, k) = (offset % 3, offset / 3 % 4, offset / 12)
            return Float(100 * i + 10 * j + k)
        }
    }

    // In LIA, the first axis is left-right, the second down-up, the third back-front.
    @Test(arguments: [
        (Plane.sagittal, 0, 3, 5, 4), (.axial, 1, 4, 5, 3), (.coronal, 2, 5, 4, 3),
    ])
    func `slices are stacked along the plane's axis, their faster axis across`(
        plane: Plane, axis: Int, count: Int, height: Int, width: Int
    ) throws {
        let layout = SliceLayout(
            plane: plane, orientation: try #require(Orientation("LIA")), size: size)
        #expect(layout.stackAxis == axis)
        #expect(layout.sliceCount == count)
        #expect(layout.height == height)
        #expect(layout.width == width)
        #expect(layout.voxelsPerSlice == height * width)
        for index in 0..<count {
            var slice = [Float](repeating: -1, count: height * width)
            slice.withUnsafeMutableBufferPointer {
                layout.copySlice(index, context: 1, from: voxels, into: $0)
            }
            var classes = [UInt8](repeating: 0, count: height * width)
            classes.withUnsafeMutableBufferPointer {
                layout.copyLabels(index, from: (0..<60).map { UInt8($0) }, into: $0)
            }
            for row in 0..<height {
                for column in 0..<width {
                    let at: (Int, Int, Int) =
                        switch plane {
                        case .sagittal: (index, column, row)
                        case .axial: (column, index, row)
                        case .coronal: (column, row, index)
                        }
                    #expect(
                        slice[row * width + column] == Float(100 * at.0 + 10 * at.1 + at.2))
                    #expect(
                        classes[row * width + column] == UInt8(size.offset(at.0, at.1, at.2)))
                }
            }
        }
    }

    @Test func `neighbours beyond the edge repeat the edge slice`() throws {
        let layout = SliceLayout(plane: .axial, orientation: .ras, size: size)
        func thirdDigits(_ index: Int) -> [Int] {
            var slices = [Float](repeating: -1, count: 5 * 12)
            slices.withUnsafeMutableBufferPointer {
                layout.copySlice(index, context: 5, from: voxels, into: $0)
            }
            return (0..<5).map { Int(slices[$0 * 12]) % 10 }
        }
        #expect(thirdDigits(0) == [0, 0, 0, 1, 2])
        #expect(thirdDigits(2) == [0, 1, 2, 3, 4])
        #expect(thirdDigits(3) == [1, 2, 3, 4, 4])
        #expect(thirdDigits(4) == [2, 3, 4, 4, 4])
    }

    @Test func `an even number of slices has no middle and stops the program`() async {
        await #expect(processExitsWith: .failure) {
            let layout = SliceLayout(plane: .axial, orientation: .ras, size: GridSize(2, 2, 2))
            var slices = [Float](repeating: 0, count: 8)
            slices.withUnsafeMutableBufferPointer {
                layout.copySlice(0, context: 2, from: [Float](repeating: 0, count: 8), into: $0)
            }
        }
    }
}
