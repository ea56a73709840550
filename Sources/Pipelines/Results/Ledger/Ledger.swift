import Dispatch
import Files
import Foundation
import SQLite
import Synchronization

/// The record of all scans of an output folder: a SQLite file beside the results.
///
/// It has a row for each run, for each scan and for each file of a scan. Every step is a transaction,
/// so that a process may be killed at any moment. SQLite's write-ahead log stays off, as it does not
/// work on network file systems.
final class Ledger: ResultStore {
    /// The ledger's file.
    let path: String
    private let database: SQLiteDatabase
    /// The run that this process writes, or 0 where it only reads.
    private let run: Int64
    /// Its model and its options as rows have them.
    private let made: (model: String, options: String)?
    /// A Boolean value indicating whether nothing was ever written to it.
    private let isEmpty: Bool
    /// Another store that is asked for scans without a row.
    private let fallback: (any ResultStore)?
    /// Scans that were found done and are as the ledger knows them, not yet noted.
    private let unchanged = Mutex<[String]>([])

    /// The name of a ledger's file.
    static func fileName(shard: Shard? = nil) -> String { fileName(part: shard?.suffix ?? "") }

    /// The name of the file of a part.
    static func fileName(part suffix: String) -> String { "ledger\(suffix).sqlite" }

    /// Opens a ledger to read it.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - fallback: A store that is asked for scans that the ledger does not know.
    /// - Throws: ``OutputError`` where it is none or of a later version.
    init(reading path: String, fallback: (any ResultStore)? = nil) throws {
        self.path = path
        run = 0
        made = nil
        self.fallback = fallback
        do {
            // What a process that was killed has begun is undone by the next one that opens the file,
            // which must be able to write for that.
            let isReadOnly = !pathExists(path + "-journal") || access(path, W_OK) != 0
            database = try SQLiteDatabase(
                path: path, isReadOnly: isReadOnly, patienceSeconds: 10)
            // A process that was killed while it made the file has left it empty.
            isEmpty = try database.read { try Self.checkVersion($0, path: path) == 0 }
        } catch let error as SQLiteError {
            throw ledgerError(error, path)
        }
    }

    /// Opens a ledger to write a run, and makes it where it is missing.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - record: The run.
    ///   - scans: All its scans.
    ///   - fallback: A store that is asked for scans that the ledger does not know.
    /// - Throws: ``OutputError``; `FileWriteError` where it cannot be written.
    init(
        writing path: String, run record: LedgerRun, scans: [ScanFile],
        fallback: any ResultStore
    ) throws {
        self.path = path
        self.fallback = fallback
        made = (record.modelIdentity, try encodedForLedger(record.options))
        isEmpty = false
        let isNew = !pathExists(path)
        do {
            database = try SQLiteDatabase(path: path, patienceSeconds: 30)
            try database.withConnection {
                try $0.run(script: "PRAGMA journal_mode = DELETE; PRAGMA synchronous = NORMAL")
            }
            run = try database.write { database in
                _ = try Self.checkVersion(database, path: path)
                try database.run(script: Self.schema)
                // Ledgers were made without it at first.
                let columns: [String] = try database.rows("PRAGMA table_info(scan)").map {
                    try $0.value("name")
                }
                if !columns.contains("committed_record") {
                    try database.execute("ALTER TABLE scan ADD COLUMN committed_record TEXT")
                }
                return try Self.insert(record, scans, into: database)
            }
        } catch let error as SQLiteError {
            if isNew { for ending in ["", "-journal"] { _ = unlink(path + ending) } }
            throw isFull(error) ? writeError(error, path) : ledgerError(error, path)
        }
    }

    private static let version = 1

    private static let schema = """
        PRAGMA user_version = \(version);
        CREATE TABLE IF NOT EXISTS run (
            id INTEGER PRIMARY KEY, started TEXT NOT NULL, ended TEXT, seconds REAL,
            host TEXT NOT NULL, process INTEGER NOT NULL, record TEXT NOT NULL);
        CREATE TABLE IF NOT EXISTS scan (
            name TEXT PRIMARY KEY, path TEXT NOT NULL, scan_file TEXT NOT NULL,
            position INTEGER NOT NULL, run INTEGER NOT NULL REFERENCES run, settled INTEGER,
            state TEXT NOT NULL, status TEXT, input_sha256 TEXT, input TEXT, model TEXT, options TEXT,
            own_labels TEXT, started TEXT, ended TEXT, seconds REAL, peak_memory_bytes INTEGER,
            result TEXT, stage TEXT, code TEXT, reason TEXT, next_step TEXT,
            committed_record TEXT) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS scan_of_run ON scan (run, position);
        CREATE TABLE IF NOT EXISTS output (
            scan TEXT NOT NULL REFERENCES scan ON DELETE CASCADE, path TEXT NOT NULL,
            sha256 TEXT NOT NULL, bytes INTEGER, modified_ns INTEGER,
            PRIMARY KEY (scan, path)) WITHOUT ROWID;
        """

