import Foundation
import Pipelines
import Testing
import Volumes

private let size = GridSize(11, 21, 31)

private func comparison(of one: Grid, with other: Grid) -> GridComparison {
    GridComparison(one, at: "a.nii", other, at: "b.nii")
}

struct GridComparisonTests {
    private let plain = Grid(
        size: size, affine: Affine(spacing: SIMD3(1, 1, 2), translation: SIMD3(-10, 5, 3)))

    @Test func `a grid is itself`() {
        let result = comparison(of: plain, with: plain)
        #expect(result.isSameGrid)
        #expect(result.differences == [])
        #expect(result.largestCornerDistanceMillimeters == 0)
        #expect(result.largestAxisAngleDegrees == 0)
        #expect(result.sentence.contains("have the same grid: 11x21x31 voxels"))
    }

    @Test(arguments: [(0.0999, true), (0.1001, false), (3, false)])
    func `a shift counts from a tenth of a voxel on`(shift: Double, isSame: Bool) {
        var moved = plain
        moved.affine[1, 3] += shift
        let result = comparison(of: plain, with: moved)
        #expect(result.isSameGrid == isSame)
        #expect(result.differences == (isSame ? [] : [.origin]))
        #expect(abs((result.largestCornerDistanceMillimeters ?? -1) - shift) < 1e-9)
        #expect(abs(result.centerDistanceMillimeters - shift) < 1e-9)
    }

    @Test(arguments: [(0.08, false), (0.0039, true), (0.0041, false)])
    func `small voxels have a small tolerance`(shift: Double, isSame: Bool) {
        let small = Grid(size: size, affine: Affine(spacing: SIMD3(0.04, 0.04, 0.1)))
        var moved = small
        moved.affine[1, 3] += shift
        let result = comparison(of: small, with: moved)
        #expect(result.isSameGrid == isSame)
        #expect(result.showsSamePlaces == isSame)
        #expect(result.differences == (isSame ? [] : [.origin]))
    }

    /// About the origin's axis the far corner of voxel centers moves by 2 r sin(angle / 2).
    @Test(arguments: [1e-3, 0.5, 10, 90])
    func `a turn about an axis is told in degrees and millimetres`(degrees: Double) {
        let angle = degrees * .pi / 180
        let still = Grid(size: size, affine: Affine(spacing: SIMD3(1, 1, 2)))
        let turned = Grid(
            size: size,
            affine: Affine(
                columns: [
                    SIMD3(cos(angle), sin(angle), 0), SIMD3(-sin(angle), cos(angle), 0),
                    SIMD3(0, 0, 2),
                ], translation: .zero))
        let result = comparison(of: still, with: turned)
        #expect(abs(result.largestAxisAngleDegrees - degrees) < 1e-9)
        let distance = 2 * (10.0 * 10 + 20 * 20).squareRoot() * sin(angle / 2)
        #expect(abs((result.largestCornerDistanceMillimeters ?? -1) - distance) < 1e-9)
        #expect(result.isSameGrid == (distance < 0.1))
        #expect(result.differences == (distance < 0.1 ? [] : [.orientation]))
    }

    @Test func `a mirrored axis points the other way`() {
        let mirrored = Grid(
            size: size,
            affine: Affine(
                columns: [SIMD3(-1, 0, 0), SIMD3(0, 1, 0), SIMD3(0, 0, 2)],
                translation: SIMD3(0, 5, 3)))
        let result = comparison(of: plain, with: mirrored)
        #expect(result.largestAxisAngleDegrees == 180)
        #expect(result.centerDistanceMillimeters == 0)
        #expect(!result.isSameGrid)
        #expect(result.showsSamePlaces)
        #expect(result.differences == [.orientation, .origin])
        #expect(
            result.sentence.contains("they differ in orientation, origin; corners up to 10.000"))
    }

    @Test func `another spacing moves the far corner`() {
        var wider = plain
        wider.affine[2, 2] = 2.5
        let result = comparison(of: plain, with: wider)
        #expect(result.differences == [.spacing])
        #expect(result.largestCornerDistanceMillimeters == 15)
    }

    @Test func `other sizes have no corners in common, but centers`() {
        var cut = plain
        cut.size.z = 29
        let result = comparison(of: plain, with: cut)
        #expect(!result.isSameGrid)
        #expect(result.differences == [.size])
        #expect(result.largestCornerDistanceMillimeters == nil)
        #expect(result.centerDistanceMillimeters == 2)
        #expect(
            result.sentence
                == "'a.nii' and 'b.nii' lie on different grids: they differ in size (11x21x31 and "
                + "11x21x29 voxels); centers 2.000 mm apart, axes up to 0.000 degrees.")
    }
}
