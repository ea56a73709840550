import ArgumentParser
import Pipelines

/// `sliceseg check`.
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Checks what scans show: their contrast, and whether the head lies as the header says.",
        discussion: """
            A small network looks at a few slices along each axis. It tells T1, T2, FLAIR, CT, other \
            contrasts and scans without a head apart, and which way the head lies, up to mirroring: \
            left and right look alike. segment-brain runs the same check and warns.

            EXAMPLES
              sliceseg check scans/
              sliceseg check t1.nii.gz flair.nii.gz --table checks.tsv

            EXIT STATUS
              0 no warning, 1 a warning or a scan that cannot be read, 2 usage error.
            """)

    @Argument(
        help: ArgumentHelp(
            "Scans, folders (searched recursively), BIDS datasets, or a .txt list with one path "
                + "per line.", valueName: "input"))
    var inputs: [String] = []

    @Option(
        help: ArgumentHelp(
            "The name of a shipped model that classifies scans, or a model folder.",
            valueName: "name|dir"))
    var model = checkModel

    @Option(
        help: ArgumentHelp(
            "Index of the volume to use in 4-D scans, from 0 as in fslroi.", valueName: "n"))
    var volume: Int?

    @Option(help: ArgumentHelp("Number of threads (default: all cores).", valueName: "n"))
    var threads: Int?

    @Option(help: ArgumentHelp("Also write a table of all scans.", valueName: "tsv"))
    var table: String?

    @Flag(help: "Write one JSON object per scan.")
    var json = false

    func run() throws {
        var request = try CheckRequest(inputs: inputs)
        request.model = model
        request.volume = try parseVolume(volume)
        request.threads = try parseCount(threads, option: "--threads")
        request.table = table
        request.writesJSON = json
        let status = try checkScans(request)
        if status != .success { throw ExitCode(status.rawValue) }
    }
}
