import Dispatch
import Parallel
import Volumes

/// The extent and voxel counts of one structure in a prediction and in its reference.
struct LabelCensus {
    /// One map's voxels of a structure.
    struct Extent {
        var voxelCount = 0
        /// Sums of the voxels' indices.
        var indexSum: SIMD3<Int> = .zero
        var lower = SIMD3<Int>(repeating: .max)
        var upper: SIMD3<Int> = .zero

        /// Adds voxels that follow each other along x.
        mutating func add(_ x: Range<Int>, y: Int, z: Int) {
            let count = x.count
            voxelCount &+= count
            indexSum.x &+= (x.lowerBound &+ x.upperBound &- 1) &* count / 2
            indexSum.y &+= y &* count
            indexSum.z &+= z &* count
            lower = pointwiseMin(lower, SIMD3(x.lowerBound, y, z))
            upper = pointwiseMax(upper, SIMD3(x.upperBound, y &+ 1, z &+ 1))
        }

        mutating func add(_ other: Self) {
            voxelCount += other.voxelCount
            indexSum = indexSum &+ other.indexSum
            lower = pointwiseMin(lower, other.lower)
            upper = pointwiseMax(upper, other.upper)
        }

        /// The mean voxel index; not asked for where there are no voxels.
        var centroid: SIMD3<Double> { SIMD3<Double>(indexSum) / Double(voxelCount) }
    }

    var prediction = Extent()
    var reference = Extent()
    /// Voxels that carry the label in both maps.
    var sharedCount = 0

    /// The smallest box with all of the structure's voxels of both maps.
    var box: VoxelBox {
        VoxelBox(
            lower: pointwiseMin(prediction.lower, reference.lower),
            upper: pointwiseMax(prediction.upper, reference.upper))
    }

    /// Counts every label of two maps in one pass.
    ///
    /// - Returns: The census by label; labels that neither map holds are missing.
    static func take(of prediction: LabelMap, against reference: LabelMap) -> [UInt16: LabelCensus]
    {
        let depth = prediction.grid.size.z
        let slabCount = min(depth, 8)
        let slabs = concurrentMap(count: slabCount) { slab in
            Slab(
                of: prediction, against: reference,
                z: (depth * slab / slabCount)..<(depth * (slab + 1) / slabCount))
        }
        var result: [UInt16: LabelCensus] = [:]
        for slab in slabs {
            for (label, census) in zip(slab.labels, slab.entries) {
                result[label, default: LabelCensus()].prediction.add(census.prediction)
                result[label, default: LabelCensus()].reference.add(census.reference)
                result[label, default: LabelCensus()].sharedCount += census.sharedCount
            }
        }
        return result
    }

    /// The census of some slices.
    private struct Slab {
        var labels: [UInt16] = []
        var entries: [LabelCensus] = []

        init(of prediction: LabelMap, against reference: LabelMap, z: Range<Int>) {
            let size = prediction.grid.size
            var slots = [Int32](repeating: -1, count: Int(UInt16.max) + 1)
            prediction.labels.withUnsafeBufferPointer { predicted in
                reference.labels.withUnsafeBufferPointer { referred in
                    for z in z {
                        for y in 0..<size.y {
                            let row = size.offset(0, y, z)
                            var x = 0
                            while x < size.x {
                                // Voxels whose labels stay the same in both maps go together.
                                let start = x
                                let (p, r) = (predicted[row &+ x], referred[row &+ x])
                                repeat {
                                    x &+= 1
                                } while x < size.x && predicted[row &+ x] == p
                                    && referred[row &+ x] == r
                                let slot = slot(of: p, in: &slots)
                                entries[slot].prediction.add(start..<x, y: y, z: z)
                                if p == r {
                                    entries[slot].reference.add(start..<x, y: y, z: z)
                                    entries[slot].sharedCount &+= x &- start
                                } else {
                                    let slot = self.slot(of: r, in: &slots)
                                    entries[slot].reference.add(start..<x, y: y, z: z)
                                }
                            }
                        }
                    }
                }
            }
        }

        private mutating func slot(of label: UInt16, in slots: inout [Int32]) -> Int {
            let slot = slots[Int(label)]
            if slot >= 0 { return Int(slot) }
            slots[Int(label)] = Int32(entries.count)
            labels.append(label)
            entries.append(LabelCensus())
            return entries.count - 1
        }
    }
}
