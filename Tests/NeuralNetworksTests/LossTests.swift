import Foundation
import NeuralNetworks
import TensorTestSupport
import Tensors
import Testing

/// A loss of the fixtures.
struct LossConfig: Decodable {
    var name: String
    var smoothing: Double?
    var boundaryWeight: Double?
    var includesBackground: Bool?
}

private func cases() throws -> [NetworkFixture<LossConfig>] {
    // Leaving out the background is no option of this package.
    try networkFixtures(where: ["kind": "loss"], as: LossConfig.self).filter {
        $0.config.includesBackground ?? true
    }
}

private func logits(_ rows: [[Float]]) throws -> Tensor {
    // Pixels side by side, one image: [1, K, 1, P].
    let classes = rows[0].count
    let planar = (0..<classes).flatMap { position in rows.map { $0[position] } }
    return try Tensor(planar, shape: [1, classes, 1, rows.count])
}

private func labels(_ classes: [Int64]) throws -> Tensor {
    try Tensor(classes, shape: [1, 1, classes.count])
}

@Suite struct `A loss` {
    @Test(arguments: try cases())
    func `and its gradient are PyTorch's`(_ fixture: NetworkFixture<LossConfig>) throws {
        let tensors = try fixture.tensors()
        let target = try tensors.tensor("target")
        let weights = tensors.holds("weights") ? try tensors.tensor("weights") : nil
        let smoothing = fixture.config.smoothing ?? 1e-5
        for layout in [MemoryLayout4D.rowMajor, .channelsLast] {
            let input = try tensors.tensor("input").contiguous(layout).requiresGradient()
            let loss: Tensor =
                switch fixture.config.name {
                case "dice":
                    try softDiceLoss(logits: input, target: target, smoothing: smoothing)
                default:
                    try SegmentationLoss(
                        classWeights: weights,
                        boundaryWeight: fixture.config.boundaryWeight ?? 0,
                        diceFactor: fixture.config.name == "crossEntropy" ? 0 : 1,
                        smoothing: smoothing)(logits: input, target: target)
                }
            #expect(loss.shape.isEmpty)
            let value = try loss.reshaped([1])
            #expect(try largestError(of: value, against: tensors.tensor("output")) < 1e-5)
            try (loss * 10).backward()
            let gradient = try #require(try input.gradient())
            let error = try largestError(of: gradient, against: tensors.tensor("grad_input"))
            #expect(error < 1e-5)
        }
    }

