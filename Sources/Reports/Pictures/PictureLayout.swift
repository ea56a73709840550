package import Volumes

/// The layout of a picture's slices.
package struct PictureLayout {
    /// Pixels around and between the parts.
    static let margin = 28
    /// Pixels from the upper edge of a slice's caption to the slice.
    static let captionHeight = 22
    private static let gap = 16

    /// The slices, row by row.
    package private(set) var tiles: [SliceTile] = []
    /// The top of the slices and the legend, below the title.
    let contentTop: Int
    /// Pixels down from there to the lower margin.
    let contentHeight: Int
    /// Left edge of the legend.
    let legendLeft: Int

    /// Pixels down in all.
    var height: Int { contentTop + contentHeight + Self.margin }

    init(slices: SliceRenderer, hasTitle: Bool) {
        let millimeters = (0..<3).map { Double(slices.shown[$0].count) * slices.view.spacing[$0] }
        let planes: [Plane] = [.coronal, .axial, .sagittal]
        let widest = planes.map { millimeters[SliceRenderer.axes(of: $0).across] }.max() ?? 1
        let tallest = planes.map { millimeters[SliceRenderer.axes(of: $0).down] }.reduce(0, +)
        let pixelsPerMillimeter = min(340 / widest, 1100 / tallest)
        let pixels = millimeters.map { max(1, Int(($0 * pixelsPerMillimeter).rounded())) }
        let columnWidth = max(190, Int((widest * pixelsPerMillimeter).rounded()))

        contentTop = Self.margin + (hasTitle ? 24 + Self.margin : 0)
        var y = contentTop
        for plane in planes {
            let (across, down) = SliceRenderer.axes(of: plane)
            y += Self.captionHeight
            for (column, index) in sliceIndices(in: slices.labelled[plane.worldAxis]).enumerated() {
                let x = Self.margin + column * (columnWidth + Self.gap)
                tiles.append(
                    SliceTile(
                        plane: plane, index: index,
                        x: x + (columnWidth - pixels[across]) / 2, y: y,
                        width: pixels[across], height: pixels[down],
                        caption: "\(plane.rawValue) \(captions(of: plane)[column])"))
            }
            y += pixels[down] + Self.gap
        }
        contentHeight = max(480, y - Self.gap - contentTop)
        legendLeft = 2 * Self.margin + 3 * columnWidth + 2 * Self.gap
    }

    /// The layout of the picture that ``qualityControlPicture(scan:labels:table:title:)`` draws.
    package init(scan: Volume, labels: LabelMap, table: LabelTable, title: String) {
        self.init(
            slices: SliceRenderer(scan: scan, labels: labels, table: table),
            hasTitle: !title.isEmpty)
    }
}

/// Slices at three quarters, half and a quarter of a range; from the right, the front, the top on.
private func sliceIndices(in range: Range<Int>) -> [Int] {
    [3, 2, 1].map { range.lowerBound + (range.count - 1) * $0 / 4 }
}

private func captions(of plane: Plane) -> [String] {
    switch plane {
    case .coronal: ["front", "middle", "back"]
    case .axial: ["top", "middle", "bottom"]
    case .sagittal: ["right", "middle", "left"]
    }
}
