import Foundation
import NeuralNetworks
import Tensors
import Testing

/// Two convolutions with all that lies between them in a network.
private final class TinyNetwork: ImageLayer {
    private let first: Conv2d
    private let normalization: BatchNorm2d
    private let activation: PReLU
    private let second: Conv2d

    init() throws {
        first = try Conv2d(1, 4, kernel: 3)
        normalization = try BatchNorm2d(4)
        activation = try PReLU()
        second = try Conv2d(4, 3, kernel: 3)
    }

    var parts: [(name: String, part: LayerPart)] {
        [
            ("first", .layer(first)), ("normalization", .layer(normalization)),
            ("activation", .layer(activation)), ("second", .layer(second)),
        ]
    }

    func callAsFunction(_ input: Tensor, mode: LayerMode) throws -> Tensor {
        let hidden = try activation(normalization(first(input), mode: mode))
        let (pooled, indices) = try hidden.maxPooledWithIndices()
        return try second(pooled.maxUnpooled(indices: indices, size: (8, 8)))
    }
}

/// The memory that this process holds, in bytes.
private func residentBytes() throws -> Int {
    let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .ascii).split(
        separator: " ")
    return try #require(Int(fields[1])) * Int(sysconf(Int32(_SC_PAGESIZE)))
}

// Tensor counts, memory and random numbers belong to the whole process, so each of these runs in
// one of its own.
@Suite struct `Training` {
    @Test func `holds as many tensors and as much memory after a thousand steps as before`() async {
        await #expect(processExitsWith: .success) {
            // Images this small are not worth a second thread, which only waits.
            try Engine.setThreadCount(1)
            try Engine.setSeed(1)
            let network = try TinyNetwork()
            let optimizer = try AdamW(network.trainableParameters, learningRate: 0.01)
            let loss = SegmentationLoss(classWeights: try .ones([3]))
            let target = try Tensor((0..<128).map { Int64($0 % 3) }, shape: [2, 8, 8])
            func step(_ number: Int) throws {
                let image = try Tensor(
                    (0..<128).map { Float(($0 * 7 + number) % 11) }, shape: [2, 1, 8, 8])
                try network.clearGradients()
                let logits = try withAutocast(
                    to: number % 2 == 0 ? .bfloat16 : nil, on: .cpu
                ) { try network(image, mode: .training) }
                try loss(logits: logits, target: target).backward()
                try clipGradients(of: network.trainableParameters, toNorm: 1)
                try optimizer.step()
                // A failure on the way must leave nothing behind either.
                #expect(throws: TensorError.self) { try image + logits.reshaped([-1]) }
            }
            for number in 0..<200 { try step(number) }
            let (tensors, bytes) = (try Engine.liveTensorCount(), try residentBytes())
            for number in 0..<1000 {
                try step(number)
                #expect(try Engine.liveTensorCount() == tensors)
            }
            let grown = try residentBytes() - bytes
            #expect(grown < 4 << 20, "\(grown) bytes more")
            // Weights, moments, step counts, class weights, target.
            #expect(tensors < 60)
        }
    }

    @Test func `frees everything with its network`() async {
        await #expect(processExitsWith: .success) {
            func train() throws {
                let network = try TinyNetwork()
                let optimizer = try StochasticGradientDescent(
                    network.trainableParameters, learningRate: 0.1)
                let logits = try network(.randomNormal([1, 1, 8, 8]), mode: .training)
                let target = try Tensor([Int64](repeating: 0, count: 64), shape: [1, 8, 8])
                try SegmentationLoss(classWeights: nil)(logits: logits, target: target).backward()
                try optimizer.step()
            }
            try train()
            #expect(try Engine.liveTensorCount() == 0)
        }
    }

    @Test(arguments: [false, true]) func `lowers the loss`(inHalfPrecision: Bool) async {
        await #expect(processExitsWith: .success) { [inHalfPrecision] in
            try Engine.setThreadCount(1)
            try Engine.setSeed(3)
            let network = try TinyNetwork()
            let optimizer = try AdamW(network.trainableParameters, learningRate: 0.02)
            let image = try Tensor.randomNormal([2, 1, 8, 8])
            // Class 2 where bright, 1 where dark, 0 between.
            let classes = try image.elements(as: Float.self).map {
                Int64($0 > 0.5 ? 2 : $0 < -0.5 ? 1 : 0)
            }
            let target = try Tensor(classes, shape: [2, 8, 8])
            var losses: [Double] = []
            for _ in 0..<150 {
                try network.clearGradients()
                let logits = try withAutocast(to: inHalfPrecision ? .bfloat16 : nil, on: .cpu) {
                    try network(image, mode: .training)
                }
                let loss = try SegmentationLoss(classWeights: nil)(logits: logits, target: target)
                losses.append(try loss.item())
                try loss.backward()
                try optimizer.step()
            }
            #expect(losses[149] < losses[0] / 2, "\(losses[0]) to \(losses[149])")
        }
    }

    @Test func `goes the same way from the same seed`() async {
        await #expect(processExitsWith: .success) {
            try Engine.setThreadCount(1)
            func train(seed: UInt64) throws -> [Float] {
                try Engine.setSeed(seed)
                let network = try TinyNetwork()
                let optimizer = try AdamW(network.trainableParameters, learningRate: 0.02)
                let dropout = Dropout2d(probability: 0.3)
                for _ in 0..<5 {
                    try network.clearGradients()
                    let image = try Tensor.randomNormal([2, 1, 8, 8])
                    let logits = try dropout(network(image, mode: .training), mode: .training)
                    try (logits * logits).mean().backward()
                    try optimizer.step()
                }
                return try network.trainableParameters.flatMap {
                    try $0.value.elements(as: Float.self)
                }
            }
            let first = try train(seed: 11)
            #expect(try train(seed: 11) == first)
            #expect(try train(seed: 12) != first)
        }
    }
}
