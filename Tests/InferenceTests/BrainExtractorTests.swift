import Datasets
import Foundation
import Inference
import ModelBundles
import Preprocessing
import TestSupport
import Testing
import VolumeIO
import Volumes

/// A head of 2 mm with a brain whose voxels are known, and what a network may say of it.
private struct SmallHead {
    static let grid = Grid(
        size: GridSize(100, 110, 96),
        affine: Affine(spacing: SIMD3(2, 2, 2), translation: SIMD3(-99, -109, -95)))

    enum Surroundings {
        /// Skull, scalp and noise in air.
        case head
        /// Exactly this value.
        case nothing(Float)
        /// Not quite flat, as after a spline.
        case ringing
    }

    static func level(_ point: SIMD3<Double>, grown millimeters: Double = 0) -> Double {
        (point / (SIMD3(66, 82, 58) + SIMD3(repeating: millimeters))).length
    }

    static func map<Value>(_ value: (SIMD3<Double>, Int) -> Value) -> [Value] {
        var values: [Value] = []
        values.reserveCapacity(grid.size.count)
        for k in 0..<grid.size.z {
            for j in 0..<grid.size.y {
                for i in 0..<grid.size.x {
                    values.append(
                        value(grid.affine(SIMD3(Double(i), Double(j), Double(k))), values.count))
                }
            }
        }
        return values
    }

    static func scan(_ surroundings: Surroundings) -> Volume {
        var generator = SeededGenerator(seed: 5)
        let voxels: [Float] = map { point, _ in
            let noise = Float.random(in: -1...1, using: &generator)
            if level(point) <= 1 { return 400 + Float(point.y) + 60 * noise }
            switch surroundings {
            case .nothing(let value): return value
            case .ringing: return 4 * noise
            case .head:
                // Bone 6 mm thick is dark, scalp 6 mm thick is bright.
                if level(point, grown: 6) <= 1 { return abs(12 * noise) }
                if level(point, grown: 12) <= 1 { return 600 + 60 * noise }
                return abs(12 * noise)
            }
        }
        return Volume(grid: grid, voxels: voxels)
    }

    static let model = ConformSpecification(
        orientation: .ras, spacingMillimeters: SIMD3(2, 2, 2),
        intensity: .percentile(lower: 0.5, upper: 99.5), marginVoxels: 4)

    /// What a network says where the answer at each place is known.
    static func brain(
        in scan: Volume, probability: (SIMD3<Double>) -> Float
    ) throws -> ExtractedBrain {
        let conformed = try conform(scan, to: model)
        let grid = conformed.volume.grid
        var values: [Float] = []
        for k in 0..<grid.size.z {
            for j in 0..<grid.size.y {
                for i in 0..<grid.size.x {
                    values.append(
                        probability(grid.affine(SIMD3(Double(i), Double(j), Double(k)))))
                }
            }
        }
        return try BrainExtractor.brain(of: conformed, probability: values)
    }

    static let truth: [Bool] = map { point, _ in level(point) <= 1 }
}

struct BrainExtractorTests {
    @Test func `of a head the largest part is brain, with its holes and without islands`() throws {
        let scan = SmallHead.scan(.head)
        let brain = try SmallHead.brain(in: scan) { point in
            // A hole in the middle, as a ventricle might be, and an island in the scalp.
            if point.length < 12 { return 0.1 }
            if (point - SIMD3(76, 0, 0)).length < 8 { return 0.9 }
            return SmallHead.level(point) <= 1 ? 0.95 : 0.02
        }
        #expect(!brain.isAlreadyStripped)
        let found = brain.labels(on: scan).labels
        #expect(zip(found, SmallHead.truth).allSatisfy { ($0 == 1) == $1 })
    }

    @Test(
        arguments: [
            SmallHead.Surroundings.nothing(0), .nothing(-1000), .nothing(420), .nothing(.nan),
            .ringing,
        ])
    fileprivate func `a stripped scan keeps all that it shows, however little was found`(
        surroundings: SmallHead.Surroundings
    ) throws {
        let scan = SmallHead.scan(surroundings)
        let brain = try SmallHead.brain(in: scan) { point in
            // The network leaves 8 mm out all around.
            SmallHead.level(point, grown: -8) <= 1 ? 0.9 : 0.1
        }
        #expect(brain.isAlreadyStripped)
        let found = brain.labels(on: scan).labels
        let lost = zip(found, SmallHead.truth).count { $1 && $0 == 0 }
        let added = zip(found, SmallHead.truth).count { !$1 && $0 == 1 }
        let count = SmallHead.truth.count { $0 }
        #expect(lost * 1000 <= count)
        // Where nothing is an exact value the mask ends there; else it may reach two voxels farther.
        if case .ringing = surroundings {
            #expect(added < count / 8)
        } else {
            // A voxel of the brain may have the very value of nothing.
            #expect(added == 0)
        }
    }

