/// The direction of better values of a metric.
public enum MetricDirection: String, Sendable, Hashable, Codable {
    /// Large ones, such as Dice coefficients.
    case higherIsBetter = "higher-is-better"
    /// Small ones, such as distances.
    case lowerIsBetter = "lower-is-better"
    /// Values near zero on either side are best, such as volume differences.
    case zeroIsBest = "zero-is-best"

    /// A number that grows as a value gets worse.
    public func rankKey(of value: Double) -> Double {
        switch self {
        case .higherIsBetter: -value
        case .lowerIsBetter: value
        case .zeroIsBest: abs(value)
        }
    }

    /// Returns whether a change of values is a gain; `nil` where the sign of a change says nothing.
    public func isGain(_ change: Double) -> Bool? {
        switch self {
        case .higherIsBetter: change > 0
        case .lowerIsBetter: change < 0
        case .zeroIsBest: nil
        }
    }
}
