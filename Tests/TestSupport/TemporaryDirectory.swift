import Foundation

/// Lends the path of a new, empty folder, which is removed afterwards with all that is in it.
public func withTemporaryDirectory<Result>(
    _ body: (_ path: String) throws -> Result
) throws -> Result {
    let path = try makeTemporaryDirectory()
    defer { removeTemporaryDirectory(path) }
    return try body(path)
}

/// Lends the path of a new, empty folder, which is removed afterwards with all that is in it.
public func withTemporaryDirectory<Result>(
    _ body: (_ path: String) async throws -> Result
) async throws -> Result {
    let path = try makeTemporaryDirectory()
    defer { removeTemporaryDirectory(path) }
    return try await body(path)
}

/// The names of everything in a folder, hidden files too, sorted.
public func directoryListing(_ path: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path).sorted()
}

private func makeTemporaryDirectory() throws -> String {
    let path = NSTemporaryDirectory() + "sliceseg-tests-" + UUID().uuidString
    try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true)
    return path
}

private func removeTemporaryDirectory(_ path: String) {
    // What a test left behind in the system's temporary folder does no harm to the next one.
    try? FileManager.default.removeItem(atPath: path)
}
