import ArgumentParser
import Foundation
import Pipelines

/// `sliceseg describe`.
struct Describe: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Describes the layers, shapes and parameters of a model or an architecture.",
        usage: """
            sliceseg describe <model>
            sliceseg describe --network <name> [<options>]
            """,
        discussion: """
            A network is unet, sdnet, densenet, quicknat or residual, or a published encoder: \
            resnet-50, -101, -152, resnext-50, inception, densenet-121, -169, -201, sknet-50, -101, \
            sknet-small, with the prefix se- for SENet blocks. With --classifier, the encoder is \
            described as its paper's classifier: of color images of 224x224 pixels and 1,000 \
            classes, unless options say otherwise.

            EXAMPLES
              sliceseg describe brain-mri
              sliceseg describe --network unet --recalibration scse
              sliceseg describe --network se-resnet-50 --classifier --classes 1000 \\
                --context-slices 3 --size 224x224
              sliceseg describe --network sdnet --compare none,cse,sse,scse,se,sk
            """)

    @Argument(help: "The name of a shipped model, or a model folder.")
    var model: String?
    @Option(
        name: [.long, .customLong("architecture")],
        help: ArgumentHelp("The network's name, see above.", valueName: "name"))
    var network: String?
    @Flag(help: "Describe the encoder as its paper's classifier.")
    var classifier = false
    @Option(
        help: ArgumentHelp(
            "Number of classes, including the background (28; 1000 for a classifier).",
            valueName: "n"))
    var classes: Int?
    @Option(
        help: ArgumentHelp(
            "Rows and columns of the image (256x256; 224x224 for a classifier).", valueName: "size")
    )
    var size: String?
    @Option(help: ArgumentHelp("Channels per block (64).", valueName: "n"))
    var channels: Int?
    @Option(help: ArgumentHelp("Kernel size (5).", valueName: "n"))
    var kernel: Int?
    @Option(help: ArgumentHelp("Number of pooling levels (4).", valueName: "n"))
    var depth: Int?
    @Option(
        help: ArgumentHelp(
            "Number of adjacent slices as input channels (1; 3 for a classifier).", valueName: "n"))
    var contextSlices: Int?
    @Option(
        help: ArgumentHelp(
            "none, cse, sse, scse, se, seratio or sk (none).", valueName: "kind"))
    var recalibration: String?
    @Option(help: ArgumentHelp("Reduction ratio (2; 16 for se and sk).", valueName: "n"))
    var reductionRatio: Int?
    @Option(
        help: ArgumentHelp(
            "Combination of cSE and sSE in scSE: addition, maximum, product, concatenation.",
            valueName: "kind"))
    var combination: String?
    @Option(
        help: ArgumentHelp(
            "endOfBlock, beforePooling or afterPoolingAndUpsampling.", valueName: "kind"))
    var placement: String?
    @Option(help: ArgumentHelp("Normalization of the U-Net: none or batch.", valueName: "kind"))
    var normalization: String?
    @Option(
        help: ArgumentHelp(
            "Upsampling of the U-Net's decoder: bilinear, nearest or transposedConvolution.",
            valueName: "kind"))
    var upsampling: String?
    @Option(help: ArgumentHelp("unet, sdnet or densenet, after any encoder.", valueName: "kind"))
    var decoder: String?
    @Option(
        help: ArgumentHelp(
            "Pooling of the U-Net: maximum, average, stochastic or stridedConvolution.",
            valueName: "kind"))
    var pooling: String?
    @Option(help: ArgumentHelp("Dilation of the convolutions (1).", valueName: "n"))
    var dilation: Int?
    @Option(help: ArgumentHelp("Groups of the convolutions (1).", valueName: "n"))
    var groups: Int?
    @Option(
        help: ArgumentHelp(
            "Recalibration blocks to compare, such as none,cse,scse.", valueName: "kinds"))
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
            choices.classes = classes ?? (classifier ? 1000 : 28)
            choices.channels = channels
            choices.kernel = kernel
            choices.depth = depth
            choices.contextSlices = contextSlices ?? (classifier ? 3 : nil)
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
            let slices = try SliceSize(parsing: size ?? (classifier ? "224x224" : "256x256"))
            if let compare {
                let kinds = compare.split(separator: ",").map(String.init)
                let table = try compareRecalibrations(of: choices, kinds, slices: slices)
                try printChecked(json ? try table.json() : table.text)
            } else {
                let description = try describeNetwork(choices, slices: slices)
                try printChecked(json ? try description.json() : description.text)
            }
        default:
            throw UsageError("give either a model or --network")
        }
    }
}

/// `sliceseg models`.
struct Models: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists the shipped models with their licence and accuracy.",
        discussion: """
            EXAMPLE
              sliceseg models
            """)

    func run() throws { try printChecked(try describeShippedModels()) }
}
