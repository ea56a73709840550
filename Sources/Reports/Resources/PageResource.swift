/// A style sheet, script or piece of markup for pages, compiled in.
///
/// The files are a module of their own: their bytes take seconds to compile, and change seldom.
package struct PageResource: Sendable {
    /// The file's text.
    package let text: String

    private init(_ bytes: [UInt8]) { text = String(decoding: bytes, as: UTF8.self) }

    /// The look of every page.
    package static let page = PageResource(PackageResources.page_css)
    /// The look of a training's charts and slices.
    package static let training = PageResource(PackageResources.training_css)
    /// The look of the table of networks.
    package static let networks = PageResource(PackageResources.networks_css)
    /// The tables and plots of a report.
    package static let reportScript = PageResource(PackageResources.report_js)
    /// The viewer of a report's cases; it follows the report's script.
    package static let viewerScript = PageResource(PackageResources.viewer_js)
    /// The viewer's frame.
    package static let viewer = PageResource(PackageResources.viewer_html)
}
