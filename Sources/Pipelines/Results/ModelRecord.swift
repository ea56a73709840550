/// The model of a result: its name, and the hash of its content.
struct ModelRecord: Sendable, Codable {
    var name: String
    var identity: String
}
