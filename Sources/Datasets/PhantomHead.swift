import Volumes

/// The tissue and side of a phantom's voxel.
enum PhantomTissue: UInt8 {
    case air, scalp, skull
    /// Fluid around the brain, outside of the skull-stripping mask.
    case outerFluid
    /// Fluid in the furrows, the fissure and the third ventricle: inside the mask, unlabelled.
    case innerFluid
    case leftWhiteMatter, leftCortex, leftVentricle, leftCerebellum, leftThalamus, leftPutamen
    case leftHippocampus
    case brainStem
    case rightWhiteMatter, rightCortex, rightVentricle, rightCerebellum, rightThalamus
    case rightPutamen, rightHippocampus

    static let count = 20

    /// The label of ``phantomLabelTable``, 0 where there is none.
    var label: UInt16 {
        switch self {
        case .air, .scalp, .skull, .outerFluid, .innerFluid: 0
        case .leftWhiteMatter: 2
        case .leftCortex: 3
        case .leftVentricle: 4
        case .leftCerebellum: 8
        case .leftThalamus: 10
        case .leftPutamen: 12
        case .brainStem: 16
        case .leftHippocampus: 17
        case .rightWhiteMatter: 41
        case .rightCortex: 42
        case .rightVentricle: 43
        case .rightCerebellum: 47
        case .rightThalamus: 49
        case .rightPutamen: 51
        case .rightHippocampus: 53
        }
    }

    /// A Boolean value indicating whether skull stripping keeps it.
    var isBrain: Bool { rawValue >= PhantomTissue.innerFluid.rawValue }
}

/// The shapes of one head, in millimetres from the middle of its brain: x right, y front, z up.
struct PhantomHead {
    private let size: GridSize
    private let spacing: SIMD3<Float>
    private let toHead: [SIMD3<Float>]
    private let shift: SIMD3<Float>
    private let deformation: [SplineField]
    private let folds: SplineField

    private let cerebrum: Ellipsoid
    private let callosum: Ellipsoid
    private let thirdVentricle: Ellipsoid
    private let brainStem: Ellipsoid
    private let left: Hemisphere
    private let right: Hemisphere
    private let furrowDepth: Float
    private let cortexThickness: Float
    private let skullThickness: Float
    private let scalpThickness: Float

    init(options: PhantomOptions, using generator: inout SeededGenerator) {
        size = options.size
        let edges = options.spacingMillimeters
        spacing = SIMD3(Float(edges.x), Float(edges.y), Float(edges.z))

        // A rotation of a quaternion (1, a, b, c): no sine is needed. tan of half the angle is near
        // half the angle here.
        let half = Float(options.rotationDegrees) * (Float.pi / 360)
        let q = SIMD3(
            generator.uniform(-half, half), generator.uniform(-half, half),
            generator.uniform(-half, half))
        let overall = generator.uniform(0.94, 1.04)
        let scale = SIMD3(
            overall * generator.uniform(0.96, 1.03), overall * generator.uniform(0.96, 1.03),
            overall * generator.uniform(0.96, 1.03))
        let n = 1 + q.x * q.x + q.y * q.y + q.z * q.z
        toHead = [
            SIMD3(
                1 + q.x * q.x - q.y * q.y - q.z * q.z, 2 * (q.x * q.y - q.z),
                2 * (q.x * q.z + q.y)) / (n * scale.x),
            SIMD3(
                2 * (q.x * q.y + q.z), 1 - q.x * q.x + q.y * q.y - q.z * q.z,
                2 * (q.y * q.z - q.x)) / (n * scale.y),
            SIMD3(
                2 * (q.x * q.z - q.y), 2 * (q.y * q.z + q.x),
                1 - q.x * q.x - q.y * q.y + q.z * q.z) / (n * scale.z),
        ]
        shift = SIMD3(
            generator.uniform(-3, 3), generator.uniform(-4, 4), 2 + generator.uniform(-3, 3))

        let voxelsPerMillimeter = SIMD3<Float>(repeating: 1) / spacing
        var deformation: [SplineField] = []
        for _ in 0..<3 {
            deformation.append(
                SplineField(
                    size: size, controlSpacing: 44 * voxelsPerMillimeter,
                    amplitude: Float(options.deformationMillimeters), using: &generator))
        }
        self.deformation = deformation
        folds = SplineField(
            size: size, controlSpacing: 15 * voxelsPerMillimeter, amplitude: 1, using: &generator)

        cerebrum = Ellipsoid(
            SIMD3(0, 0, 0), SIMD3(57, 71, 56), lowerHeight: 42, vary: 0.02, using: &generator)
        callosum = Ellipsoid(SIMD3(0, 0, 2), SIMD3(30, 38, 20), vary: 0.06, using: &generator)
        thirdVentricle = Ellipsoid(
            SIMD3(0, -9, 1), SIMD3(2.2, 11, 8), vary: 0.15, using: &generator)
        brainStem = Ellipsoid(
            SIMD3(0, -20, -38), SIMD3(11, 12, 30), tilt: 0.25, vary: 0.08, using: &generator)
        let ventricleScale = generator.uniform(0.85, 1.45)
        let both = Hemisphere(side: 1, ventricleScale: ventricleScale, using: &generator)
        right = both.varied(using: &generator)
        left = both.mirrored.varied(using: &generator)
        furrowDepth = generator.uniform(9, 13)
        cortexThickness = generator.uniform(4.5, 5.5)
        skullThickness = generator.uniform(4, 7)
        scalpThickness = generator.uniform(4, 7)
    }

