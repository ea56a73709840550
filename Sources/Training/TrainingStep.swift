package import Inference
package import NeuralNetworks
package import SegmentationModels
package import Tensors

/// One step of a training: forward, loss, backward, clipped gradients, optimizer.
///
/// It is what ``PlaneTrainer`` repeats, apart so that its speed can be measured alone.
package struct TrainingStep {
    /// The network that is trained, on `device`.
    package let network: SegmentationNetwork
    /// The optimizer of its parameters.
    package let optimizer: any Optimizer
    /// The loss; its class weights lie on `device`.
    package let loss: SegmentationLoss
    /// Gradients are scaled down to this common norm.
    package let gradientNorm: Double
    private let autocastType: ElementType?
    private let device: Device

    /// Makes a step of its parts.
    package init(
        network: SegmentationNetwork, optimizer: any Optimizer, loss: SegmentationLoss,
        gradientNorm: Double, precision: Precision, device: Device
    ) {
        self.network = network
        self.optimizer = optimizer
        self.loss = loss
        self.gradientNorm = gradientNorm
        self.device = device
        autocastType = precision.resolved(on: device).autocastType
    }

    /// Moves the network by one batch.
    ///
    /// - Parameters:
    ///   - images: `[N, contextSlices, H, W]`, on the network's device.
    ///   - classes: The class of each pixel, `[N, H, W]`, of any integer type.
    /// - Returns: The loss, or `nil` where it or a gradient is not a finite number; the network is
    ///   then left as it was.
    /// - Throws: `TensorError`.
    package func callAsFunction(images: Tensor, classes: Tensor) throws -> Double? {
        let logits = try withAutocast(to: autocastType, on: device) {
            try network(images, mode: .training)
        }
        let value = try loss(logits: logits, target: classes.converted(to: .int64))
        try value.backward()
        let norm = try clipGradients(of: optimizer.parameters, toNorm: gradientNorm)
        let number = try value.item()
        guard number.isFinite, norm.isFinite else { return nil }
        try optimizer.step()
        try network.clearGradients()
        return number
    }
}
