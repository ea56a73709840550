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
            Run.self, Status.self, Merge.self, Check.self, Evaluate.self, Strip.self, Train.self,
            Calibrate.self, Describe.self, Models.self, Import.self, Export.self, Phantom.self,
            Synthesize.self, Info.self, Verify.self, Benchmark.self, BenchmarkInference.self,
            BenchmarkTraining.self,
        ])

    static func main() {
        do {
            if CommandLine.arguments.dropFirst() == ["--version"] {
                try printChecked(versionReport(of: "sliceseg"))
                endProcess()
            }
            var command = try parseAsRoot()
            try command.run()
            endProcess()
        } catch {
            endCommand("sliceseg", after: error) { parserReply(to: error) }
        }
    }

    /// The parser's message for an error, and its exit code.
    private static func parserReply(to error: any Error) -> ParserReply? {
        let code = exitCode(for: error)
        if code == .success { return .text(fullMessage(for: error)) }
        if code == .validationFailure { return .wrongUsage(message(for: error)) }
        return (error as? ExitCode).map { .status($0.rawValue) }
    }
}
