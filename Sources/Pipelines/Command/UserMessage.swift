import Files
import Foundation
import Preprocessing
import Tensors
import VolumeIO

/// Returns the message that a person reads of an error: one sentence on one line.
///
/// - Parameters:
///   - error: Any error.
///   - path: The file that was being worked on, named where the error does not name it itself.
/// - Returns: The sentence.
public func userMessage(for error: any Error, about path: String? = nil) -> String {
    let text: String
    let namesItsFile: Bool
    switch error {
    case is PreprocessingError, is TensorError:
        text = "\(error)"
        namesItsFile = false
    case let error as any UserFacingError:
        text = error.description
        namesItsFile =
            error.exitStatus == .wrongUsage || error.errorPath != nil
            || path.map { text.contains($0) } ?? true
    case let error as CocoaError:
        text = readable(error)
        namesItsFile = false
    default:
        text = "\(error)"
        namesItsFile = path.map { text.contains($0) } ?? true
    }
    var line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
    if line.last != ".", line.last != "?" { line += "." }
    guard let path, !namesItsFile else { return line }
    return "'\(path)': \(line)"
}

/// The system's word for an error of Foundation, whose own often tells its number only.
private func readable(_ error: CocoaError) -> String {
    guard let cause = error.underlying as? POSIXError else { return error.localizedDescription }
    let file = error.filePath.map { "'\($0)': " } ?? ""
    return file + String(cString: strerror(cause.code.rawValue))
        + "; check the disk and the output and run again"
}
