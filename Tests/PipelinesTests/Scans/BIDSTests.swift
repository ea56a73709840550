import Foundation
import Pipelines
import TestSupport
import Testing

/// Datasets that are laid out by BIDS.
@Suite struct `BIDS datasets` {
    private func make(_ files: [String], in folder: String) throws {
        for file in files {
            let path = folder + "/" + file
            try FileManager.default.createDirectory(
                atPath: (path as NSString).deletingLastPathComponent,
                withIntermediateDirectories: true)
            try Data("{}".utf8).write(to: URL(filePath: path))
        }
    }

    private func find(
        _ inputs: [String], in folder: String, participants: [String] = []
    ) throws -> [String] {
        var selection = ScanSelection()
        selection.participants = participants
        return try findScans(
            in: inputs.map { folder + "/" + $0 }, output: folder + "/out", selection: selection,
            converter: { nil }
        ).scans.map(\.outputName)
    }

    private let files = [
        "b/dataset_description.json", "b/sub-01/anat/sub-01_T1w.nii.gz",
        "b/sub-01/anat/sub-01_T2w.nii.gz", "b/sub-01/func/sub-01_task-rest_bold.nii.gz",
        "b/sub-02/ses-1/anat/sub-02_ses-1_acq-x_run-1_T1w.nii",
        "b/sub-02/ses-1/anat/sub-02_ses-1_acq-x_run-2_T1w.nii",
        "b/sub-02/ses-2/anat/sub-02_ses-2_T1w.nii.gz", "b/sub-02/ses-2/anat/.sub-02_T1w.nii.gz",
        "b/sub-02/anat/sub-02_T1w.json", "b/derivatives/x/sub-01/anat/sub-01_T1w.nii.gz",
        "b/sourcedata/sub-01/anat/sub-01_T1w.nii.gz", "b/extra.nii.gz",
    ]

    @Test func `give the T1-weighted scans of participants and sessions`() throws {
        try withTemporaryDirectory { folder in
            try make(files, in: folder)
            let second = "sub-02/ses-1/anat/sub-02_ses-1_acq-x_run-"
            let all = [
                "sub-01/anat/sub-01", second + "1", second + "2", "sub-02/ses-2/anat/sub-02_ses-2",
            ]
            #expect(try find(["b"], in: folder) == all)
            #expect(try find(["b"], in: folder, participants: ["sub-01"]) == [all[0]])
            #expect(try find(["b"], in: folder, participants: ["02", "01"]) == all)
            // Without the description the folders say what it is.
            try FileManager.default.removeItem(atPath: folder + "/b/dataset_description.json")
            #expect(try find(["b"], in: folder) == all)
        }
    }

    @Test func `tell which participants have no scan`() throws {
        try withTemporaryDirectory { folder in
            try make(files + ["b/sub-03/anat/sub-03_T2w.nii"], in: folder)
            let found = try findScans(
                in: [folder + "/b"], output: folder + "/out", converter: { nil })
            #expect(found.scans.count == 4)
            #expect(found.warnings == ["'\(folder)/b' has no T1-weighted scan of sub-03."])
        }
    }

