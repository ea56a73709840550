import Foundation
import Volumes

/// Varies training slices at random: one geometric warp, then changes of intensity.
///
/// The warp joins turn, scale, shear, move and bending into one resampling, bilinear for the image
/// and nearest for the labels; beyond the slice both are 0. All slices of the context move and
/// change alike, as they belong to one scan; only noise is drawn for each of them.
///
/// **Background rule.** A pixel that is exactly 0 after the warp lies outside of a skull-stripped
/// brain (or outside of the scan) and stays exactly 0, whatever happens to the intensities; nor does
/// it count in the foreground's mean, deviation and range. Intensities are not clipped.
///
/// **Aging.** Where it is asked for, the warp widens ventricles and sulci (`AtrophyFlow`), and the
/// white matter near the ventricles gets dark patches, as it has in old age. Both follow the labels
/// of the slice; the patches do not change them.
///
/// The order is warp, lesions, blur, bias field, gamma, contrast and brightness, noise.
public struct SliceAugmenter: Sendable {
    let options: AugmentationOptions
    let ventricles: [UInt8]
    let whiteMatter: Set<UInt8>

    /// Makes an augmenter.
    ///
    /// - Parameters:
    ///   - options: What varies.
    ///   - classOfStructure: The class that stands for each structure of the label table; needed
    ///     for those that the options name.
    /// - Precondition: `options.problem` is `nil`, and all structures that it names are there.
    public init(_ options: AugmentationOptions, classOfStructure: [String: UInt8] = [:]) {
        if let problem = options.problem { preconditionFailure(problem) }
        func classes(_ names: [String]) -> Set<UInt8> {
            Set(
                names.map { name in
                    guard let member = classOfStructure[name] else {
                        preconditionFailure("no class stands for '\(name)'")
                    }
                    return member
                })
        }
        self.options = options
        let ages = options.agingProbability > 0
        ventricles = ages ? classes(options.ventricles).sorted() : []
        whiteMatter = ages ? classes(options.whiteMatter) : []
    }

    /// Varies one slice in place.
    ///
    /// - Parameters:
    ///   - image: `[context, height, width]`, width fastest.
    ///   - labels: `[height, width]`; no label appears that was not there, except 0.
    ///   - context: Slices in the image.
    ///   - height: Rows.
    ///   - width: Pixels of a row.
    ///   - generator: Gives the seed of all that is drawn: exactly one number for each call, so that
    ///     a slice's variation does not depend on the options of those before it.
    /// - Precondition: `image.count == context * height * width`, `labels.count == height * width`.
    public func augment(
        image: inout [Float], labels: inout [UInt8], context: Int, height: Int, width: Int,
        using generator: inout some RandomNumberGenerator
    ) {
        let pixels = height * width
        precondition(
            image.count == context * pixels && labels.count == pixels,
            "\(image.count) values and \(labels.count) labels for [\(context), \(height), \(width)]"
        )
        var random = SeededGenerator(seed: generator.next())
        // Each variation has its own stream: turning one off leaves the others as they are.
        let seeds = (0..<7).map { _ in random.next() }
        if pixels == 0 || context == 0 { return }
        var aging = SeededGenerator(seed: seeds[6])
        let ages = aging.happens(options.agingProbability)
        let atrophy =
            ages
            ? drawnAtrophy(
                image: image, labels: labels, context: context, height: height, width: width,
                using: &aging) : nil
        if let warp = drawnWarp(height: height, width: width, atrophy: atrophy, seed: seeds[0]) {
            warp.apply(image: &image, labels: &labels, context: context)
        }
        if ages {
            addLesions(to: &image, labels: labels, height: height, width: width, using: &aging)
        }
        changeIntensities(of: &image, height: height, width: width, seeds: seeds)
    }

    private func drawnWarp(
        height: Int, width: Int, atrophy: AtrophyFlow?, seed: UInt64
    ) -> SliceWarp? {
        var random = SeededGenerator(seed: seed)
        let isAffine = random.happens(options.affineProbability)
        let isElastic = random.happens(options.elasticProbability)
        guard isAffine || isElastic || atrophy != nil else { return nil }
        var warp = SliceWarp(height: height, width: width)
        if let atrophy { warp.setAtrophy(atrophy) }
        if isAffine {
            func either(_ bound: Double) -> Double {
                Double(random.uniform(Float(-bound), Float(bound)))
            }
            warp.set(
                rotationDegrees: either(options.rotationDegrees),
                scale: Double(random.uniform(in: options.scale)), shear: either(options.shear),
                down: either(options.translationPixels), across: either(options.translationPixels))
        }
        if isElastic {
            warp.setElastic(
                pixels: Float(options.elasticPixels),
                spacingPixels: Float(options.elasticSpacingPixels), using: &random)
        }
        return warp
    }

