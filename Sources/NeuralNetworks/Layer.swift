public import Tensors

/// A tensor that belongs to a layer: a weight that training moves, or a buffer that it keeps.
public final class Parameter {
    /// The values; replaced when the layer moves to another device.
    public var value: Tensor
    /// A Boolean value indicating whether gradients flow into it; buffers, such as running means,
    /// have none.
    public let isTrainable: Bool

    /// Makes a weight or a buffer of its first values.
    public init(_ value: Tensor, isTrainable: Bool = true) throws {
        self.value = try value.requiresGradient(isTrainable)
        self.isTrainable = isTrainable
    }
}

/// A Boolean value indicating whether a layer behaves as in training (batch moments, dropout) or as
/// in use.
public enum LayerMode: Sendable, Hashable {
    /// Batch normalisation uses and records the batch's moments; dropout drops.
    case training
    /// Batch normalisation uses the recorded moments; nothing is dropped.
    case inference
    /// Batch normalisation uses the recorded moments; dropout drops: a sample of what the network
    /// might say (Gal and Ghahramani, arXiv:1506.02142).
    case sampling
}

/// A piece of a layer, under the name it has in checkpoints.
public enum LayerPart {
    /// A weight or buffer.
    case parameter(Parameter)
    /// A layer inside this one.
    case layer(any Layer)
}

/// A part of a network with named parameters.
///
/// Parts are listed by hand, so that every key of a checkpoint can be found in the source.
public protocol Layer: AnyObject {
    /// The parts in the order of computation, with their names.
    var parts: [(name: String, part: LayerPart)] { get }
}

/// A layer that turns one image tensor into another.
public protocol ImageLayer: Layer {
    /// Computes the layer's output.
    ///
    /// - Parameters:
    ///   - input: `[N, C, H, W]`.
    ///   - mode: Whether the network is being trained.
    /// - Returns: `[N, C', H', W']`.
    /// - Throws: `TensorError`, for example where memory runs out.
    func callAsFunction(_ input: Tensor, mode: LayerMode) throws -> Tensor
}

extension Layer {
    /// Every weight and buffer with its full name, such as `encoders.0.block.convolution1.weight`.
    public var namedParameters: [(name: String, parameter: Parameter)] {
        parts.flatMap { name, part -> [(name: String, parameter: Parameter)] in
            switch part {
            case .parameter(let parameter): [(name: name, parameter: parameter)]
            case .layer(let layer):
                layer.namedParameters.map {
                    (name: name + "." + $0.name, parameter: $0.parameter)
                }
            }
        }
    }

    /// The weights that training moves.
    public var trainableParameters: [Parameter] {
        namedParameters.map(\.parameter).filter(\.isTrainable)
    }

    /// The number of trainable parameters.
    public var trainableCount: Int { trainableParameters.reduce(0) { $0 + $1.value.count } }

    /// Moves every weight and buffer to a device and, where asked, to another element type.
    public func move(to device: Device, type: ElementType? = nil) throws {
        for (_, parameter) in namedParameters {
            let moved = try parameter.value.detached().converted(
                to: type ?? parameter.value.elementType, on: device)
            parameter.value = try moved.requiresGradient(parameter.isTrainable)
        }
    }

    /// Lays kernels out as images do whose channels lie side by side.
    ///
    /// A GPU then need not turn them around at each call. For a layer that is only run, as weights
    /// are written to files in the other order.
    ///
    /// - Throws: `TensorError` where memory runs out.
    public func arrangeChannelsLast() throws {
        for (_, parameter) in namedParameters where parameter.value.shape.count == 4 {
            parameter.value = try parameter.value.detached().contiguous(.channelsLast)
        }
    }

    /// Forgets all gradients.
    public func clearGradients() throws {
        for parameter in trainableParameters { try parameter.value.clearGradient() }
    }
}
