public import Foundation

/// The repository's folder.
private let repository = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// The path of a fixture, such as `volumes/expected.json`.
public func fixturePath(_ name: String) -> String {
    repository.appending(path: "fixtures").appending(path: name).path(percentEncoded: false)
}

/// The content of a fixture.
public func fixtureData(_ name: String) throws -> Data {
    try Data(contentsOf: URL(filePath: fixturePath(name)))
}

/// Reads a fixture in JSON.
public func decodeFixture<Value: Decodable>(
    _ name: String, as type: Value.Type = Value.self
) throws -> Value {
    try JSONDecoder().decode(type, from: fixtureData(name))
}

/// The path of real data beside the repository, or `nil` where it is not there.
///
/// Real data is no part of the project; tests that want it are skipped without.
public func sharedDataPath(_ name: String) -> String? {
    let path = repository.deletingLastPathComponent().appending(path: "shared/data")
        .appending(path: name).path(percentEncoded: false)
    return FileManager.default.fileExists(atPath: path) ? path : nil
}
