import Files
import Foundation
import Parallel

/// The state of a run, finished or not, as the ledgers of its output folder tell it.
public struct RunStatus: Sendable, Codable, Hashable {
    /// A scan with the seconds that it took.
    public struct TimedScan: Sendable, Codable, Hashable {
        /// Its name.
        public var name: String
        /// Its seconds.
        public var seconds: Double
    }

    /// The scans that failed for one kind of reason.
    public struct ErrorGroup: Sendable, Codable, Hashable {
        /// The kind, such as `volume.truncated`.
        public var code: String
        /// The sentence of the first.
        public var reason: String
        /// All of them.
        public var scans: [String]
    }

    /// The output folder.
    public var output: String
    /// The model's name.
    public var model: String
    /// The shards that are there, such as `2/8`, and how many there should be; empty without shards.
    public var shards: [String]
    /// The shards that have not begun.
    public var missingShards: [String]
    /// The processes that write now.
    public var processes: [String]
    /// All scans of the run.
    public var scans: Int
    /// The number of scans with labels, including those finished before or edited by a user.
    public var done: Int
    /// The number of scans whose label maps a user has edited.
    public var edited: Int
    /// The number of failed scans.
    public var failed: Int
    /// The scans in progress.
    public var running: [String]
    /// The number of pending scans.
    public var left: Int
    /// Scans that were segmented in an hour, or `nil` before the first one.
    public var scansPerHour: Double?
    /// The seconds that are left at this pace, or `nil` where that is not known or nothing is left.
    public var secondsLeft: Double?
    /// The five scans that took longest.
    public var slowest: [TimedScan]
    /// The failures by their kind, the most frequent first.
    public var errors: [ErrorGroup]
    /// The problems found by an audit; `nil` without an audit.
    public var problems: [String]?

