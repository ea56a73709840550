import Volumes

/// The values of a box, x fastest.
func croppedValues<Value: BitwiseCopyable>(
    _ values: [Value], size: GridSize, to box: VoxelBox
) -> [Value] {
    if box == VoxelBox(all: size) { return values }
    let boxSize = box.size
    return [Value](unsafeUninitializedCapacity: boxSize.count) { result, count in
        values.withUnsafeBufferPointer { values in
            guard let source = values.baseAddress, let target = result.baseAddress else { return }
            for z in 0..<boxSize.z {
                for y in 0..<boxSize.y {
                    let row = size.offset(box.lower.x, box.lower.y + y, box.lower.z + z)
                    (target + boxSize.offset(0, y, z))
                        .update(from: source + row, count: boxSize.x)
                }
            }
        }
        count = boxSize.count
    }
}
