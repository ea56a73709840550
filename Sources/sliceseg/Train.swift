import ArgumentParser
import Foundation
import Pipelines

/// `sliceseg train`.
struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Trains a model from a configuration and writes it as a bundle.",
        discussion: """
            A configuration with an 'experiment' section trains several networks and compares them \
            in table.html.

            EXAMPLES
              sliceseg train pipelines/phantom.yaml --output models/phantom
              sliceseg train pipelines/malc-table.yaml --output runs/table --resume
            """)

    @Argument(help: ArgumentHelp("The configuration; see pipelines/.", valueName: "config.yaml"))
    var configuration: String
    @Option(help: ArgumentHelp("The folder for checkpoints and the bundle.", valueName: "dir"))
    var output: String
    @Flag(
        help: "Resume from the checkpoints of an earlier run with the same configuration and cases."
    )
    var resume = false
    @Flag(help: "Replace an earlier training in the output folder.")
    var overwrite = false
    @Option(
        help: ArgumentHelp(
            "Initialize from the weights of this model (a shipped model or a model folder); "
                + "structures are matched by name.", valueName: "model"))
    var from: String?
    @Option(help: ArgumentHelp("auto, cpu, cuda or cuda:1.", valueName: "device"))
    var device = "auto"
    @Option(help: ArgumentHelp("Number of threads (default: all cores).", valueName: "n"))
    var threads: Int?
    @Option(
        help: ArgumentHelp(
            "Networks of an experiment to train, such as unet-none,unet-scse.",
            valueName: "names"))
    var only: String?

    func run() throws {
        guard !resume || !overwrite else {
            throw UsageError(
                "--resume continues a training and --overwrite restarts it; give one of them")
        }
        try runTraining(
            configurationPath: configuration, outputDirectory: output, resume: resume,
            overwrites: overwrite, from: from, device: device,
            threads: try parseCount(threads, option: "--threads"),
            only: (only ?? "").split(separator: ",").map(String.init),
            report: { printError($0) })
    }
}

/// `sliceseg calibrate`.
struct Calibrate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Calibrates a model for --precision int8 on a few scans.",
        discussion: """
            Records the input range of each convolution in the model card. Training does this by \
            itself. Scans are found as by segment-brain, and the first four are used.

            EXAMPLE
              sliceseg calibrate models/mine scans --output models/mine-int8
            """)

    @Argument(
        help: ArgumentHelp("The name of a shipped model, or a model folder.", valueName: "model"))
    var model: String
    @Argument(help: ArgumentHelp("Representative scans.", valueName: "input"))
    var inputs: [String]
    @Option(
        help: ArgumentHelp(
            "The folder for the calibrated model; may be the model's own.", valueName: "dir"))
    var output: String
    @Option(help: ArgumentHelp("Number of threads (default: all cores).", valueName: "n"))
    var threads: Int?

    func run() throws {
        try calibrate(
            model: model, inputs: inputs, output: output,
            threads: try parseCount(threads, option: "--threads"), report: { printError($0) })
    }
}
