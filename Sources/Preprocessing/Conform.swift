public import Volumes

/// A scan in the space and intensities of a model, with the way back.
public struct ConformedScan: Sendable {
    /// The normalised intensities inside ``box``.
    public let volume: Volume
    /// The whole conformed grid, of which the box is a part.
    ///
    /// Its axes are the world's, in the model's orientation.
    public let conformedGrid: Grid
    /// The foreground and its margin, in voxels of ``conformedGrid``.
    public let box: VoxelBox
    /// The grid on which the scan was stored.
    public let scanGrid: Grid
    /// A Boolean value indicating whether every conformed voxel is one of the scan's own: axes were
    /// permuted and nothing was interpolated.
    public let isExact: Bool
    /// 1 for each voxel of ``volume`` that holds a measurement and 0 for the others, where a rule tells
    /// them apart; `nil` where all hold one.
    package let measured: [UInt8]?
    /// 1 for each voxel of ``volume`` that is no farther from the brain than its region's dilation and 0 for
    /// the others; `nil` where the scan was conformed without a region.
    package let nearBrain: [UInt8]?

    /// Makes a conformed scan of its parts.
    ///
    /// - Precondition: `volume` lies on the box of `conformedGrid`.
    public init(
        volume: Volume, conformedGrid: Grid, box: VoxelBox, scanGrid: Grid, isExact: Bool
    ) {
        self.init(
            volume: volume, conformedGrid: conformedGrid, box: box, scanGrid: scanGrid,
            isExact: isExact, measured: nil)
    }

    init(
        volume: Volume, conformedGrid: Grid, box: VoxelBox, scanGrid: Grid, isExact: Bool,
        measured: [UInt8]?, nearBrain: [UInt8]? = nil
    ) {
        precondition(
            volume.grid.size == box.size, "volume \(volume.grid.size) in a box of \(box.size)")
        self.volume = volume
        self.conformedGrid = conformedGrid
        self.box = box
        self.scanGrid = scanGrid
        self.isExact = isExact
        self.measured = measured
        self.nearBrain = nearBrain
    }

    /// Carries labels from the box back to the scan's own grid.
    ///
    /// Scan voxels outside the box become background; the others take the nearest label, which
    /// is their own where the scan was conformed exactly.
    ///
    /// - Parameter labels: Labels of the voxels of ``volume``.
    /// - Returns: Labels on ``scanGrid``.
    /// - Precondition: `labels.grid.size == box.size`.
    public func labelsOnScanGrid(_ labels: LabelMap) -> LabelMap {
        precondition(
            labels.grid.size == box.size, "labels \(labels.grid.size) in a box of \(box.size)")
        let boxGrid = conformedGrid.cropped(to: box)
        let toModel = AxisPermutation(from: scanGrid.orientation, to: conformedGrid.orientation)
        let permutedGrid = toModel.applied(to: scanGrid)
        let onBox = LabelMap(grid: boxGrid, labels: labels.labels)
        let permuted =
            isExact
            ? LabelMap(
                grid: permutedGrid,
                labels: padded(onBox.labels, box: box, size: permutedGrid.size))
            : resampled(onBox, to: permutedGrid)
        return LabelMap(
            grid: scanGrid, labels: toModel.inverse.applied(to: permuted).labels)
    }
}

/// Brings a scan into the orientation, spacing and intensities of a model.
///
/// Where the scan's axes are the world's (to 1/1000) and its spacing is the model's (to 1/1000
/// mm), voxels are only reordered. Otherwise the scan is interpolated once, on a grid along the
/// world's axes that covers its whole field of view; along axes on which the model is coarser, the
/// scan is averaged so that it does not alias. What lies outside the scan gets the background level.
///
/// Voxels hold no measurement where they are not finite numbers, and where they have a value that
/// fills a tenth of the scan and of its outer faces, as around stripped brains. They count as
/// background, whatever the value is; under the rule `percentile` they become 0.
///
/// A scan stored in another order of axes gives the same result. So does a scan multiplied by a
/// positive number, bit for bit, where that rounds no voxel and the rule is not a window: both are
/// first divided by their largest magnitude, and a quotient depends on no common factor. A scan that
/// is shifted, too, gives the same but for rounding.
///
/// The box is that of the foreground and the specification's margin; under the rule `percentile` it is
/// the whole field of view.
///
/// - Parameters:
///   - scan: Any scan.
///   - specification: What the model needs.
/// - Returns: The normalised box and what leads back to the scan's grid.
/// - Throws: `PreprocessingError` where the scan shows nothing, has no usable affine, or would
///   take more than ``largestConformedVoxelCount`` voxels.
public func conform(
    _ scan: Volume, to specification: ConformSpecification
) throws(PreprocessingError) -> ConformedScan {
    try conform(scan, to: specification, brain: nil)
}

