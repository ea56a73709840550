/// The distance of each value of a sample from the median, in robust standard deviations.
///
/// The result is `(x - median) / (1.4826 MAD)`, where MAD is the median distance from the median
/// and the factor makes its unit the standard deviation of a normal sample: a few wrong values
/// neither move the middle nor widen the spread. Where more than half of the values are equal, MAD
/// is 0 and the spread is 1.2533 times the mean distance from the median. Where all are equal,
/// every score is 0.
///
/// Source: Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993, chapter 3.
///
/// - Parameters:
///   - values: The sample.
///   - leastSpread: The smallest spread that counts, for samples that may agree by chance.
/// - Returns: One score for each value, in the same order.
public func robustZScores(of values: [Double], leastSpread: Double = 0) -> [Double] {
    guard let center = median(of: values) else { return [] }
    let distances = values.map { abs($0 - center) }
    // 1 / Φ⁻¹(3/4) and √(π / 2).
    var spread = 1.482602218505602 * (median(of: distances) ?? 0)
    if spread == 0 { spread = 1.2533141373155003 * (mean(of: distances) ?? 0) }
    spread = max(spread, leastSpread)
    return values.map { spread == 0 ? 0 : ($0 - center) / spread }
}
