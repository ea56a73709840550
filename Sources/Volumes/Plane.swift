/// The direction in which a volume is cut into slices.
public enum Plane: String, Sendable, Hashable, Codable, CaseIterable {
    /// Slices across the front-back axis: seen from the front.
    case coronal
    /// Slices across the down-up axis: seen from below or above.
    case axial
    /// Slices across the left-right axis: seen from the side.
    case sagittal

    /// The RAS+ world axis that this plane's slices are stacked along: 0 left-right, 1 back-front,
    /// 2 down-up.
    public var worldAxis: Int {
        switch self {
        case .sagittal: 0
        case .coronal: 1
        case .axial: 2
        }
    }
}