    /// Reads the state of a run.
    ///
    /// - Parameters:
    ///   - output: The output folder.
    ///   - audits: Whether every output file is read and compared with the ledger.
    /// - Throws: ``UsageError`` where there is no ledger; ``OutputError``.
    public init(of output: String, audits: Bool = false) throws {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: output)) ?? []
        let found = names.compactMap(Shard.init(ledgerName:)).sorted { $0.number < $1.number }
        var ledgers: [(shard: Shard?, ledger: Ledger)] = try found.map {
            ($0, try Ledger(reading: joined(output, Ledger.fileName(shard: $0))))
        }
        if ledgers.isEmpty {
            let parts = participantLedgers(in: output).map { joined(output, $0) }
            let path = joined(output, Ledger.fileName())
            guard isRegularFile(path) || !parts.isEmpty else {
                throw UsageError(
                    "'\(output)' holds no ledger; name the output folder of a run, or repeat a run "
                        + "of an older version, whose results are taken over", code: .output)
            }
            ledgers = try (parts + (isRegularFile(path) ? [path] : [])).map {
                (nil, try Ledger(reading: $0))
            }
        }
        let runs = try ledgers.compactMap { try $0.ledger.lastRun() }
        // A participant may stand in several ledgers: what was done counts.
        var all: [LedgerScan] = []
        var positions: [String: Int] = [:]
        for scan in try ledgers.flatMap({ try $0.ledger.states() }) {
            if let known = positions[scan.scan.outputName] {
                if scan.isDone { all[known] = scan }
            } else {
                positions[scan.scan.outputName] = all.count
                all.append(scan)
            }
        }
        self.output = output
        model = runs.first?.modelName ?? ""
        shards = found.map(\.description)
        let present = Set(found.map(\.number))
        missingShards =
            found.first.map { first in
                (1...first.count).filter { !present.contains($0) }.map { "\($0)/\(first.count)" }
            } ?? []
        processes = ledgers.compactMap { entry in
            FileLock.currentHolder(
                at: entry.ledger.path.replacingOccurrences(of: ".sqlite", with: ".lock")
            )
            .map { "\($0.process) on \($0.host)" }
        }
        let isRunning = !processes.isEmpty
        // A shard that has not begun has no scans in a ledger, but the others know how many there are.
        scans = max(all.count, runs.map(\.scanCount).max() ?? 0)
        done = all.count { $0.isDone }
        edited = all.count { $0.isSettled && $0.state == .edited }
        failed = all.count { $0.isSettled && $0.state == .failed }
        running =
            isRunning
            ? all.filter { !$0.isSettled && [.running, .committing].contains($0.state) }
                .map(\.scan.outputName) : []
        left = scans - done - failed
        let segmented = all.filter { $0.isSettled && !$0.wasSkipped && $0.seconds != nil }
        slowest = segmented.sorted { ($0.seconds ?? 0) > ($1.seconds ?? 0) }.prefix(5)
            .map { TimedScan(name: $0.scan.outputName, seconds: $0.seconds ?? 0) }
        let failures = Dictionary(
            grouping: all.filter { $0.isSettled && $0.failure != nil },
            by: { $0.failure?.code ?? "other" })
        errors = failures.map { code, group in
            ErrorGroup(
                code: code, reason: group[0].failure?.sentence ?? "",
                scans: group.map(\.scan.outputName))
        }.sorted { ($1.scans.count, $0.code) < ($0.scans.count, $1.code) }
        scansPerHour = Self.pace(of: segmented.count, runs: runs)
        secondsLeft = scansPerHour.flatMap { pace in
            left > 0 && pace > 0 ? Double(left) / pace * 3600 : nil
        }
        if audits { problems = try Self.audit(ledgers.map(\.ledger), all, output: output) }
        if audits, !missingShards.isEmpty {
            problems?.append("the shards \(listed(missingShards)) have not begun")
        }
        if audits, done + failed + left != scans || left < 0 {
            problems?.append(
                "\(scans) scans are not \(done) done + \(failed) failed + \(left) left")
        }
    }

    /// Scans in an hour, by the time from the first run's beginning to the last end, or until now.
    private static func pace(of count: Int, runs: [LedgerRun]) -> Double? {
        let starts = runs.compactMap { try? Date($0.started, strategy: .iso8601) }
        guard count > 0, let start = starts.min() else { return nil }
        let ends = runs.map { $0.ended.flatMap { try? Date($0, strategy: .iso8601) } ?? Date() }
        let seconds = max(1, (ends.max() ?? Date()).timeIntervalSince(start))
        return Double(count) / seconds * 3600
    }

    /// Reads every output file.
    private static func audit(
        _ ledgers: [Ledger], _ scans: [LedgerScan], output: String
    ) throws -> [String] {
        var problems: [String] = []
        let files = try ledgers.map { try $0.outputs() }
            .reduce(into: [:]) { $0.merge($1) { first, _ in first } }
        let done = scans.filter { $0.isDone }
        for scan in done where files[scan.scan.outputName]?.isEmpty ?? true {
            problems.append("\(scan.scan.outputName) is done and has no file in the ledger")
        }
        let all = done.flatMap { files[$0.scan.outputName] ?? [] }
        let found = concurrentMap(count: all.count) { number -> String? in
            let path = joined(output, all[number].path)
            guard let hash = contentHash(ofFileAt: path) else {
                return "'\(all[number].path)' is missing or cannot be read"
            }
            return hash == all[number].sha256 ? nil : "'\(all[number].path)' has changed"
        }
        return problems + found.compactMap(\.self)
    }

    /// The state in JSON.
    public var json: String {
        get throws { try jsonText(self) }
    }

    /// The state as text for a terminal.
    public var text: String {
        var lines = ["\(output): \(scans) \(scans == 1 ? "scan" : "scans") by \(model)"]
        var counts =
            "  \(done) done, \(failed) failed, \(running.count) running, "
            + "\(left - running.count) left"
        if edited > 0 { counts += " (\(edited) edited and kept)" }
        lines.append(counts)
        if !shards.isEmpty {
            lines.append("  shards: " + listed(shards))
            if !missingShards.isEmpty {
                lines.append("  shards that have not begun: " + listed(missingShards))
            }
        }
        if !processes.isEmpty { lines.append("  written by process " + listed(processes)) }
        if !running.isEmpty { lines.append("  now: " + listed(running)) }
        if let scansPerHour {
            var pace = "  \(decimals(scansPerHour, 1)) scans an hour"
            if let secondsLeft, !processes.isEmpty {
                let minutes = Int((secondsLeft / 60).rounded(.up))
                pace += ", \(minutes / 60) h \(minutes % 60) min left"
            }
            lines.append(pace)
        }
        if !slowest.isEmpty {
            lines.append(
                "  slowest: "
                    + slowest.map { "\($0.name) \(decimals($0.seconds, 1)) s" }
                    .joined(separator: ", "))
        }
        for group in errors {
            lines.append("  \(group.scans.count) x \(group.code): " + listed(group.scans))
            lines.append("      \(group.reason)")
        }
        if let problems {
            lines.append(
                problems.isEmpty
                    ? "  audit: \(scans) = \(done) done + \(failed) failed + \(left) left; every "
                        + "output is whole"
                    : "  audit: \(problems.count) problems")
            lines += problems.map { "    " + $0 }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
