import ArgumentParser
import Foundation
import Pipelines

/// The command `sliceseg`.
@main
struct SliceSeg: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sliceseg",
        abstract: "Trains, measures and inspects slice-wise segmentation models.",
        discussion: """
            To segment scans, use segment-brain.

            EXAMPLE
              sliceseg evaluate --prediction out --reference manual --output scores
            """,
        version: softwareVersion,
        subcommands: [
            Run.self, Status.self, Merge.self, Evaluate.self, Strip.self, Train.self,
            Calibrate.self, Describe.self, Models.self, Import.self, Export.self, Phantom.self,
            Synthesize.self, Info.self, Verify.self, Benchmark.self, BenchmarkInference.self,
            BenchmarkTraining.self,
        ])

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
            endProcess()
        } catch {
            endCommand("sliceseg", after: error) { parserReply(to: error) }
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

/// `sliceseg evaluate`.
struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures label maps against references.",
        discussion: """
            Cases are matched by name: 1015_dseg, 1015_seg and 1015_glm are case 1015. Writes \
            metrics.tsv, metrics_wide.csv, statistics.tsv, summary.json (as nnU-Net, and more), \
            failures.tsv and report.html. A reference without a prediction counts as if nothing \
            had been found.

            Tools disagree on distances, so each number has a convention: surface-distance \
            (DeepMind), monai or nnunet.

            EXAMPLES
              sliceseg evaluate --prediction out --reference manual --output scores
              sliceseg evaluate --prediction new --against old --reference manual --output x
              sliceseg evaluate --prediction out --reference manual --output x \\
                --participants participants.tsv --group age:40,60
            """)

    @Option(help: ArgumentHelp("A label map or a folder of them.", valueName: "path"))
    var prediction: String
    @Option(help: ArgumentHelp("What they are measured against.", valueName: "path"))
    var reference: String
    @Option(help: ArgumentHelp("Where the tables go.", valueName: "dir"))
    var output: String
    @Option(
        help: ArgumentHelp(
            "A table of the structures to report (dseg.tsv); by default the one beside the "
                + "predictions or in their headers, else all values that occur.",
            valueName: "table"))
    var labels: String?
    @Option(
        help: ArgumentHelp(
            "Another run's label maps: tests the differences of both (comparison.tsv).",
            valueName: "path"))
    var against: String?
    @Option(
        help: ArgumentHelp(
            "A table of participants (BIDS' participants.tsv) for --group.",
            valueName: "table"))
    var participants: String?
    @Option(
        help: ArgumentHelp(
            "A column of that table: figures for each group, as sex, or age:40,60 to cut "
                + "numbers there.", valueName: "column"))
    var group: String?
    @Option(
        help: ArgumentHelp(
            "Whose definitions are followed: surface-distance, monai or nnunet.",
            valueName: "name"))
    var convention = "surface-distance"
    @Option(
        help: ArgumentHelp(
            "How far apart surfaces may lie to agree, for the surface Dice (NSD).",
            valueName: "mm"))
    var tolerance = 1.0
    @Flag(help: "Carry predictions to the grids of their references where they differ.")
    var resample = false
    @Flag(inversion: .prefixedNo, help: "Write report.html, the page to read.")
    var report = true
    @Flag(help: "Write the summary as JSON to the standard output.")
    var json = false

    func run() throws {
        var request = EvaluationRequest(
            prediction: prediction, reference: reference, output: output)
        request.labels = labels
        request.against = against
        request.participants = participants
        request.group = group
        request.resamples = resample
        request.writesPage = self.report
        try request.choose(convention: convention, toleranceMillimeters: tolerance)
        let report = try evaluate(request)
        try printChecked(json ? report.json ?? "" : report.table)
        for table in [report.groups, report.comparison] where !json && !table.isEmpty {
            try printChecked("\n" + table)
        }
        for line in report.notes + report.problems { complain(line) }
        if report.status != .success { throw ExitCode(report.status.rawValue) }
    }
}

