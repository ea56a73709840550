package import Volumes

/// One slice and where it is drawn.
package struct SliceTile {
    /// The plane it is cut along.
    package var plane: Plane
    /// Position along the plane's world axis, in voxels from left, back or bottom.
    package var index: Int
    /// Left edge in the picture.
    package var x: Int
    /// Upper edge in the picture.
    package var y: Int
    /// Pixels across.
    package var width: Int
    /// Pixels down.
    package var height: Int
    /// The caption above it.
    package var caption: String
}

/// Draws single slices: the gray scan, colored labels over it, letters for the directions.
struct SliceRenderer {
    /// The opacity of a structure's color inside it.
    static let fillOpacity = 0.35
    /// The opacity of a structure's color along its border.
    static let borderOpacity = 0.9

    let view: AnatomicalView
    /// The displayed range of each anatomical axis.
    let shown: [Range<Int>]
    /// The range that slices are taken from, for each anatomical axis.
    let labelled: [Range<Int>]
    let colors: LabelColors
    let window: ClosedRange<Float>
    private let scan: Volume
    var labels: LabelMap

    init(scan: Volume, labels: LabelMap, table: LabelTable) {
        precondition(
            scan.grid.size == labels.grid.size,
            "grids differ: \(scan.grid.size) and \(labels.grid.size)")
        self.scan = scan
        self.labels = labels
        let view = AnatomicalView(of: scan.grid)
        self.view = view
        let window = displayWindow(of: scan, view: view)
        self.window = window
        colors = LabelColors(table)

        let threshold = window.lowerBound + (window.upperBound - window.lowerBound) / 10
        let foreground = view.countsPerSlice { scan.voxels[$0] > threshold }
        let inLabels = view.countsPerSlice { labels.labels[$0] != 0 }
        var shown: [Range<Int>] = []
        var labelled: [Range<Int>] = []
        for axis in 0..<3 {
            let all = 0..<view.size[axis]
            // Single bright voxels outside the head must not widen what is shown.
            let area = scan.voxels.count / max(1, view.size[axis])
            let scanExtent = extent(of: foreground[axis], from: area / 500) ?? all
            guard let full = extent(of: inLabels[axis], from: 0) else {
                labelled.append(scanExtent)
                shown.append(scanExtent)
                continue
            }
            labelled.append(central(99, percentOf: inLabels[axis]) ?? full)
            // Everything labelled, and around it as much of the head as helps to judge it.
            let surroundings = Int((25 / view.spacing[axis]).rounded(.up))
            let margin = Int((4 / view.spacing[axis]).rounded(.up))
            let lower = max(full.lowerBound - surroundings, scanExtent.lowerBound)
            let upper = min(full.upperBound + surroundings, scanExtent.upperBound)
            shown.append(
                (min(lower, full.lowerBound) - margin..<max(upper, full.upperBound) + margin)
                    .clamped(to: all))
        }
        self.shown = shown
        self.labelled = labelled
    }

    /// The world axis that runs across a slice of a plane, and the one that runs down.
    ///
    /// Along both of them the world coordinate falls in radiological display: from right to left,
    /// from front to back, from top to bottom.
    static func axes(of plane: Plane) -> (across: Int, down: Int) {
        switch plane {
        case .coronal: (0, 2)
        case .axial: (0, 1)
        case .sagittal: (1, 2)
        }
    }

