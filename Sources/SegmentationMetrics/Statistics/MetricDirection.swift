/// Which values of a metric are good.
public enum MetricDirection: String, Sendable, Hashable, Codable {
    /// Large ones, such as Dice coefficients.
    case higherIsBetter = "higher-is-better"
    /// Small ones, such as distances.
    case lowerIsBetter = "lower-is-better"
    /// Those near to zero on either side, such as differences of volume.
    case zeroIsBest = "zero-is-best"

    /// A number that grows as a value gets worse.
    public func rankKey(of value: Double) -> Double {
        switch self {
        case .higherIsBetter: -value
        case .lowerIsBetter: value
        case .zeroIsBest: abs(value)
        }
    }

    /// Whether a change of values is a gain; `nil` where the sign of a change says nothing.
    public func isGain(_ change: Double) -> Bool? {
        switch self {
        case .higherIsBetter: change > 0
        case .lowerIsBetter: change < 0
        case .zeroIsBest: nil
        }
    }
}
