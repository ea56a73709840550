extension Architecture {
    /// Counts the multiplications and additions of all convolutions for one slice.
    ///
    /// A weight counts two at every pixel that it is applied at: `2 kH kW C_in C_out H W` for each
    /// convolution, those of recalibrations, upsampling and classifier included, on the slice as it
    /// is padded. However a convolution is computed, this is what it is measured by.
    ///
    /// - Parameters:
    ///   - height: Pixels down the slice.
    ///   - width: Pixels across the slice.
    /// - Returns: The count.
    public func operationCount(height: Int, width: Int) -> Int {
        let multiple = 1 << depth
        let rows = (height + multiple - 1) / multiple * multiple
        let columns = (width + multiple - 1) / multiple * multiple
        func pixels(_ level: Int) -> Int { (rows >> level) * (columns >> level) }

        var products = pixels(depth) * blockWeights(inputChannels: channels)
        for level in 0..<depth {
            let encoded = blockWeights(inputChannels: level == 0 ? contextSlices : channels)
            let decoded = blockWeights(inputChannels: 2 * channels)
            products += pixels(level) * (encoded + decoded)
            let isAfterPooling = placement == .afterPoolingAndUpsampling
            products += pixels(isAfterPooling ? level + 1 : level) * recalibrationWeights
            products += pixels(level) * recalibrationWeights
            if family == .uNet, upsampling == .transposedConvolution {
                products += pixels(level + 1) * 4 * channels * channels
            }
        }
        products += pixels(0) * channels * classes
        return 2 * products
    }

    /// The weights of a block's convolutions.
    private func blockWeights(inputChannels: Int) -> Int {
        let area = kernel * kernel
        let grown = inputChannels + channels
        return switch family {
        case .uNet: area * grown * channels
        case .sdNet: area * inputChannels * channels
        case .denseNet: (area * (inputChannels + grown) + grown + channels) * channels
        }
    }

    /// The weights of a recalibration's convolutions.
    private var recalibrationWeights: Int {
        let squeeze = recalibration == .spatial || recalibration == .channelAndSpatial
        let fuses = recalibration == .channelAndSpatial && combination == .concatenation
        return (squeeze ? channels : 0) + (fuses ? 2 * channels * channels : 0)
    }
}
