import ArgumentParser
import Foundation
import Pipelines

/// `sliceseg evaluate`.
struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Evaluates label maps against reference label maps.",
        discussion: """
            Cases are matched by name: 1015_dseg, 1015_seg and 1015_glm are case 1015. Writes \
            metrics.tsv, metrics_wide.csv, statistics.tsv, summary.json (a superset of nnU-Net's), \
            failures.tsv and report.html. A reference without a prediction counts as an empty \
            prediction.

            Tools define surface distances differently; --convention selects the definition: \
            surface-distance (DeepMind), monai or nnunet.

            EXAMPLES
              sliceseg evaluate --prediction out --reference manual --output scores
              sliceseg evaluate --prediction new --against old --reference manual --output x
              sliceseg evaluate --prediction out --reference manual --output x \\
                --participants participants.tsv --group age:40,60
            """)

    @Option(help: ArgumentHelp("A label map or a folder of them.", valueName: "path"))
    var prediction: String
    @Option(help: ArgumentHelp("The reference label map, or a folder of them.", valueName: "path"))
    var reference: String
    @Option(help: ArgumentHelp("The output folder.", valueName: "dir"))
    var output: String
    @Option(
        help: ArgumentHelp(
            "A table of the structures to report (dseg.tsv); by default the one next to the "
                + "predictions or in their headers, else all labels present.",
            valueName: "table"))
    var labels: String?
    @Option(
        help: ArgumentHelp(
            "Label maps of another run, to test the differences between both (comparison.tsv).",
            valueName: "path"))
    var against: String?
    @Option(
        help: ArgumentHelp(
            "A table of participants (BIDS' participants.tsv) for --group.",
            valueName: "table"))
    var participants: String?
    @Option(
        help: ArgumentHelp(
            "A column of that table to group the cases by: sex, or age:40,60 to cut numbers "
                + "into ranges.", valueName: "column"))
    var group: String?
    @Option(
        help: ArgumentHelp(
            "Definition of the metrics: surface-distance, monai or nnunet.",
            valueName: "name"))
    var convention = "surface-distance"
    @Option(
        help: ArgumentHelp(
            "Tolerance of the surface Dice (NSD).",
            valueName: "mm"))
    var tolerance = 1.0
    @Flag(help: "Resample predictions to their references' grids where they differ.")
    var resample = false
    @Flag(inversion: .prefixedNo, help: "Write report.html.")
    var report = true
    @Flag(help: "Write the summary as JSON to standard output.")
    var json = false

    func run() throws {
        var request = EvaluationRequest(
            prediction: prediction, reference: reference, output: output)
        request.labels = labels
        request.against = against
        request.participants = participants
        request.group = group
        request.resamples = resample
        request.writesPage = self.report
        try request.choose(convention: convention, toleranceMillimeters: tolerance)
        let report = try evaluate(request)
        try printChecked(json ? report.json ?? "" : report.table)
        for table in [report.groups, report.comparison] where !json && !table.isEmpty {
            try printChecked("\n" + table)
        }
        for line in report.notes + report.problems { printError(line) }
        if report.status != .success { throw ExitCode(report.status.rawValue) }
    }
}
