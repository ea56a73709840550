import Foundation
import TestSupport
import Testing
import Volumes

/// The models that come with the package, as a user runs them.
@Suite struct `Shipped models` {
    @Test func `phantom labels synthetic heads that it was not trained on`() throws {
        try withTemporaryDirectory { folder in
            let made = try run(
                "sliceseg",
                [
                    "phantom", "--output", folder + "/scans", "--references", folder + "/truth",
                    "--count", "3", "--seed", "9000",
                ])
            #expect(made.status == 0, "\(made.errors)")
            let result = try run(
                "segment-brain",
                [
                    folder + "/scans", folder + "/out", "--model", "phantom", "--reference",
                    folder + "/truth",
                ])
            #expect(result.status == 0, "\(result.errors)")
            // Its card says how well it does on held-out heads; a broken way through conforming,
            // planes and back would fall far below.
            #expect(try meanDice(in: folder + "/out") > 0.75)
        }
    }

    @Test(
        .enabled(
            if: sharedDataPath("malc/train") != nil,
            "needs the challenge's scans in ../shared/data/malc/train"))
    func `brain-mri labels a held-out scan of the challenge as well as its card says`() throws {
        let data = try #require(sharedDataPath("malc/train"))
        try withTemporaryDirectory { folder in
            let result = try run(
                "segment-brain",
                [
                    data + "/1015_SS.nii.gz", folder + "/out", "--reference",
                    data + "/1015_dseg.nii.gz",
                ])
            #expect(result.status == 0, "\(result.errors)")
            #expect(try meanDice(in: folder + "/out") > 0.85)
        }
    }

    /// The mean over structures and cases of what `metrics.tsv` says of Dice.
    private func meanDice(in folder: String) throws -> Double {
        let values = try rows(of: folder + "/metrics.tsv")
            .filter { $0[3] == "dice" }
            .map { try #require(Double($0[4]), "\($0)") }
        try #require(!values.isEmpty)
        return values.reduce(0, +) / Double(values.count)
    }
}
