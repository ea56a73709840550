#if canImport(Glibc)
    import Glibc
#endif

/// A learning rate schedule.
public enum LearningRateSchedule: Sendable, Hashable {
    /// Multiplied by `factor` after every `every` steps.
    case step(every: Int, factor: Double)
    /// `(1 - t)^power`, down to 0 at the last step.
    case polynomial(power: Double)
    /// Half a cosine, down to `floor` (a fraction of the rate) at the last step.
    case cosine(floor: Double)
    /// The same all along.
    case constant

    /// The factor on the base learning rate at a step.
    ///
    /// - Parameters:
    ///   - step: 0 for the first.
    ///   - total: Steps of the whole training.
    ///   - warmUp: Steps over which the factor first grows linearly to 1, reached at step `warmUp - 1`.
    /// - Returns: A factor in `0...1`.
    public func factor(at step: Int, of total: Int, warmUp: Int = 0) -> Double {
        if step < warmUp { return Double(step + 1) / Double(warmUp) }
        let passed = step - warmUp
        let progress = min(1, Double(passed) / Double(max(1, total - warmUp)))
        switch self {
        case .step(let every, let factor): return pow(factor, Double(passed / max(1, every)))
        case .polynomial(let power): return pow(1 - progress, power)
        case .cosine(let floor): return floor + (1 - floor) * (1 + cos(.pi * progress)) / 2
        case .constant: return 1
        }
    }
}
