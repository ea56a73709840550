import Foundation
import NeuralNetworks
import TensorTestSupport
import Tensors
import Testing

/// An optimizer of the fixtures.
struct OptimizerConfig: Decodable {
    var optimizer: String
    var learningRates: [Double]
    var momentum: Double?
    var weightDecay: Double
    var nesterov: Bool?
    var beta1: Double?
    var beta2: Double?
    var epsilon: Double?

    func makeOptimizer(_ parameters: [Parameter]) throws -> any Optimizer {
        if optimizer == "sgd" {
            return try StochasticGradientDescent(
                parameters, learningRate: learningRates[0], momentum: #require(momentum),
                weightDecay: weightDecay, isNesterov: #require(nesterov as Bool?))
        }
        return try AdamW(
            parameters, learningRate: learningRates[0],
            betas: (#require(beta1), #require(beta2)), weightDecay: weightDecay,
            epsilon: #require(epsilon))
    }
}

struct ClippingConfig: Decodable {
    var maximumNorm: Double
}

/// Makes `gradient` the gradient of a parameter.
private func setGradient(of parameter: Parameter, to gradient: Tensor) throws {
    try parameter.value.clearGradient()
    try (parameter.value * gradient).sum().backward()
}

private func slice(_ tensor: Tensor, _ position: Int) throws -> Tensor {
    try tensor.narrowed(dimension: 0, start: position, length: 1)
        .reshaped(Array(tensor.shape.dropFirst()))
}

private func optimizers() throws -> [NetworkFixture<OptimizerConfig>] {
    try networkFixtures(where: ["kind": "optimizer"], as: OptimizerConfig.self)
}

@Suite struct `An optimizer` {
    @Test(arguments: try optimizers())
    func `goes PyTorch's way`(_ fixture: NetworkFixture<OptimizerConfig>) throws {
        let tensors = try fixture.tensors()
        let parameter = try Parameter(tensors.tensor("initial"))
        let optimizer = try fixture.config.makeOptimizer([parameter])
        let (gradients, expected) = (
            try tensors.tensor("gradients"), try tensors.tensor("trajectory")
        )
        for (step, rate) in fixture.config.learningRates.enumerated() {
            optimizer.learningRate = rate
            try setGradient(of: parameter, to: slice(gradients, step))
            try optimizer.step()
            let error = try largestError(of: parameter.value, against: slice(expected, step))
            #expect(error < 1e-6, "step \(step): \(error)")
        }
    }

    @Test(arguments: try optimizers())
    func `goes on from a stored state as if it had never stopped`(
        _ fixture: NetworkFixture<OptimizerConfig>
    ) throws {
        let tensors = try fixture.tensors()
        let gradients = try tensors.tensor("gradients")
        func train(_ parameter: Parameter, _ optimizer: any Optimizer, _ steps: Range<Int>) throws {
            for step in steps {
                try setGradient(of: parameter, to: slice(gradients, step))
                try optimizer.step()
            }
        }
        let first = try Parameter(tensors.tensor("initial"))
        let steady = try fixture.config.makeOptimizer([first])
        try train(first, steady, 0..<2)
        // Through bytes, as in a file.
        var stored: [String: Tensor] = [:]
        for (name, tensor) in steady.state {
            stored[name] = try Tensor(
                bytes: tensor.bytes(), type: tensor.elementType, shape: tensor.shape)
        }
        let second = try Parameter(
            Tensor(first.value.elements(as: Float.self), shape: first.value.shape))
        let resumed = try fixture.config.makeOptimizer([second])
        try resumed.restore(stored)
        try train(first, steady, 2..<5)
        try train(second, resumed, 2..<5)
        #expect(
            try first.value.elements(as: Float.self) == second.value.elements(as: Float.self))
    }

    @Test func `refuses the state of another network and names what is missing`() throws {
        let parameter = try Parameter(.ones([2, 3]))
        let optimizer = try AdamW([parameter], learningRate: 0.1)
        let error = #expect(throws: OptimizerError.self) {
            try optimizer.restore(["first_moment.0": .ones([3, 2])])
        }
        #expect("\(try #require(error))".contains("'first_moment.0' of shape [2, 3]"))
    }

    @Test func `refuses a parameter without a gradient and names it`() throws {
        let parameters = [try Parameter(.ones([1])), try Parameter(.ones([2, 5]))]
        let optimizer = try StochasticGradientDescent(parameters, learningRate: 0.1)
        try setGradient(of: parameters[0], to: .ones([1]))
        let error = #expect(throws: OptimizerError.self) { try optimizer.step() }
        #expect("\(try #require(error))".contains("parameter 1 of shape [2, 5]"))
    }

    @Test(arguments: [DecayedParameters.all, .weightsOnly])
    func `shrinks kernels, and biases where told`(_ decayed: DecayedParameters) throws {
        let (kernel, bias) = (try Parameter(.ones([2, 2])), try Parameter(.ones([2])))
        let optimizer = try AdamW(
            [kernel, bias], learningRate: 0.1, weightDecay: 0.5, decayed: decayed)
        for parameter in [kernel, bias] {
            try setGradient(of: parameter, to: .zeros(parameter.value.shape))
        }
        try optimizer.step()
        // No gradient: w -= rate · decay · w, and nothing else.
        #expect(try largestError(of: kernel.value, against: .full(0.95, shape: [2, 2])) < 1e-6)
        let expected = decayed == .all ? 0.95 : 1
        #expect(try largestError(of: bias.value, against: .full(expected, shape: [2])) < 1e-6)
    }

    @Test func `finds the lowest point of a parabola`() throws {
        let target = try Tensor([1, -2, 3] as [Float], shape: [3])
        for isAdam in [true, false] {
            let parameter = try Parameter(.zeros([3]))
            let optimizer: any Optimizer =
                isAdam
                ? try AdamW([parameter], learningRate: 0.1, weightDecay: 0)
                : try StochasticGradientDescent(
                    [parameter], learningRate: 0.02, momentum: 0.9, weightDecay: 0)
            for _ in 0..<400 {
                try parameter.value.clearGradient()
                let difference = try parameter.value - target
                try (difference * difference).sum().backward()
                try optimizer.step()
            }
            #expect(try largestError(of: parameter.value, against: target) < 1e-2)
        }
    }
}

@Suite struct `Clipping gradients` {
    @Test(
        arguments: try networkFixtures(
            where: ["kind": "gradientClipping"], as: ClippingConfig.self))
    func `scales them together as PyTorch does`(_ fixture: NetworkFixture<ClippingConfig>) throws {
        let tensors = try fixture.tensors()
        let gradients = try (0..<2).map { try tensors.tensor("gradient.\($0)") }
        let parameters = try gradients.map { try Parameter(.zeros($0.shape)) }
        for (parameter, gradient) in zip(parameters, gradients) {
            try setGradient(of: parameter, to: gradient)
        }
        let norm = try clipGradients(of: parameters, toNorm: fixture.config.maximumNorm)
        #expect(
            try largestError(of: Tensor([norm], shape: [1]), against: tensors.tensor("norm"))
                < 1e-6)
        for position in 0..<2 {
            let clipped = try #require(try parameters[position].value.gradient())
            let expected = try tensors.tensor("clipped.\(position)")
            #expect(try largestError(of: clipped, against: expected) < 1e-6)
        }
    }

