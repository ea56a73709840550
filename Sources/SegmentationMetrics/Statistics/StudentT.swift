import Foundation

/// Estimates how well a sample's mean is known, by Student's t distribution.
///
/// The interval is `mean ± t SD / √n`, where `t` leaves out `(1 - level) / 2` on each side with
/// `n - 1` degrees of freedom. It is exact for a normal sample. Unlike the bootstrap it knows no
/// bounds: an interval for Dice coefficients may reach beyond 1.
///
/// Source: Student, Biometrika 6(1), 1908, <https://doi.org/10.2307/2331554>.
///
/// - Parameters:
///   - values: The sample: one value per case, independent of each other.
///   - level: The probability.
/// - Returns: The interval, or `nil` below two values.
/// - Precondition: `0 < level < 1`.
public func parametricMeanInterval(
    of values: [Double], level: Double = 0.95
) -> ConfidenceInterval? {
    precondition(level > 0 && level < 1, "a level of \(level)")
    guard let mean = mean(of: values), let deviation = standardDeviation(of: values) else {
        return nil
    }
    let half =
        studentTCriticalValue(level: level, degreesOfFreedom: values.count - 1) * deviation
        / Double(values.count).squareRoot()
    return ConfidenceInterval(lower: mean - half, upper: mean + half, level: level)
}

/// The number that Student's t stays below in magnitude with a stated probability.
///
/// - Parameters:
///   - level: The probability.
///   - degreesOfFreedom: One less than the sample's size.
/// - Returns: A positive number, such as 12.706 for 0.95 and 1 degree of freedom.
/// - Precondition: `0 < level < 1` and `degreesOfFreedom > 0`.
/// - Complexity: O(degrees of freedom).
package func studentTCriticalValue(level: Double, degreesOfFreedom: Int) -> Double {
    precondition(level > 0 && level < 1, "a level of \(level)")
    precondition(degreesOfFreedom > 0, "\(degreesOfFreedom) degrees of freedom")
    // The probability grows with the angle atan(t / √ν), so halving finds it.
    var (lower, upper) = (0.0, Double.pi / 2)
    while true {
        let middle = (lower + upper) / 2
        guard middle > lower && middle < upper else { break }
        if centralProbability(angle: middle, degreesOfFreedom: degreesOfFreedom) < level {
            lower = middle
        } else {
            upper = middle
        }
    }
    return Double(degreesOfFreedom).squareRoot() * tan(upper)
}

/// The probability that Student's t lies in `-t...t`, for the angle `θ = atan(t / √ν)`.
///
/// Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.
private func centralProbability(angle: Double, degreesOfFreedom: Int) -> Double {
    let (sine, squaredCosine) = (sin(angle), cos(angle) * cos(angle))
    let isOdd = degreesOfFreedom % 2 == 1
    // Odd: cos θ + 2/3 cos³ θ + 2·4/(3·5) cos⁵ θ + …; even: 1 + 1/2 cos² θ + 1·3/(2·4) cos⁴ θ + ….
    var term = isOdd ? cos(angle) : 1.0
    var sum = 0.0
    var order = isOdd ? 1 : 0
    while order <= degreesOfFreedom - 2 {
        sum += term
        order += 2
        term *= Double(order - 1) / Double(order) * squaredCosine
    }
    return isOdd ? 2 / Double.pi * (angle + sine * sum) : sine * sum
}
