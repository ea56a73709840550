/// Scratch memory of a plan for one image, the channels of a pixel side by side.
package struct PlanBuffer {
    /// Elements a pixel.
    package var channels: Int
    /// Pixels down.
    package var height: Int
    /// Pixels across.
    package var width: Int
    /// A Boolean value indicating whether it holds the indices of the largest pixels of pooling windows.
    package var holdsIndices: Bool

    /// Makes a description.
    package init(channels: Int, height: Int, width: Int, holdsIndices: Bool = false) {
        self.channels = channels
        self.height = height
        self.width = width
        self.holdsIndices = holdsIndices
    }
}

/// Some neighbouring channels of a buffer.
package struct PlanPlace {
    /// The buffer's position in the list.
    package var buffer: Int
    /// The first of the channels.
    package var channel: Int
    /// The number of channels.
    package var channels: Int

    /// Makes a place.
    package init(buffer: Int, channel: Int, channels: Int) {
        self.buffer = buffer
        self.channel = channel
        self.channels = channels
    }
}

/// A part of a concatenation.
package struct PlanSource {
    /// The value that holds it.
    package var place: PlanPlace
    /// The buffer of indices to unpool it by, or `nil` where it has the target's size.
    package var indices: Int?

    /// Makes a source.
    package init(_ place: PlanPlace, indices: Int? = nil) {
        self.place = place
        self.indices = indices
    }
}

/// 2x2 maxima of a step's target.
package struct PlanPooling {
    /// The value that receives them.
    package var target: PlanPlace
    /// The buffer for where they were, or `nil`.
    package var indices: Int?

    /// Makes a pooling.
    package init(target: PlanPlace, indices: Int? = nil) {
        self.target = target
        self.indices = indices
    }
}

/// A factor and a summand for each channel.
package struct PlanAffine {
    /// The factors, single precision.
    package var scale: Tensor
    /// The summands, single precision.
    package var shift: Tensor

    /// Makes one.
    package init(scale: Tensor, shift: Tensor) {
        self.scale = scale
        self.shift = shift
    }
}

/// A layer's weight and bias.
package struct PlanWeights {
    /// The weight, single precision.
    package var weight: Tensor
    /// The bias, single precision.
    package var bias: Tensor

    /// Makes a pair.
    package init(weight: Tensor, bias: Tensor) {
        self.weight = weight
        self.bias = bias
    }
}

/// The combination of cSE and sSE.
package enum PlanCombination: Int {
    /// Their sum.
    case addition
    /// The larger.
    case maximum
    /// Their product.
    case product
    /// Side by side; the target has twice the channels.
    case concatenation
}

/// The reduction of a pooling window.
package enum PlanReduction: Int {
    /// Its largest value.
    case maximum
    /// Its mean.
    case mean
    /// Its mean by the values themselves, where they are positive.
    case weighted
}

/// A step of a plan; see `CPlanStepKind`.
package enum PlanStep {
    /// The image, with zeros below and to the right of it.
    case input(target: PlanPlace)
    /// A convolution of stride 1 that keeps the size; negative values are multiplied by `slope`.
    ///
    /// With an input range it is computed in 8-bit integers, where the processor can.
    case convolve(
        source: Int, target: Int, PlanWeights, slope: Double, inputRange: ClosedRange<Double>?)
    /// A convolution of any kind, with `padding` zeros around its input.
    case convolveFreely(
        source: PlanPlace, target: PlanPlace, PlanWeights, stride: Int, dilation: Int,
        padding: Int, groups: Int, slope: Double)
    /// Sources side by side, scaled, shifted, rectified.
    case join([PlanSource], target: PlanPlace, PlanAffine?, slope: Double, PlanPooling?)
    /// Twice the size, linearly between pixel centres.
    case interpolate(source: PlanPlace, target: PlanPlace)
    /// Twice the size, each pixel four times.
    case `repeat`(source: PlanPlace, target: PlanPlace)
    /// Quarters of channels as the pixels of a 2x2 square.
    case spread(source: PlanPlace, target: PlanPlace)
    /// Squeeze & excitation.
    case recalibrate(
        source: PlanPlace, target: PlanPlace, PlanAffine?, reduce: PlanWeights?,
        expand: PlanWeights?, spatial: PlanWeights?, PlanCombination, PlanPooling?)
    /// The sum of values; negative results are multiplied by `slope`.
    case add([PlanPlace], target: PlanPlace, slope: Double)
    /// Windows that reach `padding` pixels beyond the image, where nothing counts, to one value each.
    case pool(
        source: PlanPlace, target: PlanPlace, PlanReduction, kernel: Int, stride: Int, padding: Int)
    /// Branches mixed channel by channel, by a softmax over what the mean of their sum selects.
    case select([PlanPlace], target: PlanPlace, reduce: PlanWeights, select: PlanWeights)
    /// The logits of each pixel.
    case classify(source: PlanPlace, PlanWeights)
    /// The logits of the slice as a whole, by a fully connected layer of its mean.
    case classifySlice(source: PlanPlace, PlanWeights)
}
