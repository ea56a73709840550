extension PublishedEncoder {
    /// Makes the encoder with random weights.
    func makeEncoder(
        recalibration: Recalibration, inputChannels: Int
    ) throws -> any FeatureEncoder {
        func resNet(
            _ blocks: [Int], groups: Int = 1, baseWidth: Int = 64, _ kernel: SelectiveKernel? = nil
        ) throws -> ResNetEncoder {
            try ResNetEncoder(
                blocks: blocks, groups: groups, baseWidth: baseWidth, selectiveKernel: kernel,
                recalibration: recalibration, inputChannels: inputChannels)
        }
        func denseNet(_ layers: [Int], once: Bool = false) throws -> DenseNetEncoder {
            try DenseNetEncoder(
                layers: layers, recalibration: recalibration, recalibratesOnce: once,
                inputChannels: inputChannels)
        }
        return switch self {
        case .resNet50: try resNet([3, 4, 6, 3])
        case .resNet101: try resNet([3, 4, 23, 3])
        case .resNet152: try resNet([3, 8, 36, 3])
        case .resNeXt50: try resNet([3, 4, 6, 3], groups: 32, baseWidth: 4)
        case .inception:
            try InceptionEncoder(recalibration: recalibration, inputChannels: inputChannels)
        case .denseNet121: try denseNet([6, 12, 24, 16])
        case .denseNet169: try denseNet([6, 12, 32, 32])
        case .denseNet201: try denseNet([6, 12, 48, 32])
        case .denseNet121Last: try denseNet([6, 12, 24, 16], once: true)
        case .skNet50: try resNet([3, 4, 6, 3], groups: 32, baseWidth: 4, SelectiveKernel())
        case .skNet101: try resNet([3, 4, 23, 3], groups: 32, baseWidth: 4, SelectiveKernel())
        case .skNetSmall:
            try SmallSKNetEncoder(recalibration: recalibration, inputChannels: inputChannels)
        }
    }
}
