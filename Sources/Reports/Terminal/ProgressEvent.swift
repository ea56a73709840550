/// An event of a run over scans, for a log.
public struct ProgressEvent: Sendable, Hashable {
    /// The kind of event.
    public enum Kind: String, Sendable, Hashable {
        /// A scan is under way.
        case begin
        /// A scan is done.
        case done
        /// A scan failed.
        case failed
        /// A scan is left out.
        case skipped
        /// A sentence about the run or a scan.
        case note
        /// The pace, once a minute.
        case pace
    }

    /// Its kind.
    public var kind: Kind
    /// The scan, or `nil` where it is about all.
    public var scan: String?
    /// A sentence.
    public var text: String
    /// Scans that have ended.
    public var finished: Int
    /// All scans.
    public var total: Int
    /// Scans that were not left out, in an hour; `nil` before the first one.
    public var scansPerHour: Double?
    /// The seconds until all are done at this pace.
    public var secondsLeft: Int?
}
