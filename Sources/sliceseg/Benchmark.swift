import ArgumentParser
import Foundation
import Pipelines

/// `sliceseg benchmark`.
struct Benchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures slices per second of a model, by precision and threads.",
        discussion: """
            Each line of the table is a number format on a number of threads: the median of the \
            repetitions, the slowest and the fastest of them, the operations of the network's \
            convolutions that this stands for, the seconds for the slices of a head of 256x256x256 \
            voxels, and the most memory that the process took. All lines take turns. The last line \
            tells how fast this machine convolves, to compare machines by.

            EXAMPLES
              sliceseg benchmark
              sliceseg benchmark --network densenet --threads 1,8 --precision bf16 --json
            """)

    @Option(
        help: ArgumentHelp("A shipped model's name or a model's folder.", valueName: "name|dir"))
    var model = "brain-any"
    @Option(
        help: ArgumentHelp(
            "unet, sdnet or densenet with random weights in the model's place.",
            valueName: "family"))
    var network: String?
    @Option(help: ArgumentHelp("Channels of every block of it (64).", valueName: "n"))
    var channels: Int?
    @Option(help: ArgumentHelp("Edge length of its kernels (5).", valueName: "n"))
    var kernel: Int?
    @Option(help: ArgumentHelp("none, cse, sse or scse (scse).", valueName: "kind"))
    var recalibration: String?
    @Option(help: ArgumentHelp("Its classes, background included (28).", valueName: "n"))
    var classes: Int?
    @Option(help: ArgumentHelp("Rows and columns of the slices.", valueName: "size"))
    var size = "256x256"
    @Option(help: ArgumentHelp("auto, cpu, cuda or cuda:1.", valueName: "device"))
    var device = "auto"
    @Option(
        help: ArgumentHelp(
            "Such as fp32,bf16; all that the device computes in hardware by default.",
            valueName: "list"))
    var precision: String?
    @Option(
        help: ArgumentHelp(
            "Such as 1,4; 1, 2, 4 and so on, and all cores by default.", valueName: "list"))
    var threads: String?
    @Option(help: ArgumentHelp("How often each is measured.", valueName: "n"))
    var repetitions = 5
    @Flag(help: "Call the layers one after another and compile nothing.")
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
            throw UsageError("a model is what it is; name a --network to choose its layers")
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
            Reads counts from the standard input, a line each, computes the batch so many times \
            and writes the seconds of each.

            EXAMPLE
              echo 5 | sliceseg benchmark-inference network.safetensors --precision bf16
            """, shouldDisplay: false)

    @Argument(
        help: ArgumentHelp(
            "What fixtures/benchmarks/benchmark_inference.py wrote.", valueName: "file"))
    var file: String
    @Option(help: ArgumentHelp("Where the logits go.", valueName: "file"))
    var logits: String?
    @Option(help: ArgumentHelp("auto, bf16, fp32 or int8.", valueName: "precision"))
    var precision = "auto"
    @Option(help: ArgumentHelp("auto, cpu, cuda or cuda:1.", valueName: "device"))
    var device = "auto"
    @Option(help: ArgumentHelp("Threads of the network; all cores by default.", valueName: "n"))
    var threads: Int?
    @Flag(help: "Call the layers one after another and compile nothing.")
    var layers = false

    func run() throws {
        try benchmarkInference(
            path: file, logits: logits, precision: precision, device: device,
            threads: try parseCount(threads, option: "--threads"), compiles: !layers,
            nextCount: nextCount, report: tell)
    }
}

/// `sliceseg benchmark-training`, which fixtures/benchmarks/benchmark_training.py talks to.
struct BenchmarkTraining: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "benchmark-training",
        abstract: "Times the training step on one batch.",
        discussion: """
            Reads counts of steps from the standard input, a line each, and writes seconds, \
            seconds of processor time and loss of each step.

            EXAMPLE
              echo 5 | sliceseg benchmark-training step.safetensors --precision bf16
            """, shouldDisplay: false)

    @Argument(
        help: ArgumentHelp(
            "What fixtures/benchmarks/benchmark_training.py wrote.", valueName: "file"))
    var file: String
    @Option(help: ArgumentHelp("auto, bf16 or fp32.", valueName: "precision"))
    var precision = "auto"
    @Option(help: ArgumentHelp("auto, cpu, cuda or cuda:1.", valueName: "device"))
    var device = "auto"
    @Option(help: ArgumentHelp("Threads of the network; all cores by default.", valueName: "n"))
    var threads: Int?

    func run() throws {
        try benchmarkTraining(
            path: file, precision: precision, device: device,
            threads: try parseCount(threads, option: "--threads"),
            nextCount: nextCount, report: tell)
    }
}

/// The number in the next line of the standard input, or `nil` at its end.
private func nextCount() -> Int? { readLine().flatMap { Int($0) } }

/// Writes a line that the other program sees at once.
private func tell(_ line: String) {
    print(line)
    fflush(nil)
}
