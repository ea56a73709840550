import Preprocessing
public import Volumes

/// A label map of a whole head, prepared for synthesis.
///
/// It lies in RAS orientation on voxels of 1 mm, cut to the head.
public struct HeadAnatomy: Sendable {
    /// The map's name, such as its file's.
    public let name: String
    /// Its voxels.
    public let size: GridSize
    /// For each voxel the position of its label in `GenerationLabel.all`.
    let positions: [UInt8]
    /// For each voxel the distance to the border of the brain in mm, 0 or negative inside, capped
    /// at ±100.
    let brainDistance: [Int8]
    /// The middle of the brain's box, in voxels.
    let center: SIMD3<Float>
    /// The largest outward displacement of the ventricles' walls, on a coarse lattice; see
    /// ``VectorLattice``.
    let ventricleFlow: VectorLattice

    /// Voxels around the head that are kept.
    private static let margin = 2

    /// Prepares a label map.
    ///
    /// - Parameters:
    ///   - name: What it is called in errors.
    ///   - labels: FreeSurfer's `aseg` ids, 502 to 530 for tissue outside the brain.
    /// - Throws: ``DatasetError`` where a label is unknown, the spacing is not 1 mm, or there is no
    ///   brain.
    public init(name: String, labels: LabelMap) throws {
        let spacing = labels.grid.spacing
        guard (0..<3).allSatisfy({ abs(spacing[$0] - 1) < 0.01 }) else {
            throw DatasetError(
                "the label map '\(name)' has a spacing of \(spacing.x) x \(spacing.y) x "
                    + "\(spacing.z) mm; resample it to 1 mm")
        }
        let toRAS = AxisPermutation(from: labels.grid.orientation, to: .ras)
        let map = toRAS.applied(to: labels)
        var positionOfLabel = [UInt8?](repeating: nil, count: Int(UInt16.max) + 1)
        for (position, label) in GenerationLabel.all.enumerated() {
            positionOfLabel[Int(label.id)] = UInt8(position)
        }
        let counts = map.voxelCounts()
        if let unknown = counts.indices.first(where: {
            counts[$0] > 0 && positionOfLabel[$0] == nil
        }) {
            throw DatasetError(
                "the label map '\(name)' holds \(counts[unknown]) voxels of the label \(unknown), "
                    + "whose tissue is not known; map it to one of FreeSurfer's aseg labels")
        }
        let full = map.grid.size
        guard let head = boundingBox(full, where: { map.labels[$0] > 0 }) else {
            throw DatasetError("the label map '\(name)' is empty; remove it")
        }
        let box = head.expanded(by: Self.margin, within: full)
        let size = box.size
        var positions = [UInt8](repeating: 0, count: size.count)
        for z in 0..<size.z {
            for y in 0..<size.y {
                let source = full.offset(box.lower.x, box.lower.y + y, box.lower.z + z)
                let target = size.offset(0, y, z)
                for x in 0..<size.x {
                    positions[target + x] = positionOfLabel[Int(map.labels[source + x])] ?? 0
                }
            }
        }
        let isBrain = GenerationLabel.all.map(\.isBrain)
        guard let brain = boundingBox(size, where: { isBrain[Int(positions[$0])] }) else {
            throw DatasetError("the label map '\(name)' holds no brain; remove it")
        }
        self.name = name
        self.size = size
        self.positions = positions
        brainDistance = signedBrainDistance(positions, size: size)
        center =
            SIMD3<Float>(
                Float(brain.lower.x + brain.upper.x - 1), Float(brain.lower.y + brain.upper.y - 1),
                Float(brain.lower.z + brain.upper.z - 1)) / 2
        let ventricles = Set(
            GenerationLabel.all.indices.filter {
                [4, 5, 43, 44, 14].contains(GenerationLabel.all[$0].id)
            }.map(UInt8.init))
        ventricleFlow = outwardFlow(positions, size: size, of: ventricles)
    }

    /// The number of voxels that carry each label of `GenerationLabel.all`.
    var labelCounts: [Int] {
        var counts = [Int](repeating: 0, count: GenerationLabel.all.count)
        for position in positions { counts[Int(position)] += 1 }
        return counts
    }
}

private func boundingBox(_ size: GridSize, where holds: (Int) -> Bool) -> VoxelBox? {
    var lower = SIMD3(size.x, size.y, size.z)
    var upper = SIMD3(0, 0, 0)
    for z in 0..<size.z {
        for y in 0..<size.y {
            for x in 0..<size.x where holds(size.offset(x, y, z)) {
                lower = SIMD3(min(lower.x, x), min(lower.y, y), min(lower.z, z))
                upper = SIMD3(max(upper.x, x + 1), max(upper.y, y + 1), max(upper.z, z + 1))
            }
        }
    }
    return lower.x < upper.x ? VoxelBox(lower: lower, upper: upper) : nil
}

