/// Finds exact order statistics of many intensities without sorting them.
///
/// Floats are mapped to integers in the same order and counted by their upper 16 bits; a second
/// pass counts the lower 16 bits in the few bins that hold a wanted rank.
package struct IntensityHistogram {
    /// The number of intensities that were counted.
    package let count: Int
    private let threshold: Float
    private let noData: NoDataValues
    private let binCounts: [Int]

    /// Counts the intensities above a threshold that hold a measurement.
    package init(
        of voxels: [Float], above threshold: Float = -.infinity,
        excluding noData: NoDataValues = .none
    ) {
        var bins = [Int](repeating: 0, count: 1 << 16)
        var total = 0
        voxels.withUnsafeBufferPointer { voxels in
            bins.withUnsafeMutableBufferPointer { bins in
                for voxel in voxels where voxel > threshold && !noData.contains(voxel) {
                    bins[Int(orderedBits(voxel) >> 16)] += 1
                    total += 1
                }
            }
        }
        count = total
        binCounts = bins
        self.threshold = threshold
        self.noData = noData
    }

    /// The intensities at ranks (0 is the smallest) among those counted.
    ///
    /// - Precondition: `voxels` is what was counted, and the ranks lie in `0..<count`.
    package func values(atRanks ranks: [Int], in voxels: [Float]) -> [Float] {
        var slotOfBin = [UInt8](repeating: 0, count: 1 << 16)
        var slots: [(bin: Int, before: Int)] = []
        var slotOfRank: [Int] = []
        for rank in ranks {
            precondition(rank >= 0 && rank < count, "rank \(rank) of \(count) intensities")
            var before = 0
            var bin = 0
            while before + binCounts[bin] <= rank {
                before += binCounts[bin]
                bin += 1
            }
            if slotOfBin[bin] == 0 {
                slots.append((bin, before))
                slotOfBin[bin] = UInt8(slots.count)
            }
            slotOfRank.append(Int(slotOfBin[bin]) - 1)
        }
        let fineCounts = fineCounts(of: voxels, slotOfBin: slotOfBin, slotCount: slots.count)
        return zip(ranks, slotOfRank).map { rank, slot in
            var before = slots[slot].before
            var fine = 0
            while before + fineCounts[slot << 16 + fine] <= rank {
                before += fineCounts[slot << 16 + fine]
                fine += 1
            }
            return float(fromOrderedBits: UInt32(slots[slot].bin << 16 + fine))
        }
    }

    private func fineCounts(of voxels: [Float], slotOfBin: [UInt8], slotCount: Int) -> [Int] {
        var fineCounts = [Int](repeating: 0, count: slotCount << 16)
        voxels.withUnsafeBufferPointer { voxels in
            slotOfBin.withUnsafeBufferPointer { slotOfBin in
                fineCounts.withUnsafeMutableBufferPointer { fineCounts in
                    for voxel in voxels where voxel > threshold && !noData.contains(voxel) {
                        let bits = orderedBits(voxel)
                        let slot = Int(slotOfBin[Int(bits >> 16)])
                        if slot > 0 { fineCounts[(slot - 1) << 16 + Int(bits & 0xffff)] += 1 }
                    }
                }
            }
        }
        return fineCounts
    }

    /// Percentiles by linear interpolation between the nearest ranks, as numpy's default.
    ///
    /// - Precondition: `voxels` is what was counted, there is at least one, and the percentages
    ///   lie in `0...100`.
    package func percentiles(_ percentages: [Double], in voxels: [Float]) -> [Double] {
        let positions = percentages.map { $0 / 100 * Double(count - 1) }
        let ranks = positions.flatMap { position in
            [Int(position), min(Int(position) + 1, count - 1)]
        }
        let values = values(atRanks: ranks, in: voxels)
        return positions.indices.map { index in
            let fraction = positions[index] - Double(Int(positions[index]))
            let (lower, upper) = (Double(values[2 * index]), Double(values[2 * index + 1]))
            return lower + (upper - lower) * fraction
        }
    }
}

/// The bits of a float as an integer that sorts as the float does.
@inline(__always)
private func orderedBits(_ value: Float) -> UInt32 {
    let bits = value.bitPattern
    return bits & 0x8000_0000 == 0 ? bits | 0x8000_0000 : ~bits
}

@inline(__always)
private func float(fromOrderedBits bits: UInt32) -> Float {
    Float(bitPattern: bits & 0x8000_0000 == 0 ? ~bits : bits & 0x7fff_ffff)
}
