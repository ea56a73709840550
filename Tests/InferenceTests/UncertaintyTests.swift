import Inference
import NeuralNetworks
import SegmentationModels
import Tensors
import Testing
import Volumes

private let table = LabelTable([
    Structure(index: 2, name: "Left-Thalamus", color: LabelColor(red: 1, green: 2, blue: 3)),
    Structure(index: 41, name: "Right-Thalamus", color: LabelColor(red: 1, green: 2, blue: 3)),
    Structure(index: 16, name: "Brain-Stem", color: LabelColor(red: 1, green: 2, blue: 3)),
])

private func makePredictor(dropout: Double) throws -> VolumePredictor {
    let network = try makeTinyNetwork(
        classes: 4, channels: 6, context: 1, dropout: dropout, seed: 11)
    return VolumePredictor(
        networks: [
            PlaneNetwork(
                plane: .axial, network: network, weight: 1, outputOfClass: Array(0..<4))
        ], classCount: 4, device: .cpu, precision: .fp32, batchSize: 4)
}

@Suite struct `Test-time augmentation` {
    @Test func `pairs structures by their sides`() throws {
        #expect(MirroredClasses(of: try #require(table)).classes == [0, 2, 1, 3])
    }

    @Test func `gives a mirrored head the mirrored labels with sides swapped`() throws {
        let volume = makeSmoothVolume(GridSize(20, 16, 5), seed: 3)
        let size = volume.grid.size
        let mirrored = MirroredClasses(of: try #require(table))
        let predictor = try makePredictor(dropout: 0)
        let classes = try predictor.prediction(of: volume, mirrored: mirrored).classes
        // Storage axis 0 runs along the world's left and right.
        #expect(volume.grid.orientation.axes[0].worldAxis == 0)
        func turned<Value>(_ values: [Value]) -> [Value] {
            (0..<values.count).map { position in
                let x = position % size.x
                return values[position - x + size.x - 1 - x]
            }
        }
        let turnedVolume = Volume(grid: volume.grid, voxels: turned(volume.voxels))
        let other = try predictor.prediction(of: turnedVolume, mirrored: mirrored).classes
        let expected = turned(classes).map { UInt8(mirrored.classes[Int($0)]) }
        // Votes are in half precision: few voxels are near ties.
        let same = zip(other, expected).count { $0 == $1 }
        #expect(Double(same) >= 0.995 * Double(expected.count))
        #expect(Set(classes).count > 1)
    }
}

@Suite struct `A spread of samples` {
    @Test func `is the spread of volumes and the overlap of all samples`() throws {
        let grid = makeSmoothVolume(GridSize(2, 2, 1), seed: 1).grid
        let uncertainty = Uncertainty(
            samples: [[0, 1, 1, 2], [0, 1, 2, 2]],
            entropy: Volume(grid: grid, voxels: [0, 0, 0, 0]), labelOfClass: [0, 2, 41, 16],
            seed: 5)
        // Class 1: 2 and 1 voxels, mean 1.5, deviation 1/√2; one voxel in both, two in any.
        let first = try #require(uncertainty.structures[2])
        #expect(first.meanVoxelCount == 1.5)
        #expect(abs(try #require(first.volumeVariation) - 0.5.squareRoot() / 1.5) < 1e-12)
        #expect(first.intersectionOverUnion == 0.5)
        // Class 2: 1 and 2 voxels; one in both, two in any.
        #expect(uncertainty.structures[41]?.intersectionOverUnion == 0.5)
        // Class 3 is nowhere.
        #expect(uncertainty.structures[16]?.volumeVariation == nil)
        #expect(uncertainty.structures[16]?.intersectionOverUnion == nil)
    }

    @Test func `is none without dropout, and its entropy that of the probabilities`() throws {
        let volume = makeSmoothVolume(GridSize(12, 8, 3), seed: 3)
        let uncertainty = try makePredictor(dropout: 0).uncertainty(
            of: volume, sampleCount: 3, seed: 1, labelOfClass: [0, 2, 41, 16])
        for spread in uncertainty.structures.values where spread.meanVoxelCount > 0 {
            #expect(spread.volumeVariation == 0)
            #expect(spread.intersectionOverUnion == 1)
        }
        #expect(uncertainty.entropy.voxels.count == volume.voxels.count)
        // At most that of four equal chances.
        let largest = 1.3863
        #expect(uncertainty.entropy.voxels.allSatisfy { $0 >= 0 && Double($0) < largest + 1e-3 })
        #expect(uncertainty.entropy.voxels.contains { $0 > 0.01 })
    }

    @Test func `is the same within a mask, and nothing outside it`() throws {
        let volume = makeSmoothVolume(GridSize(12, 8, 3), seed: 3)
        let mask: [UInt8] = volume.voxels.indices.map { $0 % 5 < 3 ? 1 : 0 }
        let predictor = try makePredictor(dropout: 0)
        let labels: [UInt16] = [0, 2, 41, 16]
        let whole = try predictor.uncertainty(
            of: volume, sampleCount: 2, seed: 1, labelOfClass: labels)
        let within = try predictor.uncertainty(
            of: volume, sampleCount: 2, seed: 1, labelOfClass: labels, within: mask)
        let expected = zip(whole.entropy.voxels, mask).map { $1 == 0 ? 0 : $0 }
        #expect(within.entropy.voxels == expected)
        #expect(within.entropy.voxels != whole.entropy.voxels)
    }

    @Test func `comes again from the same seed and not from another`() async {
        // In a process of its own: the generator is the engine's, for all.
        await #expect(processExitsWith: .success) {
            let volume = makeSmoothVolume(GridSize(16, 16, 4), seed: 3)
            let predictor = try makePredictor(dropout: 0.5)
            func entropy(seed: UInt64) throws -> [Float] {
                try predictor.uncertainty(
                    of: volume, sampleCount: 4, seed: seed, labelOfClass: [0, 2, 41, 16]
                ).entropy.voxels
            }
            let first = try entropy(seed: 7)
            #expect(try entropy(seed: 7) == first)
            #expect(try entropy(seed: 8) != first)
        }
    }
}
