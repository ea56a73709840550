import Foundation
import TestSupport
import Testing
import VolumeIO
import Volumes

/// Warnings of reading a scan, and flags of its quality control, wherever its figures stand.
@Suite struct `Warnings and marks` {
    /// Segments a whole head, and one of which a part is cut off and 2 voxels are no number.
    private func segmented(
        _ options: String..., body: (String, CommandResult) throws -> Void
    ) throws {
        try withTemporaryDirectory { folder in
            try makeFolder(folder + "/scans")
            try writeTinyModel(to: folder + "/model")
            try writeHead(to: folder + "/scans/whole.nii.gz")
            var scan = try readVolume(at: folder + "/scans/whole.nii.gz").volume
            let slice = scan.grid.size.x * scan.grid.size.y
            scan.voxels.removeFirst(slice * scan.grid.size.z / 2)
            scan.voxels[0] = .nan
            scan.voxels[1] = .infinity
            let size = GridSize(
                scan.grid.size.x, scan.grid.size.y, scan.voxels.count / slice)
            try writeVolume(
                Volume(grid: Grid(size: size, affine: scan.grid.affine), voxels: scan.voxels),
                to: folder + "/scans/part.nii.gz", like: nil, storedAs: .float32)
            let result = try run(
                "segment-brain",
                [folder + "/scans", folder + "/out", "--model", folder + "/model"] + options)
            #expect(result.status == 0, "\(result.errors)")
            try body(folder + "/out", result)
        }
    }

    private let warnings = [
        "1 voxel is not a number and counted as 0", "1 voxel is infinite and counted as 0",
    ]

    @Test func `are in the table of a run as in those of its scans`() throws {
        try segmented { out, _ in
            for row in try rows(of: out + "/volumes.tsv") {
                let single = try rows(of: "\(out)/\(row[0])_volumes.tsv")
                let cut = single.filter { $0.last == "true" }.map { $0[1] }
                #expect(row[row.count - 2] == (cut.isEmpty ? "n/a" : cut.joined(separator: "; ")))
                let isPart = row[0] == "part"
                #expect(row.last == (isPart ? warnings.joined(separator: "; ") : "n/a"))
                if isPart { #expect(!cut.isEmpty) }
            }
            #expect(
                try rows(of: out + "/qc.tsv").first { $0[0] == "part" }?.last
                    == warnings.joined(separator: "; "))
            let page = try String(contentsOfFile: out + "/report.html", encoding: .utf8)
            for warning in warnings { #expect(page.contains("<li>part: \(warning)</li>")) }
        }
    }

    @Test func `stand with flags in each line of --json, in run.json, and come again`() throws {
        try segmented("--json") { out, first in
            let again = try run(
                "segment-brain",
                [
                    (out as NSString).deletingLastPathComponent + "/scans", out, "--json",
                    "--model", (out as NSString).deletingLastPathComponent + "/model",
                ])
            let record = try object(out + "/run.json")["scans"] as? [[String: Any]]
            for lines in [first.output, again.output] {
                let objects = try lines.split(separator: "\n").map {
                    try #require(
                        try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
                }
                #expect(objects.count == 2)
                let part = try #require(objects.first { $0["name"] as? String == "part" })
                #expect(part["warnings"] as? [String] == warnings)
                let flags = try #require(part["flags"] as? [String])
                #expect(flags.contains { $0.contains("edge of the field of view") }, "\(flags)")
                let recorded = record?.first { $0["name"] as? String == "part" }
                #expect(recorded?["flags"] as? [String] != nil)
                #expect(recorded?["warnings"] as? [String] == warnings)
            }
        }
    }

    @Test func `are told of by a quiet run in one line`() throws {
        try segmented("--quiet") { out, result in
            #expect(result.output.isEmpty)
            #expect(
                result.errorLines == ["1 of 2 scans has warnings, see qc.tsv in '\(out)'"])
        }
    }
}
