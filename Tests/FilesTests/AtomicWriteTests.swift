import Files
import Foundation
import TestSupport
import Testing

private struct Stopped: Error, Equatable {}

struct AtomicWriteTests {
    @Test func `a file is there in full and nothing else is`() throws {
        try withTemporaryDirectory { folder in
            try writeAtomically("Grüße\n", to: folder + "/a.txt")
            try writeAtomically([1, 2, 3], to: folder + "/b.bin")
            try writeAtomically(Data([4, 5]), to: folder + "/c.bin")
            try writeAtomically([UInt8](), to: folder + "/empty")
            #expect(try directoryListing(folder) == ["a.txt", "b.bin", "c.bin", "empty"])
            #expect(try String(contentsOfFile: folder + "/a.txt", encoding: .utf8) == "Grüße\n")
            #expect(try bytes(folder + "/b.bin") == [1, 2, 3])
            #expect(try bytes(folder + "/c.bin") == [4, 5])
            #expect(try bytes(folder + "/empty") == [])
        }
    }

    @Test func `while it is written, the old file stays and the new one is hidden`() throws {
        try withTemporaryDirectory { folder in
            let path = folder + "/scan_dseg.nii.gz"
            try writeAtomically("old", to: path)
            try writeAtomically(to: path) { temporaryPath in
                try Data("new".utf8).write(to: URL(filePath: temporaryPath))
                let names = try directoryListing(folder)
                #expect(names.count == 2)
                #expect(names[0].hasPrefix(".scan_dseg.nii.gz.") && names[0].hasSuffix(".tmp"))
                #expect(temporaryPath == folder + "/" + names[0])
                #expect(try bytes(path) == Array("old".utf8))
            }
            #expect(try bytes(path) == Array("new".utf8))
            #expect(try directoryListing(folder) == ["scan_dseg.nii.gz"])
        }
    }

    @Test func `where writing fails, the old file stays and nothing is left over`() throws {
        try withTemporaryDirectory { folder in
            let path = folder + "/a"
            try writeAtomically("old", to: path)
            #expect(throws: Stopped()) {
                try writeAtomically(to: path) { temporaryPath in
                    try Data("half".utf8).write(to: URL(filePath: temporaryPath))
                    throw Stopped()
                }
            }
            #expect(try bytes(path) == Array("old".utf8))
            #expect(try directoryListing(folder) == ["a"])
        }
    }

    /// In a process of its own: it removes the files of every writer in the process.
    @Test func `unfinished files can be removed from outside`() async {
        await #expect(processExitsWith: .success) {
            let folder = NSTemporaryDirectory() + "sliceseg-tests-" + UUID().uuidString
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
            var wasThere = false
            var wasRemoved = false
            do {
                try writeAtomically(to: folder + "/a") { temporaryPath in
                    wasThere = FileManager.default.fileExists(atPath: temporaryPath)
                    removeUnfinishedFiles()
                    wasRemoved = !FileManager.default.fileExists(atPath: temporaryPath)
                }
                exit(1)  // there was nothing left to rename
            } catch let error as FileWriteError {
                let isEmpty = try directoryListing(folder).isEmpty
                try FileManager.default.removeItem(atPath: folder)
                exit(wasThere && wasRemoved && isEmpty && error.errorNumber == ENOENT ? 0 : 2)
            }
        }
    }

    @Test func `a symbolic link stays one`() throws {
        try withTemporaryDirectory { folder in
            try writeAtomically("old", to: folder + "/real")
            try FileManager.default.createSymbolicLink(
                atPath: folder + "/link", withDestinationPath: "real")
            try writeAtomically("new", to: folder + "/link")
            #expect(try bytes(folder + "/real") == Array("new".utf8))
            #expect(
                try FileManager.default.destinationOfSymbolicLink(atPath: folder + "/link")
                    == "real")
        }
    }

    @Test func `a name may be as long as the file system allows`() throws {
        try withTemporaryDirectory { folder in
            let name = String(repeating: "ä", count: 127)  // 254 bytes
            try writeAtomically("x", to: folder + "/" + name)
            #expect(try directoryListing(folder).count == 1)
            let tooLong = folder + "/" + String(repeating: "a", count: 256)
            #expect(throws: FileWriteError(path: tooLong, errorNumber: ENAMETOOLONG)) {
                try writeAtomically("x", to: tooLong)
            }
            #expect(try directoryListing(folder).count == 1)
        }
    }

    @Test func `many writers at once do not disturb each other`() async throws {
        try await withTemporaryDirectory { folder in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<40 {
                    group.addTask {
                        try writeAtomically(
                            String(repeating: "\(number % 4)", count: 10_000),
                            to: folder + "/\(number % 4)")
                    }
                }
                try await group.waitForAll()
            }
            #expect(try directoryListing(folder) == ["0", "1", "2", "3"])
            for name in ["0", "1", "2", "3"] {
                let content = try String(contentsOfFile: folder + "/" + name, encoding: .utf8)
                #expect(content == String(repeating: name, count: 10_000))
            }
        }
    }
}

struct FileWriteErrorTests {
    @Test func `folders, devices and missing folders are refused by name`() throws {
        try withTemporaryDirectory { folder in
            #expect(throws: FileWriteError(path: folder, errorNumber: EISDIR)) {
                try writeAtomically("x", to: folder)
            }
            #expect(throws: FileWriteError(path: "/dev/null", errorNumber: EEXIST)) {
                try writeAtomically("x", to: "/dev/null")
            }
            #expect(throws: FileWriteError(path: folder + "/no/a", errorNumber: ENOENT)) {
                try writeAtomically("x", to: folder + "/no/a")
            }
            try writeAtomically("x", to: folder + "/file")
            #expect(throws: FileWriteError(path: folder + "/file/a", errorNumber: ENOTDIR)) {
                try writeAtomically("x", to: folder + "/file/a")
            }
        }
    }

    @Test(.enabled(if: geteuid() != 0, "root may write everywhere"))
    func `a folder without write permission is named`() throws {
        try withTemporaryDirectory { folder in
            try FileManager.default.setAttributes([.posixPermissions: 0o500], ofItemAtPath: folder)
            #expect(throws: FileWriteError(path: folder + "/a", errorNumber: EACCES)) {
                try writeAtomically("x", to: folder + "/a")
            }
        }
    }

    @Test func `a full disk is told`() {
        #expect(throws: FileWriteError(path: "out/scan.tsv", errorNumber: ENOSPC)) {
            try write([1, 2, 3], toFileAt: "/dev/full", namedInErrors: "out/scan.tsv")
        }
        #expect(
            FileWriteError(path: "out/scan.tsv", errorNumber: ENOSPC).description
                == "cannot write 'out/scan.tsv': the disk is full; free some space and run again.")
    }

    @Test(arguments: [
        ENOSPC, EDQUOT, EFBIG, EACCES, EPERM, EROFS, ENOENT, ENOTDIR, EISDIR, ENAMETOOLONG, EEXIST,
        EMFILE, EIO, ELOOP,
    ])
    func `every reason is one sentence with the file and a next step`(errorNumber: Int32) {
        let text = FileWriteError(path: "a/b.nii", errorNumber: errorNumber).description
        #expect(text.hasPrefix("cannot write 'a/b.nii': "))
        #expect(text.hasSuffix(".") && text.contains("; "))
        #expect(!text.contains("\n"))
    }
}

private func bytes(_ path: String) throws -> [UInt8] {
    try [UInt8](Data(contentsOf: URL(filePath: path)))
}
