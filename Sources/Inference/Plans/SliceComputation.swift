import NeuralNetworks
package import SegmentationModels
package import Tensors

/// The computation of logits for slices of one size: a compiled plan, or layer by layer.
package struct SliceComputation {
    /// The path, such as ``InferencePlan/Summary/description``; of layers also why there is no plan.
    package let description: String
    /// The plan's summary, or `nil` where the layers are called one after another.
    package let plan: InferencePlan.Summary?
    private let logits: (Tensor) throws -> Tensor

    /// Compiles a network, or settles for its layers where that cannot be.
    ///
    /// - Parameters:
    ///   - network: The network, on `device`.
    ///   - precision: How it is computed.
    ///   - device: Where.
    ///   - compiles: Whether an ``InferencePlan`` is wanted at all.
    ///   - height: Pixels down the slices.
    ///   - width: Pixels across the slices.
    ///   - inputRanges: As for ``InferencePlan``; the layers themselves take no notice of them.
    ///   - samples: Whether dropout goes on, which only the layers can.
    package init(
        of network: SegmentationNetwork, precision: Precision, device: Device, compiles: Bool,
        height: Int, width: Int, inputRanges: [String: ClosedRange<Double>] = [:],
        samples: Bool = false
    ) {
        let precision = precision.resolved(on: device)
        var reason = ""
        if compiles, !samples, device == .cpu {
            do {
                let plan = try InferencePlan(
                    network: network, precision: precision, height: height, width: width,
                    inputRanges: inputRanges)
                self.plan = plan.summary
                description = plan.summary.description
                logits = { try plan($0) }
                return
            } catch {
                reason = "; no plan: \(error)"
            }
        }
        plan = nil
        // Layers have no integers.
        let layers = precision == .int8 ? Precision.auto.resolved(on: device) : precision
        description = "layer by layer (\(layers.rawValue)\(reason))"
        logits = { images in
            try withoutGradients {
                try withAutocast(to: layers.autocastType, on: device) {
                    try network(images, mode: samples ? .sampling : .inference)
                }
            }
        }
    }

    /// Computes the logits `[N, classes, height, width]` of slices.
    package func callAsFunction(_ images: Tensor) throws -> Tensor { try logits(images) }
}
