import Foundation
import Reports

/// A failure as records keep it: its kind, the sentence, and the step that mends it.
package struct FailureReason: Sendable, Codable, Hashable {
    /// The stage that failed, or `nil` before the first.
    package var stage: ScanStage?
    /// Such as `volume.truncated`.
    package var code: String
    /// The problem, including the file's name.
    package var problem: String
    /// The next step, where known.
    package var nextStep: String?

    /// The sentence as a whole.
    package var sentence: String {
        problem + (nextStep.map { "; \($0)" } ?? "")
            + ((nextStep ?? problem).hasSuffix("?") ? "" : ".")
    }

    /// Makes a reason of its parts.
    package init(stage: ScanStage?, code: String, problem: String, nextStep: String?) {
        self.stage = stage
        self.code = code
        self.problem = problem
        self.nextStep = nextStep
    }

    /// Takes a sentence apart.
    ///
    /// - Parameters:
    ///   - sentence: The problem, a semicolon, and the next step.
    ///   - code: Its kind.
    ///   - stage: The stage that failed.
    package init(sentence: String, code: String, stage: ScanStage?) {
        self.stage = stage
        self.code = code
        var text = Substring(sentence)
        while text.last == "." { text.removeLast() }
        if let split = text.ranges(of: "; ").last {
            problem = String(text[..<split.lowerBound])
            nextStep = String(text[split.upperBound...])
        } else {
            problem = String(text)
            nextStep = nil
        }
    }

    /// The reason of an error.
    ///
    /// - Parameters:
    ///   - error: Any error.
    ///   - path: The scan's file.
    ///   - stage: The stage that failed.
    package init(_ error: any Error, about path: String, stage: ScanStage?) {
        self.init(
            sentence: userMessage(for: error, about: path),
            code: (error as? any UserFacingError)?.errorCode ?? "other", stage: stage)
    }
}

extension ScanFailure {
    /// A scan's row of `failures.tsv`.
    init(scan: String, _ reason: FailureReason) {
        self.init(
            scan: scan, reason: reason.sentence, stage: reason.stage?.description,
            code: reason.code, problem: reason.problem, nextStep: reason.nextStep)
    }
}
