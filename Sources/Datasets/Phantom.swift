public import Volumes

/// The structures of a phantom, with FreeSurfer's ids, names and colors.
///
/// The same table lies in `pipelines/labels/phantom.tsv`.
public let phantomLabelTable: LabelTable = {
    let rows: [(UInt16, String, String)] = [
        (2, "Left-Cerebral-White-Matter", "245,245,245"), (3, "Left-Cerebral-Cortex", "205,62,78"),
        (4, "Left-Lateral-Ventricle", "120,18,134"), (8, "Left-Cerebellum-Cortex", "230,148,34"),
        (10, "Left-Thalamus", "0,118,14"), (12, "Left-Putamen", "236,13,176"),
        (16, "Brain-Stem", "119,159,176"), (17, "Left-Hippocampus", "220,216,20"),
        (41, "Right-Cerebral-White-Matter", "245,245,245"),
        (42, "Right-Cerebral-Cortex", "205,62,78"), (43, "Right-Lateral-Ventricle", "120,18,134"),
        (47, "Right-Cerebellum-Cortex", "230,148,34"), (49, "Right-Thalamus", "0,118,14"),
        (51, "Right-Putamen", "236,13,176"), (53, "Right-Hippocampus", "220,216,20"),
    ]
    let structures = rows.compactMap { index, name, color in
        LabelColor(color).map { Structure(index: index, name: name, color: $0) }
    }
    guard structures.count == rows.count, let table = LabelTable(structures) else {
        preconditionFailure("the phantom's label table is malformed")
    }
    return table
}()

/// Draws a synthetic head and its labels.
///
/// The anatomy is a set of nested ellipsoids in two hemispheres with a folded cortex, each of
/// random size and place, bent by a smooth random deformation, turned and scaled. The image is made
/// of one brightness per tissue, softened at the borders (partial volume), multiplied by a bias
/// field, with Rician noise on top; its values are whole numbers that fit 16 signed bits. Left and
/// right have the same brightness, so only shape and place tell them apart. Fluid around the brain,
/// skull and scalp carry no label.
///
/// The same seed and options give the same bytes on any machine, and the same head in every
/// ``PhantomOptions/orientation``. World space is RAS+ mm, the origin near the middle of the brain.
///
/// - Parameters:
///   - seed: The number of the head.
///   - options: The grid and what may vary.
/// - Returns: The scan, and on the same grid the labels of ``phantomLabelTable``.
/// - Precondition: `options.size` is at least 8 on each axis, the spacing is positive and there is
///   a contrast to choose.
public func makePhantom(
    seed: UInt64, options: PhantomOptions = PhantomOptions()
) -> (scan: Volume, labels: LabelMap) {
    let size = options.size
    precondition(min(size.x, size.y, size.z) >= 8, "a phantom of \(size) voxels is too small")
    precondition(
        (0..<3).allSatisfy { options.spacingMillimeters[$0] > 0 },
        "spacing \(options.spacingMillimeters) mm")
    precondition(!options.contrasts.isEmpty, "no contrast to choose from")
    // A stream for each part: other noise or another contrast leaves the anatomy as it is.
    var seeds = SeededGenerator(seed: seed)
    var anatomy = SeededGenerator(seed: seeds.next())
    var place = SeededGenerator(seed: seeds.next())
    var imaging = SeededGenerator(seed: seeds.next())

    let head = PhantomHead(options: options, using: &anatomy)
    let tissues = head.tissues()
    let look = PhantomLook(options: options, using: &imaging)
    let voxels = look.image(of: tissues, size: size, options: options, using: &imaging)
    let labels = tissues.map(\.label)

    // Multiples of 1/16 mm are exact in a file that stores its affine in single precision.
    var corner = SIMD3<Double>.zero
    for axis in 0..<3 {
        let middle = Double(size[axis] - 1) / 2 * options.spacingMillimeters[axis]
        corner[axis] = ((Double(place.uniform(-12, 12)) - middle) * 16).rounded() / 16
    }
    let grid = Grid(
        size: size, affine: Affine(spacing: options.spacingMillimeters, translation: corner))
    let stored = StorageOrder(of: options.orientation, rasGrid: grid)
    return (
        Volume(grid: stored.grid, voxels: stored.reordered(voxels)),
        LabelMap(grid: stored.grid, labels: stored.reordered(labels))
    )
}

/// The storage of a RAS grid's voxels in another orientation: a permutation with flips.
private struct StorageOrder {
    let grid: Grid
    private let rasSize: GridSize
    private let start: Int
    private let strides: SIMD3<Int>

    init(of orientation: Orientation, rasGrid: Grid) {
        rasSize = rasGrid.size
        let rasStrides = SIMD3(1, rasSize.x, rasSize.x * rasSize.y)
        var size = rasSize
        var columns: [SIMD3<Double>] = []
        var translation = rasGrid.affine.translation
        var start = 0
        var strides = SIMD3<Int>.zero
        for axis in 0..<3 {
            let direction = orientation.axes[axis]
            let world = direction.worldAxis
            let last = rasSize[world] - 1
            size[axis] = rasSize[world]
            let step = rasGrid.affine.column(world)
            if direction.isPositive {
                columns.append(step)
                strides[axis] = rasStrides[world]
            } else {
                columns.append(step * -1)
                translation += step * Double(last)
                strides[axis] = -rasStrides[world]
                start += last * rasStrides[world]
            }
        }
        grid = Grid(size: size, affine: Affine(columns: columns, translation: translation))
        self.start = start
        self.strides = strides
    }

    func reordered<Element>(_ elements: [Element]) -> [Element] {
        if strides == SIMD3(1, rasSize.x, rasSize.x * rasSize.y) { return elements }
        var result: [Element] = []
        result.reserveCapacity(elements.count)
        for k in 0..<grid.size.z {
            for j in 0..<grid.size.y {
                var position = start + j * strides.y + k * strides.z
                for _ in 0..<grid.size.x {
                    result.append(elements[position])
                    position += strides.x
                }
            }
        }
        return result
    }
}
