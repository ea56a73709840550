/// The mean of a sample, or `nil` where it is empty.
public func mean(of values: [Double]) -> Double? {
    values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
}

/// The standard deviation of a sample with `n - 1` in the denominator, or `nil` below two values.
public func standardDeviation(of values: [Double]) -> Double? {
    guard values.count > 1, let mean = mean(of: values) else { return nil }
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (squares / Double(values.count - 1)).squareRoot()
}

/// The median of a sample, or `nil` where it is empty.
public func median(of values: [Double]) -> Double? { percentile(50, of: values) }

/// A percentile of a sample, by linear interpolation between the nearest ranks as numpy's default.
///
/// - Parameters:
///   - percentage: In `0...100`.
///   - values: The sample, in any order.
/// - Returns: The percentile, or `nil` where the sample is empty.
/// - Precondition: the percentage lies in `0...100`.
public func percentile(_ percentage: Double, of values: [Double]) -> Double? {
    precondition((0...100).contains(percentage), "percentile \(percentage) is not in 0...100")
    guard !values.isEmpty else { return nil }
    let sorted = values.sorted()
    let position = percentage / 100 * Double(sorted.count - 1)
    let lower = Int(position)
    let upper = min(lower + 1, sorted.count - 1)
    return sorted[lower] + (sorted[upper] - sorted[lower]) * (position - Double(lower))
}