    /// 24 mm across an axis, of a brain with dark ventricles; in a head bone and scalp lie around it.
    private func slab(across axis: Int, hasSkull: Bool) -> Volume {
        var generator = SeededGenerator(seed: 6)
        let voxels: [Float] = SmallHead.map { point, _ in
            let noise = Float.random(in: -1...1, using: &generator)
            if SmallHead.level(point) <= 0.3 { return 100 + 10 * noise }
            if SmallHead.level(point) <= 1 { return 400 + 40 * noise }
            guard hasSkull else { return 0 }
            if SmallHead.level(point, grown: 6) <= 1 { return 30 + 10 * noise }
            return SmallHead.level(point, grown: 12) <= 1 ? 600 + 60 * noise : 0
        }
        var box = VoxelBox(all: SmallHead.grid.size)
        box.lower[axis] = 40
        box.upper[axis] = 52
        return Volume(grid: SmallHead.grid, voxels: voxels).cropped(to: box)
    }

    @Test(arguments: 0..<3)
    func `a slab of a stripped brain keeps all that it shows, one of a head does not`(axis: Int)
        throws
    {
        let brain = slab(across: axis, hasSkull: false)
        let found = try SmallHead.brain(in: brain) { _ in 0.1 }
        #expect(found.isAlreadyStripped)
        let mask = found.labels(on: brain).labels
        #expect(zip(mask, brain.voxels).allSatisfy { ($0 == 1) == ($1 > 0) })
        let head = slab(across: axis, hasSkull: true)
        #expect(throws: PreprocessingError.noBrain) {
            try SmallHead.brain(in: head) { _ in 0.1 }
        }
    }

    @Test func `a block cut out of a head is no stripped scan`() throws {
        // Only what lies within 9 mm of the brain is in the field of view: skull and scalp.
        let head = SmallHead.scan(.head)
        let box = VoxelBox(lower: SIMD3(14, 11, 17), upper: SIMD3(86, 99, 79))
        let block = head.cropped(to: box)
        let brain = try SmallHead.brain(in: block) { SmallHead.level($0) <= 1 ? 0.9 : 0.1 }
        #expect(!brain.isAlreadyStripped)
    }

    @Test func `a head in which hardly anything is brain is refused`() throws {
        let scan = SmallHead.scan(.head)
        // 2 cm across: 4 ml.
        #expect(throws: PreprocessingError.noBrain) {
            try SmallHead.brain(in: scan) { $0.length < 10 ? 0.9 : 0.1 }
        }
    }

    @Test func `a network's brain is that of the head, on the head's own grid`() throws {
        // The model of the synthetic heads knows their structures, not the fluid between them.
        let bundle = try ModelBundle.shipped(named: "phantom")
        let extractor = try BrainExtractor(bundle: bundle)
        let (scan, labels) = makePhantom(
            seed: 5001, options: PhantomOptions(orientation: try #require(Orientation("LIA"))))
        var parts: [Double] = []
        let brain = try extractor.brain(of: scan) { parts.append($0) }
        #expect(parts.first == 0 && parts.last == 1 && parts == parts.sorted())
        #expect(brain.seconds > 0)
        let found = brain.labels(on: scan)
        #expect(found.grid == scan.grid)
        // All that has a label is brain, and what is brain beside it are holes.
        let truth = labels.labels
        let kept = zip(found.labels, truth).count { $0 == 1 && $1 > 0 }
        #expect(Double(kept) > 0.97 * Double(truth.count { $0 > 0 }))
        #expect(Double(kept) > 0.85 * Double(found.labels.count { $0 == 1 }))
    }

    @Test func `a card that asks for the brain shows its networks the brain alone`() throws {
        try withTemporaryDirectory { folder in
            // The phantom model behind itself as the model that finds the brain.
            let shipped = try ModelBundle.shipped(named: "phantom")
            var card = shipped.card
            card.brainExtraction = BrainExtraction(model: "phantom", dilationMillimeters: 4)
            let networks = try card.planes.map {
                ($0.plane, try shipped.makeNetwork(for: $0.plane))
            }
            let bundle = try ModelBundle.write(
                card: card, networks: networks, to: folder + "/model")
            #expect(bundle.card.brainExtraction == card.brainExtraction)
            let (scan, labels) = makePhantom(seed: 5002)
            var stages: [String] = []
            let segmenter = try Segmenter(bundle: bundle)
            var last = 0.0
            let result = try segmenter.segment(scan) { stage, fraction in
                stages.append(stage.description)
                #expect(fraction >= last)
                last = fraction
            }
            #expect(last == 1)
            #expect(stages.first == "brain")
            #expect(result.stageSeconds.first?.stage == .brain)
            let brain = try #require(result.brain)
            let mask = brain.labels(on: scan)
            // Nothing is labelled where the networks saw nothing.
            let near = VoxelMask(size: mask.grid.size, values: mask.labels.map { UInt8($0) })
                .dilated(byMillimeters: 4 + 3, spacing: mask.grid.spacing)
            for (index, label) in result.labels.labels.enumerated() where label > 0 {
                if near.values[index] == 0 { Issue.record("a label far from the brain") }
            }
            let truth = labels.labels
            let right = zip(result.labels.labels, truth).count { $0 == $1 && $1 > 0 }
            // The same networks without a mask before them are right about as often; they were trained
            // on whole heads and on none cut off 4 mm around the brain.
            let plain = try Segmenter(bundle: shipped).segment(scan).labels.labels
            let rightWithoutMask = zip(plain, truth).count { $0 == $1 && $1 > 0 }
            #expect(Double(right) > 0.85 * Double(rightWithoutMask))
            // How sure the networks are goes with how right they are.
            let structures = bundle.card.labels.structures
            #expect(Set(result.meanProbability.keys).isSubset(of: Set(structures.map(\.index))))
            for value in result.meanProbability.values { #expect((0.2...1).contains(value)) }
        }
    }

    @Test func `a card that asks for a model that is not there is an error with its name`() throws {
        try withTemporaryDirectory { folder in
            let shipped = try ModelBundle.shipped(named: "phantom")
            var card = shipped.card
            card.brainExtraction = BrainExtraction(model: "no-such-mask", dilationMillimeters: 4)
            let networks = try card.planes.map {
                ($0.plane, try shipped.makeNetwork(for: $0.plane))
            }
            let bundle = try ModelBundle.write(
                card: card, networks: networks, to: folder + "/model")
            let error = #expect(throws: ModelBundleError.self) { try Segmenter(bundle: bundle) }
            #expect(try #require(error).description.contains("no-such-mask"))
        }
    }
}

struct SideRuleTests {
    private let table = LabelTable([
        Structure(index: 2, name: "Left-White", color: LabelColor(red: 1, green: 1, blue: 1)),
        Structure(index: 41, name: "Right-White", color: LabelColor(red: 1, green: 1, blue: 1)),
        Structure(index: 16, name: "Brain-Stem", color: LabelColor(red: 1, green: 1, blue: 1)),
    ])

    /// Two halves of a block, right at positive world x, on a grid of some orientation.
    private func halves(_ code: String) throws -> LabelMap {
        let orientation = try #require(Orientation(code))
        var columns: [SIMD3<Double>] = []
        for direction in orientation.axes {
            var column = SIMD3<Double>.zero
            column[direction.worldAxis] = direction.isPositive ? 2 : -2
            columns.append(column)
        }
        let size = GridSize(50, 50, 50)
        let corner = Affine(columns: columns, translation: .zero)(SIMD3(24.5, 24.5, 24.5))
        let grid = Grid(size: size, affine: Affine(columns: columns, translation: -corner))
        var labels: [UInt16] = []
        for k in 0..<50 {
            for j in 0..<50 {
                for i in 0..<50 {
                    let x = grid.affine(SIMD3(Double(i), Double(j), Double(k))).x
                    labels.append(x < 0 ? 2 : 41)
                }
            }
        }
        return LabelMap(grid: grid, labels: labels)
    }

    @Test(arguments: ["RAS", "LAS", "LIA", "PSR"])
    func `voxels deep in the wrong half go to the other side`(code: String) throws {
        let rule = SideRule(try #require(table))
        let truth = try halves(code)
        var map = truth
        var wrong = 0
        for k in 0..<50 {
            for j in 0..<50 {
                for i in 0..<50 {
                    let point = truth.grid.affine(SIMD3(Double(i), Double(j), Double(k)))
                    // A lump of left label 30 to 40 mm inside the right half, and the brain stem's.
                    guard (point - SIMD3(35, 0, 0)).length < 5 else { continue }
                    map.labels[truth.grid.size.offset(i, j, k)] = 2
                    wrong += 1
                }
            }
        }
        map.labels[0] = 16
        var expected = truth
        expected.labels[0] = 16
        #expect(rule.apply(to: &map) == wrong)
        #expect(map.labels == expected.labels)
    }

    @Test func `near the midline labels stay, and so does what has no counterpart`() throws {
        let rule = SideRule(try #require(table))
        var map = try halves("RAS")
        // Left label up to 14 mm into the right half.
        for index in map.labels.indices {
            let i = index % 50
            if (25..<32).contains(i), index / 50 % 50 < 10 { map.labels[index] = 2 }
        }
        let before = map
        #expect(rule.apply(to: &map) == 0)
        #expect(map == before)
        // One side alone has no midline.
        var left = LabelMap(grid: map.grid, labels: map.labels.map { $0 == 41 ? 0 : $0 })
        #expect(rule.apply(to: &left) == 0)
    }
}

extension Volume {
    /// The part in a box.
    fileprivate func cropped(to box: VoxelBox) -> Volume {
        var voxels: [Float] = []
        for k in box.lower.z..<box.upper.z {
            for j in box.lower.y..<box.upper.y {
                for i in box.lower.x..<box.upper.x { voxels.append(self[i, j, k]) }
            }
        }
        return Volume(grid: grid.cropped(to: box), voxels: voxels)
    }
}

/// Real scans beside the project, where they are at hand.
private let challengeFolder = sharedDataPath("malc/train")

struct StrippedScanTests {
    @Test(
        .enabled(
            if: challengeFolder != nil,
            "needs the challenge's scans in ../shared/data/malc/train"),
        arguments: ["1000", "1015", "1036"])
    func `a skull-stripped scan keeps 99.5 % of its labelled voxels behind a mask too small`(
        name: String
    ) throws {
        let folder = try #require(challengeFolder)
        let scan = try readVolume(at: "\(folder)/\(name)_SS.nii.gz").volume
        let (labels, _) = try readLabelMap(at: "\(folder)/\(name)_glm.nii.gz")
        let conformed = try conform(scan, to: SmallHead.model)
        // A network that leaves out 6 mm all around, and a part as large as the brain stem.
        let truth = BrainMask(of: labels).mask(on: conformed.volume.grid)
        let outside = VoxelMask(size: truth.size, values: truth.values.map { 1 - $0 })
            .dilated(byMillimeters: 6, spacing: SIMD3(2, 2, 2))
        let stem = VoxelBox(
            lower: .zero, upper: SIMD3(truth.size.x, truth.size.y, truth.size.z / 8))
        let probability = outside.values.enumerated().map { index, isOutside -> Float in
            let z = index / (truth.size.x * truth.size.y)
            return isOutside == 1 || z < stem.upper.z ? 0.1 : 0.9
        }
        let brain = try BrainExtractor.brain(of: conformed, probability: probability)
        #expect(brain.isAlreadyStripped)
        let mask = brain.labels(on: scan).labels
        let kept = zip(mask, labels.labels).count { $0 == 1 && $1 > 0 }
        let count = labels.labels.count { $0 > 0 }
        #expect(1000 * kept >= 995 * count, "\(name): \(kept) of \(count)")
        // What the networks of 1 mm see is the scan itself.
        let model = ConformSpecification(
            orientation: .ras, spacingMillimeters: SIMD3(1, 1, 1),
            intensity: .percentile(lower: 0.5, upper: 99.5), marginVoxels: 4)
        let whole = try conform(scan, to: model)
        let within = try conform(
            scan, to: model, within: BrainRegion(mask: brain.mask, dilationMillimeters: 4))
        let offset = within.box.lower &- whole.box.lower
        var largest: Float = 0
        for k in 0..<whole.volume.grid.size.z {
            for j in 0..<whole.volume.grid.size.y {
                for i in 0..<whole.volume.grid.size.x {
                    let place = SIMD3(i, j, k) &- offset
                    let size = within.volume.grid.size
                    let isInside = (0..<3).allSatisfy { (0..<size[$0]).contains(place[$0]) }
                    let seen = isInside ? within.volume[place.x, place.y, place.z] : 0
                    largest = max(largest, abs(seen - whole.volume[i, j, k]))
                }
            }
        }
        #expect(largest < 1e-5, "\(name)")
    }

    @Test(
        .enabled(
            if: challengeFolder != nil,
            "needs the challenge's scans in ../shared/data/malc/train"), arguments: 0..<3)
    func `24 mm of a skull-stripped scan pass through whatever the network finds`(
        axis: Int
    ) throws {
        let folder = try #require(challengeFolder)
        let scan = try readVolume(at: "\(folder)/1015_SS.nii.gz").volume
        for part in [0.3, 0.5, 0.7] {
            var box = VoxelBox(all: scan.grid.size)
            box.lower[axis] = Int(part * Double(scan.grid.size[axis]))
            box.upper[axis] = box.lower[axis] + 24
            let slab = scan.cropped(to: box)
            for probability: Float in [0, 0.9] {
                let brain = try SmallHead.brain(in: slab) { ($0.x > 20 ? probability : 0) }
                #expect(brain.isAlreadyStripped)
                let mask = brain.labels(on: slab).labels
                let lost = zip(mask, slab.voxels).count { $0 == 0 && $1 > 0 }
                #expect(100 * lost <= mask.count { $0 == 1 }, "\(part), \(probability)")
            }
        }
    }
}
