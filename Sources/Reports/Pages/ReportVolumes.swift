public import Volumes

/// The volumes of a case in the viewer, on one grid; each may be missing.
public struct ReportVolumes: Sendable {
    /// The scan.
    public var scan: Volume?
    /// The segmentation under test.
    public var prediction: LabelMap?
    /// The segmentation it is measured against.
    public var reference: LabelMap?

    /// Collects the volumes of a case.
    public init(scan: Volume? = nil, prediction: LabelMap? = nil, reference: LabelMap? = nil) {
        self.scan = scan
        self.prediction = prediction
        self.reference = reference
    }
}