    /// The tissue of each voxel of a RAS grid, x fastest.
    func tissues() -> [PhantomTissue] {
        var tissues = [PhantomTissue](repeating: .air, count: size.count)
        var rows = [Float](repeating: 0, count: 4 * size.x)
        let middle = SIMD3(Float(size.x - 1), Float(size.y - 1), Float(size.z - 1)) / 2
        rows.withUnsafeMutableBufferPointer { rows in
            let parts = (0..<4).map { part in
                UnsafeMutableBufferPointer(rebasing: rows[part * size.x..<(part + 1) * size.x])
            }
            for k in 0..<size.z {
                for j in 0..<size.y {
                    for axis in 0..<3 { deformation[axis].copyRow(j, k, into: parts[axis]) }
                    folds.copyRow(j, k, into: parts[3])
                    let start = size.offset(0, j, k)
                    for i in 0..<size.x {
                        let voxel = SIMD3(Float(i), Float(j), Float(k))
                        let moved = (voxel - middle) * spacing - shift
                        let turned =
                            SIMD3(
                                dot(toHead[0], moved), dot(toHead[1], moved), dot(toHead[2], moved))
                        let point = turned + SIMD3(parts[0][i], parts[1][i], parts[2][i])
                        tissues[start + i] = tissue(at: point, fold: parts[3][i])
                    }
                }
            }
        }
        return tissues
    }

    /// The tissue at a point; `fold` is a smooth random number whose zeros are the furrows.
    private func tissue(at point: SIMD3<Float>, fold: Float) -> PhantomTissue {
        let depth = -cerebrum.distance(point)
        let onLeft = point.x < 0
        let side = onLeft ? left : right
        if depth < -40, brainStem.distance(point) > 30, side.cerebellum.distance(point) > 30 {
            return .air
        }
        if brainStem.contains(point) { return .brainStem }
        let toCerebellum = side.cerebellum.distance(point)
        if toCerebellum < 0, abs(point.x) > 0.4 {
            return onLeft ? .leftCerebellum : .rightCerebellum
        }
        if depth <= 0 {
            // Shells around everything that lies in the skull.
            let outside = min(-depth, toCerebellum, brainStem.distance(point))
            if outside < 1 { return .innerFluid }
            if outside < 2.5 { return .outerFluid }
            if outside < 2.5 + skullThickness { return .skull }
            return outside < 2.5 + skullThickness + scalpThickness ? .scalp : .air
        }
        if thirdVentricle.contains(point) { return .innerFluid }
        if side.ventricleBody.contains(point) || side.ventricleHorn.contains(point) {
            return onLeft ? .leftVentricle : .rightVentricle
        }
        if side.thalamus.contains(point) { return onLeft ? .leftThalamus : .rightThalamus }
        if side.putamen.contains(point) { return onLeft ? .leftPutamen : .rightPutamen }
        if side.hippocampus.contains(point) {
            return onLeft ? .leftHippocampus : .rightHippocampus
        }
        // The fissure between the hemispheres ends at the corpus callosum; the tentorium parts the
        // cerebrum from the cerebellum.
        let toFissure = max(abs(point.x) - 1, -callosum.distance(point))
        let covered = min(depth, toFissure, toCerebellum - 1.5)
        let steepness = abs(fold)
        if covered < furrowDepth * max(0, 1 - steepness / 0.05) { return .innerFluid }
        let inner = cortexThickness + furrowDepth * max(0, 1 - steepness / 0.30)
        if covered > inner { return onLeft ? .leftWhiteMatter : .rightWhiteMatter }
        return onLeft ? .leftCortex : .rightCortex
    }
}

/// The paired structures of one side.
private struct Hemisphere {
    var ventricleBody: Ellipsoid
    var ventricleHorn: Ellipsoid
    var thalamus: Ellipsoid
    var putamen: Ellipsoid
    var hippocampus: Ellipsoid
    var cerebellum: Ellipsoid

