import TestSupport
import Testing
import Volumes

/// What nibabel and numpy say about one affine.
struct AffineCase: Decodable, Sendable {
    let affine: [Double]
    let axes: String
    let worldAxes: [Int]
    let signs: [Int]
    let inverse: [Double]
    let determinant: Double
    let spacing: [Double]
}

struct AffineTests {
    /// 48 that lie along the world axes, 60 oblique, 40 sheared.
    let cases: [AffineCase]

    init() throws { cases = try decodeFixture("volumes/orientations.json") }

    @Test func `axes go where nibabel says`() {
        #expect(cases.count == 148)
        for item in cases {
            let orientation = Orientation(of: Affine(rowMajor: item.affine))
            #expect(orientation.description == item.axes, "\(item.affine)")
            #expect(orientation.axes.map(\.worldAxis) == item.worldAxes)
            #expect(orientation.axes.map { $0.isPositive ? 1 : -1 } == item.signs)
        }
    }

    @Test func `inverse, determinant and spacing equal numpy's`() {
        for item in cases {
            let affine = Affine(rowMajor: item.affine)
            let inverse = Affine(rowMajor: item.inverse)
            // Double precision, amplified by the condition of nearly flat matrices.
            let scale = item.inverse.map(abs).max() ?? 1
            #expect(affine.inverse.largestDifference(from: inverse) < 1e-10 * max(1, scale * scale))
            #expect(abs(affine.determinant - item.determinant) < 1e-12 * 100)
            for axis in 0..<3 {
                #expect(abs(affine.spacing[axis] - item.spacing[axis]) < 1e-12)
            }
        }
    }

    @Test func `a map and its inverse cancel`() {
        for item in cases {
            let affine = Affine(rowMajor: item.affine)
            guard abs(affine.determinant) > 0.01 else { continue }
            #expect((affine.inverse * affine).largestDifference(from: .identity) < 1e-9)
            let point = SIMD3(1.5, -2, 7)
            #expect((affine.inverse(affine(point)) - point).length < 1e-9)
        }
    }

    @Test func `a product applies its right side first`() {
        let scaling = Affine(spacing: SIMD3(2, 3, 4))
        let shift = Affine(spacing: SIMD3(1, 1, 1), translation: SIMD3(10, 20, 30))
        #expect((scaling * shift)(SIMD3(1, 1, 1)) == SIMD3(22, 63, 124))
        #expect((shift * scaling)(SIMD3(1, 1, 1)) == SIMD3(12, 23, 34))
    }

    @Test func `flat and infinite affines cannot be inverted`() {
        #expect(!Affine(spacing: SIMD3(1, 0, 1)).isInvertible)
        #expect(!Affine(spacing: SIMD3(1, .nan, 1)).isInvertible)
        #expect(!Affine(spacing: SIMD3(1, 1, 1), translation: SIMD3(.infinity, 0, 0)).isInvertible)
        #expect(Affine.identity.isInvertible)
    }

    @Test func `the nearest rotation of a sheared affine is orthogonal`() {
        for item in cases {
            let columns = Affine(rowMajor: item.affine).nearestRotation
            for first in 0..<3 {
                for second in 0..<3 {
                    let product = columns[first].dot(columns[second])
                    #expect(abs(product - (first == second ? 1 : 0)) < 1e-9)
                }
            }
        }
    }
}
