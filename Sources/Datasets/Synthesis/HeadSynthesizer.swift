import Foundation
import Preprocessing
public import Volumes

/// A synthetic scan in a model's space with the class of each voxel.
public struct SyntheticScan: Sendable {
    /// Intensities from 0 to 1 as the network sees them, in RAS orientation.
    public var volume: Volume
    /// The class of each voxel: 0 background, then the label table's order.
    public var classes: [UInt8]
    /// The anatomy's name.
    public var anatomy: String

    /// Makes a scan of its parts.
    public init(volume: Volume, classes: [UInt8], anatomy: String) {
        self.volume = volume
        self.classes = classes
        self.anatomy = anatomy
    }
}

/// Draws synthetic scans of heads, of any contrast and resolution, from label maps.
///
/// Each scan is a label map, bent and turned at random; a Gaussian intensity for each tissue and
/// its sub-classes; a bias field; a bent intensity curve; blur, a coarser grid, noise; and a part
/// of the head taken away, as skull-stripping, defacing and a small field of view do. Scan `n` of a
/// seed is the same on every machine and thread, whatever was drawn before.
///
/// Source: Billot et al., SynthSeg, arXiv:2107.09559; see ``SynthesisOptions`` for what differs.
public struct HeadSynthesizer: Sendable {
    /// The anatomies that scans are drawn from.
    public let anatomies: [HeadAnatomy]
    /// The random choices.
    public let options: SynthesisOptions
    private let seed: UInt64
    /// The class of each label of `GenerationLabel.all`.
    private let classOfPosition: [UInt8]
    /// The same for a mirrored head.
    private let classOfMirroredPosition: [UInt8]

    /// Makes a synthesizer.
    ///
    /// - Parameters:
    ///   - anatomies: At least one.
    ///   - options: The random choices.
    ///   - mapping: The structures that are learnt, and the labels that become each of them; the
    ///     target `brainMask` uses its first structure alone.
    ///   - seed: The seed of all scans.
    /// - Precondition: `options.problem` is `nil`.
    public init(
        anatomies: [HeadAnatomy], options: SynthesisOptions, mapping: LabelMapping, seed: UInt64
    ) {
        precondition(!anatomies.isEmpty, "no anatomy to draw from")
        if let problem = options.problem { preconditionFailure(problem) }
        self.anatomies = anatomies
        self.options = options
        self.seed = seed
        let classOfLabel = mapping.table.classOfLabel()
        func classOf(_ label: UInt16) -> UInt8 { classOfLabel[Int(mapping[label])] }
        classOfPosition = GenerationLabel.all.map { classOf($0.id) }
        classOfMirroredPosition = GenerationLabel.all.map { classOf($0.partner) }
    }

    /// The number of voxels of the anatomies that belong to each class.
    public var classCounts: [Int] {
        var counts = [Int](repeating: 0, count: Int(classOfPosition.max() ?? 0) + 1)
        if options.target == .brainMask { counts = [0, 0] }
        for anatomy in anatomies {
            if options.target == .brainMask {
                let inside = anatomy.brainDistance.count { $0 <= 0 }
                counts[1] += inside
                counts[0] += anatomy.brainDistance.count - inside
            } else {
                for (position, count) in anatomy.labelCounts.enumerated() {
                    counts[Int(classOfPosition[position])] += count
                }
            }
        }
        return counts
    }