    /// Draws a slice into its place.
    func draw(_ tile: SliceTile, into picture: inout Picture) {
        let (across, down) = Self.axes(of: tile.plane)
        let columns = Sampling(of: shown[across], pixels: tile.width)
        let rows = Sampling(of: shown[down], pixels: tile.height)
        func offset(_ column: Int, _ row: Int) -> Int {
            var index = SIMD3(repeating: tile.index)
            index[across] = column
            index[down] = row
            return view.offset(index)
        }
        let start = offset(0, 0)
        let (columnStride, rowStride) = (offset(1, 0) - start, offset(0, 1) - start)
        let firstColumn = shown[across].lowerBound
        /// The brightness of a row's shown voxels.
        func brightnessOfRow(_ row: Int) -> [Double] {
            shown[across].map { brightness(start + row * rowStride + $0 * columnStride) }
        }
        var labelsOfPixels = [UInt16](repeating: 0, count: tile.width * tile.height)
        for y in 0..<tile.height {
            for x in 0..<tile.width {
                labelsOfPixels[y * tile.width + x] =
                    labels.labels[
                        start + columns.nearest[x] * columnStride + rows.nearest[y] * rowStride]
            }
        }
        var (shownLow, shownHigh) = (-1, -1)
        var low: [Double] = []
        var high: [Double] = []
        for y in 0..<tile.height {
            // Several rows of pixels lie between the same two rows of voxels.
            if rows.lower[y] != shownLow || rows.upper[y] != shownHigh {
                (shownLow, shownHigh) = (rows.lower[y], rows.upper[y])
                (low, high) = (brightnessOfRow(shownLow), brightnessOfRow(shownHigh))
            }
            for x in 0..<tile.width {
                let left = columns.lower[x] - firstColumn
                let right = columns.upper[x] - firstColumn
                let gray = interpolated(
                    interpolated(low[left], low[right], columns.weight[x]),
                    interpolated(high[left], high[right], columns.weight[x]),
                    rows.weight[y])
                let position = y * tile.width + x
                let label = labelsOfPixels[position]
                var opacity = label == 0 ? 0 : Self.fillOpacity
                if label != 0,
                    x > 0 && labelsOfPixels[position - 1] != label
                        || x + 1 < tile.width && labelsOfPixels[position + 1] != label
                        || y > 0 && labelsOfPixels[position - tile.width] != label
                        || y + 1 < tile.height && labelsOfPixels[position + tile.width] != label
                {
                    opacity = Self.borderOpacity
                }
                picture[tile.x + x, tile.y + y] = blended(
                    colors[label], over: 255 * gray, opacity: opacity)
            }
        }
        let letters = across == 0 ? ("R", "L") : ("A", "P")
        let letterWidth = PixelFont.glyphWidth * 2
        for (letter, x) in [
            (letters.0, tile.x + 5), (letters.1, tile.x + tile.width - 5 - letterWidth),
        ] where tile.width > 4 * letterWidth && tile.height > 24 {
            // A dark copy underneath keeps the letter readable over bright tissue.
            let dark = LabelColor(red: 0, green: 0, blue: 0)
            picture.write(letter, x: x + 1, y: tile.y + 6, scale: 2, color: dark)
            picture.write(letter, x: x, y: tile.y + 5, scale: 2, color: Palette.title)
        }
    }

    /// The scan's value at a position in storage, 0 (black) to 1 (white).
    private func brightness(_ offset: Int) -> Double {
        let value = scan.voxels[offset]
        guard !value.isNaN else { return 0 }
        let low = Double(window.lowerBound)
        let high = Double(window.upperBound)
        return min(max((Double(value) - low) / (high - low), 0), 1)
    }
}

/// The sampling of voxels by the pixels along one side of a slice.
///
/// The first pixel lies at the upper end of the range, as the display asks for on every axis.
private struct Sampling {
    var nearest: [Int] = []
    var lower: [Int] = []
    var upper: [Int] = []
    /// Share of `upper` in the interpolated value.
    var weight: [Double] = []

    init(of range: Range<Int>, pixels: Int) {
        for pixel in 0..<pixels {
            // Voxel i covers i..<i + 1 here; its value holds at the centre.
            let position =
                Double(range.upperBound)
                - (Double(pixel) + 0.5) * Double(range.count) / Double(pixels)
            let cell = Int(position.rounded(.down))
            nearest.append(min(max(cell, range.lowerBound), range.upperBound - 1))
            let below = (position - 0.5).rounded(.down)
            lower.append(max(Int(below), range.lowerBound))
            upper.append(min(Int(below) + 1, range.upperBound - 1))
            weight.append(position - 0.5 - below)
        }
    }
}

