import ArgumentParser
import Foundation
import Pipelines

/// `sliceseg phantom`.
struct Phantom: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes synthetic heads with labels, in varied orientations and contrasts.",
        discussion: """
            EXAMPLE
              sliceseg phantom --output heads --references labels --count 4 --seed 1
            """)

    @Option(help: ArgumentHelp("The folder for the scans.", valueName: "dir"))
    var output: String
    @Option(
        help: ArgumentHelp(
            "The folder for the label maps (default: 'references' in the output folder).",
            valueName: "dir"))
    var references: String?
    @Option(help: ArgumentHelp("Number of heads.", valueName: "n"))
    var count: Int
    @Option(help: ArgumentHelp("Random seed; the same seed gives the same heads.", valueName: "n"))
    var seed: UInt64
    @Flag(help: "Overwrite existing files.")
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
        abstract: "Writes the scans that a training synthesises from label maps, with labels.",
        discussion: """
            EXAMPLE
              sliceseg synthesize pipelines/brain-any.yaml --output synthetic --count 24
            """)

    @Argument(
        help: ArgumentHelp(
            "A training configuration with 'cases.synthesis'.", valueName: "configuration"))
    var configurationPath: String
    @Option(help: ArgumentHelp("The folder for the scans.", valueName: "dir"))
    var output: String
    @Option(
        help: ArgumentHelp(
            "The folder for the label maps (default: 'references' in the output folder).",
            valueName: "dir"))
    var references: String?
    @Option(help: ArgumentHelp("Number of scans.", valueName: "n"))
    var count: Int
    @Flag(help: "Use the held-out label maps of the training.")
    var heldOut = false
    @Flag(help: "Overwrite existing files.")
    var overwrite = false

    func run() throws {
        let scans = try writeSyntheticScans(
            configurationPath: configurationPath, to: output, references: references,
            count: count, isHeldOut: heldOut, overwrites: overwrite)
        try printChecked("Wrote \(scans.count) synthetic scans to '\(output)'.\n")
    }
}
