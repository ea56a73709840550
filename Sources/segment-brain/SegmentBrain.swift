import ArgumentParser
import Foundation
import Pipelines

/// The command `segment-brain`.
@main
struct SegmentBrain: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "segment-brain",
        abstract: "Segments scans: labels, structure volumes and a picture for each of them.",
        usage: """
            segment-brain <input> ... <output> [<options>]
            segment-brain <bids_dir> <output_dir> participant|group [<options>]
            """,
        discussion: """
            For scan NAME.nii.gz the output folder gets NAME_dseg.nii.gz (labels), \
            NAME_dseg.tsv (their names), NAME_volumes.tsv, NAME.stats (in \
            FreeSurfer's form), NAME_qc.png (look at it!) and NAME_dseg.json (provenance); for the run \
            report.html, volumes.tsv, qc.tsv (unusual volumes, asymmetry, fragments; the \
            most suspicious scan first), failures.tsv and run.json.
            Scans that are done are left out, so that a run that was stopped goes on when it \
            is started again. A label map that you have corrected is kept and measured anew.
            The ledger (ledger.sqlite) records it all; 'sliceseg status <output>' shows it.

            EXAMPLES
              segment-brain scans/ segmentations/
              segment-brain t1.nii.gz t2.mgz out --planes coronal --precision fp32
              segment-brain cases.txt out --reference manual/ --json
              segment-brain bids/ bids/derivatives/sliceseg --participant-label 01 02
              segment-brain cases.txt out --shard 2/8   # then: sliceseg merge out
              segment-brain bids/ out participant --participant-label 01   # a BIDS App
              segment-brain bids/ out group

            EXIT STATUS
              0 all scans are done, 1 some failed (see failures.tsv), 2 the command line is
              wrong, 130 interrupted (143 by SIGTERM, 129 by SIGHUP). As a BIDS App: 1 where
              no scan is done, 3 where some are.
            """,
        version: softwareVersion)

    @Argument(
        help: ArgumentHelp(
            "Scans (.nii, .nii.gz, .mgz, .mgh, .hdr), folders that are searched with their "
                + "subfolders (also for DICOM series, which dcm2niix reads), BIDS datasets, or a "
                + ".txt list with a path a line; then the output folder.",
            valueName: "input ... output"))
    var paths: [String] = []

    @Option(
        help: ArgumentHelp("A shipped model's name or a model's folder.", valueName: "name|dir"))
    var model = "brain-mri"

    @Option(help: "The planes to use, such as coronal,axial; all that the model has by default.")
    var planes: String?

    @Option(help: ArgumentHelp("auto, cpu, cuda or cuda:1.", valueName: "device"))
    var device = "auto"

    @Option(help: ArgumentHelp("auto, bf16, fp32 or int8.", valueName: "precision"))
    var precision = "auto"

    @Option(help: ArgumentHelp("Threads of the networks; all cores by default.", valueName: "n"))
    var threads: Int?

    @Option(help: ArgumentHelp("Slices that are computed at once.", valueName: "n"))
    var batchSize: Int?

    @Option(
        help: ArgumentHelp(
            "Memory that scans may take beside the model; where it is short, fewer slices are "
                + "computed at once, and a scan that cannot fit fails.", valueName: "size"))
    var maxMemory = "1.5G"

    @Option(
        help: ArgumentHelp(
            "Which volume of 4-D scans to segment, counted from 0 as in fslroi.", valueName: "n"))
    var volume: Int?

    @Option(
        help: ArgumentHelp(
            "linear or cubic: how scans are resampled to the model's grid; as the model's card "
                + "says by default.", valueName: "name"))
    var interpolation: String?

    @Option(
        help: ArgumentHelp(
            "native, or conformed to write the labels and the scan on the model's grid, too.",
            valueName: "grid"))
    var space = "native"

    @Flag(help: "Write the probabilities of all classes, a 4-D NAME_probseg.nii.gz.")
    var probabilities = false

    @Option(
        help: ArgumentHelp(
            "flip: compute each scan's mirror image too and join the votes; twice the time.",
            valueName: "name"))
    var tta: String?

    @Option(
        help: ArgumentHelp(
            "Draw samples with dropout: NAME_entropy.nii.gz, and NAME_uncertainty.tsv with the "
                + "spread of each structure. For models that were trained with dropout.",
            valueName: "samples"))
    var uncertainty: Int?

    @Option(help: ArgumentHelp("The seed of those samples.", valueName: "n"))
    var seed: UInt64 = 0

    @Flag(
        help: "Segment finished scans again; a label map that was changed is moved aside first.")
    var overwrite = false

    @Flag(help: "Segment only scans that failed in an earlier run.")
    var retryFailed = false

    @Flag(help: "Read every file to tell what is done, even where its size and time are the same.")
    var verify = false

    @Option(
        help: ArgumentHelp(
            "Only this part of the scans, such as 2/8; auto in an array job of Slurm or Grid "
                + "Engine. 'sliceseg merge' joins the parts.", valueName: "i/n"))
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
            "A file of JSON whose 'session' is the only one.", valueName: "file"))
    var bidsFilterFile: String?

    @Option(
        help: ArgumentHelp(
            "fmriprep: write what fMRIPrep takes by --derivatives, too: the scan, its brain mask, "
                + "tissues and their probabilities. For BIDS datasets.", valueName: "tool"))
    var derivativesFor: String?

    @Option(
        name: [.customShort("w"), .customLong("work-dir"), .customLong("work_dir")],
        help: ArgumentHelp(
            "The folder of temporary files other than those in the output.", valueName: "dir"))
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
        help: "Taken and without effect: only names that are used are looked at.")
    var skipBIDSValidation = false

    @Option(
        help: ArgumentHelp(
            "Only this DICOM series: its number, or a part of its description; may stand several "
                + "times. By default all but localizers and what was computed from another series.",
            valueName: "series"))
    var series: [String] = []

    @Flag(help: "Segment DICOM series that lack slices, too; results are marked.")
    var allowGaps = false

    @Option(
        help: ArgumentHelp(
            "Reference label maps: measures each structure and writes metrics.tsv and what "
                + "else 'sliceseg evaluate' does.", valueName: "dir"))
    var reference: String?

    @Flag(help: "Show how long each stage of a scan took.")
    var profile = false

    @Flag(help: "Show failures only.")
    var quiet = false

    @Flag(help: "Write one JSON object a scan to the standard output.")
    var json = false

    @Option(
        help: ArgumentHelp(
            "text, or json for a JSON object an event on the standard error.",
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
        request.shard = try shard.map { try Shard(parsing: $0) }
        request.selection.participants = participantLabel
        let filtered = try bidsFilterFile.map { try sessions(ofFilterFile: $0) } ?? []
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
                for note in evaluation.notes { complain(note) }
            }
        }
        for problem in report.evaluation?.problems ?? [] { complain(problem) }
        if report.status != .success { throw ExitCode(report.status.rawValue) }
    }

    /// Runs as a BIDS App; the last lines of the standard output tell each participant's outcome.
    private func run(_ level: AnalysisLevel, _ request: SegmentationRequest) throws {
        let report: SegmentationReport
        switch level {
        case .participant: report = try segmentScans(request)
        case .group:
            report = try summarizeParticipants(
                in: request.output, model: model == "brain-mri" ? nil : model,
                arguments: request.arguments
            ) { complain($0) }
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
            var command = try parseAsRoot()
            try command.run()
            endProcess()
        } catch {
            endCommand("segment-brain", after: error) { parserReply(to: error) }
        }
    }

    /// What the parser says to an error, and its exit code.
    private static func parserReply(to error: any Error) -> ParserReply? {
        let code = exitCode(for: error)
        if code == .success { return .text(fullMessage(for: error)) }
        if code == .validationFailure { return .wrongUsage(message(for: error)) }
        return (error as? ExitCode).map { .status($0.rawValue) }
    }
}
