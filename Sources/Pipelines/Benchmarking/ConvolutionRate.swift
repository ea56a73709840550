import Tensors

/// LibTorch's own convolution of 64 channels to 64 by 5x5 kernels on slices of 256x256 in bf16: by
/// its rate machines can be compared.
struct ConvolutionRate {
    private let images: Tensor
    private let weight: Tensor
    private let operations: Double

    /// Makes the slices and the weights.
    init(slices: Int, device: Device) throws {
        images = try Tensor.randomNormal([slices, 64, 256, 256], device: device)
            .converted(to: .bfloat16).contiguous(.channelsLast)
        weight = try Tensor.randomNormal([64, 64, 5, 5], device: device)
            .converted(to: .bfloat16).contiguous(.channelsLast)
        operations = 2.0 * 64 * 64 * 25 * 256 * 256 * Double(slices)
    }

    /// Convolves on the engine's threads: 10¹² operations a second.
    ///
    /// The second of two convolutions counts, whose result lies in memory that is there already.
    func rate() throws -> Double {
        let clock = ContinuousClock()
        let started = try withoutGradients {
            try waitUntilComputed(images.convolved(weight: weight, bias: nil, padding: 2))
            let started = clock.now
            try waitUntilComputed(images.convolved(weight: weight, bias: nil, padding: 2))
            return started
        }
        return operations / ((clock.now - started) / .seconds(1)) / 1e12
    }
}

/// Waits until a result is there, which on a GPU comes later than the call returns.
func waitUntilComputed(_ result: Tensor) throws {
    guard result.device != .cpu else { return }
    var corner = result
    for dimension in result.shape.indices {
        corner = try corner.narrowed(dimension: dimension, start: 0, length: 1)
    }
    _ = try corner.item()
}
