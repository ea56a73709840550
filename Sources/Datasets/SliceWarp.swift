import Foundation
import Volumes

/// The source position of each pixel of a warped slice: an affine map about the slice's center,
/// then a smooth displacement.
package struct SliceWarp {
    private let height: Int
    private let width: Int
    // Source = linear * (target - middle - move) + middle, rows y and x.
    private var linear = SIMD4<Float>(1, 0, 0, 1)
    private var down: Float = 0
    private var across: Float = 0
    private var elastic: [SplineField] = []
    private var atrophy: (down: [Float], across: [Float])?

    /// The warp that leaves a slice as it is.
    package init(height: Int, width: Int) {
        self.height = height
        self.width = width
    }

    /// Sets the affine part: the image is sheared, scaled and turned about its middle, then moved.
    ///
    /// - Parameters:
    ///   - rotationDegrees: Turn from the first row's direction toward the first column's: on a
    ///     screen with row 0 on top, clockwise.
    ///   - scale: Magnification.
    ///   - shear: How far a row moves across per row of distance from the middle.
    ///   - down: Move toward higher rows, in pixels.
    ///   - across: Move along the rows, in pixels.
    package mutating func set(
        rotationDegrees: Double = 0, scale: Double = 1, shear: Double = 0, down: Double = 0,
        across: Double = 0
    ) {
        // Quarter turns are exact.
        let angle = rotationDegrees * .pi / 180
        let quarter = rotationDegrees / 90 == (rotationDegrees / 90).rounded()
        let cosine = quarter ? cos(angle).rounded() : cos(angle)
        let sine = quarter ? sin(angle).rounded() : sin(angle)
        // Forward in (y, x): rotation [[c, s], [-s, c]] * scale * shear [[1, 0], [h, 1]]; this is
        // its inverse.
        let inverse = [
            [cosine / scale, -sine / scale],
            [(sine - shear * cosine) / scale, (cosine + shear * sine) / scale],
        ]
        linear = SIMD4(
            Float(inverse[0][0]), Float(inverse[0][1]), Float(inverse[1][0]), Float(inverse[1][1]))
        self.down = Float(down)
        self.across = Float(across)
    }

    /// Adds a smooth random displacement of control points by at most some pixels on each axis.
    package mutating func setElastic(
        pixels: Float, spacingPixels: Float, using generator: inout SeededGenerator
    ) {
        elastic = []
        for _ in 0..<2 {
            elastic.append(
                SplineField(
                    size: GridSize(width, height, 1),
                    controlSpacing: SIMD3(spacingPixels, spacingPixels, 1), amplitude: pixels,
                    using: &generator))
        }
    }

    /// Adds a flow in the slice as it was before any turn or bend.
    mutating func setAtrophy(_ flow: AtrophyFlow) {
        atrophy = flow.displacements()
    }

    /// Warps a slice: the image is interpolated bilinearly, labels are taken from the nearest pixel,
    /// and beyond the slice both are 0.
    package func apply(image: inout [Float], labels: inout [UInt8], context: Int) {
        let samples = samples()
        let pixels = height * width
        let sourceLabels = labels
        for target in 0..<pixels {
            let nearest = Int(samples[target].nearest)
            labels[target] = nearest < 0 ? 0 : sourceLabels[nearest]
        }
        let source = image
        for channel in 0..<context {
            let start = channel * pixels
            for target in 0..<pixels {
                let corners = samples[target].corners
                let weights = samples[target].weights
                image[start + target] =
                    weights.x * source[start + Int(corners.x)]
                    + weights.y * source[start + Int(corners.y)]
                    + weights.z * source[start + Int(corners.z)]
                    + weights.w * source[start + Int(corners.w)]
            }
        }
    }

    /// The source of one pixel.
    private struct Sample {
        /// The four pixels around it; one beyond the edge is replaced by another, with weight 0.
        var corners = SIMD4<Int32>.zero
        var weights = SIMD4<Float>.zero
        /// The pixel that its label is taken from, -1 beyond the edge.
        var nearest: Int32 = -1
    }

    private func samples() -> [Sample] {
        var samples = [Sample](repeating: Sample(), count: height * width)
        let displacements = elastic.map { $0.values(height: height, depth: 1) }
        let middleY = Float(height - 1) / 2
        let middleX = Float(width - 1) / 2
        for y in 0..<height {
            let fromMiddleY = Float(y) - middleY - down
            for x in 0..<width {
                let target = y * width + x
                let fromMiddleX = Float(x) - middleX - across
                var sourceY = linear[0] * fromMiddleY + linear[1] * fromMiddleX + middleY
                var sourceX = linear[2] * fromMiddleY + linear[3] * fromMiddleX + middleX
                if displacements.count == 2 {
                    sourceY += displacements[0][target]
                    sourceX += displacements[1][target]
                }
                if let atrophy {
                    let place = BilinearPixel(
                        y: sourceY, x: sourceX, height: height, width: width)
                    sourceY += place.value(of: atrophy.down)
                    sourceX += place.value(of: atrophy.across)
                }
                guard sourceY > -1, sourceY < Float(height), sourceX > -1, sourceX < Float(width)
                else { continue }
                let floorY = sourceY.rounded(.down)
                let floorX = sourceX.rounded(.down)
                let (y0, x0) = (Int(floorY), Int(floorX))
                let (partY, partX) = (sourceY - floorY, sourceX - floorX)
                let nearY = partY < 0.5 ? y0 : y0 + 1
                let nearX = partX < 0.5 ? x0 : x0 + 1
                if nearY >= 0, nearY < height, nearX >= 0, nearX < width {
                    samples[target].nearest = Int32(nearY * width + nearX)
                }
                let top = y0 >= 0 ? 1 - partY : 0
                let bottom = y0 + 1 < height ? partY : 0
                let left = x0 >= 0 ? 1 - partX : 0
                let right = x0 + 1 < width ? partX : 0
                samples[target].weights = SIMD4(
                    top * left, top * right, bottom * left, bottom * right)
                let (rowTop, rowBottom) = (max(0, y0) * width, min(height - 1, y0 + 1) * width)
                let (columnLeft, columnRight) = (max(0, x0), min(width - 1, x0 + 1))
                samples[target].corners = SIMD4(
                    Int32(rowTop + columnLeft), Int32(rowTop + columnRight),
                    Int32(rowBottom + columnLeft), Int32(rowBottom + columnRight))
            }
        }
        return samples
    }
}
