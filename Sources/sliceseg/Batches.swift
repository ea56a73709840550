import ArgumentParser
import Foundation
import Pipelines

/// `sliceseg run`.
struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs a job file: phantoms, segmentation, evaluation.",
        discussion: """
            A job file is YAML with the sections phantom, segment and evaluate, each of which may be \
            left out; they are run in this order. Paths count from the file's folder. 'sliceseg run \
            --schema' prints its JSON Schema, by which editors complete and check it.

            EXAMPLES
              sliceseg run pipelines/jobs/phantom.yaml
              sliceseg run study.yaml --dry-run
              sliceseg run study.yaml --set segment.model=phantom --set segment.resources.threads=4
            """)

    @Argument(help: ArgumentHelp("The job file.", valueName: "job.yaml"))
    var job: String?
    @Option(
        help: ArgumentHelp(
            "Another value for a key of the file; paths count from the current folder.",
            valueName: "key=value"))
    var set: [String] = []
    @Option(
        help: ArgumentHelp(
            "Only this part of the scans, such as 2/8; auto in an array job.", valueName: "i/n"))
    var shard: String?
    @Flag(help: "List what would be done and what is done, and write nothing.")
    var dryRun = false
    @Flag(help: "Segment only scans that failed in an earlier run.")
    var retryFailed = false
    @Flag(help: "Show failures only.")
    var quiet = false
    @Flag(help: "Write one JSON object a scan to the standard output.")
    var json = false
    @Option(
        help: ArgumentHelp(
            "text, or json for a JSON object an event on the standard error.",
            valueName: "format"))
    var logFormat = "text"
    @Flag(help: "Print the JSON Schema of job files.")
    var schema = false

    func run() throws {
        if schema {
            try printChecked(JobFile.jsonSchema)
            return
        }
        guard let job else { throw UsageError("name a job file, or --schema") }
        var file = try JobFile(at: job, settings: set)
        file.segmentation?.shard = try shard.map { try Shard(parsing: $0) }
        file.segmentation?.retriesFailed = retryFailed
        file.segmentation?.logFormat = try parseChoice(logFormat, option: "--log-format")
        file.segmentation?.shows = json ? .json : quiet ? .quiet : .progress
        file.segmentation?.arguments = Array(CommandLine.arguments.dropFirst())
        if dryRun {
            try printChecked(try file.dryRun { complain($0) })
            return
        }
        let status = try file.run(
            note: { if !quiet, !json { complain($0) } }, output: { try printChecked($0) })
        if status != .success { throw ExitCode(status.rawValue) }
    }
}

/// `sliceseg status`.
struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows the state of a run: done, failed, running, left.",
        discussion: """
            EXAMPLES
              sliceseg status segmentations
              sliceseg status segmentations --audit

            EXIT STATUS
              0 nothing failed and, with --audit, every output is whole; 1 else.
            """)

    @Argument(help: ArgumentHelp("The output folder of a run.", valueName: "output"))
    var output: String
    @Flag(help: "Keep it on the screen until the run ends.")
    var watch = false
    @Flag(help: "Read every output and compare it with the ledger.")
    var audit = false
    @Flag(help: "Write one JSON object.")
    var json = false

    func run() throws {
        while true {
            let status = try RunStatus(of: output, audits: audit)
            let isOver = !watch || status.processes.isEmpty
            let isScreen = isatty(1) == 1
            if watch, isScreen { try printChecked("\u{1B}[H\u{1B}[2J") }
            try printChecked(json ? try status.json : status.text)
            guard isOver else {
                sleep(2)
                continue
            }
            if status.failed > 0 || status.problems?.isEmpty == false {
                throw ExitCode(ExitStatus.failure.rawValue)
            }
            return
        }
    }
}

/// `sliceseg merge`.
struct Merge: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Joins the shards of a run: one ledger, the tables, the report.",
        discussion: """
            Names the shards and scans that are missing and changes nothing where some are.

            EXAMPLE
              sliceseg merge segmentations
            """)

    @Argument(help: ArgumentHelp("The output folder of the shards.", valueName: "output"))
    var output: String

    func run() throws {
        let report = try mergeShards(
            in: output, arguments: Array(CommandLine.arguments.dropFirst())
        ) { complain($0) }
        if let evaluation = report.evaluation {
            try printChecked(evaluation.table)
            for problem in evaluation.problems { complain(problem) }
        }
        if report.status != .success { throw ExitCode(report.status.rawValue) }
    }
}
