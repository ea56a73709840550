import ArgumentParser
import Pipelines

/// `sliceseg strip`.
struct Strip: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Skull-strips scans: a brain mask, and the scan without its skull.",
        usage: "sliceseg strip <input> ... <output> [<options>]",
        discussion: """
            For each scan NAME.nii.gz, the output folder receives NAME_desc-brain_mask.nii.gz (1 \
            inside the brain), NAME_desc-brain.nii.gz (the scan, 0 outside) and \
            NAME_desc-brain_mask.json (provenance), all on the scan's own grid. Finished scans are \
            skipped. A scan that is skull-stripped already is kept whole.

            EXAMPLES
              sliceseg strip t1.nii.gz stripped/
              sliceseg strip scans/ stripped/ --dilation 2 --json

            EXIT STATUS
              0 all scans done, 1 some scans failed (see failures.tsv), 2 usage error,
              130 interrupted.
            """)

    @Argument(
        help: ArgumentHelp(
            "Scans (.nii, .nii.gz, .mgz, .mgh, .hdr), folders (searched recursively), BIDS "
                + "datasets, or a .txt list with one path per line; then the output folder.",
            valueName: "input ... output"))
    var paths: [String] = []

    @Option(
        help: ArgumentHelp(
            "The name of a shipped brain-mask model, or a model folder.", valueName: "name|dir"))
    var model = "brain-mask"

    @Option(
        help: ArgumentHelp(
            "Margin around the brain kept in the stripped scan; the mask stays exact.",
            valueName: "mm"))
    var dilation = 0.0

    @Option(help: ArgumentHelp("auto, cpu, cuda or cuda:1.", valueName: "device"))
    var device = "auto"

    @Option(help: ArgumentHelp("auto, bf16 or fp32.", valueName: "precision"))
    var precision = "auto"

    @Option(help: ArgumentHelp("Number of threads (default: all cores).", valueName: "n"))
    var threads: Int?

    @Option(
        help: ArgumentHelp(
            "Index of the volume to use in 4-D scans, from 0 as in fslroi.", valueName: "n"))
    var volume: Int?

    @Flag(help: "Process finished scans again.")
    var overwrite = false

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Only these participants of a BIDS dataset, with or without 'sub-'.",
            valueName: "label"))
    var participantLabel: [String] = []

    @Flag(help: "Print failures only.")
    var quiet = false

    @Flag(help: "Write one JSON object per scan to standard output.")
    var json = false

    func run() throws {
        var request = try StripRequest(paths: paths)
        request.model = model
        request.device = device
        request.precision = try parsePrecision(precision)
        request.threads = try parseCount(threads, option: "--threads")
        request.volume = try parseVolume(volume)
        request.dilationMillimeters = try parseDilation(dilation, option: "--dilation")
        request.overwrites = overwrite
        request.participants = participantLabel
        request.shows = json ? .json : quiet ? .quiet : .progress
        let status = try stripScans(request)
        if status != .success { throw ExitCode(status.rawValue) }
    }
}
