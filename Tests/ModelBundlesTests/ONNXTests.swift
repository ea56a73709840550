import Foundation
import ModelBundles
import NeuralNetworks
import SegmentationModels
import TestSupport
import Tensors
import Testing

/// Networks with every operation among them, by the names of their files.
private let architectures: [(name: String, architecture: Architecture)] = {
    func uNet(
        _ encoder: EncoderKind = .uNet(normalization: .batch), _ upsampling: Upsampling = .bilinear,
        _ recalibration: Recalibration = .channelAndSpatial(),
        _ placement: RecalibrationPlacement = .endOfBlock
    ) -> Architecture {
        Architecture(
            encoder: encoder, decoder: .uNet(normalization: .batch, upsampling: upsampling),
            classes: 4, widths: [8, 8, 8], kernel: 3, contextSlices: 3,
            recalibration: recalibration, placement: placement, dropout: 0.2)
    }
    func pooled(_ pooling: LevelPooling) -> Architecture {
        uNet(.uNet(normalization: .batch, pooling: pooling))
    }
    var grouped = uNet(.residual(), .nearest, .expandedSqueeze())
    grouped.groups = 2
    grouped.dilation = 2
    grouped.widths = [4, 6, 8]
    let kernels = SelectiveKernel(groups: 2, reductionRatio: 2, minimumWidth: 4)
    var all: [(name: String, architecture: Architecture)] = [
        ("unet", uNet()), ("unet-average", pooled(.average)),
        ("unet-stochastic", pooled(.stochastic)), ("unet-strided", pooled(.stridedConvolution)),
        ("unet-transposed", uNet(.uNet(normalization: .batch), .transposedConvolution, .spatial)),
        ("residual-grouped", grouped),
        ("unet-sk", uNet(.uNet(normalization: .batch), .bilinear, .selectiveKernel(kernels))),
        (
            "mixed",
            Architecture(
                encoder: .residual(), decoder: .sdNet, classes: 3, widths: [4, 6, 8], kernel: 3)
        ),
    ]
    for combination in Combination.allCases {
        for family in [NetworkFamily.sdNet, .denseNet] {
            all.append(
                (
                    "\(family)-\(combination.rawValue)",
                    Architecture(
                        family: family, classes: 5, channels: 8, kernel: 3, depth: 2,
                        recalibration: .channelAndSpatial(combination: combination))
                ))
        }
    }
    for encoder in [
        PublishedEncoder.resNet50, .resNeXt50, .inception, .denseNet121, .skNet50, .skNetSmall,
    ] {
        all.append(
            (
                encoder.rawValue,
                Architecture(
                    encoder: .published(encoder),
                    decoder: encoder == .inception
                        ? .sdNet : .uNet(normalization: .batch),
                    classes: 3, widths: Array(repeating: 16, count: encoder.levelCount), kernel: 3,
                    recalibration: .squeezeAndExcitation())
            ))
    }
    return all
}()

@Suite struct `An ONNX network` {
    private func write(_ values: Tensor, to path: String) throws {
        let numbers: [Float] = try values.contiguous().elements()
        let bytes = numbers.flatMap { number in
            (0..<4).map { UInt8(truncatingIfNeeded: number.bitPattern >> (8 * $0)) }
        }
        try Data(bytes).write(to: URL(filePath: path))
    }

    private func write(
        _ name: String, in folder: String, _ model: [UInt8], _ image: Tensor, _ logits: Tensor
    ) throws {
        let base = folder + "/" + name
        try Data(model).write(to: URL(filePath: base + ".onnx"))
        try write(image, to: base + ".image")
        try write(logits, to: base + ".logits")
        let shapes = ["image": image.shape, "logits": logits.shape]
        try JSONEncoder().encode(shapes).write(to: URL(filePath: base + ".json"))
    }

    @Test(
        .enabled(
            if: Checkers.onnxPython != nil || Checkers.isIntegration,
            "needs Python with onnx and onnxruntime: make checkers, or SLICESEG_ONNX_PYTHON"))
    func `gives the same logits and labels in ONNX Runtime`() throws {
        try withTemporaryDirectory { folder in
            for (name, architecture) in architectures {
                let network = try SegmentationNetwork(architecture)
                let image = try Tensor.randomNormal([2, architecture.contextSlices, 64, 96])
                // A few batches move the running moments to where the network lives.
                for _ in 0..<2 { _ = try withoutGradients { try network(image, mode: .training) } }
                let logits = try withoutGradients { try network(image, mode: .inference) }
                let model = try onnxModel(of: network, name: name, software: "tests")
                try write(name, in: folder, model, image, logits)
            }
            for encoder in [PublishedEncoder.resNet50, .denseNet121, .skNetSmall] {
                let network = try SegmentationNetwork(
                    Architecture(
                        encoder: .published(encoder), decoder: .average, classes: 7,
                        widths: Array(repeating: 1, count: encoder.levelCount), contextSlices: 3,
                        recalibration: .none))
                let image = try Tensor.randomNormal([2, 3, 64, 80])
                let logits = try withoutGradients {
                    try network(image, mode: .inference).reshaped([2, 7])
                }
                let model = try onnxModel(of: network, name: "c", software: "tests")
                try write("classifier-\(encoder.rawValue)", in: folder, model, image, logits)
            }
            let script = fixturePath("checks/check_onnx.py")
            let result = try Checkers.run([
                try #require(Checkers.onnxPython), script, folder,
            ])
            #expect(result.status == 0, "\(result.output)")
            print(result.output)
            let rows = result.output.split(separator: "\n").map { $0.split(separator: " ") }
                .filter { $0.count == 3 }
            #expect(rows.count == architectures.count + 3)
            for row in rows {
                #expect(try #require(Double(row[1])) < 1e-3, "\(row)")
                #expect(try #require(Double(row[2])) >= 0.999, "\(row)")
            }
        }
    }
}