    private func changeIntensities(
        of image: inout [Float], height: Int, width: Int, seeds: [UInt64]
    ) {
        var blur = SeededGenerator(seed: seeds[1])
        var bias = SeededGenerator(seed: seeds[2])
        var gamma = SeededGenerator(seed: seeds[3])
        var contrast = SeededGenerator(seed: seeds[4])
        var noise = SeededGenerator(seed: seeds[5])
        if blur.happens(options.blurProbability) {
            blurForeground(
                of: &image, height: height, width: width,
                sigma: blur.uniform(in: options.blurPixels))
        }
        if bias.happens(options.biasProbability) {
            applyBias(to: &image, height: height, width: width, using: &bias)
        }
        let bendsCurve = gamma.happens(options.gammaProbability)
        let changesContrast = contrast.happens(options.contrastProbability)
        let isNoisy = noise.happens(options.noiseProbability)
        guard bendsCurve || changesContrast || isNoisy else { return }
        guard let foreground = ForegroundStatistics(of: image) else { return }
        if bendsCurve, foreground.maximum > foreground.minimum {
            let below = gamma.happens(0.5) && options.gamma.contains(1)
            let exponent =
                options.gamma.contains(1)
                ? below
                    ? gamma.uniform(Float(options.gamma.lowerBound), 1)
                    : gamma.uniform(1, Float(options.gamma.upperBound))
                : gamma.uniform(in: options.gamma)
            applyGamma(exponent, to: &image, foreground: foreground)
        }
        // Mean and deviation are those before gamma: the change stays of the same kind.
        let factor = changesContrast ? contrast.uniform(in: options.contrast) : 1
        let shift =
            changesContrast
            ? contrast.uniform(Float(-options.brightness), Float(options.brightness))
                * foreground.deviation : 0
        let noiseDeviation = isNoisy ? noise.uniform(in: options.noise) * foreground.deviation : 0
        image.withUnsafeMutableBufferPointer { image in
            for position in image.indices where image[position] != 0 {
                var value = image[position]
                if changesContrast {
                    value = foreground.mean + factor * (value - foreground.mean) + shift
                }
                if noiseDeviation > 0 { value += noiseDeviation * noise.gaussian() }
                image[position] = value
            }
        }
    }

    /// Blurs with a Gaussian of five pixels or more; background stays 0 and counts as 0.
    private func blurForeground(of image: inout [Float], height: Int, width: Int, sigma: Float) {
        guard sigma > 0 else { return }
        let radius = max(1, Int((3 * sigma).rounded(.up)))
        var weights = (0...radius).map { exp(-Float($0 * $0) / (2 * sigma * sigma)) }
        let total = weights[0] + 2 * weights.dropFirst().reduce(0, +)
        weights = weights.map { $0 / total }
        let pixels = height * width
        var across = [Float](repeating: 0, count: pixels)
        image.withUnsafeMutableBufferPointer { image in
            across.withUnsafeMutableBufferPointer { across in
                for start in stride(from: 0, to: image.count, by: pixels) {
                    // The slice goes on beyond its edges with its edge pixels.
                    for y in 0..<height {
                        let row = start + y * width
                        for x in 0..<width {
                            var sum = weights[0] * image[row + x]
                            for offset in 1...radius {
                                let before = image[row + max(0, x - offset)]
                                let after = image[row + min(width - 1, x + offset)]
                                sum += weights[offset] * (before + after)
                            }
                            across[y * width + x] = sum
                        }
                    }
                    for y in 0..<height {
                        for x in 0..<width where image[start + y * width + x] != 0 {
                            var sum = weights[0] * across[y * width + x]
                            for offset in 1...radius {
                                let above = across[max(0, y - offset) * width + x]
                                let below = across[min(height - 1, y + offset) * width + x]
                                sum += weights[offset] * (above + below)
                            }
                            image[start + y * width + x] = sum
                        }
                    }
                }
            }
        }
    }

    /// Multiplies by a smooth factor: values from 0 up as they are, others by their distance from
    /// the lowest.
    private func applyBias(
        to image: inout [Float], height: Int, width: Int, using random: inout SeededGenerator
    ) {
        guard let foreground = ForegroundStatistics(of: image) else { return }
        let base = min(0, foreground.minimum)
        let amplitude = Float(options.biasAmplitude)
        let spacing = Float(max(height, width)) / 2
        let field = SplineField(
            size: GridSize(width, height, 1), controlSpacing: SIMD3(spacing, spacing, 1),
            amplitude: 2 * amplitude, using: &random
        ).values(height: height, depth: 1)
        let pixels = height * width
        image.withUnsafeMutableBufferPointer { image in
            for start in stride(from: 0, to: image.count, by: pixels) {
                for pixel in 0..<pixels where image[start + pixel] != 0 {
                    let factor = 1 + max(-amplitude, min(amplitude, field[pixel]))
                    image[start + pixel] = base + (image[start + pixel] - base) * factor
                }
            }
        }
    }

    /// Bends the curve between the foreground's lowest and highest value, which stay.
    private func applyGamma(
        _ exponent: Float, to image: inout [Float], foreground: ForegroundStatistics
    ) {
        // 1,024 steps are finer than the noise of any scan; a power for each pixel would take
        // longer than the warp.
        let steps = 1024
        let range = foreground.maximum - foreground.minimum
        let curve = (0...steps + 1).map { step in
            foreground.minimum + range * pow(min(1, Float(step) / Float(steps)), exponent)
        }
        image.withUnsafeMutableBufferPointer { image in
            curve.withUnsafeBufferPointer { curve in
                for position in image.indices where image[position] != 0 {
                    let place = (image[position] - foreground.minimum) / range * Float(steps)
                    let step = max(0, min(steps, Int(place)))
                    let part = max(0, min(1, place - Float(step)))
                    image[position] = curve[step] + part * (curve[step + 1] - curve[step])
                }
            }
        }
    }
}
