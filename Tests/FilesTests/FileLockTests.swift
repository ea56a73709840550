import Files
import Foundation
import TestSupport
import Testing

struct FileLockTests {
    @Test func `a lock that is held is refused with its holder, and free after its release`() throws
    {
        try withTemporaryDirectory { folder in
            let path = folder + "/lock"
            let first = try FileLock(at: path, command: "first command")
            let held = try #require(throws: FileLock.Held.self) {
                try FileLock(at: path, command: "second")
            }
            #expect(held.path == path)
            #expect(held.holder?.command == "first command")
            #expect(held.holder?.process == getpid())
            #expect(FileLock.currentHolder(at: path)?.command == "first command")
            first.release()
            #expect(!FileManager.default.fileExists(atPath: path))
            #expect(FileLock.currentHolder(at: path) == nil)
            let second = try FileLock(at: path, command: "second")
            #expect(FileLock.currentHolder(at: path)?.command == "second")
            second.release()
        }
    }

    @Test func `shared locks go together and keep an exclusive one out`() throws {
        try withTemporaryDirectory { folder in
            let path = folder + "/lock"
            let first = try FileLock(at: path, mode: .shared, command: "a")
            let second = try FileLock(at: path, mode: .shared, command: "b")
            #expect(throws: FileLock.Held.self) { try FileLock(at: path, command: "c") }
            first.release()
            // The file stays while somebody holds it.
            #expect(FileManager.default.fileExists(atPath: path))
            #expect(throws: FileLock.Held.self) { try FileLock(at: path, command: "c") }
            second.release()
            try FileLock(at: path, command: "c").release()
        }
    }

    @Test func `a lock ends with its process`() async throws {
        try await withTemporaryDirectory { folder in
            let path = folder + "/lock"
            await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
                let lock = try FileLock(at: path, command: "killed")
                kill(getpid(), SIGKILL)
                lock.release()
            }
            #expect(FileManager.default.fileExists(atPath: path))
            #expect(FileLock.currentHolder(at: path) == nil)
            try FileLock(at: path, command: "next").release()
        }
    }
}

struct FileStampTests {
    @Test func `a stamp changes with a file's size or time, and a missing file has none`() throws {
        try withTemporaryDirectory { folder in
            let path = folder + "/a"
            try writeAtomically("12345", to: path)
            let stamp = try #require(FileStamp(ofFileAt: path))
            #expect(stamp.bytes == 5)
            #expect(FileStamp(ofFileAt: path) == stamp)
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSince1970: 1000)], ofItemAtPath: path)
            #expect(FileStamp(ofFileAt: path) != stamp)
            #expect(FileStamp(ofFileAt: path)?.modifiedNanoseconds == 1_000_000_000_000)
            #expect(FileStamp(ofFilesAt: [path, folder + "/b"]) == nil)
        }
    }
}