    private static func checkVersion(
        _ database: borrowing SQLiteConnection, path: String
    ) throws -> Int {
        let found: Int = try database.rows("PRAGMA user_version").first?.value("user_version") ?? 0
        guard found <= version else {
            throw OutputError(
                code: .unreadableLedger, path: path,
                description: "'\(path)' is of a later version of SliceSeg; use that version, or "
                    + "another output folder.")
        }
        return found
    }

    private static func insert(
        _ record: LedgerRun, _ scans: [ScanFile], into database: borrowing SQLiteConnection
    ) throws -> Int64 {
        try database.execute(
            "INSERT INTO run (started, host, process, record) VALUES (?, ?, ?, ?)",
            [record.started, record.host, record.process, try encodedForLedger(record)])
        let run = database.lastInsertedRow
        for (scan, position) in zip(scans, record.positions ?? Array(scans.indices)) {
            try database.execute(
                """
                INSERT INTO scan (name, path, scan_file, position, run, state)
                VALUES (?, ?, ?, ?, ?, 'waiting')
                ON CONFLICT (name) DO UPDATE SET path = excluded.path, scan_file = excluded.scan_file,
                    position = excluded.position, run = excluded.run
                """,
                [scan.outputName, scan.path, try encodedForLedger(scan), position, run])
        }
        return run
    }

    // MARK: - A scan

    func stored(_ scan: ScanFile) throws -> StoredResult? {
        guard !isEmpty else { return try fallback?.stored(scan) }
        let found = try reading { try Self.stored(scan.outputName, in: $0) }
        if let found, found.state == .committing, let committed = try committedResult(of: scan) {
            var result = committed
            result.failure = found.failure
            return result
        }
        if let found, !found.ownLabels.isEmpty { return found }
        guard var earlier = try fallback?.stored(scan) else { return found }
        // The failure is this ledger's, the files are the other's.
        earlier.failure = found?.failure
        return earlier
    }

    /// The result of a scan whose files all have their final names although the process ended before
    /// it could say so: the record beside the label map, which comes last, is the one announced.
    private func committedResult(of scan: ScanFile) throws -> StoredResult? {
        let announced: String? = try reading { database in
            try database.rows(
                "SELECT committed_record FROM scan WHERE name = ?", [scan.outputName]
            ).first?["committed_record"]
        }
        let output = (path as NSString).deletingLastPathComponent
        guard let announced,
            contentHash(ofFileAt: ScanOutputs(of: scan, in: output).provenance) == announced
        else { return nil }
        return try SidecarStore(output: output).stored(scan)
    }

    private static func stored(
        _ name: String, in database: borrowing SQLiteConnection
    ) throws -> StoredResult? {
        guard let row = try database.rows("SELECT * FROM scan WHERE name = ?", [name]).first
        else { return nil }
        var stored = StoredResult(state: try StoredResult.State(row))
        stored.input = decodedFromLedger(row["input"])
        stored.modelIdentity = row["model"]
        stored.options = decodedFromLedger(row["options"])
        stored.result = decodedFromLedger(row["result"])
        stored.ownLabels = decodedFromLedger(row["own_labels"]) ?? []
        stored.failure = failure(row)
        stored.outputs = try database.rows(
            "SELECT * FROM output WHERE scan = ? ORDER BY path", [name]
        ).map(outputFile)
        return stored
    }

    private static func failure(_ row: SQLiteRow) -> FailureReason? {
        guard let reason: String = row["reason"] else { return nil }
        let stage: String? = row["stage"]
        return FailureReason(
            stage: stage.flatMap(ScanStage.init(name:)), code: row["code"] ?? "other",
            problem: reason, nextStep: row["next_step"])
    }

    private static func outputFile(_ row: SQLiteRow) throws -> OutputFile {
        let bytes: Int64? = row["bytes"]
        let modified: Int64? = row["modified_ns"]
        var stamp: FileStamp?
        if let bytes, let modified {
            stamp = FileStamp(bytes: bytes, modifiedNanoseconds: modified)
        }
        return OutputFile(
            path: try row.value("path"), sha256: try row.value("sha256"), stamp: stamp)
    }

    func begin(_ scan: ScanFile, input: InputIdentity) throws {
        try writing { database in
            try database.execute(
                """
                UPDATE scan SET state = 'running', started = ?, ended = NULL, settled = NULL
                WHERE name = ?
                """, [timestamp(Date()), scan.outputName])
        }
    }

