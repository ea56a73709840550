import Files
import Foundation
import Inference
import ModelBundles
import Preprocessing
import Tensors
import VolumeIO

/// Tells that a command was called with something that cannot be done.
public struct UsageError: Error, Hashable, CustomStringConvertible {
    /// One sentence with a next step.
    public var description: String

    /// Makes an error of its sentence.
    public init(_ description: String) { self.description = description }
}

/// What a command's exit status says.
public enum ExitStatus: Int32, Sendable, Hashable {
    /// All was done.
    case success = 0
    /// Something failed; what could be done was.
    case failure = 1
    /// The command line is wrong; nothing was done.
    case wrongUsage = 2
    /// The user stopped it.
    case interrupted = 130

    /// The status that an error ends a command with.
    public init(for error: any Error) {
        switch error {
        case is UsageError, is DeviceError, is SegmenterError: self = .wrongUsage
        default: self = .failure
        }
    }
}

/// What a person should read of an error: one sentence on one line.
///
/// - Parameters:
///   - error: Any error.
///   - path: The file that was being worked on, named where the error does not name it itself.
/// - Returns: The sentence.
public func sentence(for error: any Error, about path: String? = nil) -> String {
    let text: String
    let namesItsFile: Bool
    switch error {
    case is VolumeIOError, is FileWriteError, is UsageError:
        text = "\(error)"
        namesItsFile = true
    case is PreprocessingError, is TensorError:
        text = "\(error)"
        namesItsFile = false
    case let error as CocoaError:
        text = error.localizedDescription
        namesItsFile = false
    default:
        text = "\(error)"
        namesItsFile = path.map { text.contains($0) } ?? true
    }
    var line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
    if line.last != "." { line += "." }
    guard let path, !namesItsFile else { return line }
    return "'\(path)': \(line)"
}
