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

    /// Scans, folders, BIDS datasets, DICOM folders and lists.
    public var inputs: [String]
    /// The output folder.
    public var output: String
    /// The model's name or folder.
    public var model = "brain-mri"
    /// The planes, or `nil` for all that the model has.
    public var planes: [Plane]?
    /// The device's name.
    public var device = "auto"
    /// How networks are computed.
    public var precision = Precision.auto
    /// Threads of the networks, or `nil` for all cores.
    public var threads: Int?
    /// Slices computed at once, or `nil` for a number that fits.
    public var batchSize: Int?
    /// Which volume of 4-D scans is segmented, counted from 0; `nil` where all are 3-D.
    public var volume: Int?
    /// How scans are interpolated, or `nil` for what the model's card says.
    public var interpolation: Interpolation?
    /// On which grid results are written; those on the scan's own always are.
    public var space = OutputSpace.native
    /// Whether the probabilities of all classes are written.
    public var writesProbabilities = false
    /// Whether the mirror image of each scan is computed too.
    public var mirrors = false
    /// The number of samples with dropout, or `nil` for none.
    public var uncertaintySamples: Int?
    /// The seed of those samples.
    public var seed: UInt64 = 0
    /// Whether scans that are done are segmented again.
    public var overwrites = false
    /// Which of the scans at the inputs are wanted.
    public var selection = ScanSelection()
    /// The part of the scans that this process segments, or `nil` for all.
    public var shard: Shard?
    /// Whether only scans that failed before are segmented.
    public var retriesFailed = false
    /// Whether every file is read to tell what is done, even where size and time are the same.
    public var verifies = false
    /// A folder of reference label maps, or `nil`.
    public var reference: String?
    /// Whether it is told how long each stage of a scan took.
    public var profiles = false
    /// The memory that scans may take; `nil` for the default.
    public var memory: MemoryAllowance?
    /// The tool whose inputs are written, too.
    public var derivativesFor: DerivativeConsumer?
    /// Whether it is the run of single participants beside which others may write.
    public var isOfParticipants: Bool?
    /// What is shown.
    public var shows = Output.progress
    /// The form of the lines that tell of it.
    public var logFormat: LogFormat?
    /// The command line, for the record.
    public var arguments: [String] = []

    /// The ending of the names of the ledger and the lock of a part of a dataset; empty for all of it.
    var partSuffix: String {
        if let shard { return shard.suffix }
        guard isOfParticipants == true, !selection.participants.isEmpty else { return "" }
        return participantSuffix(selection.participants)
    }

    /// Whether other processes may write other parts meanwhile, so that it writes no table of all.
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

/// Reads a list of planes as a command line has it.
///
/// - Parameter text: Such as `coronal,axial`.
/// - Returns: The planes.
/// - Throws: ``UsageError`` where one is unknown or named twice.
public func parsePlanes(_ text: String) throws(UsageError) -> [Plane] {
    var planes: [Plane] = []
    for name in text.split(separator: ",", omittingEmptySubsequences: false) {
        guard let plane = Plane(rawValue: String(name)) else {
            throw UsageError(
                "'\(name)' is not a plane; write coronal, axial and sagittal with commas between")
        }
        guard !planes.contains(plane) else {
            throw UsageError("the plane '\(name)' is named twice; name each once")
        }
        planes.append(plane)
    }
    return planes
}

/// Reads a precision as a command line has it.
///
/// - Parameter text: `auto`, `bf16`, `fp32` or `int8`.
/// - Returns: The precision.
/// - Throws: ``UsageError`` where it is another text.
public func parsePrecision(_ text: String) throws(UsageError) -> Precision {
    guard let precision = Precision(rawValue: text) else {
        throw UsageError("'\(text)' is not a precision; write auto, bf16, fp32 or int8")
    }
    return precision
}

/// Reads a choice as a command line has it.
///
/// - Parameters:
///   - text: What was given.
///   - option: The option, for the error.
/// - Returns: The choice.
/// - Throws: ``UsageError`` where it is none of them.
public func parseChoice<Choice: CaseIterable & RawRepresentable<String>>(
    _ text: String, option: String
) throws(UsageError) -> Choice {
    guard let choice = Choice(rawValue: text) else {
        throw UsageError(
            "\(option) must be "
                + Choice.allCases.map(\.rawValue).joined(separator: " or ") + ", not '\(text)'")
    }
    return choice
}

/// Reads a test-time augmentation as a command line has it.
///
/// - Parameter text: `flip`, or `nil` for none.
/// - Returns: Whether mirror images are computed.
/// - Throws: ``UsageError`` where it is another text.
public func parseTestTimeAugmentation(_ text: String?) throws(UsageError) -> Bool {
    guard let text else { return false }
    guard text == "flip" else { throw UsageError("--tta must be flip, not '\(text)'") }
    return true
}

/// Checks the number of a volume in a series.
///
/// - Parameter number: The number, or `nil` where none was given.
/// - Returns: The same number.
/// - Throws: ``UsageError`` where it is negative.
public func parseVolume(_ number: Int?) throws(UsageError) -> Int? {
    if let number, number < 0 {
        throw UsageError("--volume counts from 0, so it cannot be \(number)")
    }
    return number
}

/// Checks a number of threads or slices.
///
/// - Parameters:
///   - number: The number, or `nil` where none was given.
///   - option: The option, for the error.
/// - Returns: The same number.
/// - Throws: ``UsageError`` where it is not in 1...1024.
public func parseCount(_ number: Int?, option: String) throws(UsageError) -> Int? {
    guard let number else { return nil }
    guard (1...1024).contains(number) else {
        throw UsageError("\(option) must be 1 to 1024, not \(number)")
    }
    return number
}
