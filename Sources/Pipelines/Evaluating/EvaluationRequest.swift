import Foundation
import SegmentationMetrics

/// The request of `sliceseg evaluate`.
public struct EvaluationRequest: Sendable, Hashable {
    /// A label map or a folder of them.
    public var prediction: String
    /// The references to evaluate against, in the same forms.
    public var reference: String
    /// The output folder, created if missing.
    public var output: String
    /// A table of structures (`dseg.tsv`), or `nil` for the one beside the predictions or else the
    /// values that occur.
    public var labels: String?
    /// Predictions of another run for the same references, to compare with; `nil` for none.
    public var against: String?
    /// A table of participants (BIDS' `participants.tsv`) whose columns group the cases, or `nil`.
    public var participants: String?
    /// The column that groups the cases, such as `sex`, `age` or, cut at these numbers,
    /// `age:20,40,60`; `nil` for no groups.
    public var group: String?
    /// A Boolean value indicating whether predictions on another grid are carried to the
    /// reference's.
    public var resamples = false
    /// A Boolean value indicating whether `report.html` is written.
    public var writesPage = true
    /// Whose definitions are followed, and the tolerance.
    private(set) var metrics = MetricOptions()

    /// Makes a request.
    public init(prediction: String, reference: String, output: String) {
        self.prediction = prediction
        self.reference = reference
        self.output = output
    }

    /// The names of the conventions.
    public static var conventions: [String] { MetricConvention.allCases.map(\.rawValue) }

    /// Chooses whose definitions are followed.
    ///
    /// - Parameters:
    ///   - convention: One of ``conventions``.
    ///   - toleranceMillimeters: How far apart two surfaces may lie to agree: for the surface Dice.
    /// - Throws: ``UsageError`` where the convention is unknown or the tolerance negative.
    public mutating func choose(
        convention: String, toleranceMillimeters: Double
    ) throws(UsageError) {
        guard let convention = MetricConvention(rawValue: convention) else {
            throw UsageError(
                "'\(convention)' is not a convention; write "
                    + Self.conventions.joined(separator: ", "))
        }
        guard toleranceMillimeters.isFinite, toleranceMillimeters >= 0 else {
            throw UsageError(
                "--tolerance must be 0 mm or more, not \(toleranceMillimeters)")
        }
        metrics = MetricOptions(
            convention: convention, toleranceMillimeters: toleranceMillimeters)
    }
}