    @Test func `make participants that are asked for and not there fail by name`() throws {
        try withTemporaryDirectory { folder in
            try make(files + ["b/sub-03/anat/sub-03_T2w.nii"], in: folder)
            var selection = ScanSelection()
            selection.participants = ["01", "sub-7", "03"]
            let found = try findScans(
                in: [folder + "/b"], output: folder + "/out", selection: selection,
                converter: { nil })
            #expect(found.scans.map(\.outputName) == ["sub-01/anat/sub-01", "sub-03", "sub-7"])
            let reasons = found.scans.compactMap { scan in
                if case .unreadable(let reason) = scan.origin { reason.sentence } else { nil }
            }
            try #require(reasons.count == 2)
            #expect(reasons[0].hasPrefix("'\(folder)/b' has no T1-weighted scan of sub-03; add it"))
            #expect(
                reasons[1]
                    == "there is no participant '7' in '\(folder)/b'; there are 01, 02, 03.")
        }
    }

    @Test func `leave parts of complex images and single inversions out`() throws {
        try withTemporaryDirectory { folder in
            let anatomy = "b/sub-04/anat/sub-04_"
            try make(
                files + [
                    anatomy + "part-mag_T1w.nii.gz", anatomy + "part-phase_T1w.nii.gz",
                    anatomy + "inv-1_part-mag_T1w.nii.gz", anatomy + "inv-1_MP2RAGE.nii.gz",
                ], in: folder)
            var selection = ScanSelection()
            selection.participants = ["04"]
            let found = try findScans(
                in: [folder + "/b"], output: folder + "/out", selection: selection,
                converter: { nil })
            #expect(found.scans.map(\.outputName) == ["sub-04/anat/sub-04_part-mag"])
            #expect(
                found.warnings == [
                    "Left out of '\(folder)/b', as they are no anatomical scans: "
                        + "sub-04/anat/sub-04_inv-1_part-mag_T1w.nii.gz, "
                        + "sub-04/anat/sub-04_part-phase_T1w.nii.gz."
                ])
        }
    }

    @Test func `name the participants there are where none that is asked for is known`() throws {
        try withTemporaryDirectory { folder in
            try make(files, in: folder)
            let error = #expect(throws: UsageError.self) {
                try find(["b"], in: folder, participants: ["sub-7"])
            }
            #expect(error?.description.hasSuffix("'7' in '\(folder)/b'; there are 01, 02") == true)
        }
    }

    @Test func `are told from folders that only look alike`() throws {
        try withTemporaryDirectory { folder in
            try make(["x/sub-01/t1.nii", "x/sub-02/anat/t1.nii"], in: folder)
            #expect(try find(["x"], in: folder) == ["sub-01/t1", "sub-02/anat/t1"])
            try make(["x/dataset_description.json"], in: folder)
            let error = #expect(throws: UsageError.self) { try find(["x"], in: folder) }
            #expect(error?.description.contains("'sub-01/anat/sub-01_T1w.nii.gz'") == true)
        }
    }

    /// Expected names follow the order of entities in `rules/entities.yaml` of BIDS 1.10's schema.
    @Test(
        arguments: [
            ("sub-01/anat/sub-01", "sub-01/anat/sub-01_space-orig_seg-brainmri"),
            (
                "sub-01/ses-a/anat/sub-01_ses-a_acq-x_run-2",
                "sub-01/ses-a/anat/sub-01_ses-a_acq-x_run-2_space-orig_seg-brainmri"
            ),
            (
                "sub-1/anat/sub-1_space-MNI152NLin6Asym_res-2_desc-preproc",
                "sub-1/anat/sub-1_space-MNI152NLin6Asym_seg-brainmri_res-2_desc-preproc"
            ),
            (
                "sub-1/anat/sub-1_rec-n_desc-preproc",
                "sub-1/anat/sub-1_rec-n_space-orig_seg-brainmri_desc-preproc"
            ),
            ("sub-1/anat/odd", "sub-1/anat/odd"),
            ("sub-1/anat/sub-1_T1w", "sub-1/anat/sub-1_T1w"),
        ])
    func `name derivatives by entities in the order of BIDS`(scan: String, derivative: String) {
        #expect(derivativeName(of: scan, model: "brain-mri") == derivative)
    }

    @Test func `refuse two scans whose derivatives would have one name`() throws {
        let scans = ["sub-1/anat/sub-1", "sub-1/anat/sub-1_space-orig"].map { name in
            ScanFile(
                path: "/b/" + name + "_T1w.nii", outputName: name,
                origin: .bids(BIDSScan(dataset: "/b", relativePath: name + "_T1w.nii")))
        }
        let error = #expect(throws: UsageError.self) {
            try namedAsDerivatives(scans, model: "m")
        }
        #expect(error?.description.contains("sub-1_space-orig_T1w.nii' would both") == true)
    }

    @Test func `references are matched by participant and session`() {
        func pairs(_ predictions: [String], _ references: [String]) -> [[String]] {
            func files(_ names: [String]) -> [LabelMapFile] {
                names.map { LabelMapFile(path: "/" + $0, relativeName: $0) }
            }
            return LabelMapMatches(
                predictions: files(predictions), references: files(references)
            ).pairs.map { [$0.prediction.relativeName, $0.reference.relativeName] }
        }
        let scans = [
            "sub-01/anat/sub-01_acq-x", "sub-02/ses-1/anat/sub-02_ses-1",
            "sub-02/ses-2/anat/sub-02_ses-2",
        ]
        let references = [
            "sub-02/ses-2/anat/sub-02_ses-2_desc-manual", "sub-01/anat/sub-01_seg-aseg",
            "manual/sub-02_ses-1_T1w",
        ]
        #expect(
            pairs(scans, references) == [
                [scans[0], references[1]], [scans[1], references[2]], [scans[2], references[0]],
            ])
        // Two runs and one reference: nobody knows which of them it is of.
        #expect(pairs(["a/sub-1_run-1", "a/sub-1_run-2"], ["sub-1_desc-m"]).isEmpty)
        // A reference of another acquisition is not one of this scan.
        #expect(pairs(["a/sub-1_acq-x"], ["sub-1_acq-y"]).isEmpty)
    }
}
