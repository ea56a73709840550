public import Volumes

/// A slice three times side by side: the scan, the prediction over it, the reference over it.
public struct SliceComparison: Sendable {
    /// The caption.
    public var caption: String
    /// The three of them.
    public var picture: Picture

    /// Draws a slice.
    ///
    /// - Parameters:
    ///   - scan: The scan.
    ///   - prediction: Its segmentation.
    ///   - reference: What it is compared with.
    ///   - table: Names and colors.
    ///   - plane: How the slice is cut.
    ///   - index: Which slice, counted from the patient's left, back or bottom.
    ///   - caption: What is said of it.
    /// - Precondition: All three lie on one grid, and the slice lies within it.
    public init(
        scan: Volume, prediction: LabelMap, reference: LabelMap, table: LabelTable, plane: Plane,
        index: Int, caption: String
    ) {
        let empty = LabelMap(
            grid: scan.grid, labels: [UInt16](repeating: 0, count: scan.voxels.count))
        // All three show what the reference's labels take up.
        let frame = SliceRenderer(scan: scan, labels: reference, table: table)
        let (across, down) = SliceRenderer.axes(of: plane)
        let millimeters = (0..<3).map { Double(frame.shown[$0].count) * frame.view.spacing[$0] }
        let scale = 240 / max(millimeters[across], millimeters[down])
        let width = max(1, Int((millimeters[across] * scale).rounded()))
        let height = max(1, Int((millimeters[down] * scale).rounded()))
        let gap = 6
        var picture = Picture(
            width: 3 * width + 2 * gap, height: height, color: Palette.background)
        for (position, labels) in [empty, prediction, reference].enumerated() {
            var slices = frame
            slices.labels = labels
            slices.draw(
                SliceTile(
                    plane: plane, index: index, x: position * (width + gap), y: 0, width: width,
                    height: height, caption: ""),
                into: &picture)
        }
        self.caption = caption
        self.picture = picture
    }
}
