import Foundation
import Preprocessing
import Testing
import Volumes

/// The voxels of a grid whose centres lie in an ellipsoid.
private func ellipsoid(
    on grid: Grid, center: SIMD3<Double>, radii: SIMD3<Double>
) -> VoxelMask {
    var values: [UInt8] = []
    for k in 0..<grid.size.z {
        for j in 0..<grid.size.y {
            for i in 0..<grid.size.x {
                let point = grid.affine(SIMD3(Double(i), Double(j), Double(k)))
                values.append(((point - center) / radii).length <= 1 ? 1 : 0)
            }
        }
    }
    return VoxelMask(size: grid.size, values: values)
}

struct VoxelMaskTests {
    @Test(arguments: [SIMD3(1, 1, 1), SIMD3(2, 1, 0.8)])
    func `a ball dilated by a distance is the ball with a radius larger by it`(
        spacing: SIMD3<Double>
    ) {
        let grid = Grid(
            size: GridSize(Int(44 / spacing.x), Int(44 / spacing.y), Int(44 / spacing.z)),
            affine: Affine(spacing: spacing))
        let center = SIMD3(21.5, 22, 21.8)
        let ball = ellipsoid(on: grid, center: center, radii: SIMD3(repeating: 12))
        let dilated = ball.dilated(byMillimeters: 4, spacing: spacing)
        // Nothing farther than that; of what is nearer, all but what the ball's own voxels leave out.
        let outer = ellipsoid(on: grid, center: center, radii: SIMD3(repeating: 16))
        let inner = ellipsoid(
            on: grid, center: center, radii: SIMD3(repeating: 16 - spacing.max()))
        for index in dilated.values.indices {
            #expect(dilated.values[index] <= outer.values[index])
            #expect(dilated.values[index] >= inner.values[index])
        }
        #expect(ball.dilated(byMillimeters: 0, spacing: spacing) == ball)
    }

    @Test func `a single voxel is dilated to all within the distance, that included`() {
        let size = GridSize(9, 9, 9)
        var mask = VoxelMask(size: size, values: [UInt8](repeating: 0, count: 729))
        mask.values[size.offset(4, 4, 4)] = 1
        for (distance, count) in [(1, 7), (1.9, 19 + 8), (2, 33), (3, 123)] as [(Double, Int)] {
            // The integer points in a ball: OEIS A000605 at radius 1, 2 and 3; 27 within root 3.
            #expect(
                mask.dilated(byMillimeters: distance, spacing: SIMD3(1, 1, 1)).count == count)
        }
    }

    @Test func `closing bridges a gap twice as wide and leaves a wider one`() {
        let size = GridSize(40, 20, 20)
        func plates(gap: Range<Int>) -> VoxelMask {
            VoxelMask(
                size: size,
                values: (0..<size.count).map { index in
                    let (x, y, z) = (index % 40, index / 40 % 20, index / 800)
                    let isInside =
                        (5..<35).contains(x) && (4..<16).contains(y) && (4..<16).contains(z)
                    return isInside && !gap.contains(x) ? 1 : 0
                })
        }
        let whole = plates(gap: 0..<0)
        let split = plates(gap: 18..<21)
        let closed = split.closed(byMillimeters: 2, spacing: SIMD3(1, 1, 1))
        // A gap of 3 voxels: its middle is 2 mm from both plates. A notch of less than 2 mm stays
        // where it comes out: no ball of that size fits between its edges and the plates'.
        for index in whole.values.indices {
            let (y, z) = (index / 40 % 20, index / 800)
            #expect(closed.values[index] >= split.values[index])
            #expect(closed.values[index] <= whole.values[index])
            if (6..<14).contains(y) && (6..<14).contains(z) {
                #expect(closed.values[index] == whole.values[index])
            }
        }
        let wide = plates(gap: 16..<24)
        #expect(wide.closed(byMillimeters: 2, spacing: SIMD3(1, 1, 1)) == wide)
        // At the border of the grid nothing is lost.
        let all = VoxelMask(size: size, values: [UInt8](repeating: 1, count: size.count))
        #expect(all.closed(byMillimeters: 3, spacing: SIMD3(1, 1, 1)) == all)
    }

    @Test func `the hole of a shell is closed, a bay open to the border is not`() {
        let grid = Grid(size: GridSize(40, 40, 40), affine: .identity)
        let center = SIMD3(19.5, 19.5, 19.5)
        let ball = ellipsoid(on: grid, center: center, radii: SIMD3(repeating: 15))
        let core = ellipsoid(on: grid, center: center, radii: SIMD3(repeating: 8))
        var shell = ball
        for index in shell.values.indices where core.values[index] == 1 { shell.values[index] = 0 }
        #expect(shell.holesClosed() == ball)
        // A tunnel to the border.
        for x in 0..<20 { shell.values[grid.size.offset(x, 20, 20)] = 0 }
        #expect(shell.holesClosed() == shell)
    }

    @Test func `the largest part stays, and touching by an edge is not being joined`() {
        let size = GridSize(30, 12, 12)
        var mask = VoxelMask(size: size, values: [UInt8](repeating: 0, count: size.count))
        func fill(_ x: Range<Int>, _ y: Range<Int>, _ z: Range<Int>) {
            for k in z { for j in y { for i in x { mask.values[size.offset(i, j, k)] = 1 } } }
        }
        fill(0..<4, 0..<4, 0..<4)
        fill(6..<11, 2..<7, 2..<7)
        let largest = mask
        // Meets the second part along an edge only.
        fill(11..<15, 7..<11, 2..<6)
        fill(20..<22, 0..<9, 0..<3)
        let found = mask.largestComponent()
        #expect(found.count == 125)
        #expect(found.boundingBox == VoxelBox(lower: SIMD3(6, 2, 2), upper: SIMD3(11, 7, 7)))
        #expect(largest.largestComponent() == found)
        let nothing = VoxelMask(size: size, values: [UInt8](repeating: 0, count: size.count))
        #expect(nothing.largestComponent() == nothing)
        #expect(nothing.boundingBox == nil)
    }
}
