import Foundation
import TestSupport
import Testing

/// `segment-brain` from a BIDS dataset to a BIDS derivative.
@Suite struct `segment-brain on BIDS` {
    /// Makes a dataset of two participants, one with sessions, and their references.
    private func makeDataset(in folder: String) throws {
        for place in ["sub-01/anat", "sub-02/ses-a/anat"] {
            try makeFolder(folder + "/bids/" + place)
            try makeFolder(folder + "/manual/" + place)
        }
        try write(
            Array(#"{"Name": "Heads", "BIDSVersion": "1.10.0", "DatasetDOI": "doi:10.1/x"}"#.utf8),
            to: folder + "/bids/dataset_description.json")
        try writeHead(
            to: folder + "/bids/sub-01/anat/sub-01_acq-fast_T1w.nii.gz",
            labels: folder + "/manual/sub-01/anat/sub-01_desc-manual_dseg.nii.gz")
        try writeHead(
            to: folder + "/bids/sub-02/ses-a/anat/sub-02_ses-a_T1w.nii.gz",
            labels: folder + "/manual/sub-02/ses-a/anat/sub-02_ses-a_dseg.nii.gz", seed: 2)
    }

    /// The rules of BIDS 1.10 for file names of discrete segmentations, from its text and schema.
    private func expectBIDSName(
        _ path: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let order = ["sub", "ses", "acq", "ce", "rec", "run", "space", "seg", "res", "desc"]
        let parts = path.split(separator: "/").map(String.init)
        let file = try #require(parts.last, sourceLocation: sourceLocation)
        let (stem, ending) = try #require(
            file.firstIndex(of: ".").map { (file[..<$0], file[$0...]) },
            sourceLocation: sourceLocation)
        let words = stem.split(separator: "_", omittingEmptySubsequences: false)
        #expect(words.last == "dseg", sourceLocation: sourceLocation)
        #expect([".nii.gz", ".json", ".tsv"].contains(ending), sourceLocation: sourceLocation)
        var last = -1
        for word in words.dropLast() {
            let match = try #require(
                word.wholeMatch(of: /([a-z]+)-([0-9a-zA-Z+]+)/), sourceLocation: sourceLocation)
            let rank = try #require(
                order.firstIndex(of: String(match.1)), sourceLocation: sourceLocation)
            #expect(rank > last, "\(word) is out of order", sourceLocation: sourceLocation)
            last = rank
        }
        // The folders are the participant, the session if there is one, and the data type.
        let folders = words.filter { $0.hasPrefix("sub-") || $0.hasPrefix("ses-") }.map(String.init)
        #expect(parts.dropLast() == ArraySlice(folders + ["anat"]), sourceLocation: sourceLocation)
    }

    @Test func `writes a derivative by the rules of BIDS`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try makeDataset(in: folder)
            let out = folder + "/bids/derivatives/tiny seg"
            let result = try run(
                "segment-brain",
                [
                    folder + "/bids", out, "--model", folder + "/model", "--reference",
                    folder + "/manual",
                ])
            #expect(result.status == 0, "\(result.errors)")
            let base = [
                "sub-01/anat/sub-01_acq-fast_space-orig_seg-tiny",
                "sub-02/ses-a/anat/sub-02_ses-a_space-orig_seg-tiny",
            ]
            let all = files(below: out)
            #expect(all.contains(base[1] + "_dseg.nii.gz"))
            let ignored = String(
                decoding: try Data(contentsOf: URL(filePath: out + "/.bidsignore")), as: UTF8.self
            ).split(separator: "\n").map(String.init)
            let standard = all.filter { path in
                !ignored.contains { pattern in
                    let isAnchored = pattern.hasPrefix("/")
                    let glob = isAnchored ? String(pattern.dropFirst()) : pattern
                    let name =
                        isAnchored
                        ? path.split(separator: "/").first : path.split(separator: "/").last
                    return fnmatch(glob, name.map(String.init) ?? "", 0) == 0
                }
            }
            #expect(standard.count == 2 + 2 * 3)
            for path in standard
            where ![".bidsignore", "dataset_description.json"].contains(path) {
                try expectBIDSName(path)
            }

            let description = try object(out + "/dataset_description.json")
            #expect(description["DatasetType"] as? String == "derivative")
            #expect((description["Name"] as? String)?.isEmpty == false)
            #expect(description["BIDSVersion"] as? String == "1.10.0")
            let generators = description["GeneratedBy"] as? [[String: String]]
            #expect(generators?.first?["Name"] == "SliceSeg")
            let sources = description["SourceDatasets"] as? [[String: String]]
            #expect(sources == [["URL": "../..", "DOI": "doi:10.1/x"]])
            let links = try #require(description["DatasetLinks"] as? [String: String])
            for name in base {
                let sidecar = try object(out + "/" + name + "_dseg.json")
                let addresses = try #require(sidecar["Sources"] as? [String])
                #expect(sidecar["SpatialReference"] as? String == addresses.first)
                for address in addresses {
                    let parts = address.split(separator: ":").map(String.init)
                    #expect(parts.count == 3 && parts[0] == "bids")
                    let path = out + "/" + (try #require(links[parts[1]])) + "/" + parts[2]
                    #expect(FileManager.default.fileExists(atPath: path), "\(path)")
                }
                let table = try Data(contentsOf: URL(filePath: out + "/" + name + "_dseg.tsv"))
                #expect(
                    String(decoding: table, as: UTF8.self)
                        .hasPrefix("index\tname\tcolor\tmapping\n"))
            }
            // Both references were found by participant and session.
            #expect(
                Set(try rows(of: out + "/metrics.tsv").map { $0[0] }) == [
                    "sub-01/anat/sub-01_acq-fast", "sub-02/ses-a/anat/sub-02_ses-a",
                ])
            // The raw dataset's own search does not find the derivative.
            let again = try run(
                "segment-brain", [folder + "/bids", out, "--model", folder + "/model"])
            #expect(again.errors.contains("2 scans: 0 segmented, 2 done before"))
        }
    }

    @Test func `keeps what earlier runs into the same folder call their datasets`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try makeDataset(in: folder)
            let other = folder + "/other study"
            try makeFolder(other + "/sub-09/anat")
            try writeHead(to: other + "/sub-09/anat/sub-09_T1w.nii")
            func segment(_ arguments: [String]) throws -> [String: String] {
                let result = try run(
                    "segment-brain", arguments + [folder + "/out", "--model", folder + "/model"])
                #expect(result.status == 0, "\(result.errors)")
                let description = try object(folder + "/out/dataset_description.json")
                return try #require(description["DatasetLinks"] as? [String: String])
            }
            let bids = "file://" + folder + "/bids"
            let first = try segment(["--participant-label", "sub-01", "--quiet", folder + "/bids"])
            #expect(first == ["raw": bids])
            let second = try segment([other])
            #expect(second == ["raw": bids, "raw2": "file://" + folder + "/other%20study"])
            let sidecar = folder + "/out/sub-09/anat/sub-09_space-orig_seg-tiny_dseg.json"
            #expect(
                try object(sidecar)["Sources"] as? [String]
                    == ["bids:raw2:sub-09/anat/sub-09_T1w.nii"])
        }
    }
}