    func willCommit(_ scan: ScanFile, _ files: [OutputFile]) throws {
        let labels = files.first { $0.path.hasSuffix("_dseg.nii.gz") }?.sha256
        let record = files.first { $0.path.hasSuffix("_dseg.json") }?.sha256
        try writing { database in
            let row = try database.rows(
                "SELECT own_labels FROM scan WHERE name = ?", [scan.outputName]
            ).first
            var own: Set<String> = decodedFromLedger(row?["own_labels"]) ?? []
            if own.isEmpty, let earlier = try self.fallback?.stored(scan) {
                own = earlier.ownLabels
            }
            if let labels { own.insert(labels) }
            try database.execute(
                """
                UPDATE scan SET state = 'committing', own_labels = ?, committed_record = ?
                WHERE name = ?
                """,
                [try encodedForLedger(own.sorted()), record, scan.outputName])
        }
    }

    func record(
        _ scan: ScanFile, _ outcome: ScanOutcome, input: InputIdentity?, files: [OutputFile]?
    ) throws {
        if case .earlier = outcome, input == nil, files == nil {
            // Many at a time: a transaction for each would take longer than the look at its files.
            // Where they are lost, the next run finds them done all the same.
            let count = unchanged.withLock { names in
                names.append(scan.outputName)
                return names.count
            }
            if count >= 256 { try noteUnchanged() }
            return
        }
        try writing { database in
            let name = scan.outputName
            switch outcome {
            case .failed(let reason):
                try database.execute(
                    """
                    UPDATE scan SET state = 'failed', status = 'failed', settled = ?, ended = ?, stage = ?,
                        code = ?, reason = ?, next_step = ? WHERE name = ?
                    """,
                    [
                        self.run, timestamp(Date()), reason.stage?.description, reason.code,
                        reason.problem, reason.nextStep, name,
                    ])
            case .segmented(let result), .earlier(let result), .edited(let result):
                var isEdited = false
                if case .edited = outcome { isEdited = true }
                try database.execute(
                    """
                    UPDATE scan SET state = ?, status = ?, settled = ?, result = ?, seconds = ?,
                        peak_memory_bytes = ?, stage = NULL, code = NULL, reason = NULL,
                        next_step = NULL WHERE name = ?
                    """,
                    [
                        isEdited ? "edited" : "done", outcome.status.rawValue, self.run,
                        try encodedForLedger(result), result.seconds, result.peakMemoryBytes, name,
                    ])
                if let input {
                    try database.execute(
                        """
                        UPDATE scan SET input_sha256 = ?, input = ?, model = ?, options = ?,
                            ended = ? WHERE name = ?
                        """,
                        [
                            input.sha256, try encodedForLedger(input), self.made?.model,
                            self.made?.options, timestamp(Date()), name,
                        ])
                }
                if let files {
                    try Self.replaceOutputs(of: name, isEdited: isEdited, files, database)
                }
            }
        }
    }

    private static func replaceOutputs(
        of name: String, isEdited: Bool, _ files: [OutputFile],
        _ database: borrowing SQLiteConnection
    ) throws {
        try database.execute("DELETE FROM output WHERE scan = ?", [name])
        for file in files {
            try database.execute(
                "INSERT INTO output VALUES (?, ?, ?, ?, ?)",
                [
                    name, file.path, file.sha256, file.stamp?.bytes,
                    file.stamp?.modifiedNanoseconds,
                ])
        }
        guard !isEdited else { return }
        let labels = files.filter { $0.path.hasSuffix("_dseg.nii.gz") }.map(\.sha256)
        try database.execute(
            "UPDATE scan SET own_labels = ? WHERE name = ?", [try encodedForLedger(labels), name])
    }

    private func noteUnchanged() throws {
        let names = unchanged.withLock { names in
            defer { names = [] }
            return names
        }
        guard !names.isEmpty else { return }
        try writing { database in
            for name in names {
                try database.execute(
                    "UPDATE scan SET settled = ?, status = 'skipped' WHERE name = ?",
                    [self.run, name])
            }
        }
    }

    /// Notes that the run has come to its end.
    func end(seconds: Double) throws {
        try noteUnchanged()
        try writing { database in
            try database.execute(
                "UPDATE run SET ended = ?, seconds = ? WHERE id = ?",
                [timestamp(Date()), rounded(seconds), self.run])
        }
    }

    /// Waits until no step is under way and lets none begin, for use before the process ends.
    ///
    /// - Parameter seconds: The longest wait; what is under way then is undone by the next run.
    func stop(within seconds: Double) {
        let isStopped = DispatchSemaphore(value: 0)
        Thread.detachNewThread { [database] in
            try? database.withConnection { _ in
                isStopped.signal()
                while true { pause() }
            }
        }
        _ = isStopped.wait(timeout: .now() + seconds)
    }

