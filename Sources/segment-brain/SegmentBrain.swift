import ArgumentParser
import Foundation
import Pipelines

/// The command `segment-brain`.
@main
struct SegmentBrain: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "segment-brain",
        abstract: "Segments brain scans: a label map, structure volumes and a picture for each.",
        usage: """
            segment-brain <input> ... <output> [<options>]
            segment-brain <bids_dir> <output_dir> participant|group [<options>]
            """,
        discussion: """
            For each scan NAME.nii.gz, the output folder receives NAME_dseg.nii.gz (label map), \
            NAME_dseg.tsv (label names), NAME_volumes.tsv, NAME.stats (FreeSurfer's format), \
            NAME_qc.png (look at it!) and NAME_dseg.json (provenance); for the run, report.html, \
            volumes.tsv, qc.tsv (unusual volumes, asymmetry, fragments; most suspicious scan \
            first), failures.tsv and run.json.
            Finished scans are skipped, so an interrupted run resumes when it is started again. \
            A label map that you have corrected is kept, and its volumes are measured again. \
            The ledger (ledger.sqlite) records every scan; 'sliceseg status <output>' shows it.

            EXAMPLES
              segment-brain scans/ segmentations/
              segment-brain t1.nii.gz t2.mgz out --planes coronal --precision fp32
              segment-brain cases.txt out --reference manual/ --json
              segment-brain bids/ bids/derivatives/sliceseg --participant-label 01 02
              segment-brain cases.txt out --shard 2/8   # then: sliceseg merge out
              segment-brain bids/ out participant --participant-label 01   # a BIDS App
              segment-brain bids/ out group

            EXIT STATUS
              0 all scans done, 1 some scans failed (see failures.tsv), 2 usage error,
              130 interrupted (143 by SIGTERM, 129 by SIGHUP). As a BIDS App: 1 if no scan
              is done, 3 if some are.
            """,
        version: softwareVersion)

    @Argument(
        help: ArgumentHelp(
            "Scans (.nii, .nii.gz, .mgz, .mgh, .hdr), folders (searched recursively, also for "
                + "DICOM series, which dcm2niix converts), BIDS datasets, or a .txt list with one "
                + "path per line; then the output folder.",
            valueName: "input ... output"))
    var paths: [String] = []

    @Option(
        help: ArgumentHelp("The name of a shipped model, or a model folder.", valueName: "name|dir")
    )
    var model = SegmentationRequest.defaultModel

    @Option(help: "The planes to use, such as coronal,axial (default: all planes of the model).")
    var planes: String?

    @Option(help: ArgumentHelp("auto, cpu, cuda or cuda:1.", valueName: "device"))
    var device = "auto"

    @Option(help: ArgumentHelp("auto, bf16, fp32 or int8.", valueName: "precision"))
    var precision = "auto"

    @Option(help: ArgumentHelp("Number of threads (default: all cores).", valueName: "n"))
    var threads: Int?

    @Option(help: ArgumentHelp("Number of slices per batch.", valueName: "n"))
    var batchSize: Int?

    @Option(
        help: ArgumentHelp(
            "Memory that scans may take beside the model; if it is short, fewer slices are "
                + "computed at once, and a scan that cannot fit fails.", valueName: "size"))
    var maxMemory = "1.5G"

    @Option(
        help: ArgumentHelp(
            "Index of the volume to segment in 4-D scans, from 0 as in fslroi.", valueName: "n"))
    var volume: Int?

    @Option(
        help: ArgumentHelp(
            "linear or cubic: interpolation for resampling scans to the model's grid (default: "
                + "the model card's).", valueName: "name"))
    var interpolation: String?

    @Option(
        help: ArgumentHelp(
            "native, or conformed to also write the labels and the scan on the model's grid.",
            valueName: "grid"))
    var space = "native"

    @Flag(help: "Write the class probabilities as a 4-D volume, NAME_probseg.nii.gz.")
    var probabilities = false

    @Option(
        help: ArgumentHelp(
            "flip: also segment each scan's mirror image and average the probabilities; takes "
                + "twice as long.",
            valueName: "name"))
    var tta: String?

    @Option(
        help: ArgumentHelp(
            "Number of Monte Carlo dropout samples: writes NAME_entropy.nii.gz, and "
                + "NAME_uncertainty.tsv with each structure's variation. Only for models trained "
                + "with dropout.",
            valueName: "samples"))
    var uncertainty: Int?

    @Option(help: ArgumentHelp("Random seed of the dropout samples.", valueName: "n"))
    var seed: UInt64 = 0

    @Flag(
        help: "Re-segment finished scans; edited label maps are renamed, not overwritten.")
    var overwrite = false

    @Flag(help: "Segment only the scans that failed in an earlier run.")
    var retryFailed = false

    @Flag(help: "Compare file contents, not sizes and times, to decide which scans are done.")
    var verify = false

    @Flag(
        inversion: .prefixedNo,
        help: "Look at scans of heads first, and warn where a header seems wrong.")
    var check = true

    @Option(
        help: ArgumentHelp(
            "Segment one shard of the scans, such as 2/8; auto in a Slurm or Grid Engine array "
                + "job. 'sliceseg merge' joins the shards.", valueName: "i/n"))
    var shard: String?

    @Option(
        name: [.customLong("participant-label"), .customLong("participant_label")],
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Only these participants of a BIDS dataset, with or without 'sub-'.",
            valueName: "label"))
    var participantLabel: [String] = []

    @Option(
        name: [.customLong("session-label"), .customLong("session_label")],
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Only these sessions of a BIDS dataset, with or without 'ses-'.", valueName: "label"))
    var sessionLabel: [String] = []

    @Option(
        name: [.customLong("bids-filter-file"), .customLong("bids_filter_file")],
        help: ArgumentHelp(
            "A JSON file whose 'session' entries select sessions, as BABS writes it.",
            valueName: "file"))
    var bidsFilterFile: String?

    @Option(
        help: ArgumentHelp(
            "fmriprep: also write what fMRIPrep reads with --derivatives: the scan, its brain mask, "
                + "tissues and their probabilities. For BIDS datasets.", valueName: "tool"))
    var derivativesFor: String?

    @Option(
        name: [.customShort("w"), .customLong("work-dir"), .customLong("work_dir")],
        help: ArgumentHelp(
            "Folder of temporary files; unfinished results stay below the output.",
            valueName: "dir"))
    var workFolder: String?

    @Option(
        name: [.customLong("n_cpus"), .customLong("n-cpus"), .customLong("nthreads")],
        help: ArgumentHelp("The same as --threads.", valueName: "n"))
    var processors: Int?

    @Option(
        name: [.customLong("mem-mb"), .customLong("mem_mb")],
        help: ArgumentHelp(
            "Memory of the whole process in MB, the model included; in place of --max-memory.",
            valueName: "n"))
    var memoryMegabytes: Int?

    @Flag(
        name: [.customLong("skip-bids-validation"), .customLong("skip_bids_validation")],
        help: "Accepted and without effect: a dataset is read as far as its scans need it.")
    var skipBIDSValidation = false

    @Option(
        help: ArgumentHelp(
            "Only this DICOM series: its number, or part of its description; repeatable. By "
                + "default all series except localizers and derived images.",
            valueName: "series"))
    var series: [String] = []

    @Flag(help: "Also segment DICOM series with missing slices; their results are marked.")
    var allowGaps = false

    @Option(
        help: ArgumentHelp(
            "Reference label maps to evaluate against; writes the files of 'sliceseg evaluate'.",
            valueName: "dir"))
    var reference: String?

    @Flag(help: "Show the time spent in each stage.")
    var profile = false

    @Flag(help: "Print failures only.")
    var quiet = false

    @Flag(help: "Write one JSON object per scan to standard output.")
    var json = false

    @Option(
        help: ArgumentHelp(
            "text, or json: one JSON object per event on standard error.",
            valueName: "format"))
    var logFormat = "text"

    func request() throws -> SegmentationRequest {
        let level = AnalysisLevel(paths: paths)
        var request = try SegmentationRequest(paths: level == nil ? paths : Array(paths.dropLast()))
        request.isOfParticipants = level == .participant
        request.model = model
        request.planes = try planes.map { try parsePlanes($0) }
        request.device = device
        request.precision = try parsePrecision(precision)
        request.threads = try parseCount(threads ?? processors, option: "--threads")
        request.batchSize = try parseCount(batchSize, option: "--batch-size")
        request.volume = try parseVolume(volume)
        request.memory =
            try memoryMegabytes.map {
                var total = try MemoryAllowance(parsing: "\($0)M", option: "--mem-mb")
                total.includesModel = true
                return total
            } ?? MemoryAllowance(parsing: maxMemory, option: "--max-memory")
        request.derivativesFor = try derivativesFor.map {
            try parseChoice($0, option: "--derivatives-for")
        }
        request.logFormat = try parseChoice(logFormat, option: "--log-format")
        request.interpolation = try interpolation.map {
            try parseChoice($0, option: "--interpolation")
        }
        request.space = try parseChoice(space, option: "--space")
        request.writesProbabilities = probabilities
        request.mirrors = try parseTestTimeAugmentation(tta)
        request.uncertaintySamples = try parseCount(uncertainty, option: "--uncertainty")
        request.seed = seed
        request.overwrites = overwrite
        request.retriesFailed = retryFailed
        request.verifies = verify
        if !check { request.checksScans = false }
        request.shard = try shard.map { try Shard(parsing: $0) }
        request.selection.participants = participantLabel
        let filtered = try bidsFilterFile.map { try sessionLabels(ofFilterFile: $0) } ?? []
        request.selection.sessions = sessionLabel + filtered
        request.selection.series = series
        request.selection.allowsGaps = allowGaps
        request.reference = reference
        request.profiles = profile
        request.shows = json ? .json : quiet ? .quiet : .progress
        request.arguments = Array(CommandLine.arguments.dropFirst())
        return request
    }

    func run() throws {
        beginLog(try parseChoice(logFormat, option: "--log-format"))
        let request = try request()
        if let workFolder {
            try prepareWorkFolder(workFolder)
        }
        if let level = AnalysisLevel(paths: paths) {
            try run(level, request)
            return
        }
        let report = try segmentScans(request)
        if let evaluation = report.evaluation, request.shows != .json {
            if request.shows == .progress {
                try printChecked("\n" + evaluation.table)
                for note in evaluation.notes { printError(note) }
            }
        }
        for problem in report.evaluation?.problems ?? [] { printError(problem) }
        if report.status != .success { throw ExitCode(report.status.rawValue) }
    }

    /// Runs as a BIDS App; the last lines of the standard output tell each participant's outcome.
    private func run(_ level: AnalysisLevel, _ request: SegmentationRequest) throws {
        let report: SegmentationReport
        switch level {
        case .participant: report = try segmentScans(request)
        case .group:
            report = try summarizeParticipants(
                in: request.output, model: model == SegmentationRequest.defaultModel ? nil : model,
                arguments: request.arguments
            ) { printError($0) }
        }
        for participant in report.participants where request.shows != .json {
            try printChecked(participant.line + "\n")
        }
        guard report.status != .success else { return }
        let isPartial = report.participants.contains { $0.done > 0 }
        throw ExitCode(
            (isPartial ? ExitStatus.partialSuccess : ExitStatus.failure).rawValue)
    }

    static func main() {
        do {
            if CommandLine.arguments.dropFirst() == ["--version"] {
                try printChecked(versionReport(of: "segment-brain"))
                endProcess()
            }
            var command = try parseAsRoot()
            try command.run()
            endProcess()
        } catch {
            endCommand("segment-brain", after: error) { parserReply(to: error) }
        }
    }

    /// The parser's message for an error, and its exit code.
    private static func parserReply(to error: any Error) -> ParserReply? {
        let code = exitCode(for: error)
        if code == .success { return .text(fullMessage(for: error)) }
        if code == .validationFailure { return .wrongUsage(message(for: error)) }
        return (error as? ExitCode).map { .status($0.rawValue) }
    }
}
