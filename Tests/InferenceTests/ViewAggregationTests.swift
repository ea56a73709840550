import Datasets
import Tensors
import Testing

struct ViewAggregationTests {
    /// Storage `[z, y, x]` of 5 x 7 x 19 voxels, cut along each axis.
    private static let cuts: [(strides: SliceStrides, slices: Int, height: Int, width: Int)] = [
        (SliceStrides(slice: 133, row: 19, column: 1), 5, 7, 19),
        (SliceStrides(slice: 19, row: 133, column: 1), 7, 5, 19),
        (SliceStrides(slice: 1, row: 133, column: 19), 19, 5, 7),
    ]

    private static func makeLogits(_ shape: [Int], seed: UInt64) throws -> Tensor {
        var generator = SeededGenerator(seed: seed)
        let values = (0..<shape.reduce(1, *)).map { _ in
            Float.random(in: -12...12, using: &generator)
        }
        return try Tensor(values, shape: shape)
    }

    @Test(arguments: [2, 16, 28, 33])
    func `scores are LibTorch's softmax, added where the voxels are`(outputs: Int) throws {
        let voxelCount = 5 * 7 * 19
        // The second class's output also stands for one more.
        let outputOfClass = Array(0..<outputs) + [1]
        let classes = outputOfClass.count
        let sums = try Tensor.zeros([5, 7, 19, classes], type: .float16)
        var expected = [Double](repeating: 0, count: voxelCount * classes)
        for (number, cut) in Self.cuts.enumerated() {
            let weight = [0.4, 0.4, 0.2][number]
            let logits = try Self.makeLogits(
                [cut.slices, outputs, cut.height, cut.width], seed: UInt64(number))
            let probabilities: [Double] = try logits.converted(to: .float64).softmax(dimension: 1)
                .permuted([0, 2, 3, 1]).elements()
            let mostLikely: [UInt8] = try logits.argmax(dimension: 1).elements()
            var wanted = [UInt8](repeating: 255, count: voxelCount)
            for slice in 0..<cut.slices {
                for row in 0..<cut.height {
                    for column in 0..<cut.width {
                        let pixel = (slice * cut.height + row) * cut.width + column
                        let voxel =
                            slice * cut.strides.slice + row * cut.strides.row
                            + column * cut.strides.column
                        wanted[voxel] = mostLikely[pixel]
                        for (member, output) in outputOfClass.enumerated() {
                            expected[voxel * classes + member] +=
                                weight * probabilities[pixel * outputs + output]
                        }
                    }
                }
            }
            var likeliest = [UInt8](repeating: 255, count: voxelCount)
            // In two batches, the first of one slice.
            for slices in [0..<1, 1..<cut.slices] {
                try logits.narrowed(dimension: 0, start: slices.lowerBound, length: slices.count)
                    .addViewScores(
                        to: sums, likeliest: &likeliest, voxelCount: voxelCount,
                        strides: cut.strides, firstSlice: slices.lowerBound,
                        outputOfClass: outputOfClass, weight: weight)
            }
            #expect(likeliest == wanted)
        }
        let found: [Double] = try sums.elements()
        // Three additions, each rounded to 11 bits, or to 2^-24 below 2^-14.
        let worst = zip(found, expected).map { sum, exact in
            abs(sum - exact) / (exact * 3 / 2048 + 1.5 / 16_777_216)
        }.max()
        #expect(try #require(worst) <= 1)
        let elected = try sums.likeliestClasses()
        let likeliest: [UInt8] = try sums.converted(to: .float32).argmax(dimension: 3).elements()
        #expect(elected == likeliest)
    }

    @Test(arguments: [Float.nan, -Float.infinity, -1e38], [1, 5, 16, 33, 70])
    func `a voxel has one of the outputs also where all logits are no number`(
        value: Float, outputs: Int
    ) throws {
        let logits = try Tensor(
            [Float](repeating: value, count: outputs * 16), shape: [1, outputs, 4, 4])
        let sums = try Tensor.zeros([1, 4, 4, outputs], type: .float16)
        var likeliest = [UInt8](repeating: 255, count: 16)
        try logits.addViewScores(
            to: sums, likeliest: &likeliest, voxelCount: 16,
            strides: SliceStrides(slice: 16, row: 4, column: 1), firstSlice: 0,
            outputOfClass: Array(0..<outputs), weight: 1)
        #expect(likeliest == [UInt8](repeating: 0, count: 16))
        #expect(try sums.likeliestClasses() == [UInt8](repeating: 0, count: 16))
    }

    @Test func `slices that leave the volume, and outputs that are not there, are refused`() throws
    {
        let logits = try Tensor.zeros([2, 3, 4, 4])
        var likeliest: [UInt8] = []
        let sums = try Tensor.zeros([2, 4, 4, 3], type: .float16)
        let strides = SliceStrides(slice: 16, row: 4, column: 1)
        #expect(throws: TensorError.self) {
            try logits.addViewScores(
                to: sums, likeliest: &likeliest, voxelCount: 32, strides: strides, firstSlice: 1,
                outputOfClass: [0, 1, 2], weight: 1)
        }
        #expect(throws: TensorError.self) {
            try logits.addViewScores(
                to: sums, likeliest: &likeliest, voxelCount: 32, strides: strides, firstSlice: 0,
                outputOfClass: [0, 1, 3], weight: 1)
        }
    }
}