    /// The structures of the side that x has the sign of.
    init(side: Float, ventricleScale: Float, using generator: inout SeededGenerator) {
        let body = SIMD3(ventricleScale, 1, ventricleScale)
        ventricleBody = Ellipsoid(
            SIMD3(10, 6, 15), SIMD3(5.5, 27, 6) * body, tilt: 0.15, vary: 0.05, using: &generator)
        ventricleHorn = Ellipsoid(
            SIMD3(19, -26, 6), SIMD3(5.5, 15, 8) * body, tilt: -0.2, vary: 0.05, using: &generator)
        thalamus = Ellipsoid(
            SIMD3(11.5, -9, -1), SIMD3(9.5, 14.5, 9.5), vary: 0.06, using: &generator)
        putamen = Ellipsoid(
            SIMD3(27, 7, -1), SIMD3(6.5, 16, 10.5), vary: 0.06, using: &generator)
        hippocampus = Ellipsoid(
            SIMD3(25, -16, -17), SIMD3(6.5, 18, 6.5), tilt: -0.3, vary: 0.06, using: &generator)
        cerebellum = Ellipsoid(
            SIMD3(19, -42, -37), SIMD3(24, 25, 20), vary: 0.06, using: &generator)
    }

    private mutating func update(_ change: (inout Ellipsoid) -> Void) {
        change(&ventricleBody)
        change(&ventricleHorn)
        change(&thalamus)
        change(&putamen)
        change(&hippocampus)
        change(&cerebellum)
    }

    /// The same structures on the other side.
    var mirrored: Hemisphere {
        var other = self
        other.update { $0.mirror() }
        return other
    }

    /// Slightly other sizes and places, so that the sides are not mirror images.
    func varied(using generator: inout SeededGenerator) -> Hemisphere {
        var other = self
        other.update { $0.vary(0.03, millimeters: 0.6, using: &generator) }
        return other
    }
}

/// An ellipsoid that may be tilted about the left-right axis.
private struct Ellipsoid {
    private var center: SIMD3<Float>
    private var semiAxes: SIMD3<Float>
    /// The height below the center, where it differs from the one above.
    private var lowerHeight: Float
    private let cosine: Float
    private let sine: Float

    /// Makes an ellipsoid of random size.
    ///
    /// - Parameters:
    ///   - center: Its middle in mm.
    ///   - semiAxes: Its half widths in mm.
    ///   - lowerHeight: The half height below the middle, the same as above where it is `nil`.
    ///   - tilt: The tangent of half the angle that its front is raised by.
    ///   - vary: By what part each half width may change; the middle moves by at most 1.5 mm.
    ///   - generator: Where the changes come from.
    init(
        _ center: SIMD3<Float>, _ semiAxes: SIMD3<Float>, lowerHeight: Float? = nil,
        tilt: Float = 0, vary: Float, using generator: inout SeededGenerator
    ) {
        self.center = center
        self.semiAxes = semiAxes
        self.lowerHeight = lowerHeight ?? semiAxes.z
        cosine = (1 - tilt * tilt) / (1 + tilt * tilt)
        sine = 2 * tilt / (1 + tilt * tilt)
        self.vary(vary, millimeters: center == .zero ? 0 : 1.5, using: &generator)
        // What stands in the middle stays there; the two sides share a plane.
        if center.x == 0 { self.center.x = 0 }
    }

    mutating func mirror() { center.x = -center.x }

    mutating func vary(
        _ part: Float, millimeters: Float, using generator: inout SeededGenerator
    ) {
        let heightRatio = lowerHeight / semiAxes.z
        for axis in 0..<3 {
            center[axis] += generator.uniform(-millimeters, millimeters)
            semiAxes[axis] *= generator.uniform(1 - part, 1 + part)
        }
        lowerHeight = semiAxes.z * heightRatio
    }

    @inline(__always)
    private func scaled(_ point: SIMD3<Float>) -> (SIMD3<Float>, SIMD3<Float>) {
        let moved = point - center
        let turned = SIMD3(
            moved.x, cosine * moved.y + sine * moved.z, cosine * moved.z - sine * moved.y)
        var axes = semiAxes
        if turned.z < 0 { axes.z = lowerHeight }
        return (turned / axes, axes)
    }

    @inline(__always)
    func contains(_ point: SIMD3<Float>) -> Bool {
        let (unit, _) = scaled(point)
        return dot(unit, unit) < 1
    }

    /// About how far a point lies outside, in mm; negative inside.
    @inline(__always)
    func distance(_ point: SIMD3<Float>) -> Float {
        let (unit, axes) = scaled(point)
        let radius = dot(unit, unit).squareRoot()
        let gradient = unit / axes
        let slope = dot(gradient, gradient).squareRoot()
        return slope > 0 ? radius * (radius - 1) / slope : -min(axes.x, axes.y, axes.z)
    }
}

/// The scalar product, summed in a fixed order.
@inline(__always)
private func dot(_ a: SIMD3<Float>, _ b: SIMD3<Float>) -> Float {
    a.x * b.x + a.y * b.y + a.z * b.z
}