    /// Draws a scan.
    ///
    /// - Parameter number: Which scan of the seed it is.
    /// - Returns: The scan.
    public func scan(_ number: Int) -> SyntheticScan {
        var seeds = SeededGenerator(seed: seed, number: number)
        var geometry = SeededGenerator(seed: seeds.next())
        var appearance = SeededGenerator(seed: seeds.next())
        var imaging = SeededGenerator(seed: seeds.next())
        var coverage = SeededGenerator(seed: seeds.next())

        let anatomy = anatomies[Int(geometry.next() % UInt64(anatomies.count))]
        let isMirrored = geometry.happens(0.5)
        var head = sampled(anatomy, isMirrored: isMirrored, using: &geometry)
        let field = fieldOfView(using: &coverage)
        let removal = Removal(options, size: options.size, using: &coverage)
        if options.target == .brainMask { removal.removeTissue(from: &head) }

        let contrast = TissueContrast(options, using: &appearance)
        var voxels = intensities(of: head, contrast, using: &appearance)
        applyBias(to: &voxels, using: &imaging)
        bendIntensities(&voxels, using: &imaging)
        voxels = acquired(voxels, using: &imaging)

        let hasZeroBackground =
            removal.isStripped || imaging.happens(options.zeroBackgroundProbability)
        let isKept = kept(
            head, field: field, removal: removal, hasZeroBackground: hasZeroBackground)
        normalize(&voxels, isKept: isKept, head: head)
        let classOf = isMirrored ? classOfMirroredPosition : classOfPosition
        var classes = [UInt8](repeating: 0, count: voxels.count)
        for index in classes.indices {
            switch options.target {
            case .structures where isKept[index]:
                classes[index] = classOf[Int(head.positions[index])]
            case .brainMask
            where head.brainDistance[index] <= 0 && field.holds(index, size: options.size):
                classes[index] = 1
            default: break
            }
        }
        let grid = Grid(size: options.size, edgeMillimeters: options.spacingMillimeters)
        return SyntheticScan(
            volume: Volume(grid: grid, voxels: voxels), classes: classes, anatomy: anatomy.name)
    }

    // MARK: - Geometry

    private func sampled(
        _ anatomy: HeadAnatomy, isMirrored: Bool, using generator: inout SeededGenerator
    ) -> SampledHead {
        let size = options.size
        let spacing = Float(options.spacingMillimeters)
        var lattice = VectorLattice(covering: size, spacing: max(2, Int((4 / spacing).rounded())))
        for (distance, largest) in [
            (Float(25), options.deformationMillimeters),
            (Float(10), options.fineDeformationMillimeters),
        ] {
            let deviation = generator.unit() * Float(largest) / spacing
            var controls = VectorLattice(
                covering: size, spacing: max(2, Int((distance / spacing).rounded())))
            for index in controls.vectors.indices {
                controls.vectors[index] =
                    deviation
                    * SIMD3(generator.gaussian(), generator.gaussian(), generator.gaussian())
            }
            forEachPoint(of: lattice) { index, position in
                lattice.vectors[index] += controls(position)
            }
        }
        lattice.integrate()

        func either(_ bound: Double) -> Float {
            generator.uniform(Float(-bound), Float(bound))
        }
        let turns =
            SIMD3(
                either(options.rotationDegrees), either(options.rotationDegrees),
                either(options.rotationDegrees)) * (.pi / 180)
        let shears = (0..<6).map { _ in either(options.shear) }
        // From the volume to the anatomy: a larger head is a smaller step.
        let steps = SIMD3(
            1 / generator.uniform(in: options.scale), 1 / generator.uniform(in: options.scale),
            1 / generator.uniform(in: options.scale))
        let shift = SIMD3(
            either(options.translationMillimeters), either(options.translationMillimeters),
            either(options.translationMillimeters))
        let widening = generator.unit() * generator.unit() * Float(options.ventricleMillimeters)
        let turn = Matrix3.rotation(turns) * Matrix3.shear(shears)
        let mirror: Float = isMirrored ? -1 : 1
        let center = SIMD3(Float(size.x - 1), Float(size.y - 1), Float(size.z - 1)) / 2

        forEachPoint(of: lattice) { index, position in
            let place = (position + lattice.vectors[index] - center) * spacing - shift
            var source = turn * place * steps
            source.x *= mirror
            source += anatomy.center
            source -= widening * anatomy.ventricleFlow(source)
            lattice.vectors[index] = source
        }
        return SampledHead(anatomy, size: size, coordinates: lattice)
    }

    private func forEachPoint(
        of lattice: VectorLattice, _ body: (Int, SIMD3<Float>) -> Void
    ) {
        for k in 0..<lattice.counts.z {
            for j in 0..<lattice.counts.y {
                for i in 0..<lattice.counts.x {
                    body(
                        lattice.counts.offset(i, j, k),
                        SIMD3(Float(i), Float(j), Float(k)) * lattice.spacing)
                }
            }
        }
    }