    @Test func `of every kind is compared`() throws {
        #expect(
            try cases().map(\.description).sorted() == [
                "crossEntropy", "crossEntropy-boundary", "crossEntropy-weighted",
                "crossEntropy-zeroWeight", "crossEntropyAndDice", "dice", "dice-absent",
            ])
    }

    @Test func `by cross-entropy is PyTorch's own operator's`() throws {
        let image = try Tensor.randomNormal([2, 3, 4, 5])
        let target = try Tensor((0..<40).map { Int64($0 * 7 % 3) }, shape: [2, 4, 5])
        let weights = try Tensor([0.5, 2, 3] as [Float], shape: [3])
        let own = try SegmentationLoss(classWeights: weights, diceFactor: 0)(
            logits: image, target: target)
        let theirs = try image.crossEntropy(target: target, weight: weights)
        #expect(try abs(own.item() - theirs.item()) < 1e-6)
    }

    @Test func `without class weights counts boundaries one more than the rest`() throws {
        // Two columns of class 0, two of 1: the middle two differ across, so they weigh 3.
        let image = try Tensor.randomNormal([1, 2, 1, 4])
        let target = try labels([0, 0, 1, 1])
        let own = try SegmentationLoss(classWeights: nil, boundaryWeight: 2, diceFactor: 0)(
            logits: image, target: target)
        let terms = try (0..<4).map { column in
            try SegmentationLoss(classWeights: nil, diceFactor: 0)(
                logits: image.narrowed(dimension: 3, start: column, length: 1),
                target: target.narrowed(dimension: 2, start: column, length: 1)
            ).item()
        }
        let expected = (terms[0] + 3 * terms[1] + 3 * terms[2] + terms[3]) / 8
        #expect(try abs(own.item() - expected) < 1e-6)
    }

    @Test func `adds its terms by their factors`() throws {
        let image = try Tensor.randomNormal([1, 3, 2, 4])
        let target = try Tensor([0, 1, 2, 0, 1, 2, 0, 1] as [Int64], shape: [1, 2, 4])
        func loss(_ crossEntropy: Double, _ dice: Double) throws -> Double {
            try SegmentationLoss(
                classWeights: nil, crossEntropyFactor: crossEntropy, diceFactor: dice)(
                    logits: image, target: target
                ).item()
        }
        #expect(try abs(loss(2, 3) - (2 * loss(1, 0) + 3 * loss(0, 1))) < 1e-5)
    }

    @Test func `by Dice is 0 where the prediction is sure and right, 1 where sure and wrong`()
        throws
    {
        let sure = try logits([[50, 0], [0, 50], [50, 0]])
        #expect(try softDiceLoss(logits: sure, target: labels([0, 1, 0])).item() < 1e-5)
        #expect(try softDiceLoss(logits: sure, target: labels([1, 0, 1])).item() > 1 - 1e-4)
    }

    @Test func `by Dice counts absent classes or leaves them out`() throws {
        // Even odds over three classes at three pixels: every Σp is 1. Class 0 has two pixels,
        // class 1 one, class 2 none: Dice is 2·2/3 / (1 + 2) = 4/9, 2·1/3 / (1 + 1) = 1/3 and 0.
        let even = try logits([[0, 0, 0], [0, 0, 0], [0, 0, 0]])
        let target = try labels([0, 0, 1])
        let included = try softDiceLoss(logits: even, target: target, smoothing: 0).item()
        #expect(abs(included - (1 - (4.0 / 9 + 1.0 / 3) / 3)) < 1e-6)
        let excluded = try softDiceLoss(
            logits: even, target: target, smoothing: 0, absentClasses: .excluded
        ).item()
        #expect(abs(excluded - (1 - (4.0 / 9 + 1.0 / 3) / 2)) < 1e-6)
    }

    @Test func `in half precision is computed in single precision`() throws {
        let image = try logits([[1, 2], [3, -1]]).converted(to: .bfloat16)
        let loss = try SegmentationLoss(classWeights: nil)(logits: image, target: labels([0, 1]))
        #expect(loss.elementType == .float32)
        let exact = try SegmentationLoss(classWeights: nil)(
            logits: logits([[1, 2], [3, -1]]), target: labels([0, 1]))
        #expect(try abs(loss.item() - exact.item()) < 1e-6)
    }

    @Test func `of a class that is not there is an error`() throws {
        #expect(throws: TensorError.self) {
            try SegmentationLoss(classWeights: nil)(
                logits: logits([[1, 2], [3, 4]]), target: labels([0, 2]))
        }
    }

    @Test func `of another size than its target is an error`() throws {
        #expect(throws: TensorError.self) {
            try SegmentationLoss(classWeights: nil)(
                logits: logits([[1, 2], [3, 4]]), target: labels([0, 1, 1]))
        }
    }
}

@Suite struct `Median-frequency weights` {
    @Test(
        arguments: [
            ([10, 20, 40], [2, 1, 0.5]),
            ([10, 30], [2, 2.0 / 3]),
            ([5], [1]),
            ([7, 7, 7, 7], [1, 1, 1, 1]),
            ([10, 0, 20, 40], [2, 0, 1, 0.5]),
            ([0, 0], [0, 0]),
            ([], []),
        ] as [([Int], [Float])])
    func `are the median count by each count, and 0 for absent classes`(
        counts: [Int], expected: [Float]
    ) {
        #expect(medianFrequencyWeights(counts: counts) == expected)
    }

    @Test func `are not rounded down to whole numbers`() {
        // As whole numbers, 1000 / 3000 would be 0 and the class would never be learned.
        #expect(medianFrequencyWeights(counts: [3000, 1000, 10])[0] == Float(1.0 / 3))
    }

    @Test func `stay within their bounds`() {
        #expect(
            medianFrequencyWeights(counts: [10_000, 100, 1, 0], bounds: 0.1...5) == [0.1, 1, 5, 0])
    }
}