/// `sliceseg train`.
struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Trains a model by a configuration and writes it as a bundle.",
        discussion: """
            A configuration with an experiment trains several networks and compares them in \
            table.html.

            EXAMPLES
              sliceseg train pipelines/phantom.yaml --output models/phantom
              sliceseg train pipelines/malc-table.yaml --output runs/table --resume
            """)

    @Argument(help: ArgumentHelp("The configuration; see pipelines/.", valueName: "config.yaml"))
    var configuration: String
    @Option(help: ArgumentHelp("Where checkpoints and the bundle go.", valueName: "dir"))
    var output: String
    @Flag(help: "Go on from the checkpoints of an earlier run of the same configuration and cases.")
    var resume = false
    @Flag(help: "Replace an earlier training in the output folder.")
    var overwrite = false
    @Option(
        help: ArgumentHelp(
            "Begin with the weights of this model (a shipped model's name or a model's folder); "
                + "structures are matched by name.", valueName: "model"))
    var from: String?
    @Option(help: ArgumentHelp("auto, cpu, cuda or cuda:1.", valueName: "device"))
    var device = "auto"
    @Option(help: ArgumentHelp("Threads of the networks; all cores by default.", valueName: "n"))
    var threads: Int?
    @Option(
        help: ArgumentHelp(
            "Of an experiment, the networks to train, such as unet-none,unet-scse.",
            valueName: "names"))
    var only: String?

    func run() throws {
        guard !resume || !overwrite else {
            throw UsageError("--resume goes on and --overwrite starts anew; give one of them")
        }
        try runTraining(
            configurationPath: configuration, outputDirectory: output, resume: resume,
            overwrites: overwrite, from: from, device: device,
            threads: try parseCount(threads, option: "--threads"),
            only: (only ?? "").split(separator: ",").map(String.init),
            report: { complain($0) })
    }
}

/// `sliceseg calibrate`.
struct Calibrate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prepares a model for --precision int8 on a few scans.",
        discussion: """
            Notes in the model's card between which numbers the input of each convolution is to be \
            rounded. Training does so by itself. Scans are found as segment-brain finds them, and \
            the first four are looked at.

            EXAMPLE
              sliceseg calibrate models/mine scans --output models/mine-int8
            """)

    @Argument(help: ArgumentHelp("A shipped model's name or a model's folder.", valueName: "model"))
    var model: String
    @Argument(help: ArgumentHelp("Scans such as it will be used on.", valueName: "input"))
    var inputs: [String]
    @Option(
        help: ArgumentHelp(
            "The folder of the model that is written; it may be its own.", valueName: "dir"))
    var output: String
    @Option(help: ArgumentHelp("Threads; all cores by default.", valueName: "n"))
    var threads: Int?

    func run() throws {
        try calibrate(
            model: model, inputs: inputs, output: output,
            threads: try parseCount(threads, option: "--threads"), report: { complain($0) })
    }
}

