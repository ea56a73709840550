import Foundation
public import Reports
public import SegmentationMetrics
import Volumes

/// The agreement of predictions with references.
public struct EvaluationReport: Sendable {
    /// A Boolean value indicating whether every case could be measured.
    public var status: ExitStatus
    /// The cases and their measurements, or `nil` where there is nothing to report them by.
    public var evaluation: Evaluation?
    /// The differences to another run; `nil` where there is but one.
    public var differences: EvaluationComparison?
    /// Remarks for a reader: predictions without a reference, labels without a name.
    public var notes: [String]
    /// Cases that could not be measured, a sentence each.
    public var problems: [String]

    /// Dice and more per structure, as text for the standard output; empty where no case was
    /// measured.
    public var table: String { measured?.diceTable.rendered(for: Self.style) ?? "" }

    /// The differences to another run, likewise.
    public var comparison: String { differences?.rendered(for: Self.style) ?? "" }

    /// Dice per structure and group, likewise; empty where cases are not grouped.
    public var groups: String { measured?.renderedGroups(for: Self.style) ?? "" }

    /// The summary as JSON on one line, or `nil` where there is nothing to report.
    public var json: String? { evaluation?.strictSummaryJSON }

    private var measured: Evaluation? {
        evaluation.flatMap { $0.cases.isEmpty ? nil : $0 }
    }

    private static var style: TerminalStyle { TerminalStyle(fileDescriptor: 1) }
}

/// A table of bare values, named by their number.
func tableOfValues(_ values: [UInt16]) -> LabelTable? {
    LabelTable(
        values.map { value in
            // Neighbouring values get colors far apart.
            let mixed = UInt32(value) &* 2_654_435_761
            return Structure(
                index: value, name: "label-\(value)",
                color: LabelColor(
                    red: UInt8(64 + mixed >> 8 & 127), green: UInt8(64 + mixed >> 16 & 127),
                    blue: UInt8(64 + mixed >> 24 & 127)))
        })
}
