public import Inference
import Tensors

/// The request of `sliceseg benchmark`; `nil` options are chosen for the machine.
public struct BenchmarkRequest: Sendable, Hashable {
    /// A shipped model's name or a bundle's folder; the network of its first plane is measured.
    public var model = SegmentationRequest.defaultModel
    /// A network with random weights in the model's place.
    public var network: ArchitectureChoices?
    /// The size of the slices.
    public var slices = SliceSize(height: 256, width: 256)
    /// `auto`, `cpu`, `cuda` or `cuda:1`.
    public var device = "auto"
    /// The number formats; by default those that the device computes in hardware.
    public var precisions: [Precision]?
    /// The numbers of threads; by default 1, 2, 4 and so on, and all cores.
    public var threads: [Int]?
    /// The number of repetitions of each measurement.
    public var repetitions = 5
    /// A Boolean value indicating whether networks are compiled where they can be.
    public var compiles = true

    /// Makes a request for the default model.
    public init() {}
}

/// Pixels of a slice.
public struct SliceSize: Sendable, Hashable, Codable, CustomStringConvertible {
    /// Pixels down.
    public var height: Int
    /// Pixels across.
    public var width: Int

    /// Makes a size.
    public init(height: Int, width: Int) {
        self.height = height
        self.width = width
    }

    /// Reads a size as a command line has it.
    ///
    /// - Parameter text: Rows and columns, such as `256x192`.
    /// - Throws: ``UsageError`` where it is no size of 1 to 4096 pixels a side.
    public init(parsing text: String) throws(UsageError) {
        let sides = text.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
        guard sides.count == 2, let height = sides[0], let width = sides[1],
            (1...4096).contains(height), (1...4096).contains(width)
        else {
            throw UsageError("--size must be rows and columns, such as 256x192, not '\(text)'")
        }
        self.init(height: height, width: width)
    }

    /// Such as `256x192`.
    public var description: String { "\(height)x\(width)" }
}

/// Reads a list of precisions as a command line has it.
///
/// - Parameter text: Such as `fp32,bf16`.
/// - Returns: The precisions, without `auto`, each once.
/// - Throws: ``UsageError`` where one is unknown or named twice.
public func parsePrecisions(_ text: String) throws(UsageError) -> [Precision] {
    var precisions: [Precision] = []
    for name in text.split(separator: ",", omittingEmptySubsequences: false) {
        let precision = try parsePrecision(String(name)).resolved(on: .cpu)
        guard !precisions.contains(precision) else {
            throw UsageError("the precision \(precision.rawValue) is named twice; name each once")
        }
        precisions.append(precision)
    }
    return precisions
}

/// Reads a list of numbers of threads as a command line has it.
///
/// - Parameter text: Such as `1,2,8`.
/// - Returns: The numbers, in their order.
/// - Throws: ``UsageError`` where one is not in 1...1024 or named twice.
public func parseThreadCounts(_ text: String) throws(UsageError) -> [Int] {
    var counts: [Int] = []
    for word in text.split(separator: ",", omittingEmptySubsequences: false) {
        guard let count = try parseCount(Int(word), option: "--threads") else {
            throw UsageError("--threads must be numbers with commas between, not '\(text)'")
        }
        guard !counts.contains(count) else {
            throw UsageError("\(count) threads are named twice; name each number once")
        }
        counts.append(count)
    }
    return counts
}

/// The numbers of threads that tell how a network scales: powers of two, and all cores.
package func standardThreadCounts(cores: Int) -> [Int] {
    var counts: [Int] = []
    var count = 1
    while count < cores {
        counts.append(count)
        count *= 2
    }
    return counts + [cores]
}
