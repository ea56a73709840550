import Files
public import Foundation

/// One of several parts of the scans, for as many processes.
public struct Shard: Sendable, Codable, Hashable, CustomStringConvertible {
    /// Its number, counted from 1.
    public var number: Int
    /// The count.
    public var count: Int

    /// Makes a part, or `nil` where there is no such one.
    public init?(number: Int, count: Int) {
        guard count >= 1, (1...count).contains(number) else { return nil }
        self.number = number
        self.count = count
    }

    /// Reads a part as a command line has it.
    ///
    /// - Parameters:
    ///   - text: `2/8`, or `auto` for the task of an array job of Slurm or Grid Engine.
    ///   - environment: The environment of an array job.
    /// - Throws: ``UsageError`` where it is another text or there is no array job.
    public init(
        parsing text: String,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(UsageError) {
        if text == "auto" {
            self = try Self.ofArrayJob(environment)
            return
        }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let number = parts[0], let count = parts[1],
            let shard = Shard(number: number, count: count)
        else {
            throw UsageError(
                "--shard must be such as 2/8, counted from 1, or auto in an array job, not "
                    + "'\(text)'")
        }
        self = shard
    }

    /// The part of a task of an array job, whichever number its tasks begin with.
    private static func ofArrayJob(
        _ environment: [String: String]
    ) throws(UsageError) -> Shard {
        for (task, first, last, step) in [
            (
                "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX",
                "SLURM_ARRAY_TASK_STEP"
            ),
            ("SGE_TASK_ID", "SGE_TASK_FIRST", "SGE_TASK_LAST", "SGE_TASK_STEPSIZE"),
        ] {
            // Grid Engine sets 'undefined' in jobs that are none of an array.
            guard let task = environment[task].flatMap({ Int($0) }) else { continue }
            guard let first = environment[first].flatMap({ Int($0) }),
                let last = environment[last].flatMap({ Int($0) }), first <= task, task <= last
            else {
                throw UsageError(
                    "the array job's first and last task are not told by \(first) and \(last); "
                        + "write --shard i/n")
            }
            let step = max(1, environment[step].flatMap { Int($0) } ?? 1)
            // Slurm counts the tasks that it runs; numbers may be left out of a list.
            let count = (last - first) / step + 1
            if let told = environment["SLURM_ARRAY_TASK_COUNT"].flatMap({ Int($0) }),
                environment["SLURM_ARRAY_TASK_ID"] != nil, told != count
            {
                throw UsageError(
                    "the array job runs \(told) of the tasks \(first) to \(last), so that parts "
                        + "would be missing; submit a whole range, or write --shard i/n")
            }
            if let shard = Shard(number: (task - first) / step + 1, count: count) { return shard }
        }
        throw UsageError(
            "--shard auto needs an array job of Slurm or Grid Engine; write --shard i/n elsewhere")
    }

    /// Such as `2/8`.
    public var description: String { "\(number)/\(count)" }

    /// The suffix of its ledger's and lock's names: `-2-of-8`.
    var suffix: String { "-\(number)-of-\(count)" }

    /// The part of a ledger's name, or `nil` where it is that of a whole run.
    init?(ledgerName name: String) {
        guard let match = name.wholeMatch(of: /ledger-([0-9]+)-of-([0-9]+)\.sqlite/),
            let number = Int(match.1), let count = Int(match.2)
        else { return nil }
        self.init(number: number, count: count)
    }

    /// Returns whether a scan is in this part.
    ///
    /// Its name alone decides, so that a scan stays in its part when others come or go.
    ///
    /// - Parameter name: The name of the scan's outputs.
    /// - Returns: Whether it is.
    public func contains(_ name: String) -> Bool {
        let start = sha256(Data(name.utf8)).prefix(15)
        return (UInt64(start, radix: 16) ?? 0) % UInt64(count) == UInt64(number - 1)
    }
}
