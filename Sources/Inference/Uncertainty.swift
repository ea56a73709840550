import Foundation
public import Volumes

/// The spread of labels over samples of a network whose dropout goes on in use.
///
/// Source: Roy et al., Bayesian QuickNAT, NeuroImage 195, 2019, arXiv:1811.09800, section 3: of each
/// structure the coefficient of variation of its volume and the intersection over union of all
/// samples, and of each voxel the entropy of the mean probabilities.
public struct Uncertainty: Sendable {
    /// The spread of one structure.
    public struct StructureSpread: Sendable, Hashable {
        /// The mean number of voxels in a sample, on the model's grid.
        public var meanVoxelCount: Double
        /// The standard deviation of that number (of N samples, by N - 1) over its mean; `nil`
        /// where no sample has the structure.
        public var volumeVariation: Double?
        /// Voxels that carry the label in all samples over those that do in any; `nil` where no
        /// sample has the structure.
        public var intersectionOverUnion: Double?
    }

    /// The number of samples.
    public var sampleCount: Int
    /// The seed of the dropped channels.
    public var seed: UInt64
    /// The entropy of the mean probabilities of each voxel in nats, on the model's grid.
    public var entropy: Volume
    /// The spread of each structure, by its label.
    public var structures: [UInt16: StructureSpread]

    /// Measures samples.
    ///
    /// - Parameters:
    ///   - samples: For each sample the class of each voxel.
    ///   - entropy: The entropy of each voxel.
    ///   - labelOfClass: The label of each class, background's first.
    ///   - seed: The seed of the samples.
    /// - Precondition: there are two samples or more.
    package init(samples: [[UInt8]], entropy: Volume, labelOfClass: [UInt16], seed: UInt64) {
        precondition(samples.count > 1, "\(samples.count) samples")
        let classCount = labelOfClass.count
        var counts = [[Int]](
            repeating: [Int](repeating: 0, count: samples.count), count: classCount)
        for (number, sample) in samples.enumerated() {
            for member in sample { counts[Int(member)][number] += 1 }
        }
        var inAll = [Int](repeating: 0, count: classCount)
        var inAny = [Int](repeating: 0, count: classCount)
        var seen: [UInt8] = []
        for voxel in samples[0].indices {
            seen.removeAll(keepingCapacity: true)
            for sample in samples where !seen.contains(sample[voxel]) {
                seen.append(sample[voxel])
                inAny[Int(sample[voxel])] += 1
            }
            if seen.count == 1 { inAll[Int(seen[0])] += 1 }
        }
        structures = [:]
        for member in 1..<classCount {
            let mean = Double(counts[member].reduce(0, +)) / Double(samples.count)
            let squares = counts[member].reduce(0.0) {
                $0 + (Double($1) - mean) * (Double($1) - mean)
            }
            let deviation = (squares / Double(samples.count - 1)).squareRoot()
            structures[labelOfClass[member]] = StructureSpread(
                meanVoxelCount: mean, volumeVariation: mean > 0 ? deviation / mean : nil,
                intersectionOverUnion: inAny[member] > 0
                    ? Double(inAll[member]) / Double(inAny[member]) : nil)
        }
        self.entropy = entropy
        self.seed = seed
        sampleCount = samples.count
    }
}