private func interpolated(_ first: Double, _ second: Double, _ weight: Double) -> Double {
    first + (second - first) * weight
}

/// A color laid over a gray value of 0...255.
private func blended(_ color: LabelColor, over gray: Double, opacity: Double) -> LabelColor {
    if opacity == 0 {
        let value = UInt8(gray + 0.5)
        return LabelColor(red: value, green: value, blue: value)
    }
    func channel(_ value: UInt8) -> UInt8 {
        UInt8(gray + (Double(value) - gray) * opacity + 0.5)
    }
    return LabelColor(
        red: channel(color.red), green: channel(color.green), blue: channel(color.blue))
}

/// The slices from the first to the last with more than `count` voxels.
private func extent(of counts: [Int], from count: Int) -> Range<Int>? {
    guard let first = counts.firstIndex(where: { $0 > count }),
        let last = counts.lastIndex(where: { $0 > count })
    else { return nil }
    return first..<last + 1
}

/// The slices that hold the middle part of all counted voxels: single strays do not widen them.
private func central(_ percent: Int, percentOf counts: [Int]) -> Range<Int>? {
    let cut = counts.reduce(0, +) * (100 - percent) / 200
    var sum = 0
    guard
        let first = counts.firstIndex(where: { count in
            sum += count
            return sum > cut
        })
    else { return nil }
    sum = 0
    let last = counts.lastIndex { count in
        sum += count
        return sum > cut
    }
    return first..<max(first, last ?? first) + 1
}

/// The range of values shown from black to white.
func displayWindow(of scan: Volume, view: AnatomicalView) -> ClosedRange<Float> {
    var step = 1
    while scan.voxels.count / (step * step * step) > 400_000 { step += 1 }
    var sample: [Float] = []
    for s in stride(from: 0, to: view.size[2], by: step) {
        for a in stride(from: 0, to: view.size[1], by: step) {
            for r in stride(from: 0, to: view.size[0], by: step) {
                let value = scan.voxels[view.offset(SIMD3(r, a, s))]
                if value.isFinite { sample.append(value) }
            }
        }
    }
    sample.sort()
    guard let smallest = sample.first else { return 0...1 }
    let lower = sample[(sample.count - 1) / 100]
    // Half of a scan may be background of one value; the bright end is that of the rest.
    let above = sample.drop { $0 <= lower }
    guard !above.isEmpty else { return smallest...max(smallest.nextUp, smallest + 1) }
    let upper = above[above.startIndex + (above.count - 1) * 998 / 1000]
    return lower...upper
}

/// The color of each label; one outside the table gets a hue of its own.
struct LabelColors {
    /// The colors of labels 0 to the table's highest.
    private var known: [LabelColor]

    init(_ table: LabelTable) {
        let highest = table.structures.map(\.index).max() ?? 0
        known = (0...highest).map(Self.hue(of:))
        for structure in table.structures { known[Int(structure.index)] = structure.color }
    }

    subscript(label: UInt16) -> LabelColor {
        Int(label) < known.count ? known[Int(label)] : Self.hue(of: label)
    }

    /// Steps of the golden angle around the color circle keep neighbours apart.
    private static func hue(of label: UInt16) -> LabelColor {
        let hue = (Double(label) * 0.618_033_988_749_895).truncatingRemainder(dividingBy: 1) * 6
        func channel(_ shift: Double) -> UInt8 {
            let phase = (hue + shift).truncatingRemainder(dividingBy: 6)
            return UInt8((255 * min(max(abs(phase - 3) - 1, 0), 1) * 0.8 + 51).rounded())
        }
        return LabelColor(red: channel(0), green: channel(4), blue: channel(2))
    }
}
