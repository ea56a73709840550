/// Damages inputs at random; the same seed gives the same damage.
public struct Mutator: Sendable {
    private var state: UInt64

    /// Makes a mutator.
    public init(seed: UInt64) { state = seed }

    /// A number from 0 up to a bound (SplitMix64).
    public mutating func number(below bound: Int) -> Int {
        state &+= 0x9e37_79b9_7f4a_7c15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ bits >> 27) &* 0x94d0_49bb_1331_11eb
        return Int((bits ^ bits >> 31) >> 1) % max(bound, 1)
    }

    /// One of several values.
    public mutating func choice<Value>(of values: [Value]) -> Value {
        values[number(below: values.count)]
    }

    /// A damaged copy of bytes: one to four changes, most of them near the start, where headers are.
    ///
    /// - Parameters:
    ///   - input: What is damaged.
    ///   - other: What pieces may be taken from.
    ///   - words: Pieces that mean something to the reader.
    /// - Returns: The copy.
    public mutating func damaged(
        _ input: [UInt8], other: [UInt8] = [], words: [[UInt8]] = []
    ) -> [UInt8] {
        var bytes = input
        for _ in 0..<1 + number(below: 4) { change(&bytes, other: other, words: words) }
        return bytes
    }

    private mutating func change(_ bytes: inout [UInt8], other: [UInt8], words: [[UInt8]]) {
        guard !bytes.isEmpty else {
            bytes = other
            return
        }
        let place = position(in: bytes)
        switch number(below: words.isEmpty ? 9 : 12) {
        case 0: bytes[place] ^= 1 << UInt8(number(below: 8))
        case 1: bytes[place] = UInt8(number(below: 256))
        case 2, 3: overwrite(&bytes, at: place, with: interestingNumber())
        case 4: bytes.removeLast(number(below: bytes.count))
        case 5: bytes.removeSubrange(place..<min(bytes.count, place + 1 + number(below: 64)))
        case 6:
            let piece = Array(bytes[place..<min(bytes.count, place + 1 + number(below: 256))])
            bytes.insert(contentsOf: piece, at: position(in: bytes))
        case 7:
            bytes.insert(
                contentsOf: (0..<1 + number(below: 32)).map { _ in UInt8(number(below: 256)) },
                at: place)
        case 8 where !other.isEmpty:
            let start = position(in: other)
            let piece = Array(other[start..<min(other.count, start + 1 + number(below: 512))])
            overwrite(&bytes, at: place, with: piece)
        case 9: overwrite(&bytes, at: place, with: choice(of: words))
        case 10, 11: bytes.insert(contentsOf: choice(of: words), at: place)
        default: swapPieces(&bytes, place, position(in: bytes))
        }
    }

    /// A place in bytes: in two of three cases among the first 400.
    private mutating func position(in bytes: [UInt8]) -> Int {
        number(below: number(below: 3) > 0 ? min(bytes.count, 400) : bytes.count)
    }

    private func overwrite(_ bytes: inout [UInt8], at place: Int, with piece: [UInt8]) {
        for (offset, byte) in piece.enumerated() where place + offset < bytes.count {
            bytes[place + offset] = byte
        }
    }

    private mutating func swapPieces(_ bytes: inout [UInt8], _ one: Int, _ two: Int) {
        for offset in 0..<1 + number(below: 16)
        where one + offset < bytes.count && two + offset < bytes.count {
            bytes.swapAt(one + offset, two + offset)
        }
    }

    /// The bytes of a number at the edge of some type, in either byte order.
    private mutating func interestingNumber() -> [UInt8] {
        let integers: [UInt64] = [
            0, 1, 2, 3, 7, 8, 16, 127, 128, 255, 256, 348, 540, 32767, 32768, 65535, 65536,
            0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000, 0x7fff_ffff_ffff_ffff,
            0x8000_0000_0000_0000, 0xffff_ffff_ffff_ffff,
        ]
        let floats: [Float] = [
            .nan, .infinity, -.infinity, 1e38, -1, .leastNonzeroMagnitude, 0.5, 352, 1e18,
        ]
        let bits: UInt64
        var width: Int
        switch number(below: 4) {
        case 0:
            bits = UInt64(choice(of: floats).bitPattern)
            width = 4
        case 1:
            bits = Double(choice(of: floats)).bitPattern
            width = 8
        default:
            bits = choice(of: integers)
            width = choice(of: [1, 2, 4, 8])
        }
        let bytes = (0..<width).map { UInt8(truncatingIfNeeded: bits >> (8 * UInt64($0))) }
        return number(below: 2) == 0 ? bytes : bytes.reversed()
    }
}
