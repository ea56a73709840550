import Datasets
import Testing

struct SliceWarpTests {
    @Test func `no warp leaves all as it is`() {
        var slice = TestSlice(height: 7, width: 9, context: 2)
        let before = slice
        SliceWarp(height: 7, width: 9).apply(
            image: &slice.image, labels: &slice.labels, context: 2)
        #expect(slice == before)
    }

    @Test(arguments: [(2, 0), (0, 3), (-1, -4), (6, 8), (-20, 0)])
    func `a move by whole pixels shifts exactly and brings in background`(down: Int, across: Int) {
        let before = TestSlice(height: 8, width: 10, context: 3)
        var slice = before
        var warp = SliceWarp(height: 8, width: 10)
        warp.set(down: Double(down), across: Double(across))
        warp.apply(image: &slice.image, labels: &slice.labels, context: 3)
        #expect(slice == before.rearranged { y, x in (y - down, x - across) })
    }

    @Test(arguments: [5, 8])
    func `quarter turns of a square slice are exact`(side: Int) {
        let before = TestSlice(height: side, width: side, context: 2)
        let last = side - 1
        for (degrees, source) in [
            // Clockwise: the first row comes from the first column, read upward.
            (90.0, { (y: Int, x: Int) in (last - x, y) }), (-90, { y, x in (x, last - y) }),
            (180, { y, x in (last - y, last - x) }), (360, { y, x in (y, x) }),
        ] {
            var slice = before
            var warp = SliceWarp(height: side, width: side)
            warp.set(rotationDegrees: degrees)
            warp.apply(image: &slice.image, labels: &slice.labels, context: 2)
            #expect(slice == before.rearranged(source), "\(degrees)")
        }
    }

    @Test func `magnification by 2 puts each pixel twice as far from the middle`() {
        let before = TestSlice(height: 9, width: 13, context: 1)
        var slice = before
        var warp = SliceWarp(height: 9, width: 13)
        warp.set(scale: 2)
        warp.apply(image: &slice.image, labels: &slice.labels, context: 1)
        for y in -2...2 {
            for x in -3...3 {
                let target = (4 + 2 * y) * 13 + 6 + 2 * x
                let source = (4 + y) * 13 + 6 + x
                #expect(slice.image[target] == before.image[source])
                #expect(slice.labels[target] == before.labels[source])
            }
        }
    }

    @Test func `a shear of 1 moves each row by its distance from the middle`() {
        let before = TestSlice(height: 5, width: 12, context: 1)
        var slice = before
        var warp = SliceWarp(height: 5, width: 12)
        warp.set(shear: 1)
        warp.apply(image: &slice.image, labels: &slice.labels, context: 1)
        #expect(slice == before.rearranged { y, x in (y, x - (y - 2)) })
    }

    @Test func `half a pixel is the mean of two neighbours, and of background at the edge`() {
        var image: [Float] = [2, 4, 8]
        var labels: [UInt8] = [1, 2, 3]
        var warp = SliceWarp(height: 1, width: 3)
        warp.set(across: 0.5)
        warp.apply(image: &image, labels: &labels, context: 1)
        #expect(image == [1, 3, 6])
    }

    @Test func `a turn there and back keeps a smooth image`() {
        let side = 41
        let ramp = (0..<side * side).map { Float($0 % side) * 0.1 + Float($0 / side) * 0.05 }
        var image = ramp
        var labels = [UInt8](repeating: 1, count: side * side)
        for degrees in [17.0, -17] {
            var warp = SliceWarp(height: side, width: side)
            warp.set(rotationDegrees: degrees, scale: degrees > 0 ? 1.1 : 1 / 1.1)
            warp.apply(image: &image, labels: &labels, context: 1)
        }
        // Bilinear interpolation is exact for a plane.
        var largest: Float = 0
        for y in 12...28 {
            for x in 12...28 {
                largest = max(largest, abs(image[y * side + x] - ramp[y * side + x]))
            }
        }
        #expect(largest < 1e-4)
    }

    @Test func `bending moves pixels, smoothly and never beyond its bound`() {
        let (height, width) = (64, 80)
        var image =
            (0..<height * width).map { Float($0 % width) }
            + (0..<height * width).map { Float($0 / width) }
        var labels = [UInt8](repeating: 1, count: height * width)
        var warp = SliceWarp(height: height, width: width)
        var generator = SeededGenerator(seed: 11)
        warp.setElastic(pixels: 6, spacingPixels: 16, using: &generator)
        warp.apply(image: &image, labels: &labels, context: 2)
        var largest: Float = 0
        var steepest: Float = 0
        for y in 7..<height - 7 {
            for x in 7..<width - 7 {
                let position = y * width + x
                let across = image[position] - Float(x)
                let down = image[height * width + position] - Float(y)
                largest = max(largest, abs(across), abs(down))
                steepest = max(steepest, abs(image[position + 1] - image[position] - 1))
            }
        }
        #expect(largest > 0.5 && largest <= 6)
        #expect(steepest < 0.8)
    }
}

/// A slice whose pixels are all different and not 0.
struct TestSlice: Equatable {
    var image: [Float]
    var labels: [UInt8]
    let height: Int
    let width: Int

    init(height: Int, width: Int, context: Int) {
        self.height = height
        self.width = width
        image = (0..<context * height * width).map { Float($0 + 1) }
        labels = (0..<height * width).map { UInt8($0 % 250 + 1) }
    }

    /// The slice with the pixels of other places, 0 where they lie outside.
    func rearranged(_ source: (Int, Int) -> (Int, Int)) -> TestSlice {
        var result = self
        let pixels = height * width
        for y in 0..<height {
            for x in 0..<width {
                let (fromY, fromX) = source(y, x)
                let isInside = (0..<height).contains(fromY) && (0..<width).contains(fromX)
                let from = fromY * width + fromX
                result.labels[y * width + x] = isInside ? labels[from] : 0
                for start in stride(from: 0, to: image.count, by: pixels) {
                    result.image[start + y * width + x] = isInside ? image[start + from] : 0
                }
            }
        }
        return result
    }
}
