import Datasets
import Testing

struct RandomNumbersTests {
    @Test func `gives the published stream of SplitMix64`() {
        // Seed and numbers as on <https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64>.
        var generator = SeededGenerator(seed: 1_234_567)
        let numbers = (0..<5).map { _ in generator.next() }
        #expect(
            numbers == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
                4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
            ])
    }

    @Test func `unit numbers fill 0 to 1 evenly`() {
        var generator = SeededGenerator(seed: 1)
        let numbers = (0..<100_000).map { _ in generator.unit() }
        #expect(numbers.allSatisfy { (0..<1).contains($0) })
        // The mean of 100,000 has a standard deviation of 0.0009.
        #expect(abs(mean(numbers) - 0.5) < 0.005)
    }

    @Test func `normal numbers have mean 0, deviation 1 and the normal's share within 1`() {
        var generator = SeededGenerator(seed: 2)
        let numbers = (0..<200_000).map { _ in generator.gaussian() }
        #expect(abs(mean(numbers)) < 0.01)
        #expect(abs(mean(numbers.map { $0 * $0 }) - 1) < 0.02)
        let within = Double(numbers.count { abs($0) < 1 }) / Double(numbers.count)
        #expect(abs(within - 0.6827) < 0.01)
    }

    @Test(arguments: [0, 0.25, 1])
    func `happens as often as its probability says`(probability: Double) {
        var generator = SeededGenerator(seed: 3)
        let count = (0..<100_000).count { _ in generator.happens(probability) }
        #expect(abs(Double(count) / 100_000 - probability) < 0.01)
    }

    private func mean(_ numbers: [Float]) -> Double {
        numbers.reduce(0.0) { $0 + Double($1) } / Double(numbers.count)
    }
}