/// Brings the brain of a scan into the orientation, spacing and intensities of a model.
///
/// As ``conform(_:to:)``, but the box is that of the brain and the card's margin, and voxels farther from
/// it than the region's dilation are background: under the rule `percentile` exactly 0. Intensities are
/// measured inside the brain on the scan's own grid, where no voxel is mixed with what lies around it:
/// a head gives the same as the brain that was stripped out of it by the same mask.
///
/// - Parameters:
///   - scan: Any scan.
///   - specification: What the model needs.
///   - region: The brain and how much around it the network sees.
/// - Returns: The normalised box and what leads back to the scan's grid.
/// - Throws: `PreprocessingError` also where the scan holds no brain.
public func conform(
    _ scan: Volume, to specification: ConformSpecification, within region: BrainRegion
) throws(PreprocessingError) -> ConformedScan {
    try conform(scan, to: specification, brain: region)
}

/// Brings a scan, or the brain in it where that is known, into the space and intensities of a model.
///
/// - Parameters:
///   - scan: Any scan.
///   - specification: What the model needs.
///   - region: The brain and how much around it the network sees; `nil` for all that the scan shows.
/// - Returns: The normalised box and what leads back to the scan's grid.
/// - Throws: `PreprocessingError` as ``conform(_:to:)`` and ``conform(_:to:within:)``.
package func conform(
    _ scan: Volume, to specification: ConformSpecification, brain region: BrainRegion?
) throws(PreprocessingError) -> ConformedScan {
    guard scan.grid.affine.isInvertible else { throw .unusableAffine }
    let rule = specification.intensity
    let toModel = AxisPermutation(from: scan.grid.orientation, to: specification.orientation)
    let permutedGrid = toModel.applied(to: scan.grid)
    let edges = permutedGrid.spacing
    guard (0..<3).allSatisfy({ edges[$0] * 1000 >= specification.spacingMillimeters[$0] }) else {
        throw .voxelsTooSmall(edgesMillimeters: scan.grid.spacing)
    }
    let isExact = isExact(permutedGrid, specification.spacingMillimeters)
    let conformedGrid = try conformedGrid(
        of: permutedGrid, spacing: specification.spacingMillimeters, isExact: isExact)
    let scanRange = try finiteRange(of: scan.voxels)
    let noData = rule.hasFixedUnit ? .none : NoDataValues(of: scan.voxels, size: scan.grid.size)
    var level =
        rule.hasFixedUnit
        ? Foreground.backgroundLevel(
            of: scan.voxels, minimum: scanRange.lowerBound, maximum: scanRange.upperBound)
        : SignalLevel(of: scan.voxels, size: scan.grid.size, noData: noData).level

    var wanted = VoxelBox(all: conformedGrid.size)
    if let region {
        guard let brain = region.mask.box(on: conformedGrid) else { throw .noBrain }
        wanted = brain.expanded(by: specification.marginVoxels, within: conformedGrid.size)
    }
    let wantedGrid = conformedGrid.cropped(to: wanted)
    var part = part(
        of: scan, around: wantedGrid, isExact: isExact, interpolation: specification.interpolation)
    // What is summed up inside a brain must not depend on how its scan is stored.
    if region != nil { part = toModel.applied(to: part) }
    var measured = rule.zeroesNoData ? measuredVoxels(of: part, noData) : nil
    var inBrain = region.map { $0.mask.mask(on: part.grid).values }
    if let mask = inBrain, !rule.hasFixedUnit {
        inBrain = zip(mask, part.voxels).map { noData.contains($1) ? 0 : $0 }
        let brain = chosen(part.voxels, where: inBrain)
        if !brain.isEmpty {
            level = SignalLevel(ofBrain: brain, candidates: noData.values + [level]).level
        }
    }
    // From here on the background is 0, but where intensities have a unit.
    let background = rule.hasFixedUnit ? level : 0
    let zeroing = Zeroing(
        noData: noData, level: level, background: background, of: part.voxels,
        dividesByMagnitude: !rule.hasFixedUnit)
    var samples = inBrain.map { chosen(part.voxels, where: $0) } ?? []
    zeroing.apply(to: &samples)
    var conformed: Volume
    if isExact {
        let order = AxisPermutation(
            from: part.grid.orientation, to: specification.orientation)
        conformed = order.applied(to: part)
        zeroing.apply(to: &conformed.voxels)
        measured = measured.map { order.applied(to: $0, of: part.grid.size) }
    } else {
        measured = measured.map { nearest($0, on: part.grid, to: wantedGrid, outside: 0) }
        conformed = resampled(
            part, to: wantedGrid, outside: background,
            interpolation: specification.interpolation, preparing: zeroing.apply)
    }

    var nearBrain: [UInt8]?
    if let region {
        let mask = region.mask.mask(on: wantedGrid)
        let near = mask.dilated(
            byMillimeters: region.dilationMillimeters, spacing: wantedGrid.spacing
        ).values
        for index in near.indices where near[index] == 0 { conformed.voxels[index] = background }
        if rule.zeroesNoData { measured = zip(measured ?? near, near).map { $0 & $1 } }
        nearBrain = near
    }
    precondition(conformed.voxels.count == wanted.size.count, "a part of \(conformed.grid.size)")
    let range = try finiteRange(of: conformed.voxels)
    guard rule.hasFixedUnit || range.upperBound > background else {
        throw .noContrast(value: range.upperBound)
    }
    // A brain too small to hold a voxel of the scan's own grid is measured with what is around it.
    if samples.allSatisfy({ $0 <= background }) {
        samples =
            region == nil && rule.zeroesNoData
            ? chosen(conformed.voxels, where: measured) : conformed.voxels
    }
    let foreground =
        rule.hasFixedUnit
        ? Foreground(
            of: conformed.voxels, minimum: range.lowerBound, maximum: range.upperBound)
        : Foreground(of: region == nil ? conformed.voxels : samples, backgroundLevel: background)
    let scale = IntensityScale(
        rule, of: samples, foreground: foreground,
        range: region == nil
            ? range : background...max(background, samples.max() ?? background))
    let box =
        region != nil || rule.zeroesNoData
        ? VoxelBox(all: wanted.size)
        : foreground.box(of: conformed.voxels, size: wanted.size)
            .expanded(by: specification.marginVoxels, within: wanted.size)
    var voxels = scale.applied(to: croppedValues(conformed.voxels, size: wanted.size, to: box))
    measured = measured.map { croppedValues($0, size: wanted.size, to: box) }
    if let measured {
        for index in voxels.indices where measured[index] == 0 { voxels[index] = 0 }
    }
    let placed = VoxelBox(lower: wanted.lower &+ box.lower, upper: wanted.lower &+ box.upper)
    return ConformedScan(
        volume: Volume(grid: conformedGrid.cropped(to: placed), voxels: voxels),
        conformedGrid: conformedGrid, box: placed, scanGrid: scan.grid, isExact: isExact,
        measured: measured, nearBrain: nearBrain)
}

