public import Volumes

/// Draws a segmentation over its scan, for the eye to judge.
///
/// Three coronal, three axial and three sagittal slices through the labelled region (at a quarter,
/// half and three quarters of it) lie in three rows, with a legend beside them. The display is
/// radiological: the patient's right is at the left of coronal and axial slices, and sagittal slices
/// look to the left; letters say so. Pixels are square in millimetres. The same anatomy gives the
/// same picture in whatever order it is stored; an oblique scan is shown along its own axes.
///
/// The gray window runs from the 1st percentile of the scan to the 99.8th of what lies above that.
/// NaN is black. Where the map is empty, the slices run through the scan's foreground.
///
/// - Parameters:
///   - scan: The scan.
///   - labels: Its segmentation, on the same grid.
///   - table: Names and colors. Labels that are not in it get a color of their own.
///   - title: The case's name; accents are dropped and other characters outside ASCII become `?`.
/// - Returns: A picture about 1,400 pixels wide.
/// - Precondition: `scan.grid.size == labels.grid.size`.
public func qualityControlPicture(
    scan: Volume, labels: LabelMap, table: LabelTable, title: String = ""
) -> Picture {
    let slices = SliceRenderer(scan: scan, labels: labels, table: table)
    let layout = PictureLayout(slices: slices, hasTitle: !title.isEmpty)
    let legend = Legend(
        entries: legendEntries(labels: labels, table: table, colors: slices.colors),
        height: layout.contentHeight)
    let width = layout.legendLeft + legend.width + PictureLayout.margin
    var picture = Picture(width: width, height: layout.height, color: Palette.background)
    if !title.isEmpty {
        let fitting = (width - 2 * PictureLayout.margin) / (PixelFont.advance * 3)
        picture.write(
            shortened(title, to: fitting), x: PictureLayout.margin, y: PictureLayout.margin,
            scale: 3, color: Palette.title)
    }
    for tile in layout.tiles {
        picture.write(
            tile.caption, x: tile.x, y: tile.y - PictureLayout.captionHeight, scale: 2,
            color: Palette.caption)
        slices.draw(tile, into: &picture)
    }
    legend.draw(into: &picture, x: layout.legendLeft, y: layout.contentTop)
    return picture
}
