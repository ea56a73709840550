public import Tensors

/// Moves parameters against their gradients.
public protocol Optimizer: AnyObject {
    /// The parameters it moves, in a fixed order.
    var parameters: [Parameter] { get }
    /// The size of the next steps.
    var learningRate: Double { get set }
    /// Moves every parameter once by its gradient; one without a gradient is an error.
    func step() throws
    /// Everything the next step depends on besides parameters, gradients and learning rate.
    var state: [(name: String, tensor: Tensor)] { get }
    /// Puts back a state that ``state`` gave out.
    func restore(_ state: [String: Tensor]) throws
}

/// An error in a stored optimizer state or in gradients.
public struct OptimizerError: Error, CustomStringConvertible {
    /// One sentence.
    public var description: String
}

extension Optimizer {
    func gradients() throws -> [Tensor] {
        try parameters.enumerated().map { position, parameter in
            guard let gradient = try parameter.value.gradient() else {
                throw OptimizerError(
                    description: "parameter \(position) of shape \(parameter.value.shape) has no "
                        + "gradient; call backward() on a loss that depends on it")
            }
            return gradient
        }
    }

    fileprivate func copyState(
        _ stored: [String: Tensor], into named: [(name: String, tensor: Tensor)]
    ) throws {
        for (name, tensor) in named {
            guard let saved = stored[name], saved.shape == tensor.shape else {
                throw OptimizerError(
                    description: "the stored optimizer state lacks '\(name)' of shape "
                        + "\(tensor.shape); it belongs to another network")
            }
            try tensor.copyInPlace(from: saved)
        }
    }
}

/// The parameters subject to weight decay.
public enum DecayedParameters: Sendable, Hashable {
    /// All.
    case all
    /// Kernels and matrices; not biases, slopes and normalisation's scales and shifts.
    case weightsOnly
}

/// Adam with decoupled weight decay (Loshchilov and Hutter, arXiv:1711.05101).
public final class AdamW: Optimizer {
    /// The parameters it moves.
    public let parameters: [Parameter]
    /// The size of the next steps.
    public var learningRate: Double
    private let betas: (Double, Double)
    /// Parameters, by position, that share a decay.
    private let groups: [(weightDecay: Double, positions: [Int])]
    private let epsilon: Double
    private let firstMoments: [Tensor]
    private let secondMoments: [Tensor]
    private let steps: [Tensor]

    /// Makes an optimizer; betas and epsilon default to the paper's.
    ///
    /// - Parameters:
    ///   - parameters: What it moves.
    ///   - learningRate: The size of the next steps.
    ///   - betas: Decay of the first and of the second moments.
    ///   - weightDecay: How fast weights shrink, in units of the learning rate.
    ///   - decayed: Which parameters shrink.
    ///   - epsilon: Added to the root of the second moment.
    /// - Throws: `TensorError` where memory runs out.
    public init(
        _ parameters: [Parameter], learningRate: Double, betas: (Double, Double) = (0.9, 0.999),
        weightDecay: Double = 0.01, decayed: DecayedParameters = .all, epsilon: Double = 1e-8
    ) throws {
        self.parameters = parameters
        self.learningRate = learningRate
        self.betas = betas
        self.epsilon = epsilon
        let shrinks = parameters.map { decayed == .all || $0.value.shape.count > 1 }
        groups = [
            (weightDecay, parameters.indices.filter { shrinks[$0] }),
            (0, parameters.indices.filter { !shrinks[$0] }),
        ]
        firstMoments = try zerosLike(parameters)
        secondMoments = try zerosLike(parameters)
        steps = try parameters.map { try .zeros([], device: $0.value.device) }
    }

    /// Moves every parameter once.
    public func step() throws {
        let gradients = try gradients()
        try withoutGradients {
            // LibTorch's kernel counts the step it is about to take, so the count goes first.
            try Tensor.addInPlace(1, to: steps)
            for (weightDecay, positions) in groups where !positions.isEmpty {
                try Tensor.adamWStep(
                    parameters: positions.map { parameters[$0].value },
                    gradients: positions.map { gradients[$0] },
                    firstMoments: positions.map { firstMoments[$0] },
                    secondMoments: positions.map { secondMoments[$0] },
                    steps: positions.map { steps[$0] }, learningRate: learningRate, betas: betas,
                    weightDecay: weightDecay, epsilon: epsilon)
            }
        }
    }

    /// Moments and step counts.
    public var state: [(name: String, tensor: Tensor)] {
        parameters.indices.flatMap { position in
            [
                ("first_moment.\(position)", firstMoments[position]),
                ("second_moment.\(position)", secondMoments[position]),
                ("step.\(position)", steps[position]),
            ]
        }
    }

    /// Puts back moments and step counts.
    public func restore(_ state: [String: Tensor]) throws {
        try copyState(state, into: self.state)
    }
}

/// Stochastic gradient descent with momentum, as PyTorch defines it:
/// `v = momentum v + g + decay w; w -= rate v`.
public final class StochasticGradientDescent: Optimizer {
    /// The parameters it moves.
    public let parameters: [Parameter]
    /// The size of the next steps.
    public var learningRate: Double
    private let momentum: Double
    private let weightDecay: Double
    private let isNesterov: Bool
    /// One a parameter; none without momentum, as the kernel wants it.
    private let momenta: [Tensor]

    /// Makes an optimizer with strong momentum and weak decay where nothing else is said.
    public init(
        _ parameters: [Parameter], learningRate: Double, momentum: Double = 0.95,
        weightDecay: Double = 1e-4, isNesterov: Bool = false
    ) throws {
        self.parameters = parameters
        self.learningRate = learningRate
        self.momentum = momentum
        self.weightDecay = weightDecay
        self.isNesterov = isNesterov
        momenta = momentum == 0 ? [] : try zerosLike(parameters)
    }

    /// Moves every parameter once.
    public func step() throws {
        let gradients = try gradients()
        try withoutGradients {
            // From a momentum of zeros, the first step is the general one.
            try Tensor.stochasticGradientStep(
                parameters: parameters.map(\.value), gradients: gradients, momenta: momenta,
                learningRate: learningRate, momentum: momentum, weightDecay: weightDecay,
                isNesterov: isNesterov, isFirstStep: false)
        }
    }

    /// The momenta.
    public var state: [(name: String, tensor: Tensor)] {
        momenta.enumerated().map { ("momentum.\($0)", $1) }
    }

    /// Puts back the momenta.
    public func restore(_ state: [String: Tensor]) throws {
        try copyState(state, into: self.state)
    }
}

/// Scales all gradients down together where their common Euclidean norm is above a limit.
///
/// - Returns: The norm before clipping; not finite where a gradient is not.
@discardableResult
public func clipGradients(of parameters: [Parameter], toNorm limit: Double) throws -> Double {
    let gradients = try parameters.compactMap { try $0.value.gradient() }
    guard !gradients.isEmpty else { return 0 }
    let norm = try Tensor.globalNorm(gradients).item()
    if norm > limit {
        // The small term is PyTorch's, against division by zero.
        try Tensor.scaleInPlace(gradients, by: limit / (norm + 1e-6))
    }
    return norm
}

private func zerosLike(_ parameters: [Parameter]) throws -> [Tensor] {
    try parameters.map {
        // Same memory layout as the parameter, which the fused kernels require.
        let zeros = try $0.value.detached().clone()
        try zeros.multiplyInPlace(by: 0)
        return zeros
    }
}
