import Files
import Foundation
public import Inference
public import Preprocessing
public import Volumes

/// A request to segment scans.
public struct SegmentationRequest: Sendable, Codable, Hashable {
    /// The messages while it runs.
    public enum Output: String, Sendable, Codable, Hashable {
        /// Progress on the standard error.
        case progress
        /// Failures only.
        case quiet
        /// A JSON object a scan on the standard output.
        case json
    }

    /// The model that segments where none is named.
    public static let defaultModel = "brain-any"

    /// Scans, folders, BIDS datasets, DICOM folders and lists.
    public var inputs: [String]
    /// The output folder.
    public var output: String
    /// The model's name or folder.
    public var model = defaultModel
    /// The planes, or `nil` for all that the model has.
    public var planes: [Plane]?
    /// The device's name.
    public var device = "auto"
    /// The precision of the networks.
    public var precision = Precision.auto
    /// Threads of the networks, or `nil` for all cores.
    public var threads: Int?
    /// Slices computed at once, or `nil` for a number that fits.
    public var batchSize: Int?
    /// The index of the volume to segment in 4-D scans, from 0; `nil` if all are 3-D.
    public var volume: Int?
    /// The interpolation of scans, or `nil` for that of the model card.
    public var interpolation: Interpolation?
    /// The additional output grid; results on the scan's own grid are always written.
    public var space = OutputSpace.native
    /// A Boolean value indicating whether the probabilities of all classes are written.
    public var writesProbabilities = false
    /// A Boolean value indicating whether the mirror image of each scan is computed too.
    public var mirrors = false
    /// The number of samples with dropout, or `nil` for none.
    public var uncertaintySamples: Int?
    /// The seed of those samples.
    public var seed: UInt64 = 0
    /// A Boolean value indicating whether scans that are done are segmented again.
    public var overwrites = false
    /// The selection among the scans at the inputs.
    public var selection = ScanSelection()
    /// The part of the scans that this process segments, or `nil` for all.
    public var shard: Shard?
    /// A Boolean value indicating whether only scans that failed before are segmented.
    public var retriesFailed = false
    /// A Boolean value indicating whether every file is read to tell what is done, even where size
    /// and time are the same.
    public var verifies = false
    /// A Boolean value indicating whether scans of heads are looked at first, and warned of; `nil` for yes.
    public var checksScans: Bool?
    /// A folder of reference label maps, or `nil`.
    public var reference: String?
    /// A Boolean value indicating whether it is told how long each stage of a scan took.
    public var profiles = false
    /// The memory that scans may take; `nil` for the default.
    public var memory: MemoryAllowance?
    /// The tool whose inputs are written, too.
    public var derivativesFor: DerivativeConsumer?
    /// A Boolean value indicating whether it is the run of single participants beside which others may write.
    public var isOfParticipants: Bool?
    /// The form of the terminal output.
    public var shows = Output.progress
    /// The form of the lines that tell of it.
    public var logFormat: LogFormat?
    /// The command line, for the record.
    public var arguments: [String] = []

    /// The ending of the names of the ledger and the lock of a part of a dataset; empty for all of it.
    var partSuffix: String {
        if let shard { return shard.suffix }
        guard isOfParticipants == true else { return "" }
        return participantSuffix(selection.participants, sessions: selection.sessions ?? [])
    }

    /// A Boolean value indicating whether other processes may write other parts meanwhile; tables of all scans are then left out.
    var isPart: Bool { !partSuffix.isEmpty }

    /// Makes a request with the defaults.
    ///
    /// - Parameter paths: The inputs and, as the last one, the output folder.
    /// - Throws: ``UsageError`` where there are fewer than two.
    public init(paths: [String]) throws(UsageError) {
        guard paths.count >= 2, let output = paths.last else {
            throw UsageError(
                "name the scans (files, folders or lists) and then the output folder")
        }
        inputs = Array(paths.dropLast())
        self.output = output
    }
}

/// The ending of the names of ledger and locks of a run over some participants or sessions:
/// `_sub-01_sub-02`, `_sub-01_ses-a`.
///
/// - Parameters:
///   - participants: Their labels, with or without `sub-`; empty for all.
///   - sessions: Those of sessions, with or without `ses-`; empty for all.
/// - Returns: The ending; empty where it is a run over the whole dataset.
private func participantSuffix(_ participants: [String], sessions: [String]) -> String {
    func prefixed(_ labels: [String], _ prefix: String) -> [String] {
        Set(labels.map { $0.hasPrefix(prefix) ? $0 : prefix + $0 }).sorted()
    }
    let names = prefixed(participants, "sub-") + prefixed(sessions, "ses-")
    guard let first = names.first else { return "" }
    if names.count <= 3 { return "_" + names.joined(separator: "_") }
    return "_\(first)_and_\(names.count - 1)_"
        + sha256(Data(names.joined(separator: " ").utf8)).prefix(8)
}
