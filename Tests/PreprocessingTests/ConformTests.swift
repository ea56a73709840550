import Foundation
import Preprocessing
import Testing
import Volumes

struct ConformTests {
    private func scan(_ value: (Int) -> Float, affine: Affine = .identity) -> Volume {
        let grid = Grid(size: GridSize(6, 5, 4), affine: affine)
        return Volume(grid: grid, voxels: (0..<grid.size.count).map(value))
    }

    @Test func `a scan that shows nothing is refused with the reason`() throws {
        let model = try specification()
        #expect(throws: PreprocessingError.noContrast(value: 0)) {
            try conform(scan { _ in 0 }, to: model)
        }
        #expect(throws: PreprocessingError.noContrast(value: 7)) {
            try conform(scan { $0 % 2 == 0 ? 7 : .nan }, to: model)
        }
        #expect(throws: PreprocessingError.noFiniteVoxel) {
            try conform(scan { $0 % 2 == 0 ? .infinity : .nan }, to: model)
        }
    }

    @Test(arguments: [
        Affine(spacing: SIMD3(1, 0, 1)),
        Affine(spacing: SIMD3(1, .nan, 1)),
        Affine(spacing: SIMD3(1, 1, 1), translation: SIMD3(.infinity, 0, 0)),
    ])
    func `an affine that places no voxel is refused`(affine: Affine) throws {
        let model = try specification()
        #expect(throws: PreprocessingError.unusableAffine) {
            try conform(scan({ Float($0) }, affine: affine), to: model)
        }
    }

    @Test func `a scan too large for the model's spacing is refused with its size`() throws {
        let model = try specification("RAS")
        let huge = scan({ Float($0) }, affine: Affine(spacing: SIMD3(1000, 400, 300)))
        let error = #expect(throws: PreprocessingError.self) { try conform(huge, to: model) }
        let text = try #require(error).description
        #expect(text.contains("6000x2000x1200 mm"))
        #expect(text.contains("6000x2000x1200 voxels"))
        #expect(throws: PreprocessingError.self) {
            try conform(scan({ Float($0) }, affine: Affine(spacing: SIMD3(1e300, 1, 1))), to: model)
        }
    }

    @Test(arguments: [SIMD3(1e-30, 1e-30, 1e-30), SIMD3(1, 1e-30, 1), SIMD3(1, 1, 9e-4)])
    func `a scan of voxels that no scan has is refused with their size`(edges: SIMD3<Double>) throws
    {
        let small = scan({ Float($0) }, affine: Affine(spacing: edges))
        let error = try #require(throws: PreprocessingError.self) {
            try conform(small, to: specification("RAS", spacing: SIMD3(1, 1, 1)))
        }
        guard case .voxelsTooSmall = error else {
            Issue.record("\(error)")
            return
        }
        #expect(error.description.contains("xyzt_units"))
    }

    @Test func `every error is one sentence with a next step`() {
        let errors: [PreprocessingError] = [
            .noContrast(value: 0), .noFiniteVoxel, .unusableAffine,
            .conformedGridTooLarge(
                extentMillimeters: SIMD3(1, 2, 3), size: SIMD3(1e300, 2, 3)),
            .voxelsTooSmall(edgesMillimeters: SIMD3(1, 2, 1e-30)), .noBrain,
        ]
        for error in errors {
            #expect(error.description.hasSuffix("."))
            #expect(error.description.contains(";"))
            #expect(!error.description.contains("\n"))
        }
    }

    @Test(arguments: [
        (Affine(spacing: SIMD3(0.4, 0.4, 6)), GridSize(100, 90, 7)),
        (Affine(spacing: SIMD3(-1.1, 3, 0.9)), GridSize(30, 12, 41)),
        (
            Affine.oblique(
                degreesAboutX: 20, aboutZ: 30, spacing: SIMD3(1, 0.7, 3), translation: .zero),
            GridSize(20, 30, 9)
        ),
    ])
    func `the conformed grid lies along the world and covers the whole scan`(
        affine: Affine, size: GridSize
    ) throws {
        let grid = Grid(size: size, affine: affine)
        let voxels = (0..<size.count).map { Float($0 % 97) }
        let model = try specification("PIR", spacing: SIMD3(1, 1.5, 0.8))
        let conformed = try conform(Volume(grid: grid, voxels: voxels), to: model).conformedGrid
        #expect(conformed.orientation == model.orientation)
        for axis in 0..<3 {
            let column = conformed.affine.column(axis)
            #expect((0..<3).filter { column[$0] != 0 }.count == 1)
            #expect(abs(column.length - model.spacingMillimeters[axis]) <= 1e-3)
        }
        let toConformed = conformed.affine.inverse
        for corner in 0..<8 {
            let face = SIMD3(
                corner & 1 == 0 ? -0.5 : Double(size.x) - 0.5,
                corner & 2 == 0 ? -0.5 : Double(size.y) - 0.5,
                corner & 4 == 0 ? -0.5 : Double(size.z) - 0.5)
            let at = toConformed(affine(face))
            for axis in 0..<3 {
                #expect(at[axis] > -0.5 - 1e-2)
                #expect(at[axis] < Double(conformed.size[axis]) - 0.5 + 1e-2)
            }
        }
    }

    @Test func `an axis that already has the model's spacing keeps its voxel centres`() throws {
        let grid = Grid(
            size: GridSize(20, 21, 8),
            affine: Affine(spacing: SIMD3(1.0005, 1, 3), translation: SIMD3(0.3, 0.6, 0)))
        let (scan, _) = smallHead(on: grid)
        let conformed = try conform(
            scan, to: specification("RAS", intensity: .minMax, margin: 100))
        #expect(!conformed.isExact)
        #expect(conformed.conformedGrid.size == GridSize(20, 21, 24))
        let first = conformed.conformedGrid.affine.translation
        #expect(abs(first.x - 0.3) < 1e-9 && abs(first.y - 0.6) < 1e-9 && first.z == -1)
    }

    @Test func `an axis a thousandth off the world's is not interpolated`() throws {
        let tilted = Grid(
            size: GridSize(20, 21, 22),
            affine: .oblique(
                degreesAboutX: 0.05, aboutZ: 0.02, spacing: SIMD3(1, 0.9995, 1),
                translation: SIMD3(3, 2, 1)))
        let (scan, labels) = smallHead(on: tilted)
        let conformed = try conform(scan, to: specification("RAS"))
        #expect(conformed.isExact)
        #expect(conformed.labelsOnScanGrid(conformLabels(labels, like: conformed)) == labels)
    }

    @Test func `a scan of one slice is conformed`() throws {
        let grid = Grid(
            size: GridSize(32, 30, 1), affine: Affine(spacing: SIMD3(0.5, 0.5, 4)))
        let voxels = (0..<grid.size.count).map { Float($0 % 32) }
        let conformed = try conform(Volume(grid: grid, voxels: voxels), to: specification("RAS"))
        #expect(conformed.conformedGrid.size == GridSize(16, 15, 4))
        #expect(conformed.volume.voxels.allSatisfy { (0...1).contains($0) })
    }

    /// Half a millimetre to one, in which no second copy of the scan is made, and millimetre to millimetre.
    @Test(arguments: [0.5, 1])
    func `a scan is conformed within the memory that is foretold`(spacing: Double) async {
        await #expect(processExitsWith: .success) { [spacing = spacing as Double] in
            let grid = Grid(
                size: GridSize(240, 256, 224),
                affine: Affine(spacing: SIMD3(spacing, -spacing, spacing)))
            var voxels = [Float](repeating: 0, count: grid.size.count)
            for index in voxels.indices { voxels[index] = Float(index % 1009) }
            let scan = Volume(grid: grid, voxels: voxels)
            voxels = []
            let model = ConformSpecification(
                orientation: .ras, spacingMillimeters: SIMD3(repeating: 1),
                intensity: .percentile(lower: 0.5, upper: 99.5), marginVoxels: 2)
            let foretold = try bytesToConform(grid, to: model)
            if spacing < 1 { #expect(foretold < 4 * grid.size.count) }
            let before = try memory("VmRSS")
            let conformed = try conform(scan, to: model)
            let taken = try memory("VmHWM") - before
            // Code and small things that are first touched here.
            #expect(taken <= foretold + 8_000_000, "\(taken) of \(foretold) bytes")
            #expect(conformed.volume.grid.size.count > 0)
        }
    }

    @Test func `labels of the wrong size stop the program`() async {
        await #expect(processExitsWith: .failure) {
            let grid = Grid(size: GridSize(4, 4, 4), affine: .identity)
            let scan = Volume(grid: grid, voxels: (0..<64).map { Float($0) })
            let conformed = try conform(scan, to: specification("RAS"))
            let other = Grid(size: GridSize(4, 4, 5), affine: .identity)
            _ = conformLabels(
                LabelMap(grid: other, labels: [UInt16](repeating: 0, count: 80)),
                like: conformed)
        }
    }
}

/// The bytes that this process holds (`VmRSS`) or has held at most (`VmHWM`).
private func memory(_ name: String) throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix(name + ":") })
    return try #require(line.split { !$0.isNumber }.first.flatMap { Int($0) }) * 1024
}
