import Volumes

/// The mask of one structure in a box of voxels, one bit per voxel, padded by one background voxel.
///
/// Rows of bits run along x. Voxel `(1, 1, 1)` is the box's first; 0 and the last index on each
/// axis are the background around it, also where the box touches the edge of the image.
struct StructureMask {
    /// Voxels on each axis, the background around included.
    let size: GridSize
    /// Words of 64 voxels in a row; bits beyond the row are 0.
    let rowWords: Int
    /// The bits: row `y + size.y * z`, then word by word.
    private(set) var words: [UInt64]

    /// Makes an empty mask.
    private init(size: GridSize) {
        self.size = size
        rowWords = (size.x + 63) / 64
        words = [UInt64](repeating: 0, count: rowWords * size.y * size.z)
    }

    /// Cuts one structure out of a label map.
    init(of label: UInt16, in map: LabelMap, box: VoxelBox) {
        self.init(size: GridSize(box.size.x + 2, box.size.y + 2, box.size.z + 2))
        let (width, height, depth) = (box.size.x, box.size.y, box.size.z)
        let (rowWords, size) = (rowWords, size)
        let repeated = UInt64(label) &* 0x0001_0001_0001_0001
        map.labels.withUnsafeBytes { labels in
            words.withUnsafeMutableBufferPointer { words in
                for z in 0..<depth {
                    for y in 0..<height {
                        let source = map.grid.size.offset(
                            box.lower.x, y + box.lower.y, z + box.lower.z)
                        let row = rowWords * (y + 1 + size.y * (z + 1))
                        var x = 0
                        // Bit 0 is the background around, so the first word takes 63 voxels.
                        for word in 0..<rowWords {
                            let end = min(64 * (word + 1) - 1, width)
                            var bits: UInt64 = 0
                            var shift = UInt64((x + 1) & 63)
                            while x &+ 4 <= end {
                                let four = labels.loadUnaligned(
                                    fromByteOffset: 2 &* (source &+ x), as: UInt64.self)
                                bits |= Self.bits(whereEqual: four ^ repeated) &<< shift
                                shift &+= 4
                                x &+= 4
                            }
                            while x < end {
                                let value = labels.loadUnaligned(
                                    fromByteOffset: 2 &* (source &+ x), as: UInt16.self)
                                bits |= (value == label ? 1 : 0) &<< shift
                                shift &+= 1
                                x &+= 1
                            }
                            words[row + word] = bits
                        }
                    }
                }
            }
        }
    }

    /// The mask of zeros among four 16-bit numbers, the lowest number in the lowest bit.
    @inline(__always)
    private static func bits(whereEqual differences: UInt64) -> UInt64 {
        let low: UInt64 = 0x7fff_7fff_7fff_7fff
        // The highest bit of each that is not zero: the sum carries into it from any lower one.
        let different = ((differences & low) &+ low) | differences
        let equal = ~different & ~low
        // The four bits, 16 apart, are moved to bits 48 to 51.
        return ((equal &>> 15) &* 0x0001_0002_0004_0008) &>> 48 & 0xf
    }

    /// The structure's voxels that have at least one of their six neighbours outside.
    func border() -> StructureMask {
        var result = StructureMask(size: size)
        let (above, below) = (rowWords, rowWords * size.y)
        words.withUnsafeBufferPointer { words in
            result.words.withUnsafeMutableBufferPointer { result in
                for z in 1..<(size.z - 1) {
                    for y in 1..<(size.y - 1) {
                        let row = rowWords * (y + size.y * z)
                        for word in 0..<rowWords {
                            let index = row + word
                            let bits = words[index]
                            guard bits != 0 else { continue }
                            let left = bits &<< 1 | (word > 0 ? words[index - 1] &>> 63 : 0)
                            let right =
                                bits &>> 1
                                | (word + 1 < rowWords ? words[index + 1] &<< 63 : 0)
                            result[index] =
                                bits
                                & ~(left & right & words[index - above] & words[index + above]
                                & words[index - below] & words[index + below])
                        }
                    }
                }
            }
        }
        return result
    }

    /// The cells that the structure's surface runs through: those with corners of both kinds.
    ///
    /// Cell `(x, y, z)` lies between voxel `(x - 1, y - 1, z - 1)` and voxel `(x, y, z)`; the
    /// result has the same size as the mask.
    func surfaceCells() -> StructureMask {
        var result = StructureMask(size: size)
        let (above, below) = (rowWords, rowWords * size.y)
        words.withUnsafeBufferPointer { words in
            result.words.withUnsafeMutableBufferPointer { result in
                for z in 1..<size.z {
                    for y in 1..<size.y {
                        let row = rowWords * (y + size.y * z)
                        var (anyBefore, allBefore): (UInt64, UInt64) = (0, 0)
                        for word in 0..<rowWords {
                            let index = row + word
                            let (a, b) = (words[index], words[index - above])
                            let (c, d) = (words[index - below], words[index - above - below])
                            let (any, all) = (a | b | c | d, a & b & c & d)
                            result[index] =
                                (any | any &<< 1 | anyBefore &>> 63)
                                & ~(all & (all &<< 1 | allBefore &>> 63))
                            (anyBefore, allBefore) = (any, all)
                        }
                    }
                }
            }
        }
        return result
    }

    /// The number of set bits.
    var voxelCount: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }

    /// The pattern of a cell's corners that belong to the structure, numbered as in
    /// ``SurfaceElements``.
    @inline(__always)
    static func pattern(
        of words: UnsafeBufferPointer<UInt64>, rowWords: Int, size: GridSize, x: Int, row: Int
    ) -> Int {
        let (word, bit) = (x &>> 6, UInt64(x & 63))
        let index = row &* rowWords &+ word
        /// The two voxels `x - 1` and `x` of a row.
        @inline(__always)
        func pair(_ index: Int) -> Int {
            bit > 0
                ? Int((words[index] &>> (bit &- 1)) & 3)
                : Int(words[index &- 1] &>> 63 | (words[index] & 1) &<< 1)
        }
        let (above, below) = (rowWords, rowWords &* size.y)
        return pair(index &- above &- below) | pair(index &- below) &<< 2
            | pair(index &- above) &<< 4 | pair(index) &<< 6
    }

    /// Calls `body` for every set bit, by ascending `row`, then `x`.
    @inline(__always)
    func forEachVoxel(_ body: (_ x: Int, _ row: Int) -> Void) {
        words.withUnsafeBufferPointer { words in
            var index = 0
            for row in 0..<(size.y * size.z) {
                for word in 0..<rowWords {
                    var bits = words[index]
                    index += 1
                    while bits != 0 {
                        body(word &<< 6 &+ bits.trailingZeroBitCount, row)
                        bits &= bits &- 1
                    }
                }
            }
        }
    }
}
