import Volumes

/// The intensity that stands for no signal in a scan, whatever its unit and wherever its zero is.
///
/// It is, of the measured intensities alone, what no affine change of them moves:
/// - a value that holds no measurement, where one lies at the bottom of the measured range or just
///   below (0 around a stripped brain, the air of many heads); of two the lower;
/// - else the 1st percentile, where the box of all measured voxels has dark ones on a quarter of its
///   faces or more: there is air among them;
/// - else a sixth of the range below the darkest, so that all of it counts as tissue.
///
/// *Range* is from the darkest to the 99th percentile; *dark* is the lowest eighth of it.
struct SignalLevel {
    let level: Float

    /// Finds the level.
    ///
    /// - Parameters:
    ///   - voxels: The scan.
    ///   - size: The scan's extents.
    ///   - noData: Its values that hold no measurement; others must remain.
    init(of voxels: [Float], size: GridSize, noData: NoDataValues) {
        let tones = Tones(of: voxels, noData: noData)
        if let known = tones.known(among: noData.values) {
            level = known
            return
        }
        let limit = tones.floor + tones.range / 8
        let box = noData.measuredBox(of: voxels, size: size) ?? VoxelBox(all: size)
        let darkShare = voxels.withUnsafeBufferPointer { voxels in
            Faces(of: box, size: size).share { voxels[$0] <= limit && !noData.contains(voxels[$0]) }
        }
        level = darkShare >= 0.25 ? tones.first : tones.belowFloor
    }

    /// Finds the level by the voxels of a brain alone, so that it is the same whatever lies around them.
    ///
    /// - Parameters:
    ///   - brain: Measured intensities, at least one.
    ///   - candidates: What may stand for no signal in the whole scan; it does so in the brain if it
    ///     lies at the bottom of the brain's range or just below.
    init(ofBrain brain: [Float], candidates: [Float]) {
        let tones = Tones(of: brain, noData: .none)
        level = tones.known(among: candidates) ?? tones.belowFloor
    }
}

/// The darkest and the brightest measured intensities.
private struct Tones {
    let floor: Float
    /// The 1st percentile.
    let first: Float
    /// From the floor to the 99th percentile.
    let range: Float

    init(of voxels: [Float], noData: NoDataValues) {
        let histogram = IntensityHistogram(of: voxels, excluding: noData)
        let last = Double(histogram.count - 1)
        let levels = histogram.values(
            atRanks: [0, Int(last / 1000), Int(last / 100), Int(last * 0.99)], in: voxels)
        let (minimum, low, bright) = (levels[0], levels[1], levels[3])
        // A few voxels far below all others do not count.
        floor = low - minimum <= (bright - low) / 4 ? minimum : low
        first = levels[2]
        range = bright - floor
    }

    /// The first of some values that lies at the floor or just below; below a single tone the last.
    func known(among values: [Float]) -> Float? {
        if range == 0 { return values.last { $0 < floor } ?? belowFloor }
        return values.first { $0 >= floor - range / 2 && $0 <= floor + range / 8 }
    }

    /// A level from which all is tissue.
    var belowFloor: Float {
        range > 0 ? floor - range / 6 : floor - max(floor.magnitude, 1)
    }
}
