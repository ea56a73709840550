/// `run.json`: the request of a run and its outcome.
struct RunRecord: Codable {
    struct Counts: Codable {
        var scans: Int
        var done: Int
        var skipped: Int
        var failed: Int
        /// Label maps that somebody has changed, where there are some.
        var edited: Int?
    }

    var software: String
    var version: String
    var engine: String?
    var arguments: [String]
    var model: ModelRecord
    var options: Provenance.Options
    var started: String
    var seconds: Double
    var counts: Counts
    var scans: [ScanRecord]
}
