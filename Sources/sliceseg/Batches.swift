import ArgumentParser
import Foundation
import Pipelines

/// `sliceseg run`.
struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs a job file: phantoms, segmentation, evaluation.",
        discussion: """
            A job file is YAML with the sections phantom, segment and evaluate, all optional, which \
            run in this order. Paths are relative to the file's folder. 'sliceseg run --schema' prints \
            the JSON Schema of job files, for completion and checks in editors.

            EXAMPLES
              sliceseg run pipelines/jobs/phantom.yaml
              sliceseg run study.yaml --dry-run
              sliceseg run study.yaml --set segment.model=phantom --set segment.resources.threads=4
            """)

    @Argument(help: ArgumentHelp("The job file.", valueName: "job.yaml"))
    var job: String?
    @Option(
        help: ArgumentHelp(
            "Override a key of the file; paths are relative to the current folder.",
            valueName: "key=value"))
    var set: [String] = []
    @Option(
        help: ArgumentHelp(
            "Segment one shard of the scans, such as 2/8; auto in an array job.", valueName: "i/n"))
    var shard: String?
    @Flag(help: "List finished and pending scans without writing anything.")
    var dryRun = false
    @Flag(help: "Segment only the scans that failed in an earlier run.")
    var retryFailed = false
    @Flag(help: "Print failures only.")
    var quiet = false
    @Flag(help: "Write one JSON object per scan to standard output.")
    var json = false
    @Option(
        help: ArgumentHelp(
            "text, or json: one JSON object per event on standard error.",
            valueName: "format"))
    var logFormat = "text"
    @Flag(help: "Print the JSON Schema of job files.")
    var schema = false

    func run() throws {
        let logFormat: LogFormat = try parseChoice(logFormat, option: "--log-format")
        beginLog(logFormat)
        if schema {
            try printChecked(JobFile.jsonSchema)
            return
        }
        guard let job else { throw UsageError("give a job file, or --schema") }
        var file = try JobFile(at: job, settings: set)
        file.segmentation?.shard = try shard.map { try Shard(parsing: $0) }
        file.segmentation?.retriesFailed = retryFailed
        file.segmentation?.logFormat = logFormat
        file.segmentation?.shows = json ? .json : quiet ? .quiet : .progress
        file.segmentation?.arguments = Array(CommandLine.arguments.dropFirst())
        if dryRun {
            try printChecked(try file.dryRun { printError($0) })
            return
        }
        let status = try file.run(
            note: { if !quiet, !json { printError($0) } }, output: { try printChecked($0) })
        if status != .success { throw ExitCode(status.rawValue) }
    }
}

/// `sliceseg status`.
struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows the state of a run: scans done, failed, running and pending.",
        discussion: """
            EXAMPLES
              sliceseg status segmentations
              sliceseg status segmentations --audit

            EXIT STATUS
              0 no scan failed and, with --audit, all outputs are intact; 1 otherwise.
            """)

    @Argument(help: ArgumentHelp("The output folder of a run.", valueName: "output"))
    var output: String
    @Flag(help: "Refresh the display until the run ends.")
    var watch = false
    @Flag(help: "Verify the checksum of every output against the ledger.")
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
        abstract: "Merges the shards of a run into one ledger, its tables and its report.",
        discussion: """
            Where shards or scans are missing, names them and changes nothing.

            EXAMPLE
              sliceseg merge segmentations
            """)

    @Argument(help: ArgumentHelp("The output folder of the shards.", valueName: "output"))
    var output: String

    func run() throws {
        let report = try mergeShards(
            in: output, arguments: Array(CommandLine.arguments.dropFirst())
        ) { printError($0) }
        if let evaluation = report.evaluation {
            try printChecked(evaluation.table)
            for problem in evaluation.problems { printError(problem) }
        }
        if report.status != .success { throw ExitCode(report.status.rawValue) }
    }
}
