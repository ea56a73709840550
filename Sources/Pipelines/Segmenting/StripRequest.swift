public import Inference

/// The request of `sliceseg strip`.
public struct StripRequest: Sendable {
    /// Scans, folders, BIDS datasets, DICOM folders and lists.
    public var inputs: [String]
    /// The output folder.
    public var output: String
    /// The name or folder of a model that finds the brain.
    public var model = "brain-mask"
    /// The device's name.
    public var device = "auto"
    /// The precision of the networks.
    public var precision = Precision.auto
    /// Threads of the networks, or `nil` for all cores.
    public var threads: Int?
    /// The index of the volume to use in 4-D scans, from 0; `nil` if all are 3-D.
    public var volume: Int?
    /// The margin around the brain kept in the stripped scan, in mm.
    public var dilationMillimeters = 0.0
    /// A Boolean value indicating whether scans that are done are done again.
    public var overwrites = false
    /// The labels of the participants of BIDS datasets, with or without `sub-`; empty for all.
    public var participants: [String] = []
    /// The form of the terminal output.
    public var shows = SegmentationRequest.Output.progress

    /// Makes a request with the defaults.
    ///
    /// - Parameter paths: The inputs and, as the last one, the output folder.
    /// - Throws: ``UsageError`` where there are fewer than two.
    public init(paths: [String]) throws(UsageError) {
        let request = try SegmentationRequest(paths: paths)
        inputs = request.inputs
        output = request.output
    }
}

/// Checks a distance around the brain.
///
/// - Parameters:
///   - distance: In mm.
///   - option: The option, for the error.
/// - Returns: The same distance.
/// - Throws: ``UsageError`` where it is not in 0...50.
public func parseDilation(_ distance: Double, option: String) throws(UsageError) -> Double {
    guard distance >= 0, distance <= 50 else {
        throw UsageError("\(option) must be 0 to 50 mm, not \(distance)")
    }
    return distance
}