/// The bytes that ``conform(_:to:)`` or ``conform(_:to:within:)`` takes beside the scan, at most.
///
/// - Parameters:
///   - grid: The scan's grid.
///   - specification: What the model needs.
///   - region: The brain, where only that is conformed.
/// - Returns: An upper bound.
/// - Throws: `PreprocessingError` as the conforming itself.
package func bytesToConform(
    _ grid: Grid, to specification: ConformSpecification, within region: BrainRegion? = nil
) throws(PreprocessingError) -> Int {
    guard grid.affine.isInvertible else { throw .unusableAffine }
    let permuted = AxisPermutation(from: grid.orientation, to: specification.orientation)
        .applied(to: grid)
    let isExact = isExact(permuted, specification.spacingMillimeters)
    let conformed = try conformedGrid(
        of: permuted, spacing: specification.spacingMillimeters, isExact: isExact)
    // Copies in single precision, and masks.
    let bytesPerVoxel = 13
    if let region {
        guard let brain = region.mask.box(on: conformed) else { throw .noBrain }
        let count = brain.expanded(by: specification.marginVoxels, within: conformed.size).size
            .count
        let ratio = conformed.voxelVolumeCubicMillimeters / grid.voxelVolumeCubicMillimeters
        return bytesPerVoxel * (count + min(grid.size.count, Int(1.2 * Double(count) * ratio)))
    }
    if isExact { return bytesPerVoxel * grid.size.count }
    // Two axes are resampled a few slices at a time, the one that shrinks least after them.
    let slices = (0..<3).map { axis in
        (0..<3).reduce(1) { $0 * ($1 == axis ? permuted : conformed).size[$1] }
    }
    return max(2 * grid.size.count, 4 * (slices.min() ?? 0))
        + bytesPerVoxel * conformed.size.count
}

