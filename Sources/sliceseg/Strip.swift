import ArgumentParser
import Pipelines

/// `sliceseg strip`.
struct Strip: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Finds the brain in scans: its mask, and the scan without skull.",
        usage: "sliceseg strip <input> ... <output> [<options>]",
        discussion: """
            For scan NAME.nii.gz the output folder gets NAME_desc-brain_mask.nii.gz (1 in the brain), \
            NAME_desc-brain.nii.gz (the scan, 0 elsewhere) and NAME_desc-brain_mask.json (provenance), \
            on the scan's own grid; scans that are done are left out. A scan that was stripped before \
            keeps all that it shows.

            EXAMPLES
              sliceseg strip t1.nii.gz stripped/
              sliceseg strip scans/ stripped/ --dilation 2 --json

            EXIT STATUS
              0 all scans are done, 1 some failed (see failures.tsv), 2 the command line is
              wrong, 130 interrupted.
            """)

    @Argument(
        help: ArgumentHelp(
            "Scans (.nii, .nii.gz, .mgz, .mgh, .hdr), folders that are searched with their "
                + "subfolders, BIDS datasets, or a .txt list with a path a line; then the output "
                + "folder.",
            valueName: "input ... output"))
    var paths: [String] = []

    @Option(
        help: ArgumentHelp(
            "A shipped model that finds the brain, or a model's folder.", valueName: "name|dir"))
    var model = "brain-mask"

    @Option(
        help: ArgumentHelp(
            "How far around the brain the scan is kept; the mask is that of the brain.",
            valueName: "mm"))
    var dilation = 0.0

    @Option(help: ArgumentHelp("auto, cpu, cuda or cuda:1.", valueName: "device"))
    var device = "auto"

    @Option(help: ArgumentHelp("auto, bf16 or fp32.", valueName: "precision"))
    var precision = "auto"

    @Option(help: ArgumentHelp("Threads of the networks; all cores by default.", valueName: "n"))
    var threads: Int?

    @Option(
        help: ArgumentHelp(
            "Which volume of 4-D scans to take, counted from 0 as in fslroi.", valueName: "n"))
    var volume: Int?

    @Flag(help: "Do scans again that are done.")
    var overwrite = false

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Only these participants of a BIDS dataset, with or without 'sub-'.",
            valueName: "label"))
    var participantLabel: [String] = []

    @Flag(help: "Show failures only.")
    var quiet = false

    @Flag(help: "Write one JSON object a scan to the standard output.")
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
