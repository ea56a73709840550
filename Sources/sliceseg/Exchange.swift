import ArgumentParser
import Foundation
import Pipelines

/// `sliceseg import`.
struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Imports weights of another program as a model.",
        discussion: """
            Weights are read from safetensors files, one per plane. PyTorch's .pth.tar and .model \
            files can be converted without running the code they contain; see the documentation of \
            ModelBundles.

            EXAMPLE
              sliceseg import --format quicknat coronal.safetensors axial.safetensors \\
                --planes coronal,axial --labels dseg.tsv --output models/quicknat
            """)

    @Option(help: ArgumentHelp("quicknat or relaynet.", valueName: "name"))
    var format: String
    @Argument(help: ArgumentHelp("The safetensors files.", valueName: "weights"))
    var weights: [String]
    @Option(help: ArgumentHelp("The folder for the model.", valueName: "dir"))
    var output: String
    @Option(help: ArgumentHelp("The planes of the files, in their order.", valueName: "planes"))
    var planes = "coronal"
    @Option(
        help: ArgumentHelp(
            "The structures in class order (dseg.tsv); numbered by default.",
            valueName: "table"))
    var labels: String?
    @Option(help: ArgumentHelp("The model's name (default: the folder's name).", valueName: "name"))
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
        abstract: "Exports a model's networks for other programs.",
        discussion: """
            safetensors files hold the named weights in single precision; ONNX files hold the \
            networks, with metadata.json as in a MONAI bundle. Height and width of an ONNX network's \
            input must be multiples of 2 to the power of its pooling levels.

            EXAMPLE
              sliceseg export brain-mri --format onnx --output exported
            """)

    @Argument(
        help: ArgumentHelp("The name of a shipped model, or a model folder.", valueName: "model"))
    var model: String
    @Option(help: ArgumentHelp("safetensors or onnx.", valueName: "name"))
    var format: String
    @Option(help: ArgumentHelp("The output folder.", valueName: "dir"))
    var output: String

    func run() throws {
        for path in try exportModel(model, format: format, to: output) {
            try printChecked(path + "\n")
        }
    }
}
