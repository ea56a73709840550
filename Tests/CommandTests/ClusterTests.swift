import Foundation
import TestSupport
import Testing

/// The workflows for clusters, run for real where their programs are installed: Slurm on loopback, as
/// root, and Snakemake.
@Suite(.serialized) struct `Clusters` {
    @Test(
        .enabled(
            if: geteuid() == 0
                && (Checkers.isIntegration
                    || ["slurmctld", "slurmd", "munged", "squeue"].allSatisfy(Checkers.has)),
            "needs root, and Slurm, which 'make checkers' installs as root"))
    func `an array job of Slurm recovers from a killed task and gives what one process gives`()
        throws
    {
        try check("slurm")
    }

    @Test(
        .enabled(
            if: Checkers.has("snakemake") || Checkers.isIntegration,
            "needs snakemake on the search path: make checkers"))
    func `Snakemake recovers from a killed shard and gives what one process gives`() throws {
        try check("snakemake")
    }

    private func check(_ kind: String) throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try makeFolder(folder + "/scans")
            for number in 1...60 {
                try writeHead(to: folder + "/scans/s\(number).nii", seed: UInt64(number % 7))
            }
            let process = Process()
            process.executableURL = URL(filePath: fixturePath("checks/check_clusters.sh"))
            process.arguments = [kind, folder, folder + "/model"]
            let programs = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
                .deletingLastPathComponent().path()
            process.environment = ProcessInfo.processInfo.environment
                .merging(["SLICESEG_BIN": programs, "PATH": Checkers.path]) { _, new in new }
            let log = URL(filePath: folder + "/log")
            try Data().write(to: log)
            let handle = try FileHandle(forWritingTo: log)
            process.standardOutput = handle
            process.standardError = handle
            try process.run()
            process.waitUntilExit()
            let text = try String(contentsOf: log, encoding: .utf8)
            #expect(process.terminationStatus == 0, "\(text)")
            #expect(text.contains("killed process"))
            #expect(text.contains("every output is whole"))
            #expect(text.contains("the same as in one process"))
        }
    }
}
