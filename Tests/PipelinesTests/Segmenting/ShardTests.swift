import Pipelines
import Testing

struct ShardTests {
    @Test(arguments: [1, 2, 7, 100])
    func `shards are disjoint, complete and not far from even`(count: Int) throws {
        let names = (0..<2000).map { "sub-\($0)/anat/sub-\($0)" }
        let shards = try (1...count).map { try #require(Shard(number: $0, count: count)) }
        for name in names { #expect(shards.count { $0.contains(name) } == 1, "\(name)") }
        let sizes = shards.map { shard in names.count { shard.contains($0) } }
        // Binomial: five standard deviations.
        let mean = Double(names.count) / Double(count)
        for size in sizes { #expect(abs(Double(size) - mean) <= 5 * mean.squareRoot() + 1) }
    }

    /// The first 60 bits of SHA-256 modulo 8, by Python's hashlib: a shard is a promise to runs
    /// that were begun with another version.
    @Test(arguments: [("a", 5), ("b", 5), ("sub-01/anat/sub-01", 6)])
    func `a scan's shard follows from its name alone`(name: String, number: Int) throws {
        #expect((1...8).filter { Shard(number: $0, count: 8)?.contains(name) == true } == [number])
    }

    @Test(
        arguments: [
            ("2/8", [:], "2/8"), ("1/1", [:], "1/1"),
            (
                "auto",
                [
                    "SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_MIN": "0",
                    "SLURM_ARRAY_TASK_MAX": "3", "SLURM_ARRAY_TASK_COUNT": "4",
                    "SLURM_ARRAY_TASK_STEP": "1",
                ], "1/4"
            ),
            (
                "auto",
                [
                    "SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_TASK_MIN": "1",
                    "SLURM_ARRAY_TASK_MAX": "4", "SLURM_ARRAY_TASK_COUNT": "4",
                ], "4/4"
            ),
            (
                "auto",
                [
                    "SGE_TASK_ID": "5", "SGE_TASK_FIRST": "1", "SGE_TASK_LAST": "9",
                    "SGE_TASK_STEPSIZE": "2",
                ],
                "3/5"
            ),
        ] as [(String, [String: String], String)])
    func `a shard is read from its text or from the array job`(
        text: String, environment: [String: String], shard: String
    ) throws {
        #expect(try Shard(parsing: text, environment: environment).description == shard)
    }

    @Test(
        arguments: [
            ("0/8", [:], "counted from 1"), ("9/8", [:], "counted from 1"),
            ("2", [:], "such as 2/8"),
            ("a/b", [:], "such as 2/8"), ("1/0", [:], "such as 2/8"),
            ("auto", [:], "needs an array job"),
            ("auto", ["SGE_TASK_ID": "undefined"], "needs an array"),
            ("auto", ["SLURM_ARRAY_TASK_ID": "3"], "write --shard i/n"),
            (
                "auto",
                [
                    "SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_MIN": "3",
                    "SLURM_ARRAY_TASK_MAX": "7", "SLURM_ARRAY_TASK_COUNT": "2",
                ], "parts would be missing"
            ),
        ] as [(String, [String: String], String)])
    func `another text is refused`(text: String, environment: [String: String], says: String) {
        let error = #expect(throws: UsageError.self) {
            try Shard(parsing: text, environment: environment)
        }
        #expect(error?.description.contains(says) == true, "\(error?.description ?? "")")
    }
}