/// Carries a scan's labels to the box of its conformed scan, as training needs them.
///
/// Each voxel takes the nearest label, which is its own where the scan was conformed exactly.
///
/// - Parameters:
///   - labels: Labels on the scan's grid.
///   - conformed: The scan, conformed.
/// - Returns: Labels on the grid of `conformed.volume`.
/// - Precondition: `labels.grid.size == conformed.scanGrid.size`.
public func conformLabels(_ labels: LabelMap, like conformed: ConformedScan) -> LabelMap {
    precondition(
        labels.grid.size == conformed.scanGrid.size,
        "labels \(labels.grid.size) for a scan of \(conformed.scanGrid.size)")
    let boxGrid = conformed.conformedGrid.cropped(to: conformed.box)
    let toModel = AxisPermutation(
        from: conformed.scanGrid.orientation, to: conformed.conformedGrid.orientation)
    let permuted = toModel.applied(to: LabelMap(grid: conformed.scanGrid, labels: labels.labels))
    guard conformed.isExact else { return resampled(permuted, to: boxGrid) }
    return LabelMap(
        grid: boxGrid,
        labels: croppedValues(permuted.labels, size: permuted.grid.size, to: conformed.box))
}

// MARK: - The conformed grid

/// Returns whether each axis, already in the model's order, runs along its world axis and has the
/// model's spacing.
private func isExact(_ grid: Grid, _ spacing: SIMD3<Double>) -> Bool {
    isAlongWorldAxes(grid) && (0..<3).allSatisfy { abs(grid.spacing[$0] - spacing[$0]) <= 1e-3 }
}

private func isAlongWorldAxes(_ grid: Grid) -> Bool {
    zip(0..<3, grid.orientation.axes).allSatisfy { axis, direction in
        let column = grid.affine.column(axis)
        return (0..<3).allSatisfy {
            $0 == direction.worldAxis || abs(column[$0]) <= 1e-3 * column.length
        }
    }
}

/// The grid along the world's axes that covers a scan, centred on it.
private func conformedGrid(
    of scan: Grid, spacing: SIMD3<Double>, isExact: Bool
) throws(PreprocessingError) -> Grid {
    let directions = scan.orientation.axes
    let isAligned = isAlongWorldAxes(scan)
    // Axes that already have the model's spacing keep their voxel centres.
    let keepsAxis = (0..<3).map { axis in
        isAligned && abs(scan.spacing[axis] - spacing[axis]) <= 1e-3
    }
    var extent = SIMD3<Double>.zero
    for axis in 0..<3 {
        for column in 0..<3 {
            let step = scan.affine[directions[axis].worldAxis, column]
            extent[axis] += abs(step) * Double(scan.size[column])
        }
    }
    var counts = SIMD3<Double>.zero
    for axis in 0..<3 {
        counts[axis] =
            keepsAxis[axis]
            ? Double(scan.size[axis])
            : max(1, (extent[axis] / spacing[axis] - 1e-3).rounded(.up))
    }
    guard counts.x * counts.y * counts.z <= Double(largestConformedVoxelCount) else {
        throw .conformedGridTooLarge(extentMillimeters: extent, size: counts)
    }
    if isExact { return scan }

    let center = scan.affine(
        SIMD3(Double(scan.size.x - 1), Double(scan.size.y - 1), Double(scan.size.z - 1)) / 2)
    var columns: [SIMD3<Double>] = []
    var translation = center
    for axis in 0..<3 {
        var column = SIMD3<Double>.zero
        let step = keepsAxis[axis] ? scan.spacing[axis] : spacing[axis]
        column[directions[axis].worldAxis] = directions[axis].isPositive ? step : -step
        columns.append(column)
        translation -= column * ((counts[axis] - 1) / 2)
    }
    return Grid(
        size: GridSize(Int(counts.x), Int(counts.y), Int(counts.z)),
        affine: Affine(columns: columns, translation: translation))
}

// MARK: - Voxels