    // MARK: - The run

    /// The last run, or `nil` where there is none.
    func lastRun() throws -> LedgerRun? {
        if isEmpty { return nil }
        return try reading { database in
            guard
                let row = try database.rows("SELECT * FROM run ORDER BY id DESC LIMIT 1").first
            else { return nil }
            var run: LedgerRun? = decodedFromLedger(row["record"])
            run?.ended = row["ended"]
            run?.seconds = row["seconds"]
            return run
        }
    }

    /// The scans of the last run in their order, with their results.
    func scans() throws -> [LedgerScan] {
        try rows("*") { row, last in
            var scan = try LedgerScan(row, run: last)
            scan.scan = decodedFromLedger(row["scan_file"]) ?? scan.scan
            scan.result = decodedFromLedger(row["result"])
            scan.hasResult = scan.result != nil
            if scan.state == .failed { scan.failure = Self.failure(row) }
            return scan
        }
    }

    /// The same without results, which take long to read for many scans.
    func states() throws -> [LedgerScan] {
        // What stands behind a long result in a row is read for failures only.
        let columns = """
            name, path, position, settled, state, status, started, seconds, result IS NOT NULL AS found,
            iif(state = 'failed', stage, NULL) AS stage, iif(state = 'failed', code, NULL) AS code,
            iif(state = 'failed', reason, NULL) AS reason,
            iif(state = 'failed', next_step, NULL) AS next_step
            """
        return try rows(columns) { row, last in
            var scan = try LedgerScan(row, run: last)
            scan.hasResult = try row.value("found")
            scan.failure = Self.failure(row)
            return scan
        }
    }

    /// Some columns of the scans of the last run, and its number, as the body makes scans of them.
    private func rows(
        _ columns: String, _ body: (SQLiteRow, Int64) throws -> LedgerScan
    ) throws -> [LedgerScan] {
        if isEmpty { return [] }
        return try reading { database in
            let last: Int64 =
                try database.rows("SELECT max(id) AS last FROM run").first?["last"] ?? 0
            return try database.rows(
                "SELECT \(columns) FROM scan WHERE run = ? ORDER BY position", [last]
            ).map { try body($0, last) }
        }
    }

    /// The files of all scans of the last run, by the scan's name.
    func outputs() throws -> [String: [OutputFile]] {
        if isEmpty { return [:] }
        return try reading { database in
            let rows = try database.rows(
                """
                SELECT output.* FROM output JOIN scan ON scan.name = output.scan
                WHERE scan.run = (SELECT max(id) FROM run) ORDER BY output.path
                """)
            return try Dictionary(grouping: rows) { try $0.value("scan") }
                .mapValues { try $0.map(Self.outputFile) }
        }
    }

    /// Joins the scans of the last runs of shards' ledgers to one run of this ledger.
    func join(_ ledgers: [Ledger]) throws {
        try writing { database in
            for ledger in ledgers {
                let (rows, files) = try ledger.reading { other in
                    (
                        try other.rows("SELECT * FROM scan WHERE run = (SELECT max(id) FROM run)"),
                        try other.rows(
                            """
                            SELECT output.* FROM output JOIN scan ON scan.name = output.scan
                            WHERE scan.run = (SELECT max(id) FROM run)
                            """)
                    )
                }
                for row in rows {
                    let columns = row.columnNames.filter {
                        !["name", "run", "settled", "position"].contains($0)
                    }
                    let assignments = columns.map { "\($0) = ?" }.joined(separator: ", ")
                    try database.execute(
                        "UPDATE scan SET settled = ?, \(assignments) WHERE name = ?",
                        [self.run] + columns.map { row[$0] } + [row["name"]])
                    try database.execute("DELETE FROM output WHERE scan = ?", [row["name"]])
                }
                for file in files {
                    try database.execute(
                        "INSERT INTO output VALUES (?, ?, ?, ?, ?)",
                        ["scan", "path", "sha256", "bytes", "modified_ns"].map { file[$0] })
                }
            }
        }
    }

    // MARK: - Errors

    private func reading<Value: Sendable>(
        _ body: (borrowing SQLiteConnection) throws -> Value
    ) throws -> Value {
        do {
            return try database.read(body)
        } catch let error as SQLiteError {
            throw ledgerError(error, path)
        }
    }

    private func writing(_ body: (borrowing SQLiteConnection) throws -> Void) throws {
        do {
            try database.write(body)
        } catch let error as SQLiteError {
            throw writeError(error, path)
        }
    }
}
