/// A small random number generator that gives the same numbers for a seed everywhere.
///
/// Source: Steele, Lea and Flood, OOPSLA 2014, <https://doi.org/10.1145/2660193.2660195>.
public struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Starts a sequence.
    public init(seed: UInt64) { state = seed }

    /// The next 64 random bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
        return bits ^ (bits >> 31)
    }

    /// A number in `0..<bound`: the upper half of a 128-bit product, whose bias is below
    /// `bound / 2⁶⁴`.
    ///
    /// - Precondition: `bound > 0`.
    mutating func index(below bound: Int) -> Int {
        precondition(bound > 0, "no number below \(bound)")
        return Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }
}
