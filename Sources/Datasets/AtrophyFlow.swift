import Foundation

/// A flow that widens the fluid spaces of a slice, as they are wide in old age: ventricles push the
/// tissue around them outward, and all that lies between is squeezed.
///
/// Each fluid space pushes along the falling slope of its blurred mask. Points are followed
/// backward through that field in small steps, so that the map neither folds nor tears: a thin
/// ventricle is stretched, never crossed. Two spaces side by side push against each other, and what
/// is between them stays.
package struct AtrophyFlow {
    private let height: Int
    private let width: Int
    private var down: [Float]
    private var across: [Float]

    /// A flow that moves nothing.
    package init(height: Int, width: Int) {
        self.height = height
        self.width = width
        down = [Float](repeating: 0, count: height * width)
        across = down
    }

    /// Adds a space that grows.
    ///
    /// - Parameters:
    ///   - mask: 1 within the space and 0 elsewhere, `[height, width]`.
    ///   - reachPixels: Standard deviation of the blur: the push is strongest at this distance from
    ///     the middle of the space and gone at three times as far.
    ///   - pixels: How far the strongest push goes.
    package mutating func widen(_ mask: [Float], reachPixels: Float, pixels: Float) {
        let blurred = gaussianBlurred(mask, height: height, width: width, sigma: reachPixels)
        var largest: Float = 0
        func slope(_ y: Int, _ x: Int) -> (down: Float, across: Float) {
            let (above, below) = (max(0, y - 1) * width, min(height - 1, y + 1) * width)
            let row = y * width
            return (
                blurred[above + x] - blurred[below + x],
                blurred[row + max(0, x - 1)] - blurred[row + min(width - 1, x + 1)]
            )
        }
        for y in 0..<height {
            for x in 0..<width {
                let (down, across) = slope(y, x)
                largest = max(largest, down * down + across * across)
            }
        }
        guard largest > 0 else { return }
        let factor = pixels / largest.squareRoot()
        for y in 0..<height {
            for x in 0..<width {
                let (down, across) = slope(y, x)
                self.down[y * width + x] += factor * down
                self.across[y * width + x] += factor * across
            }
        }
    }

    /// The displacement of each pixel's source, down and across, in pixels.
    package func displacements() -> (down: [Float], across: [Float]) {
        var movedDown = [Float](repeating: 0, count: height * width)
        var movedAcross = movedDown
        var fastest: Float = 0
        for pixel in down.indices {
            fastest = max(fastest, abs(down[pixel]), abs(across[pixel]))
        }
        let steps = Int(fastest.rounded(.up))
        guard steps > 0 else { return (movedDown, movedAcross) }
        let part = 1 / Float(steps)
        for y in 0..<height {
            for x in 0..<width {
                var (sourceY, sourceX) = (Float(y), Float(x))
                for _ in 0..<steps {
                    let pixel = BilinearPixel(y: sourceY, x: sourceX, height: height, width: width)
                    sourceY -= part * pixel.value(of: down)
                    sourceX -= part * pixel.value(of: across)
                }
                movedDown[y * width + x] = sourceY - Float(y)
                movedAcross[y * width + x] = sourceX - Float(x)
            }
        }
        return (movedDown, movedAcross)
    }
}

/// Four pixels around a place and their weights; a place beyond the edge is taken at the edge.
struct BilinearPixel {
    private let corners: SIMD4<Int>
    private let weights: SIMD4<Float>

    init(y: Float, x: Float, height: Int, width: Int) {
        let (y, x) = (max(0, min(Float(height - 1), y)), max(0, min(Float(width - 1), x)))
        let (y0, x0) = (Int(y), Int(x))
        let (y1, x1) = (min(height - 1, y0 + 1), min(width - 1, x0 + 1))
        let (partY, partX) = (y - Float(y0), x - Float(x0))
        corners = SIMD4(y0 * width + x0, y0 * width + x1, y1 * width + x0, y1 * width + x1)
        weights = SIMD4(
            (1 - partY) * (1 - partX), (1 - partY) * partX, partY * (1 - partX), partY * partX)
    }

    func value(of field: [Float]) -> Float {
        weights.x * field[corners.x] + weights.y * field[corners.y] + weights.z * field[corners.z]
            + weights.w * field[corners.w]
    }
}

/// Blurs a slice with a Gaussian cut at three deviations; beyond the slice it is 0.
func gaussianBlurred(_ values: [Float], height: Int, width: Int, sigma: Float) -> [Float] {
    let radius = max(1, Int((3 * sigma).rounded(.up)))
    var weights = (-radius...radius).map { exp(-Float($0 * $0) / (2 * sigma * sigma)) }
    let total = weights.reduce(0, +)
    weights = weights.map { $0 / total }
    var rows = [Float](repeating: 0, count: values.count)
    var result = rows
    for y in 0..<height {
        for (tap, weight) in weights.enumerated() {
            let source = y + tap - radius
            guard source >= 0, source < height else { continue }
            for x in 0..<width { rows[y * width + x] += weight * values[source * width + x] }
        }
    }
    for y in 0..<height {
        for (tap, weight) in weights.enumerated() {
            let move = tap - radius
            for x in max(0, -move)..<max(max(0, -move), min(width, width - move)) {
                result[y * width + x] += weight * rows[y * width + x + move]
            }
        }
    }
    return result
}