/// `sliceseg describe`.
struct Describe: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tells the layers, shapes and parameters of a model or an architecture.",
        usage: """
            sliceseg describe <model>
            sliceseg describe --network <name> [<options>]
            """,
        discussion: """
            A network is unet, sdnet, densenet, quicknat or residual, or the encoder of a paper: \
            resnet-50, -101, -152, resnext-50, inception, densenet-121, -169, -201, sknet-50, -101, \
            sknet-small, with se- before it for SENet's blocks. Alone, with --classifier, an \
            encoder is the network of its paper.

            EXAMPLES
              sliceseg describe brain-mri
              sliceseg describe --network unet --recalibration scse
              sliceseg describe --network se-resnet-50 --classifier --classes 1000 \\
                --context-slices 3 --size 224x224
              sliceseg describe --network sdnet --compare none,cse,sse,scse,se,sk
            """)

    @Argument(help: "A shipped model's name or a model's folder.")
    var model: String?
    @Option(
        name: [.long, .customLong("architecture")],
        help: ArgumentHelp("A network's name, see above.", valueName: "name"))
    var network: String?
    @Flag(help: "The encoder alone, as its paper's classifier.")
    var classifier = false
    @Option(help: ArgumentHelp("Classes, background included.", valueName: "n"))
    var classes = 28
    @Option(help: ArgumentHelp("Rows and columns of the image.", valueName: "size"))
    var size = "256x256"
    @Option(help: ArgumentHelp("Channels of every block (64).", valueName: "n"))
    var channels: Int?
    @Option(help: ArgumentHelp("Edge length of the kernels (5).", valueName: "n"))
    var kernel: Int?
    @Option(help: ArgumentHelp("Number of poolings (4).", valueName: "n"))
    var depth: Int?
    @Option(help: ArgumentHelp("Slices that enter as channels (1).", valueName: "n"))
    var contextSlices: Int?
    @Option(
        help: ArgumentHelp(
            "none, cse, sse, scse, se, seratio or sk (none).", valueName: "kind"))
    var recalibration: String?
    @Option(help: ArgumentHelp("Reduction ratio (2; 16 of se and sk).", valueName: "n"))
    var reductionRatio: Int?
    @Option(
        help: ArgumentHelp(
            "The halves of scSE joined: addition, maximum, product, concatenation.",
            valueName: "kind"))
    var combination: String?
    @Option(
        help: ArgumentHelp(
            "endOfBlock, beforePooling or afterPoolingAndUpsampling.", valueName: "kind"))
    var placement: String?
    @Option(help: ArgumentHelp("none or batch, for the U-Net.", valueName: "kind"))
    var normalization: String?
    @Option(
        help: ArgumentHelp(
            "bilinear, nearest or transposedConvolution, for the U-Net's decoder.",
            valueName: "kind"))
    var upsampling: String?
    @Option(help: ArgumentHelp("unet, sdnet or densenet, under any encoder.", valueName: "kind"))
    var decoder: String?
    @Option(
        help: ArgumentHelp(
            "maximum, average, stochastic or stridedConvolution, for the U-Net.",
            valueName: "kind"))
    var pooling: String?
    @Option(help: ArgumentHelp("Step between the taps of kernels (1).", valueName: "n"))
    var dilation: Int?
    @Option(help: ArgumentHelp("Groups of channels convolved apart (1).", valueName: "n"))
    var groups: Int?
    @Option(
        help: ArgumentHelp(
            "Kinds of recalibration to compare, such as none,cse,scse.", valueName: "kinds"))
    var compare: String?
    @Flag(help: "Write one JSON object.")
    var json = false

    func run() throws {
        switch (model, network) {
        case (let model?, nil):
            try printChecked(try describeModel(model))
        case (nil, let name?):
            var choices = ArchitectureChoices(family: name)
            choices.isClassifier = classifier
            choices.usualRecalibration = "none"
            choices.classes = classes
            choices.channels = channels
            choices.kernel = kernel
            choices.depth = depth
            choices.contextSlices = contextSlices
            choices.recalibration = recalibration
            choices.reductionRatio = reductionRatio
            choices.combination = combination
            choices.placement = placement
            choices.normalization = normalization
            choices.upsampling = upsampling
            choices.decoder = decoder
            choices.pooling = pooling
            choices.dilation = dilation
            choices.groups = groups
            let slices = try SliceSize(parsing: size)
            if let compare {
                let kinds = compare.split(separator: ",").map(String.init)
                let table = try compareRecalibrations(of: choices, kinds, slices: slices)
                try printChecked(json ? try table.json() : table.text)
            } else {
                let description = try describeNetwork(choices, slices: slices)
                try printChecked(json ? try description.json() : description.text)
            }
        default:
            throw UsageError("name a model or a --network, one of the two")
        }
    }
}

/// `sliceseg models`.
struct Models: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists the shipped models with licence and accuracy.",
        discussion: """
            EXAMPLE
              sliceseg models
            """)

    func run() throws { try printChecked(try describeShippedModels()) }
}

/// `sliceseg import`.
struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes a model of the weights of another program.",
        discussion: """
            Weights are read from safetensors files, one for each plane. A .pth.tar or .model file \
            of PyTorch is turned into one without running code that it holds; see the documentation \
            of ModelBundles.

            EXAMPLE
              sliceseg import --format quicknat coronal.safetensors axial.safetensors \\
                --planes coronal,axial --labels dseg.tsv --output models/quicknat
            """)

    @Option(help: ArgumentHelp("quicknat or relaynet.", valueName: "name"))
    var format: String
    @Argument(help: ArgumentHelp("The safetensors files.", valueName: "weights"))
    var weights: [String]
    @Option(help: ArgumentHelp("The model's folder.", valueName: "dir"))
    var output: String
    @Option(help: ArgumentHelp("The planes of the files.", valueName: "planes"))
    var planes = "coronal"
    @Option(
        help: ArgumentHelp(
            "The structures in the order of the classes (dseg.tsv); numbers by default.",
            valueName: "table"))
    var labels: String?
    @Option(help: ArgumentHelp("The model's name; the folder's by default.", valueName: "name"))
    var name: String?

    func run() throws {
        var request = ImportRequest(format: format, weights: weights, output: output)
        request.planes = planes.split(separator: ",").map(String.init)
        request.labels = labels
        request.name = name
        try printChecked(try importModel(request) + "\n")
    }
}

