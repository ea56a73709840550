import Volumes

/// The part of a volume that was scanned.
struct FieldOfView {
    var lower: SIMD3<Int>
    var upper: SIMD3<Int>

    func holds(_ i: Int, _ j: Int, _ k: Int) -> Bool {
        i >= lower.x && j >= lower.y && k >= lower.z && i < upper.x && j < upper.y && k < upper.z
    }

    func holds(_ index: Int, size: GridSize) -> Bool {
        holds(index % size.x, index / size.x % size.y, index / (size.x * size.y))
    }
}

/// Tissue that is taken away: the skull, the face, or what lies beyond a brain mask.
struct Removal {
    /// A Boolean value indicating whether the skull is gone (target `brainMask`).
    let isStripped: Bool
    private let isDefaced: Bool
    private let size: GridSize
    /// The margin kept around the brain, in mm, and its variation over the volume.
    private let margin: Float
    private let variation: SplineField
    private let faceSlope: Float
    private let faceOffset: Float

    init(_ options: SynthesisOptions, size: GridSize, using generator: inout SeededGenerator) {
        self.size = size
        isStripped = options.target == .brainMask && generator.happens(options.strippedProbability)
        isDefaced = options.target == .brainMask && generator.happens(options.defacedProbability)
        let isTight = generator.happens(options.tightMaskProbability)
        let error = generator.uniform(-0.5, 1)
        let (wide, narrow) = (Float(options.maskMarginMillimeters), generator.uniform(0, 3))
        margin =
            options.target == .brainMask
            ? generator.uniform(0, 5) : isTight ? narrow : wide + error
        variation = SplineField(
            size: size,
            controlSpacing: SIMD3(repeating: 18 / Float(options.spacingMillimeters)),
            amplitude: generator.uniform(0, isTight ? 2 : 4), using: &generator)
        faceSlope = generator.uniform(0.2, 1.2)
        faceOffset = generator.uniform(10, 45) / Float(options.spacingMillimeters)
    }

    /// The distance from the brain up to which a row of voxels stays, in mm.
    func copyMargin(_ j: Int, _ k: Int, into row: inout [Float]) {
        row.withUnsafeMutableBufferPointer { row in
            variation.copyRow(j, k, into: row)
            for i in row.indices { row[i] += margin }
        }
    }

    /// Turns what is removed into background.
    func removeTissue(from head: inout SampledHead) {
        guard isStripped || isDefaced else { return }
        var row = [Float](repeating: 0, count: size.x)
        for k in 0..<size.z {
            for j in 0..<size.y {
                copyMargin(j, k, into: &row)
                // In front of and below a slanted plane through the face.
                let front = Float(j) - Float(size.y) / 2
                let below = Float(size.z) / 2 - Float(k)
                let isFace = isDefaced && front * faceSlope + below > faceOffset && front > 0
                let start = size.offset(0, j, k)
                for i in 0..<size.x {
                    let distance = Float(head.brainDistance[start + i])
                    if (isStripped && distance > row[i]) || (isFace && distance > 6) {
                        head.positions[start + i] = 0
                    }
                }
            }
        }
    }
}