/// The distance of each voxel to the brain's border in mm, 0 or negative inside.
///
/// The brain is closed by 4 mm first, so that sulci and the spaces between its parts belong to it,
/// and holes in it are filled.
private func signedBrainDistance(_ positions: [UInt8], size: GridSize) -> [Int8] {
    let closingMillimeters: Float = 4
    let isBrain = GenerationLabel.all.map(\.isBrain)
    let inside = positions.map { isBrain[Int($0)] }
    let toBrain = chamferDistance(to: inside, size: size)
    let dilated = toBrain.map { $0 <= closingMillimeters }
    let toRest = chamferDistance(to: dilated.map { !$0 }, size: size)
    var closed = toRest.map { $0 > closingMillimeters }
    for index in closed.indices where inside[index] { closed[index] = true }
    closed = holesFilled(closed, size: size)
    let outward = chamferDistance(to: closed, size: size)
    let inward = chamferDistance(to: closed.map { !$0 }, size: size)
    return outward.indices.map { index in
        let distance = closed[index] ? 1 - inward[index] : outward[index]
        return Int8(max(-100, min(100, distance.rounded())))
    }
}

/// The distance of each voxel to the nearest of a set, in voxels.
///
/// Chamfer distance with steps of 1, √2 and √3 over neighbours, at most 13 % above the Euclidean
/// one. Source: Borgefors, CVGIP 34(3), 1986, <https://doi.org/10.1016/S0734-189X(86)80047-0>.
package func chamferDistance(to set: [Bool], size: GridSize) -> [Float] {
    // A border of far voxels spares the tests for the volume's edge.
    let padded = GridSize(size.x + 2, size.y + 2, size.z + 2)
    let far: Float = 1e6
    var distance = [Float](repeating: far, count: padded.count)
    for z in 0..<size.z {
        for y in 0..<size.y {
            let source = size.offset(0, y, z)
            let target = padded.offset(1, y + 1, z + 1)
            for x in 0..<size.x where set[source + x] { distance[target + x] = 0 }
        }
    }
    let (diagonal, corner) = (Float(2).squareRoot(), Float(3).squareRoot())
    let (row, layer) = (padded.x, padded.x * padded.y)
    distance.withUnsafeMutableBufferPointer { distance in
        func relax(_ index: Int, _ sign: Int) {
            if distance[index] == 0 { return }
            func at(_ offset: Int) -> Float { distance[index - sign * offset] }
            let straight = min(at(1), min(at(row), at(layer)))
            let flat = min(
                min(at(row + 1), at(row - 1)),
                min(min(at(layer + 1), at(layer - 1)), min(at(layer + row), at(layer - row))))
            let far = min(
                min(at(layer + row + 1), at(layer + row - 1)),
                min(at(layer - row + 1), at(layer - row - 1)))
            distance[index] = min(
                min(distance[index], straight + 1), min(flat + diagonal, far + corner))
        }
        for z in 1...size.z {
            for y in 1...size.y {
                let start = padded.offset(0, y, z)
                for x in 1...size.x { relax(start + x, 1) }
            }
        }
        for z in (1...size.z).reversed() {
            for y in (1...size.y).reversed() {
                let start = padded.offset(0, y, z)
                for x in (1...size.x).reversed() { relax(start + x, -1) }
            }
        }
    }
    var result = [Float](repeating: 0, count: size.count)
    for z in 0..<size.z {
        for y in 0..<size.y {
            let target = size.offset(0, y, z)
            let source = padded.offset(1, y + 1, z + 1)
            for x in 0..<size.x { result[target + x] = distance[source + x] }
        }
    }
    return result
}

/// The set with all voxels that the volume's border cannot reach outside of it.
private func holesFilled(_ set: [Bool], size: GridSize) -> [Bool] {
    var isOutside = [Bool](repeating: false, count: set.count)
    var stack: [Int] = []
    func push(_ x: Int, _ y: Int, _ z: Int) {
        let index = size.offset(x, y, z)
        if set[index] || isOutside[index] { return }
        isOutside[index] = true
        stack.append(index)
    }
    for z in 0..<size.z {
        for y in 0..<size.y {
            let isBorder = z == 0 || y == 0 || z == size.z - 1 || y == size.y - 1
            for x in isBorder ? Array(0..<size.x) : [0, size.x - 1] { push(x, y, z) }
        }
    }
    while let index = stack.popLast() {
        let (x, y, z) = (index % size.x, index / size.x % size.y, index / (size.x * size.y))
        if x > 0 { push(x - 1, y, z) }
        if x + 1 < size.x { push(x + 1, y, z) }
        if y > 0 { push(x, y - 1, z) }
        if y + 1 < size.y { push(x, y + 1, z) }
        if z > 0 { push(x, y, z - 1) }
        if z + 1 < size.z { push(x, y, z + 1) }
    }
    return isOutside.map { !$0 }
}

/// The direction away from some labels near their border, on a lattice of 4 mm, of length 1 at the
/// border and falling off over about 8 mm.
private func outwardFlow(
    _ positions: [UInt8], size: GridSize, of members: Set<UInt8>
) -> VectorLattice {
    var isMember = [Bool](repeating: false, count: 256)
    for member in members { isMember[Int(member)] = true }
    var flow = VectorLattice(covering: size, spacing: 4)
    var density = [Float](repeating: 0, count: flow.count)
    for z in 0..<size.z {
        for y in 0..<size.y {
            for x in 0..<size.x where isMember[Int(positions[size.offset(x, y, z)])] {
                density[flow.offset((x + 2) / 4, (y + 2) / 4, (z + 2) / 4)] += 1 / 64
            }
        }
    }
    for _ in 0..<3 { flow.smooth(&density) }
    flow.setDownhillGradient(of: density)
    return flow
}
