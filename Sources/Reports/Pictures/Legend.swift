import Volumes

/// One line of the legend.
struct LegendEntry {
    var name: String
    var color: LabelColor
    var isPresent: Bool
}

/// The structures of the table in its order, then labels that it lacks.
func legendEntries(
    labels: LabelMap, table: LabelTable, colors: LabelColors
) -> [LegendEntry] {
    let counts = labels.voxelCounts()
    let named = table.structures.map { structure in
        LegendEntry(
            name: structure.name, color: structure.color,
            isPresent: counts[Int(structure.index)] > 0)
    }
    let known = Set(table.structures.map(\.index))
    let unnamed = counts.indices.dropFirst().filter {
        counts[$0] > 0 && !known.contains(UInt16($0))
    }
    return named
        + unnamed.map {
            LegendEntry(name: "label \($0), no name", color: colors[UInt16($0)], isPresent: true)
        }
}

/// Names and colors of the structures, in the largest letters that fit.
struct Legend {
    private let entries: [LegendEntry]
    private let left: Int
    private let isEmpty: Bool
    private let scale: Int
    private let rows: Int
    private let columnWidth: Int
    private let columns: Int

    var width: Int { columns * columnWidth }
    private var lineHeight: Int { scale * 11 }

    init(entries: [LegendEntry], height: Int) {
        isEmpty = !entries.contains(where: \.isPresent)
        let height = height - (isEmpty ? PictureLayout.captionHeight : 0)
        let sizes: [(scale: Int, columns: Int)] = [(2, 1), (2, 2), (1, 2), (1, 3)]
        let fitting = sizes.first { size in
            let rows = height / (size.scale * 11)
            return size.columns * rows >= entries.count
        }
        scale = fitting?.scale ?? 1
        rows = max(1, height / (scale * 11))
        columns = min(fitting?.columns ?? 3, max(1, (entries.count + rows - 1) / rows))
        let places = columns * rows
        self.entries = Array(entries.prefix(entries.count > places ? places - 1 : places))
        left = entries.count - self.entries.count
        let longest = self.entries.map { min($0.name.count, Self.longestName) }.max() ?? 0
        let least = isEmpty ? Self.warning.count : 12
        columnWidth = scale * (max(least, longest) * PixelFont.advance + 18)
    }

    private static let longestName = 32
    private static let warning = "no structure found"

    func draw(into picture: inout Picture, x: Int, y: Int) {
        var y = y
        if isEmpty {
            picture.write(Self.warning, x: x, y: y, scale: 2, color: Palette.warning)
            y += PictureLayout.captionHeight
        }
        for (position, entry) in entries.enumerated() {
            let entryX = x + position / rows * columnWidth
            let entryY = y + position % rows * lineHeight
            let side = scale * 7
            if entry.isPresent {
                picture.fill(x: entryX, y: entryY, width: side, height: side, color: entry.color)
            } else {
                picture.outline(
                    x: entryX, y: entryY, width: side, height: side, color: entry.color)
            }
            picture.write(
                shortened(entry.name, to: Self.longestName), x: entryX + scale * 11, y: entryY,
                scale: scale, color: entry.isPresent ? Palette.text : Palette.absent)
        }
        if left > 0 {
            let position = columns * rows - 1
            picture.write(
                "and \(left) more", x: x + position / rows * columnWidth + scale * 11,
                y: y + position % rows * lineHeight, scale: scale, color: Palette.text)
        }
    }
}

/// The text, or its beginning and `..` where it has more characters than fit.
func shortened(_ text: String, to count: Int) -> String {
    text.count <= count ? text : String(text.prefix(max(0, count - 2))) + ".."
}
