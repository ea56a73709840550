import Files
import Foundation
import SQLite
import TestSupport
import Testing

/// The database of these tests, with one row of each kind of value.
private func database(at path: String) throws -> SQLiteDatabase {
    let database = try SQLiteDatabase(path: path, patienceSeconds: 0.05)
    try database.write { connection in
        try connection.run(
            script: """
                CREATE TABLE scan (name TEXT PRIMARY KEY, voxels INTEGER, seconds REAL);
                CREATE TABLE output (scan TEXT NOT NULL REFERENCES scan ON DELETE CASCADE, path TEXT);
                """)
        try connection.execute(
            "INSERT INTO scan VALUES (?, ?, ?)", ["sub-01 d'Æ\u{1F9E0}", Int64.min, 0.1])
        try connection.execute("INSERT INTO scan VALUES (?, ?, ?)", ["sub-02", nil, nil])
        try connection.execute("INSERT INTO output VALUES (?, ?)", ["sub-02", "a.nii.gz"])
    }
    return database
}

struct SQLiteDatabaseTests {
    @Test func `values are stored as another program reads them`() throws {
        try withTemporaryDirectory { folder in
            let path = folder + "/a.sqlite"
            _ = try database(at: path)
            let read = """
                import sqlite3, sys
                for row in sqlite3.connect(sys.argv[1]).execute("SELECT * FROM scan ORDER BY name"):
                    print(ascii(row))
                """
            let printed = try runProgram("/usr/bin/python3", ["-c", read, path])
            #expect(
                printed.output == #"""
                    ("sub-01 d'\xc6\U0001f9e0", -9223372036854775808, 0.1)
                    ('sub-02', None, None)

                    """#)
        }
    }

    @Test func `rows have the stored values`() throws {
        try withTemporaryDirectory { folder in
            let rows = try database(at: folder + "/a.sqlite").read {
                try $0.rows("SELECT * FROM scan WHERE name > ? ORDER BY name", ["sub"])
            }
            #expect(rows.count == 2)
            #expect(rows[0].columnNames == ["name", "voxels", "seconds"])
            #expect(rows[0]["name"] == .text("sub-01 d'Æ\u{1F9E0}"))
            #expect(rows[0]["voxels"] == .integer(.min))
            #expect(rows[0]["seconds"] == .real(0.1))
            #expect(rows[1]["voxels"] == .null)
            let missing: Int? = rows[1]["voxels"]
            #expect(missing == nil)
            let number: Int64 = try rows[0].value("voxels")
            #expect(number == .min)
            let error = #expect(throws: SQLiteError.self) {
                let _: String = try rows[0].value("seconds")
            }
            #expect(error?.message == "0.1 stands in its column 'seconds'")
        }
    }

    @Test func `a write that fails changes nothing`() throws {
        try withTemporaryDirectory { folder in
            let database = try database(at: folder + "/a.sqlite")
            let error = #expect(throws: SQLiteError.self) {
                try database.write {
                    try $0.execute("INSERT INTO scan (name) VALUES (?)", ["sub-03"])
                    try $0.execute("INSERT INTO scan (name) VALUES (?)", ["sub-02"])
                }
            }
            // SQLITE_CONSTRAINT_PRIMARYKEY, https://sqlite.org/rescode.html#constraint_primarykey
            #expect(error?.number == 1555)
            #expect(error?.code == .other)
            #expect(error?.message.contains("UNIQUE constraint failed: scan.name") == true)
            #expect(try names(in: database) == ["sub-01 d'Æ\u{1F9E0}", "sub-02"])
        }
    }

    @Test func `an error of the caller undoes too`() throws {
        struct Stop: Error {}
        try withTemporaryDirectory { folder in
            let database = try database(at: folder + "/a.sqlite")
            #expect(throws: Stop.self) {
                try database.write {
                    try $0.execute("DELETE FROM scan")
                    throw Stop()
                }
            }
            #expect(try names(in: database).count == 2)
        }
    }

    @Test func `rows that refer to a row go with it`() throws {
        try withTemporaryDirectory { folder in
            let database = try database(at: folder + "/a.sqlite")
            try database.write { try $0.execute("DELETE FROM scan WHERE name = ?", ["sub-02"]) }
            #expect(try database.read { try $0.rows("SELECT * FROM output") }.isEmpty)
        }
    }

    @Test func `a writer waits for another no longer than its patience`() throws {
        try withTemporaryDirectory { folder in
            let path = folder + "/a.sqlite"
            let first = try database(at: path)
            let second = try SQLiteDatabase(path: path, patienceSeconds: 0.05)
            let code = try first.write { connection in
                try connection.execute("DELETE FROM output")
                let error = #expect(throws: SQLiteError.self) {
                    try second.write { try $0.execute("DELETE FROM scan") }
                }
                return error?.code
            }
            #expect(code == .busy)
            try second.write { try $0.execute("DELETE FROM scan") }
            #expect(try names(in: first).isEmpty)
        }
    }

    @Test func `a reader writes nothing and makes no file`() throws {
        try withTemporaryDirectory { folder in
            let path = folder + "/a.sqlite"
            let missing = #expect(throws: SQLiteError.self) {
                try SQLiteDatabase(path: path, isReadOnly: true, patienceSeconds: 0)
            }
            #expect(missing?.code == .cannotOpen)
            #expect(!FileManager.default.fileExists(atPath: path))
            _ = try database(at: path)
            let reader = try SQLiteDatabase(path: path, isReadOnly: true, patienceSeconds: 0)
            let error = #expect(throws: SQLiteError.self) {
                try reader.write { try $0.execute("DELETE FROM scan") }
            }
            #expect(error?.code == .readOnly)
            #expect(try names(in: reader).count == 2)
        }
    }

    @Test func `a file that is no database is said`() throws {
        try withTemporaryDirectory { folder in
            let path = folder + "/a.sqlite"
            try String(repeating: "no database ", count: 100).write(
                toFile: path, atomically: true, encoding: .utf8)
            let database = try SQLiteDatabase(path: path, patienceSeconds: 0)
            let error = #expect(throws: SQLiteError.self) { try names(in: database) }
            #expect(error?.code == .damaged)
            #expect(error?.description == "file is not a database (SQLite error 26)")
        }
    }

    private func names(in database: SQLiteDatabase) throws -> [String] {
        try database.read {
            try $0.rows("SELECT name FROM scan ORDER BY name").map { try $0.value("name") }
        }
    }
}
