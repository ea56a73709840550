import Files
import Foundation
import Volumes

/// The identity of a scan's bytes.
struct InputIdentity: Sendable, Codable, Hashable {
    /// SHA-256 of the scan's bytes.
    var sha256: String
    /// Size and time of its files, where they are known.
    var stamp: FileStamp?
}

/// An output file with its content's hash.
struct OutputFile: Sendable, Codable, Hashable {
    /// The path below the output folder.
    var path: String
    /// SHA-256 of its bytes.
    var sha256: String
    /// Its size and time, where they are known.
    var stamp: FileStamp?
}

/// A scan's earlier result as a store knows it.
struct StoredResult: Sendable {
    /// The state that it was left in.
    enum State: String, Sendable, Codable {
        /// Waiting for its turn.
        case waiting
        /// Under way when the process last told of it.
        case running
        /// All files were written and about to take their final names.
        case committing
        /// Segmented.
        case done
        /// Kept as somebody has changed it.
        case edited
        /// Failed.
        case failed
    }

    var state: State
    var input: InputIdentity?
    var modelIdentity: String?
    var options: Provenance.Options?
    /// The results, or `nil` where they have to be measured from the label map.
    var result: CaseResult?
    /// Every file that was written.
    var outputs: [OutputFile] = []
    /// SHA-256 of label maps that this program wrote and that may still be there.
    var ownLabels: Set<String> = []
    /// The reason of a failure.
    var failure: FailureReason?
}

/// The place that knows which scans are done, and is told of every step.
protocol ResultStore: Sendable {
    /// An earlier result of a scan, or `nil` where there is none.
    func stored(_ scan: ScanFile) throws -> StoredResult?
    /// Notes that a scan is about to be segmented.
    func begin(_ scan: ScanFile, input: InputIdentity) throws
    /// Notes the files of a scan, which are about to take their final names.
    func willCommit(_ scan: ScanFile, _ files: [OutputFile]) throws
    /// Notes the outcome of a scan and its files.
    ///
    /// `input` and `files` are `nil` where they are as the store knows them.
    func record(
        _ scan: ScanFile, _ outcome: ScanOutcome, input: InputIdentity?, files: [OutputFile]?
    ) throws
}

/// A store that knows what the records beside the label maps say, and keeps nothing else.
struct SidecarStore: ResultStore {
    /// The output folder.
    let output: String

    func stored(_ scan: ScanFile) throws -> StoredResult? {
        let outputs = ScanOutputs(of: scan, in: output)
        guard let provenance = Provenance.read(at: outputs.provenance) else { return nil }
        let labels = provenance.labels.sha256
        return StoredResult(
            state: .done, input: InputIdentity(sha256: provenance.scan.sha256),
            modelIdentity: combinedIdentity(
                provenance.model.identity, brain: provenance.brain?.model.identity),
            options: provenance.options,
            outputs: [
                OutputFile(path: relativePath(outputs.labels, in: output), sha256: labels)
            ], ownLabels: [labels])
    }

    func begin(_ scan: ScanFile, input: InputIdentity) throws {}
    func willCommit(_ scan: ScanFile, _ files: [OutputFile]) throws {}
    func record(
        _ scan: ScanFile, _ outcome: ScanOutcome, input: InputIdentity?, files: [OutputFile]?
    ) throws {}
}
