internal import CSliceSeg
import Foundation
import Pipelines

/// An error that C holds.
final class CallError {
    let message: CText
    let code: CText
    let problem: CText
    let nextStep: CText?
    let path: CText?

    init(_ reason: FailureReason, path: String?) {
        message = CText(reason.sentence)
        code = CText(reason.code)
        problem = CText(reason.problem)
        nextStep = reason.nextStep.map(CText.init)
        self.path = path.map(CText.init)
    }
}

/// Tells that the caller's progress function stopped the work.
struct StoppedError: UserFacingError {
    var description: String { "the work was stopped by its caller; call again for a result" }
    var errorCode: String { "stopped" }
}

/// Runs a call and turns what it throws into a status and an error that the caller owns.
///
/// - Parameters:
///   - path: The file that is worked on, or `nil` where there is none.
///   - error: Where the error goes, or `nil` where the caller does not want it.
///   - body: The call.
/// - Returns: The status.
func status(
    about path: String? = nil, _ error: UnsafeMutablePointer<OpaquePointer?>?,
    _ body: () throws -> Void
) -> SliceSegStatus {
    do {
        try body()
        return SLICESEG_OK
    } catch let thrown {
        if let error = unsafe error {
            var reason = FailureReason(thrown, about: path ?? "", stage: nil)
            if path == nil {
                reason = FailureReason(
                    sentence: userMessage(for: thrown), code: reason.code, stage: nil)
            }
            let named = (thrown as? any UserFacingError)?.errorPath ?? path
            let problem = CallError(reason, path: named == "" ? nil : named)
            unsafe error.pointee = passed(problem)
        }
        if thrown is StoppedError { return SLICESEG_STOPPED }
        return ExitStatus(for: thrown) == .wrongUsage ? SLICESEG_WRONG_USAGE : SLICESEG_FAILED
    }
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_error_message(_ error: OpaquePointer) -> UnsafePointer<CChar> {
    unsafe object(error, as: CallError.self).message.pointer
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_error_code(_ error: OpaquePointer) -> UnsafePointer<CChar> {
    unsafe object(error, as: CallError.self).code.pointer
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_error_problem(_ error: OpaquePointer) -> UnsafePointer<CChar> {
    unsafe object(error, as: CallError.self).problem.pointer
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_error_next_step(_ error: OpaquePointer) -> UnsafePointer<CChar>? {
    unsafe object(error, as: CallError.self).nextStep?.pointer
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_error_path(_ error: OpaquePointer) -> UnsafePointer<CChar>? {
    unsafe object(error, as: CallError.self).path?.pointer
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_error_free(_ error: OpaquePointer?) {
    unsafe free(error, as: CallError.self)
}

private let version = CText(softwareVersion)

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_version() -> UnsafePointer<CChar> { unsafe version.pointer }
