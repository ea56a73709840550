import ArgumentParser
import Foundation
import Pipelines

/// `sliceseg benchmark`.
struct Benchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures a model's slices per second, by precision and thread count.",
        discussion: """
            Each row of the table is one precision with one thread count: the median, slowest and \
            fastest of the repetitions, the operations per second of the network's convolutions, the \
            seconds for the slices of a 256x256x256 head, and the peak memory of the process. \
            Repetitions of all rows are interleaved. The last line is this machine's convolution \
            speed, for comparing machines.

            EXAMPLES
              sliceseg benchmark
              sliceseg benchmark --network densenet --threads 1,8 --precision bf16 --json
            """)

    @Option(
        help: ArgumentHelp("The name of a shipped model, or a model folder.", valueName: "name|dir")
    )
    var model = SegmentationRequest.defaultModel
    @Option(
        help: ArgumentHelp(
            "unet, sdnet or densenet with random weights, instead of a model.",
            valueName: "family"))
    var network: String?
    @Option(help: ArgumentHelp("Channels per block of that network (64).", valueName: "n"))
    var channels: Int?
    @Option(help: ArgumentHelp("Its kernel size (5).", valueName: "n"))
    var kernel: Int?
    @Option(
        help: ArgumentHelp(
            "Its recalibration blocks: none, cse, sse or scse (scse).", valueName: "kind"))
    var recalibration: String?
    @Option(
        help: ArgumentHelp("Its number of classes, including the background (28).", valueName: "n"))
    var classes: Int?
    @Option(help: ArgumentHelp("Rows and columns of the slices.", valueName: "size"))
    var size = "256x256"
    @Option(help: ArgumentHelp("auto, cpu, cuda or cuda:1.", valueName: "device"))
    var device = "auto"
    @Option(
        help: ArgumentHelp(
            "Precisions, such as fp32,bf16 (default: those with hardware support).",
            valueName: "list"))
    var precision: String?
    @Option(
        help: ArgumentHelp(
            "Thread counts, such as 1,4 (default: powers of two, and all cores).",
            valueName: "list"))
    var threads: String?
    @Option(help: ArgumentHelp("Repetitions of each measurement.", valueName: "n"))
    var repetitions = 5
    @Flag(help: "Run the layers eagerly, without a compiled plan.")
    var layers = false
    @Flag(help: "Write one JSON object, with every repetition.")
    var json = false

    func request() throws -> BenchmarkRequest {
        var request = BenchmarkRequest()
        request.model = model
        if let network {
            var choices = ArchitectureChoices(family: network)
            choices.channels = channels
            choices.kernel = kernel
            choices.recalibration = recalibration
            if let classes { choices.classes = classes }
            request.network = choices
        } else if channels != nil || kernel != nil || recalibration != nil || classes != nil {
            throw UsageError("--channels, --kernel, --recalibration and --classes need --network")
        }
        request.slices = try SliceSize(parsing: size)
        request.device = device
        request.precisions = try precision.map { try parsePrecisions($0) }
        request.threads = try threads.map { try parseThreadCounts($0) }
        request.repetitions =
            try parseCount(repetitions, option: "--repetitions") ?? request.repetitions
        request.compiles = !layers
        return request
    }

    func run() throws {
        let report = try benchmark(try request())
        try printChecked(json ? try report.json() : report.text)
    }
}

/// `sliceseg benchmark-inference`, which fixtures/benchmarks/benchmark_inference.py talks to.
struct BenchmarkInference: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "benchmark-inference",
        abstract: "Times a network on one batch of slices.",
        discussion: """
            Reads repetition counts from standard input, one per line, computes the batch that many \
            times and writes the seconds of each repetition.

            EXAMPLE
              echo 5 | sliceseg benchmark-inference network.safetensors --precision bf16
            """, shouldDisplay: false)

    @Argument(
        help: ArgumentHelp(
            "A file by fixtures/benchmarks/benchmark_inference.py.", valueName: "file"))
    var file: String
    @Option(help: ArgumentHelp("The file to write the logits to.", valueName: "file"))
    var logits: String?
    @Option(help: ArgumentHelp("auto, bf16, fp32 or int8.", valueName: "precision"))
    var precision = "auto"
    @Option(help: ArgumentHelp("auto, cpu, cuda or cuda:1.", valueName: "device"))
    var device = "auto"
    @Option(help: ArgumentHelp("Number of threads (default: all cores).", valueName: "n"))
    var threads: Int?
    @Flag(help: "Run the layers eagerly, without a compiled plan.")
    var layers = false

    func run() throws {
        try benchmarkInference(
            path: file, logits: logits, precision: precision, device: device,
            threads: try parseCount(threads, option: "--threads"), compiles: !layers,
            nextCount: nextCount, report: printFlushed)
    }
}

/// `sliceseg benchmark-training`, which fixtures/benchmarks/benchmark_training.py talks to.
struct BenchmarkTraining: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "benchmark-training",
        abstract: "Times the training step on one batch.",
        discussion: """
            Reads step counts from standard input, one per line, and writes the wall time, CPU time \
            and loss of each step.

            EXAMPLE
              echo 5 | sliceseg benchmark-training step.safetensors --precision bf16
            """, shouldDisplay: false)

    @Argument(
        help: ArgumentHelp(
            "A file by fixtures/benchmarks/benchmark_training.py.", valueName: "file"))
    var file: String
    @Option(help: ArgumentHelp("auto, bf16 or fp32.", valueName: "precision"))
    var precision = "auto"
    @Option(help: ArgumentHelp("auto, cpu, cuda or cuda:1.", valueName: "device"))
    var device = "auto"
    @Option(help: ArgumentHelp("Number of threads (default: all cores).", valueName: "n"))
    var threads: Int?

    func run() throws {
        try benchmarkTraining(
            path: file, precision: precision, device: device,
            threads: try parseCount(threads, option: "--threads"),
            nextCount: nextCount, report: printFlushed)
    }
}

/// The number in the next line of the standard input, or `nil` at its end.
private func nextCount() -> Int? { readLine().flatMap { Int($0) } }

/// Prints a line and flushes it, so that the other program sees it at once.
private func printFlushed(_ line: String) {
    print(line)
    fflush(nil)
}
