import Foundation
import Inference
import ModelBundles
import Tensors

/// Computes the logits of one batch again and again, in turns with another program.
///
/// The file is a `StoredNetwork` with `images` `[N, contextSlices, H, W]` in single precision. The
/// first line that is told is `ready` and the path of computation between tabs. For each count that
/// `nextCount` gives, the batch is computed so many times; each is answered by a line of the seconds
/// it took by the clock.
///
/// - Parameters:
///   - path: The safetensors file.
///   - logits: Where the logits `[N, classes, H, W]` are written, or `nil`.
///   - precision: `auto`, `bf16`, `fp32` or `int8`, calibrated on the images.
///   - device: `auto`, `cpu`, `cuda` or `cuda:i`.
///   - threads: Threads that slices are dealt to, or `nil` for all cores.
///   - compiles: Whether the network is compiled where it can be.
///   - nextCount: How many times next, or `nil` at the end.
///   - report: Called with each line.
/// - Throws: One sentence on what is wrong with the file or the options.
public func benchmarkInference(
    path: String, logits: String?, precision: String, device: String, threads: Int?,
    compiles: Bool, nextCount: () -> Int?, report: (String) -> Void
) throws {
    let precision = try parsePrecision(precision)
    if let threads { try Engine.setThreadCount(threads) }
    let device = try resolveDevice(device)
    let stored = try StoredNetwork(at: path, on: device)
    do {
        let images = try stored.tensor("images")
        var calibration = Calibration(of: stored.network)
        if precision == .int8 { try calibration.observe(images) }
        let computation = SliceComputation(
            of: stored.network, precision: precision, device: device, compiles: compiles,
            height: images.shape[2], width: images.shape[3],
            inputRanges: calibration.inputRanges())
        let result = try computation(images)
        if let logits {
            try writeSafeTensors([("logits", result.contiguous())], to: logits)
        }
        report("ready\t\(computation.description)")
        let clock = ContinuousClock()
        while let count = nextCount() {
            for _ in 0..<count {
                let start = clock.now
                try waitUntilComputed(computation(images))
                report("\((clock.now - start) / .seconds(1))")
            }
        }
    }
}
