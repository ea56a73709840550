import Datasets
import Preprocessing
import Testing
import Volumes

/// A head of ellipsoids: a shell of head tissue, fluid, two hemispheres, a brain stem.
private func ellipsoidHead() throws -> LabelMap {
    let size = GridSize(72, 80, 72)
    let grid = Grid(
        size: size,
        affine: Affine(
            columns: [SIMD3(1, 0, 0), SIMD3(0, 1, 0), SIMD3(0, 0, 1)], translation: .zero))
    var labels = [UInt16](repeating: 0, count: size.count)
    for z in 0..<size.z {
        for y in 0..<size.y {
            for x in 0..<size.x {
                let (a, b, c) = (Double(x) - 35.5, Double(y) - 39.5, Double(z) - 35.5)
                func radius(_ rx: Double, _ ry: Double, _ rz: Double) -> Double {
                    (a / rx) * (a / rx) + (b / ry) * (b / ry) + (c / rz) * (c / rz)
                }
                let index = size.offset(x, y, z)
                if radius(34, 38, 34) < 1 { labels[index] = 516 }
                if radius(28, 32, 28) < 1 { labels[index] = 24 }
                // In RAS the left side has the smaller x.
                if radius(26, 30, 26) < 1 { labels[index] = a < 0 ? 2 : 41 }
                if radius(5, 5, 12) < 1 { labels[index] = 16 }
            }
        }
    }
    return LabelMap(grid: grid, labels: labels)
}

private let sides = """
    index	name	color	source
    2	Left-Cerebral-White-Matter	#f5f5f5	2
    41	Right-Cerebral-White-Matter	#f5f5f5	41
    16	Brain-Stem	#779fb0	16
    """

private func makeSynthesizer(
    seed: UInt64 = 1, _ change: (inout SynthesisOptions) -> Void = { _ in }
) throws -> HeadSynthesizer {
    var options = SynthesisOptions()
    options.size = GridSize(64, 72, 64)
    change(&options)
    let mapping = try LabelMapping.parse(sides, path: "sides.tsv")
    return HeadSynthesizer(
        anatomies: [try HeadAnatomy(name: "ellipsoids", labels: ellipsoidHead())],
        options: options, mapping: mapping, seed: seed)
}

@Suite struct SynthesisTests {
    @Test func `a scan depends on its number and seed alone`() throws {
        let one = try makeSynthesizer()
        let other = try makeSynthesizer()
        let third = one.scan(3)
        _ = other.scan(1)
        #expect(other.scan(3).volume.voxels == third.volume.voxels)
        #expect(other.scan(3).classes == third.classes)
        #expect(one.scan(4).volume.voxels != third.volume.voxels)
        #expect(try makeSynthesizer(seed: 2).scan(3).volume.voxels != third.volume.voxels)
    }

    @Test func `sides stay where they are in mirrored heads`() throws {
        let synthesizer = try makeSynthesizer {
            $0.croppedProbability = 0
            $0.rotationDegrees = 5
        }
        for number in 0..<8 {
            let scan = synthesizer.scan(number)
            let size = scan.volume.grid.size
            var places = [0.0, 0.0, 0.0, 0.0]
            var counts = [0.0, 0.0, 0.0, 0.0]
            for (index, member) in scan.classes.enumerated() {
                places[Int(member)] += Double(index % size.x)
                counts[Int(member)] += 1
            }
            #expect(counts[1] > 1000 && counts[2] > 1000)
            #expect(places[1] / counts[1] + 5 < places[2] / counts[2])
        }
    }

    @Test(arguments: [SynthesisTarget.structures, .brainMask])
    func `intensities lie between 0 and 1 and reach both`(target: SynthesisTarget) throws {
        let synthesizer = try makeSynthesizer { $0.target = target }
        for number in 0..<6 {
            let voxels = synthesizer.scan(number).volume.voxels
            #expect(voxels.allSatisfy { (0...1).contains($0) })
            #expect(voxels.contains(0) && voxels.contains(1))
        }
    }

    @Test func `no structure is labelled beyond what is left of the head`() throws {
        let synthesizer = try makeSynthesizer { $0.tightMaskProbability = 1 }
        for number in 0..<4 {
            let scan = synthesizer.scan(number)
            // Inside the brain a voxel may be 0 by chance, but not half of them.
            let labelled = scan.classes.indices.filter { scan.classes[$0] > 0 }
            let empty = labelled.count { scan.volume.voxels[$0] == 0 }
            #expect(labelled.count > 5000)
            #expect(Double(empty) < 0.5 * Double(labelled.count))
        }
    }

    @Test func `the target of a brain mask is the brain without the fluid around it`() throws {
        let synthesizer = try makeSynthesizer {
            $0.target = .brainMask
            $0.croppedProbability = 0
            $0.deformationMillimeters = 0
            $0.fineDeformationMillimeters = 0
            $0.ventricleMillimeters = 0
            $0.rotationDegrees = 0
            $0.shear = 0
            $0.translationMillimeters = 0
            $0.scale = 1...1
        }
        let inside = synthesizer.scan(0).classes.count { $0 == 1 }
        // The ellipsoid of half axes 26, 30 and 26 mm.
        let volume = 4 / 3 * Double.pi * 26 * 30 * 26
        #expect(abs(Double(inside) - volume) < 0.02 * volume)
    }