/// `sliceseg export`.
struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes a model's networks for other programs.",
        discussion: """
            safetensors holds the weights by their names in single precision; onnx the networks, \
            with metadata.json as in a MONAI bundle. Height and width of images given to an ONNX \
            network are multiples of 2 to the number of poolings.

            EXAMPLE
              sliceseg export brain-mri --format onnx --output exported
            """)

    @Argument(help: ArgumentHelp("A shipped model's name or a model's folder.", valueName: "model"))
    var model: String
    @Option(help: ArgumentHelp("safetensors or onnx.", valueName: "name"))
    var format: String
    @Option(help: ArgumentHelp("The folder of the files.", valueName: "dir"))
    var output: String

    func run() throws {
        for path in try exportModel(model, format: format, to: output) {
            try printChecked(path + "\n")
        }
    }
}

/// `sliceseg phantom`.
struct Phantom: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes synthetic heads with labels, in varied orientations and contrasts.",
        discussion: """
            EXAMPLE
              sliceseg phantom --output heads --references labels --count 4 --seed 1
            """)

    @Option(help: ArgumentHelp("The folder of the scans.", valueName: "dir"))
    var output: String
    @Option(
        help: ArgumentHelp(
            "The folder of the label maps; by default 'references' in the output.",
            valueName: "dir"))
    var references: String?
    @Option(help: ArgumentHelp("How many heads.", valueName: "n"))
    var count: Int
    @Option(help: ArgumentHelp("Which heads: the same seed gives the same.", valueName: "n"))
    var seed: UInt64
    @Flag(help: "Replace files that are there.")
    var overwrite = false

    func run() throws {
        let scans = try writePhantoms(
            to: output, references: references, count: count, seed: seed, overwrites: overwrite)
        try printChecked("Wrote \(scans.count) synthetic heads to '\(output)'.\n")
    }
}

/// `sliceseg synthesize`.
struct Synthesize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes scans as a training synthesises them from label maps, with labels.",
        discussion: """
            EXAMPLE
              sliceseg synthesize pipelines/brain-any.yaml --output synthetic --count 24
            """)

    @Argument(
        help: ArgumentHelp(
            "A training configuration with 'cases.synthesis'.", valueName: "configuration"))
    var configurationPath: String
    @Option(help: ArgumentHelp("The folder of the scans.", valueName: "dir"))
    var output: String
    @Option(
        help: ArgumentHelp(
            "The folder of the label maps; by default 'references' in the output.",
            valueName: "dir"))
    var references: String?
    @Option(help: ArgumentHelp("How many scans.", valueName: "n"))
    var count: Int
    @Flag(help: "Use the label maps that the training holds out.")
    var heldOut = false
    @Flag(help: "Replace files that are there.")
    var overwrite = false

    func run() throws {
        let scans = try writeSyntheticScans(
            configurationPath: configurationPath, to: output, references: references,
            count: count, isHeldOut: heldOut, overwrites: overwrite)
        try printChecked("Wrote \(scans.count) synthetic scans to '\(output)'.\n")
    }
}

/// `sliceseg info`.
struct Info: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tells size, spacing, affine, orientation, datatype and range of volumes.",
        discussion: """
            Of a 4-D series the intensities of the first volume count. Of a NIfTI header both \
            forms are told, with their codes, pixdim, unit and the contradictions between them; \
            of a label map the names that its header holds.

            EXAMPLE
              sliceseg info t1.nii.gz --json
            """)

    @Argument(help: "Volumes.")
    var files: [String]
    @Flag(help: "Write one JSON object a volume.")
    var json = false

    func run() throws {
        var status = ExitStatus.success
        for file in files {
            let text: String
            do {
                let information = try VolumeInformation(path: file)
                text = json ? try information.json + "\n" : information.text
            } catch {
                complain("sliceseg: \(userMessage(for: error, about: file))")
                status = .failure
                continue
            }
            try printChecked(text)
        }
        if status != .success { throw ExitCode(status.rawValue) }
    }
}

/// `sliceseg verify`.
struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tells whether two volumes lie on the same grid.",
        discussion: """
            Tells how far apart they lie in mm and degrees, and what differs: size, spacing, \
            orientation or origin. Exit status: 0 same grid (corners within a tenth of a \
            voxel), 1 not.

            EXAMPLE
              sliceseg verify t1.nii.gz t1_dseg.nii.gz
            """)

    @Argument(help: "A volume.")
    var first: String
    @Argument(help: "Another volume.")
    var second: String
    @Flag(help: "Write one JSON object.")
    var json = false

    func run() throws {
        let comparison = try GridComparison(first, second)
        try printChecked((json ? try comparison.json : comparison.sentence) + "\n")
        if !comparison.isSameGrid { throw ExitCode(ExitStatus.failure.rawValue) }
    }
}