    /// A part of the volume outside of which nothing was scanned.
    private func fieldOfView(using generator: inout SeededGenerator) -> FieldOfView {
        var lower = SIMD3<Int>.zero
        var upper = SIMD3(options.size.x, options.size.y, options.size.z)
        guard generator.happens(options.croppedProbability) else {
            return FieldOfView(lower: lower, upper: upper)
        }
        // Most fields of view end above or below; slabs end on both sides.
        for axis in 0..<3 where generator.happens(axis == 2 ? 0.8 : 0.25) {
            let extent = Float(upper[axis])
            let isBelow = generator.happens(0.5)
            let part = generator.uniform(0.02, 0.4)
            if isBelow {
                lower[axis] = Int(part * extent)
            } else {
                upper[axis] -= Int(part * extent)
            }
            if generator.happens(0.25) {
                let other = Int(generator.uniform(0.02, 0.25) * extent)
                if isBelow { upper[axis] -= other } else { lower[axis] = other }
            }
        }
        return FieldOfView(lower: lower, upper: upper)
    }

    // MARK: - Intensities

    private func intensities(
        of head: SampledHead, _ contrast: TissueContrast, using generator: inout SeededGenerator
    ) -> [Float] {
        let size = options.size
        let spacing = Float(options.spacingMillimeters)
        let levels = TissueContrast.levelCount
        let field = SplineField(
            size: size, controlSpacing: SIMD3(repeating: generator.uniform(8, 24) / spacing),
            amplitude: 1, using: &generator)
        var noise = SeededGenerator(seed: generator.next())
        var row = [Float](repeating: 0, count: size.x)
        var voxels = [Float](repeating: 0, count: size.count)
        row.withUnsafeMutableBufferPointer { row in
            voxels.withUnsafeMutableBufferPointer { voxels in
                head.positions.withUnsafeBufferPointer { positions in
                    contrast.means.withUnsafeBufferPointer { means in
                        contrast.deviations.withUnsafeBufferPointer { deviations in
                            for k in 0..<size.z {
                                for j in 0..<size.y {
                                    field.copyRow(j, k, into: row)
                                    let start = size.offset(0, j, k)
                                    for i in 0..<size.x {
                                        let position = Int(positions[start + i])
                                        // The field's deviation is a fifth of its amplitude.
                                        let level = Int((row[i] * 1.2 + 0.5) * Float(levels))
                                        let known = max(0, min(levels - 1, level))
                                        voxels[start + i] =
                                            means[position * levels + known]
                                            + deviations[position] * noise.gaussian()
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        return voxels
    }

    private func applyBias(to voxels: inout [Float], using generator: inout SeededGenerator) {
        let size = options.size
        let spacing = Float(options.spacingMillimeters)
        let amplitude = generator.unit() * Float(options.biasAmplitude)
        let field = SplineField(
            size: size, controlSpacing: SIMD3(repeating: generator.uniform(45, 90) / spacing),
            amplitude: amplitude, using: &generator)
        var row = [Float](repeating: 0, count: size.x)
        row.withUnsafeMutableBufferPointer { row in
            voxels.withUnsafeMutableBufferPointer { voxels in
                for k in 0..<size.z {
                    for j in 0..<size.y {
                        field.copyRow(j, k, into: row)
                        let start = size.offset(0, j, k)
                        for i in 0..<size.x { voxels[start + i] *= exp(row[i]) }
                    }
                }
            }
        }
    }

    /// Clips to 0...300, brings to 0...1 and raises to a random power.
    private func bendIntensities(_ voxels: inout [Float], using generator: inout SeededGenerator) {
        let exponent = exp(Float(options.gammaDeviation) * generator.gaussian())
        let steps = 1024
        let curve = (0...steps + 1).map { pow(Float($0) / Float(steps), exponent) }
        curve.withUnsafeBufferPointer { curve in
            voxels.withUnsafeMutableBufferPointer { voxels in
                for index in voxels.indices {
                    let value = max(0, min(300, voxels[index])) * (Float(steps) / 300)
                    let step = Int(value)
                    let part = value - Float(step)
                    voxels[index] = curve[step] + part * (curve[step + 1] - curve[step])
                }
            }
        }
    }

    /// The volume as a scanner of some resolution and noise would have it, on the model's grid.
    private func acquired(
        _ voxels: [Float], using generator: inout SeededGenerator
    ) -> [Float] {
        let size = options.size
        let model = options.spacingMillimeters
        var voxels = voxels
        blur(&voxels, size: size, sigma: generator.uniform(0.35, 0.85))
        let noise = generator.unit() * generator.unit() * Float(options.noise)
        var spacing = SIMD3<Double>(repeating: model)
        if !generator.happens(options.nativeProbability) {
            spacing = options.coarseResolution.spacing(finest: model, using: &generator)
        }
        var random = SeededGenerator(seed: generator.next())
        return coarselySampled(voxels, size: size, model: model, spacing: spacing) { voxels in
            voxels.withUnsafeMutableBufferPointer { voxels in
                for index in voxels.indices { voxels[index] += noise * random.gaussian() }
            }
        }
    }

    // MARK: - What is left

    private func kept(
        _ head: SampledHead, field: FieldOfView, removal: Removal, hasZeroBackground: Bool
    ) -> [Bool] {
        let size = options.size
        var isKept = [Bool](repeating: true, count: size.count)
        var row = [Float](repeating: 0, count: size.x)
        for k in 0..<size.z {
            for j in 0..<size.y {
                removal.copyMargin(j, k, into: &row)
                let start = size.offset(0, j, k)
                for i in 0..<size.x {
                    let index = start + i
                    let isInside =
                        options.target == .structures
                        ? Float(head.brainDistance[index]) <= row[i]
                        : !hasZeroBackground || head.positions[index] > 0
                    isKept[index] = isInside && field.holds(i, j, k)
                }
            }
        }
        return isKept
    }

    /// Brings the percentiles 0.5 and 99.5 (of the brain, or of all that is kept) to 0 and 1, and
    /// what is not kept to 0.
    private func normalize(_ voxels: inout [Float], isKept: [Bool], head: SampledHead) {
        var lowest = Float.infinity
        var highest = -Float.infinity
        let ofBrain = options.target == .structures
        func counts(_ index: Int) -> Bool {
            isKept[index] && (!ofBrain || head.brainDistance[index] <= 0)
        }
        var total = 0
        for index in voxels.indices where counts(index) {
            lowest = min(lowest, voxels[index])
            highest = max(highest, voxels[index])
            total += 1
        }
        guard highest > lowest else {
            for index in voxels.indices { voxels[index] = 0 }
            return
        }
        let bins = 4096
        var histogram = [Int](repeating: 0, count: bins)
        let scale = Float(bins - 1) / (highest - lowest)
        for index in voxels.indices where counts(index) {
            histogram[Int((voxels[index] - lowest) * scale)] += 1
        }
        func percentile(_ part: Double) -> Float {
            var left = Int(part * Double(total - 1))
            for (bin, count) in histogram.enumerated() {
                if left < count { return lowest + (Float(bin) + 0.5) / scale }
                left -= count
            }
            return highest
        }
        let (zero, one) = (percentile(0.005), percentile(0.995))
        let unit = one > zero ? one - zero : 1
        for index in voxels.indices {
            voxels[index] =
                isKept[index] ? max(0, min(1, (voxels[index] - zero) / unit)) : 0
        }
    }
}

extension Grid {
    /// A grid of cubes along the world's axes.
    init(size: GridSize, edgeMillimeters edge: Double) {
        let columns = [SIMD3(edge, 0, 0), SIMD3(0, edge, 0), SIMD3(0, 0, edge)]
        self.init(size: size, affine: Affine(columns: columns, translation: .zero))
    }
}

/// Blurs a volume with a Gaussian of a standard deviation in voxels, cut off after two voxels.
private func blur(_ voxels: inout [Float], size: GridSize, sigma: Float) {
    let near = exp(-0.5 / (sigma * sigma))
    let far = exp(-2 / (sigma * sigma))
    let sum = 1 + 2 * near + 2 * far
    let weights = (1 / sum, near / sum, far / sum)
    let strides = [1, size.x, size.x * size.y]
    for axis in 0..<3 {
        let (extent, stride) = (size[axis], strides[axis])
        let source = voxels
        source.withUnsafeBufferPointer { source in
            voxels.withUnsafeMutableBufferPointer { voxels in
                for start in Swift.stride(from: 0, to: size.count, by: stride * extent) {
                    for place in 0..<extent {
                        let here = start + place * stride
                        let before = here - min(1, place) * stride
                        let after = here + min(1, extent - 1 - place) * stride
                        let twoBefore = here - min(2, place) * stride
                        let twoAfter = here + min(2, extent - 1 - place) * stride
                        for offset in 0..<stride {
                            voxels[here + offset] =
                                weights.0 * source[here + offset]
                                + weights.1
                                * (source[before + offset] + source[after + offset])
                                + weights.2
                                * (source[twoBefore + offset] + source[twoAfter + offset])
                        }
                    }
                }
            }
        }
    }
}