    /// Fluid is dark in T1 and FLAIR and bright in T2; in CT bone is brightest and brain nearly one grey.
    @Test(arguments: [ScanContrast.t1Weighted, .t2Weighted, .flair, .computedTomography])
    func `a contrast that is asked for has its order of tissues`(contrast: ScanContrast) throws {
        let synthesizer = try makeSynthesizer {
            $0.contrast = contrast
            $0.target = .brainMask
            $0.nativeProbability = 1
            $0.largestSubclassCount = 1
            $0.scale = 1...1
            for amount in [
                \SynthesisOptions.croppedProbability, \.strippedProbability, \.defacedProbability,
                \.lesionProbability, \.deformationMillimeters, \.fineDeformationMillimeters,
                \.ventricleMillimeters, \.rotationDegrees, \.shear, \.translationMillimeters,
                \.biasAmplitude, \.gammaDeviation, \.noise,
            ] { $0[keyPath: amount] = 0 }
        }
        var (white, fluid, stem, bone) = (0.0, 0.0, 0.0, 0.0)
        for number in 0..<12 {
            let volume = synthesizer.scan(number).volume
            /// The mean at a distance from the middle, to both sides and over some slices.
            func mean(at distance: Int) -> Double {
                let places = (-4...4).flatMap { k in
                    [31 - distance, 32 + distance].map {
                        volume.grid.size.offset($0, 36, 32 + k)
                    }
                }
                return places.reduce(0) { $0 + Double(volume.voxels[$1]) } / Double(places.count)
            }
            stem += mean(at: 1) / 12
            white += mean(at: 15) / 12
            fluid += mean(at: 26) / 12
            bone += mean(at: 30) / 12
        }
        switch contrast {
        case .t1Weighted, .flair: #expect(white > fluid + 0.1)
        case .t2Weighted: #expect(fluid > white + 0.1)
        default:
            #expect(bone > white + 0.1)
            #expect(abs(stem - white) < 0.1)
        }
    }