/// The smallest and the largest finite intensity.
///
/// - Throws: `PreprocessingError` where no voxel is finite or all finite voxels are equal.
private func finiteRange(of voxels: [Float]) throws(PreprocessingError) -> ClosedRange<Float> {
    var minimum = Float.infinity
    var maximum = -Float.infinity
    voxels.withUnsafeBufferPointer { voxels in
        for voxel in voxels {
            let isFinite = voxel.magnitude <= Float.greatestFiniteMagnitude
            minimum = isFinite && voxel < minimum ? voxel : minimum
            maximum = isFinite && voxel > maximum ? voxel : maximum
        }
    }
    guard minimum <= maximum else { throw .noFiniteVoxel }
    guard minimum < maximum else { throw .noContrast(value: minimum) }
    return minimum...maximum
}

/// The part of a scan that a grid is made of: in the scan's order, the whole scan where that is all needed.
private func part(
    of scan: Volume, around wanted: Grid, isExact: Bool, interpolation: Interpolation
) -> Volume {
    let size = scan.grid.size
    let map = scan.grid.affine.inverse * wanted.affine
    // Where the model is coarser, a voxel is made of those within two of its own widths; a spline
    // forgets what is 16 voxels away.
    let taps = 2.0
    guard
        var box = VoxelBox(
            of: VoxelBox(all: wanted.size), margin: isExact ? 0 : taps, map: map, within: size)
    else { return scan }
    if !isExact { box = box.expanded(by: interpolation == .cubic ? 16 : 2, within: size) }
    if box == VoxelBox(all: size) { return scan }
    return Volume(
        grid: scan.grid.cropped(to: box), voxels: croppedValues(scan.voxels, size: size, to: box))
}

/// 1 where a voxel holds a measurement, or `nil` where all do.
private func measuredVoxels(of volume: Volume, _ noData: NoDataValues) -> [UInt8]? {
    let measured = volume.voxels.map { noData.contains($0) ? UInt8(0) : 1 }
    return measured.contains(0) ? measured : nil
}

/// The intensities of the voxels that a mask marks with 1; of all voxels where there is no mask.
private func chosen(_ voxels: [Float], where mask: [UInt8]?) -> [Float] {
    guard let mask else { return voxels }
    return zip(voxels, mask).compactMap { $1 == 1 ? $0 : nil }
}

/// Sets voxels that hold no measurement to the background and, where that is 0, the level of no signal to
/// 0; then divides by the largest magnitude.
private struct Zeroing {
    let noData: NoDataValues
    let level: Float
    let background: Float
    let divisor: Float

    init(
        noData: NoDataValues, level: Float, background: Float, of voxels: [Float],
        dividesByMagnitude: Bool
    ) {
        self.noData = noData
        self.level = level
        self.background = background
        let shift = level - background
        let magnitude =
            dividesByMagnitude
            ? voxels.withUnsafeBufferPointer { voxels in
                voxels.reduce(Float(0)) {
                    max($0, noData.contains($1) ? background.magnitude : ($1 - shift).magnitude)
                }
            } : 1
        divisor = magnitude == 0 ? 1 : magnitude
    }

    func apply(to voxels: inout [Float]) {
        let shift = level - background
        voxels.withUnsafeMutableBufferPointer { voxels in
            for index in voxels.indices {
                let voxel = voxels[index]
                voxels[index] = (noData.contains(voxel) ? background : voxel - shift) / divisor
            }
        }
    }
}

/// The values of a box set into background: the inverse of cropping.
private func padded(_ labels: [UInt16], box: VoxelBox, size: GridSize) -> [UInt16] {
    if box == VoxelBox(all: size) { return labels }
    let boxSize = box.size
    var result = [UInt16](repeating: 0, count: size.count)
    labels.withUnsafeBufferPointer { labels in
        result.withUnsafeMutableBufferPointer { result in
            guard let source = labels.baseAddress, let target = result.baseAddress else { return }
            for z in 0..<boxSize.z {
                for y in 0..<boxSize.y {
                    let row = size.offset(box.lower.x, box.lower.y + y, box.lower.z + z)
                    (target + row)
                        .update(from: source + boxSize.offset(0, y, z), count: boxSize.x)
                }
            }
        }
    }
    return result
}

extension IntensityScale {
    /// The scaled and clipped intensities.
    func applied(to voxels: [Float]) -> [Float] {
        let (lower, upper) = (limits.lowerBound, limits.upperBound)
        return [Float](unsafeUninitializedCapacity: voxels.count) { result, count in
            voxels.withUnsafeBufferPointer { voxels in
                for index in 0..<voxels.count {
                    let value = (voxels[index] - zero) / unit
                    result[index] = value < lower ? lower : value > upper ? upper : value
                }
            }
            count = voxels.count
        }
    }
}