    @Test func `tells of a gradient that is not a number and leaves all as they are`() throws {
        let parameter = try Parameter(.ones([2]))
        try setGradient(of: parameter, to: Tensor([3, .nan] as [Float], shape: [2]))
        #expect(try clipGradients(of: [parameter], toNorm: 1).isNaN)
        #expect(try parameter.value.gradient()?.elements(as: Float.self)[0] == 3)
    }

    @Test func `of nothing gives 0`() throws {
        #expect(try clipGradients(of: [Parameter(.ones([2]))], toNorm: 1) == 0)
    }
}

/// A schedule of the fixtures.
struct ScheduleFixture: Decodable, Sendable, CustomStringConvertible {
    var schedule: String
    var base: Double
    var factor: Double?
    var every: Int?
    var power: Double?
    var minimum: Double?
    var warmUp: Int?
    var total: Int?
    var values: [Double]

    var description: String { "\(schedule), warm-up \(warmUp ?? 0)" }

    func makeSchedule() throws -> LearningRateSchedule {
        switch schedule {
        case "step": .step(every: try #require(every), factor: try #require(factor))
        case "polynomial": .polynomial(power: try #require(power))
        default: .cosine(floor: try #require(minimum) / base)
        }
    }
}

@Suite struct `A learning-rate schedule` {
    @Test(
        arguments: try decodeNetworkFixture("schedules.json", as: [ScheduleFixture].self))
    func `follows its formula`(_ fixture: ScheduleFixture) throws {
        let schedule = try fixture.makeSchedule()
        let warmUp = fixture.warmUp ?? 0
        for (step, expected) in fixture.values.enumerated() {
            let factor = schedule.factor(at: step, of: fixture.total ?? 0, warmUp: warmUp)
            #expect(abs(fixture.base * factor - expected) < 1e-9, "step \(step)")
        }
    }

    @Test func `warms up in equal steps and is at its full rate in the last of them`() {
        let schedule = LearningRateSchedule.constant
        let factors = (0..<6).map { schedule.factor(at: $0, of: 10, warmUp: 4) }
        #expect(factors == [0.25, 0.5, 0.75, 1, 1, 1])
    }

    @Test(arguments: [
        LearningRateSchedule.step(every: 0, factor: 0.5), .polynomial(power: 0.9),
        .cosine(floor: 0.1), .constant,
    ])
    func `stays in 0...1, also past its end and for no steps at all`(
        _ schedule: LearningRateSchedule
    ) {
        for total in [0, 1, 5] {
            for step in 0..<12 {
                for warmUp in [0, 1, 8] {
                    let factor = schedule.factor(at: step, of: total, warmUp: warmUp)
                    #expect((0...1).contains(factor))
                }
            }
        }
    }
}