    @Test func `a label of unknown tissue is refused by number`() throws {
        var map = try ellipsoidHead()
        map.labels[map.grid.size.offset(35, 39, 35)] = 999
        let error = #expect(throws: DatasetError.self) {
            try HeadAnatomy(name: "strange", labels: map)
        }
        #expect(error?.description.contains("'strange' holds 1 voxels of the label 999") == true)
    }

    @Test func `chamfer distance is at most an eighth above the Euclidean one`() {
        let size = GridSize(21, 19, 17)
        var set = [Bool](repeating: false, count: size.count)
        set[size.offset(10, 9, 8)] = true
        let distance = chamferDistance(to: set, size: size)
        for z in 0..<size.z {
            for y in 0..<size.y {
                for x in 0..<size.x {
                    let (a, b, c) = (Float(x - 10), Float(y - 9), Float(z - 8))
                    let truth = (a * a + b * b + c * c).squareRoot()
                    let found = distance[size.offset(x, y, z)]
                    #expect(found >= truth - 1e-4 && found <= truth * 1.13 + 1e-4)
                }
            }
        }
    }

    @Test func `a constant velocity integrates to a shift by itself`() {
        var lattice = VectorLattice(covering: GridSize(40, 40, 40), spacing: 4)
        let velocity = SIMD3<Float>(1.5, -2, 0.5)
        for index in lattice.vectors.indices { lattice.vectors[index] = velocity }
        lattice.integrate()
        for vector in lattice.vectors {
            #expect(((vector - velocity) * (vector - velocity)).sum() < 1e-8)
        }
    }

    @Test func `a smooth velocity field folds nothing`() {
        var random = SeededGenerator(seed: 4)
        var lattice = VectorLattice(covering: GridSize(64, 64, 64), spacing: 4)
        let controls = (0..<lattice.count).map { _ in random.gaussian() }
        for axis in 0..<3 {
            var values = controls.map { $0 * Float(8 + axis) }
            for _ in 0..<6 { lattice.smooth(&values) }
            for index in values.indices { lattice.vectors[index][axis] = values[index] }
        }
        lattice.integrate()
        // Along each axis, neighbouring points keep their order.
        for (axis, stride) in [1, lattice.counts.x, lattice.counts.x * lattice.counts.y]
            .enumerated()
        {
            for index in 0..<lattice.count
            where index / stride % lattice.counts[axis] + 1 < lattice.counts[axis] {
                let step = lattice.vectors[index + stride][axis] - lattice.vectors[index][axis]
                #expect(step > -lattice.spacing)
            }
        }
    }

    @Test func `a batch depends on its number alone, in whatever order batches are drawn`() throws {
        func source() throws -> SyntheticSlices {
            SyntheticSlices(
                try makeSynthesizer(), plane: .axial, context: 3, outputOfClass: [0, 1, 2, 3],
                slicesPerScan: 6, poolSize: 2, threadCount: 2)
        }
        func batch(_ number: Int, of source: SyntheticSlices) -> SliceBatch {
            source.batch(
                number: number, size: 4, seed: 9, balancedFraction: 0.5,
                augmenter: SliceAugmenter(.none))
        }
        let forward = try source()
        let expected = (0..<4).map { batch($0, of: forward) }
        let backward = try source()
        for number in (0..<4).reversed() {
            let drawn = batch(number, of: backward)
            #expect(drawn.images == expected[number].images)
            #expect(drawn.classes == expected[number].classes)
        }
        #expect(expected[0].images.count == 4 * 3 * 72 * 64)
        #expect(expected[3].images != expected[0].images)
    }

    @Test func `a batch of real and synthetic slices holds the stated part of each`() throws {
        let synthesizer = try makeSynthesizer()
        let real = SliceDataset(
            cases: [
                TrainingCase(
                    name: "bright", scan: brightScan(GridSize(40, 90, 40)),
                    table: try LabelMapping.parse(sides, path: "sides.tsv").table)
            ], plane: .axial, context: 3, outputOfClass: [0, 1, 2, 3], multiple: 8)
        let synthetic = SyntheticSlices(
            synthesizer, plane: .axial, context: 3, outputOfClass: [0, 1, 2, 3], slicesPerScan: 6,
            poolSize: 2, threadCount: 2)
        let mixed = MixedSlices(real, synthetic, syntheticFraction: 0.3)
        // The window holds both: 96 rows of the scan's 90, 64 columns of the synthetic head.
        #expect(mixed.height == 96 && mixed.width == 64)
        #expect(mixed.classCounts == real.classCounts)
        var bright = 0
        for number in 0..<5 {
            let batch = mixed.batch(
                number: number, size: 4, seed: 9, balancedFraction: 0.5,
                augmenter: SliceAugmenter(.none))
            #expect(batch.context == 3 && batch.count == 4)
            #expect(batch.images.count == 4 * 3 * 96 * 64 && batch.classes.count == 4 * 96 * 64)
            for slice in 0..<4 {
                // Synthetic intensities lie between 0 and 1, those of the scan are 7.
                let image = batch.images[(slice * 3 * 96 * 64)..<((slice + 1) * 3 * 96 * 64)]
                let isBright = image.max() == 7
                bright += isBright ? 1 : 0
                if isBright {
                    // The middle image of 40 columns lies in the middle of 64.
                    let row = (slice * 3 + 1) * 96 * 64 + 48 * 64
                    #expect(
                        batch.images[row..<row + 64].map { $0 > 0 ? 1 : 0 }
                            == [Int](repeating: 0, count: 12) + [Int](repeating: 1, count: 40)
                            + [Int](repeating: 0, count: 12))
                }
            }
        }
        // 5 batches of 4, of which 0.3 is synthetic: 14 of 20 are real.
        #expect(bright == 14)
    }

    @Test func `a coarser copy keeps background, mean and labels, and loses detail`() throws {
        let size = GridSize(48, 48, 48)
        var scan = brightScan(size)
        var generator = SeededGenerator(seed: 4)
        scan.volume.voxels = scan.volume.voxels.indices.map { index in
            index % 48 < 4 ? 0 : 1 + generator.unit()
        }
        let table = try LabelMapping.parse(sides, path: "sides.tsv").table
        let original = TrainingCase(name: "noise", scan: scan, table: table)
        let resolution = CoarseResolution(
            isotropicFraction: 1, largestIsotropicMillimeters: 3, largestThicknessMillimeters: 3)
        let copy = original.coarser(1, resolution)
        let (before, after) = (original.conformed.volume.voxels, copy.conformed.volume.voxels)
        #expect(copy.classes == original.classes && copy.reference == original.reference)
        #expect(copy.coarser(1, resolution).conformed.volume.voxels != after)
        #expect(original.coarser(1, resolution).conformed.volume.voxels == after)
        #expect(original.coarser(2, resolution).conformed.volume.voxels != after)
        for index in before.indices where before[index] == 0 { #expect(after[index] == 0) }
        // Away from the background the mean stays, and white noise loses most of its variance.
        func moments(_ voxels: [Float]) -> (mean: Float, variance: Float) {
            let inside = voxels.indices.filter { $0 % 48 >= 12 }.map { voxels[$0] }
            let mean = inside.reduce(0, +) / Float(inside.count)
            return (
                mean,
                inside.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(inside.count)
            )
        }
        #expect(abs(moments(after).mean - moments(before).mean) < 0.02)
        #expect(moments(after).variance < 0.7 * moments(before).variance)
    }
}

/// A scan of one bright structure.
private func brightScan(_ size: GridSize) -> SyntheticScan {
    SyntheticScan(
        volume: Volume(
            grid: Grid(size: size, affine: .identity),
            voxels: [Float](repeating: 7, count: size.count)),
        classes: [UInt8](repeating: 1, count: size.count), anatomy: "bright")
}
