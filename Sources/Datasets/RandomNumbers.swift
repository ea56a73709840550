/// A small, fast source of random bits that gives the same stream on every machine.
///
/// Source: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014, <https://doi.org/10.1145/2660193.2660195>).
/// Seeds may be consecutive. Not for secrets.
public struct SeededGenerator: RandomNumberGenerator, Sendable, Hashable, Codable {
    private var state: UInt64

    /// Starts the stream of a seed.
    public init(seed: UInt64) {
        state = seed
    }

    /// Starts the stream of one of the numbered things that a seed makes: scans, batches.
    init(seed: UInt64, number: Int) {
        var seeds = SeededGenerator(seed: seed)
        self.init(seed: seeds.next() &+ UInt64(number))
    }

    /// The next 64 random bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }

    /// A number from `0..<1`, a multiple of 2⁻²⁴.
    package mutating func unit() -> Float { Float(next() >> 40) * 0x1p-24 }

    /// A number between two bounds, all equally likely.
    package mutating func uniform(_ lower: Float, _ upper: Float) -> Float {
        lower + (upper - lower) * unit()
    }

    /// A number of a range, all equally likely.
    package mutating func uniform(in range: ClosedRange<Double>) -> Float {
        uniform(Float(range.lowerBound), Float(range.upperBound))
    }

    /// Draws whether an event of a probability happens.
    package mutating func happens(_ probability: Double) -> Bool {
        Double(next() >> 11) * 0x1p-53 < probability
    }

    /// A number of mean 0 and standard deviation 1, nearly normal and never beyond ±4.9.
    ///
    /// The sum of eight 16-bit uniform numbers: whole-number arithmetic, so that no machine's
    /// logarithm or cosine can change it. Its excess kurtosis is -0.15.
    package mutating func gaussian() -> Float {
        var sum: Int64 = -8 * 32768 + 4  // the mean of eight numbers from 0...65535
        for _ in 0..<2 {
            let bits = next()
            sum += Int64(
                (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48))
        }
        // 65536 · sqrt(8 / 12) is the standard deviation of the sum.
        return Float(sum) * (1 / 53509.92)
    }
}
