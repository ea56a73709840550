import ArgumentParser
import Foundation
import Pipelines

/// The command `segment-brain`.
@main
struct SegmentBrain: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "segment-brain",
        abstract: "Segments brain scans: a label map, structure volumes and a picture for each.",
        usage: "segment-brain <input> ... <output> [<options>]",
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

            EXIT STATUS
              0 all scans done, 1 some scans failed (see failures.tsv), 2 usage error,
              130 interrupted (143 by SIGTERM, 129 by SIGHUP).
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
    var model = "brain-any"

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

    @Option(
        help: ArgumentHelp(
            "Segment one shard of the scans, such as 2/8; auto in a Slurm or Grid Engine array "
                + "job. 'sliceseg merge' joins the shards.", valueName: "i/n"))
    var shard: String?

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Only these participants of a BIDS dataset, with or without 'sub-'.",
            valueName: "label"))
    var participantLabel: [String] = []

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

    func request() throws -> SegmentationRequest {
        var request = try SegmentationRequest(paths: paths)
        request.model = model
        request.planes = try planes.map { try parsePlanes($0) }
        request.device = device
        request.precision = try parsePrecision(precision)
        request.threads = try parseCount(threads, option: "--threads")
        request.batchSize = try parseCount(batchSize, option: "--batch-size")
        request.volume = try parseVolume(volume)
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

    static func main() {
        do {
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
