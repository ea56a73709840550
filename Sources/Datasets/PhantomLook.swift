import Volumes

/// The imaging of one head: brightness of each tissue, skull stripping, noise and bias field.
struct PhantomLook {
    private let brightness: [Float]
    private let hasSkull: Bool
    private let noise: Float
    private let biasAmplitude: Float
    private let blurMillimeters: Float
    private let scale: Float

    init(options: PhantomOptions, using generator: inout SeededGenerator) {
        let choice = Int(generator.unit() * Float(options.contrasts.count))
        let contrast = options.contrasts[choice]
        hasSkull = generator.happens(options.skullProbability)
        noise = generator.uniform(in: options.noise)
        biasAmplitude = generator.uniform(in: options.biasAmplitude)
        blurMillimeters = generator.uniform(0.8, 1.2)
        scale = generator.uniform(150, 1500)

        var groups = TissueBrightness(of: contrast, using: &generator)
        groups.vary(using: &generator)
        brightness = (0..<PhantomTissue.count).map { raw in
            PhantomTissue(rawValue: UInt8(raw)).map { groups[$0] } ?? 0
        }
    }

    /// The image of a map of tissues: whole numbers from 0 up.
    func image(
        of tissues: [PhantomTissue], size: GridSize, options: PhantomOptions,
        using generator: inout SeededGenerator
    ) -> [Float] {
        var voxels = tissues.map { brightness[Int($0.rawValue)] }
        for axis in 0..<3 {
            smooth(&voxels, size: size, axis: axis, spacing: options.spacingMillimeters[axis])
        }
        let edges = options.spacingMillimeters
        let perMillimeter = SIMD3<Float>(1 / Float(edges.x), 1 / Float(edges.y), 1 / Float(edges.z))
        // A cubic B-spline of random control values rarely reaches half of their bound.
        let bias = SplineField(
            size: size, controlSpacing: 70 * perMillimeter, amplitude: 2 * biasAmplitude,
            using: &generator
        ).values(height: size.y, depth: size.z)
        for position in voxels.indices {
            if !hasSkull, !tissues[position].isBrain {
                voxels[position] = 0
                continue
            }
            let factor = 1 + max(-biasAmplitude, min(biasAmplitude, bias[position]))
            let real = voxels[position] * factor + noise * generator.gaussian()
            let imaginary = noise * generator.gaussian()
            let magnitude = (real * real + imaginary * imaginary).squareRoot() * scale
            // A stripped brain holds no zeros: 0 says that there is nothing.
            voxels[position] = max(hasSkull ? 0 : 1, magnitude.rounded())
        }
        return voxels
    }

    /// Blurs along one axis with repeated three-point averages of the right total width.
    private func smooth(_ voxels: inout [Float], size: GridSize, axis: Int, spacing: Double) {
        let sigma = blurMillimeters / Float(spacing)
        let passes = max(1, Int((sigma * sigma / 0.5).rounded(.up)))
        let side = sigma * sigma / (2 * Float(passes))
        let stride = axis == 0 ? 1 : axis == 1 ? size.x : size.x * size.y
        let length = size[axis]
        let lines = size.count / length
        voxels.withUnsafeMutableBufferPointer { voxels in
            for line in 0..<lines {
                let start =
                    axis == 0
                    ? line * length
                    : axis == 1 ? line / size.x * size.x * size.y + line % size.x : line
                for _ in 0..<passes {
                    var before = voxels[start]
                    var position = start
                    for step in 0..<length {
                        let here = voxels[position]
                        let after = step + 1 < length ? voxels[position + stride] : here
                        voxels[position] = (1 - 2 * side) * here + side * (before + after)
                        before = here
                        position += stride
                    }
                }
            }
        }
    }
}

/// The brightness of each kind of tissue; 1 is about the brightest of the brain.
private struct TissueBrightness {
    private var whiteMatter: Float
    private var cortex: Float
    private var thalamus: Float
    private var putamen: Float
    private var hippocampus: Float
    private var cerebellum: Float
    private var brainStem: Float
    private var fluid: Float
    private var skull: Float
    private var scalp: Float

    init(of contrast: PhantomContrast, using generator: inout SeededGenerator) {
        switch contrast {
        case .t1Weighted:
            (whiteMatter, cortex, thalamus, putamen) = (1, 0.66, 0.82, 0.75)
            (hippocampus, cerebellum, brainStem, fluid) = (0.64, 0.70, 0.92, 0.22)
            (skull, scalp) = (0.12, 0.85)
        case .t2Weighted:
            (whiteMatter, cortex, thalamus, putamen) = (0.34, 0.56, 0.45, 0.41)
            (hippocampus, cerebellum, brainStem, fluid) = (0.58, 0.50, 0.39, 1)
            (skull, scalp) = (0.10, 0.60)
        case .protonDensity:
            (whiteMatter, cortex, thalamus, putamen) = (0.60, 0.84, 0.74, 0.70)
            (hippocampus, cerebellum, brainStem, fluid) = (0.86, 0.78, 0.65, 1)
            (skull, scalp) = (0.15, 0.72)
        case .random:
            // White matter, cortex and fluid are kept apart; what lies in white matter differs
            // from it, and may look like cortex.
            whiteMatter = generator.uniform(0.25, 1)
            cortex = Self.apart(from: [whiteMatter], using: &generator)
            fluid = Self.apart(from: [whiteMatter, cortex], using: &generator)
            thalamus = Self.apart(from: [whiteMatter, fluid], using: &generator)
            putamen = Self.apart(from: [whiteMatter, fluid], using: &generator)
            hippocampus = Self.apart(from: [whiteMatter, fluid], using: &generator)
            cerebellum = Self.apart(from: [fluid], using: &generator)
            brainStem = Self.apart(from: [cerebellum, fluid], using: &generator)
            skull = generator.uniform(0.05, 0.3)
            scalp = generator.uniform(0.2, 1)
        }
    }

    /// A brightness that lies at least 0.14 from each of some others.
    private static func apart(
        from others: [Float], using generator: inout SeededGenerator
    ) -> Float {
        // At most two others cover at most 0.56 of the range of 0.9, so this ends soon.
        while true {
            let value = generator.uniform(0.1, 1)
            if others.allSatisfy({ abs($0 - value) >= 0.14 }) { return value }
        }
    }

    /// Changes each brightness by at most 3 %.
    mutating func vary(using generator: inout SeededGenerator) {
        let paths: [WritableKeyPath<Self, Float>] = [
            \.whiteMatter, \.cortex, \.thalamus, \.putamen, \.hippocampus, \.cerebellum,
            \.brainStem, \.fluid, \.skull, \.scalp,
        ]
        for path in paths { self[keyPath: path] *= generator.uniform(0.97, 1.03) }
    }

    subscript(tissue: PhantomTissue) -> Float {
        switch tissue {
        case .air: 0
        case .scalp: scalp
        case .skull: skull
        case .outerFluid, .innerFluid, .leftVentricle, .rightVentricle: fluid
        case .leftWhiteMatter, .rightWhiteMatter: whiteMatter
        case .leftCortex, .rightCortex: cortex
        case .leftCerebellum, .rightCerebellum: cerebellum
        case .leftThalamus, .rightThalamus: thalamus
        case .leftPutamen, .rightPutamen: putamen
        case .leftHippocampus, .rightHippocampus: hippocampus
        case .brainStem: brainStem
        }
    }
}
