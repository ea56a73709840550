import Volumes

/// Ventricles, sulci and white matter as they look in old age.
extension SliceAugmenter {
    /// A ventricle of fewer pixels than this in a slice widens less: it is only its end.
    private static let wholeVentriclePixels: Float = 40

    func drawnAtrophy(
        image: [Float], labels: [UInt8], context: Int, height: Int, width: Int,
        using random: inout SeededGenerator
    ) -> AtrophyFlow {
        var flow = AtrophyFlow(height: height, width: width)
        let widening = random.uniform(in: options.ventriclePixels)
        for ventricle in ventricles {
            let share = random.uniform(0.5, 1)
            let reach = random.uniform(5, 9)
            let mask = labels.map { Float($0 == ventricle ? 1 : 0) }
            let size = min(1, mask.reduce(0, +) / Self.wholeVentriclePixels)
            if size > 0 { flow.widen(mask, reachPixels: reach, pixels: widening * share * size) }
        }
        // Fluid has no label: it is what shows in the slice and belongs to no structure.
        let middle = context / 2 * labels.count
        let fluid = labels.indices.map {
            Float(labels[$0] == 0 && image[middle + $0] != 0 ? 1 : 0)
        }
        flow.widen(fluid, reachPixels: 2.5, pixels: random.uniform(in: options.sulcusPixels))
        return flow
    }

    /// Darkens patches of the white matter, most of all around the ventricles.
    func addLesions(
        to image: inout [Float], labels: [UInt8], height: Int, width: Int,
        using random: inout SeededGenerator
    ) {
        let darkening = random.uniform(in: options.lesionDarkening)
        let patches = SplineField(
            size: GridSize(width, height, 1), controlSpacing: SIMD3(10, 10, 1), amplitude: 1,
            using: &random
        ).values(height: height, depth: 1)
        guard darkening > 0, let foreground = ForegroundStatistics(of: image) else { return }
        let near = gaussianBlurred(
            labels.map { Float(ventricles.contains($0) ? 1 : 0) }, height: height, width: width,
            sigma: 8)
        let nearest = max(near.max() ?? 0, .leastNormalMagnitude)
        let base = min(0, foreground.minimum)
        let pixels = height * width
        for pixel in 0..<pixels where whiteMatter.contains(labels[pixel]) {
            let patch = max(0, min(1, (patches[pixel] - 0.1) * 5))
            let closeness = max(0.2, min(1, 3 * near[pixel] / nearest))
            let factor = 1 - darkening * patch * closeness
            for position in stride(from: pixel, to: image.count, by: pixels)
            where image[position] != 0 {
                image[position] = base + (image[position] - base) * factor
            }
        }
    }
}
