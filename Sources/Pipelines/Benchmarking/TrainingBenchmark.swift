import Foundation
import Inference
import ModelBundles
import NeuralNetworks
import SegmentationModels
import Tensors
import Training

/// Repeats the training step on one batch and tells how long it takes.
///
/// A file holds what is trained, so that another program can start from the same: the batch
/// (`images` `[N, contextSlices, H, W]`, `classes` `[N, H, W]`), `class_weights`, the weights as
/// `network.NAME`, and among the texts `architecture` as JSON. The step is that of `sliceseg train`:
/// forward in the asked precision, weighted cross-entropy and soft Dice, backward, gradients
/// clipped to a norm of 5, AdamW at a rate of 1e-4.
///
/// For each count that `nextCount` gives, so many steps are made; each is answered by a line of the
/// seconds it took by the clock, the seconds of processor time, and its loss, between tabs. The two
/// sides of a comparison can so take turns.
///
/// - Parameters:
///   - path: The safetensors file.
///   - precision: `auto`, `bf16` or `fp32`.
///   - device: `auto`, `cpu`, `cuda` or `cuda:i`.
///   - threads: Threads of an operation, or `nil` for all cores.
///   - nextCount: How many steps to make next, or `nil` at the end.
///   - report: Called with each line; the first, `ready`, after the set-up.
/// - Throws: One sentence on what is wrong with the file or the options.
public func benchmarkTraining(
    path: String, precision: String, device: String, threads: Int?, nextCount: () -> Int?,
    report: (String) -> Void
) throws {
    let precision = try parsePrecision(precision)
    guard precision != .int8 else {
        throw UsageError("nothing is trained in int8; write auto, bf16 or fp32")
    }
    try Engine.load()
    try Engine.keepFreedMemory()
    if let threads { try Engine.setThreadCount(threads) }
    let device = try resolveDevice(device)
    let stored = try StoredNetwork(at: path, on: device)
    let network = stored.network
    let step = TrainingStep(
        network: network,
        optimizer: try AdamW(
            network.trainableParameters, learningRate: 1e-4, weightDecay: 0.01,
            decayed: .weightsOnly),
        loss: SegmentationLoss(
            classWeights: try stored.tensor("class_weights"), smoothing: 1, absentClasses: .excluded
        ),
        gradientNorm: 5, precision: precision, device: device)
    let (images, classes) = (try stored.tensor("images"), try stored.tensor("classes"))
    report("ready")
    let clock = ContinuousClock()
    while let count = nextCount() {
        for _ in 0..<count {
            let (start, used) = (clock.now, processorSeconds())
            let loss = try step(images: images, classes: classes)
            let seconds = (clock.now - start) / .seconds(1)
            report("\(seconds)\t\(processorSeconds() - used)\t\(loss ?? .nan)")
        }
    }
}

/// The processor time of all threads of this process so far.
private func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
