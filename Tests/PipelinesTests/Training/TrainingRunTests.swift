import Datasets
import Foundation
import Inference
import ModelBundles
import NeuralNetworks
import Pipelines
import Preprocessing
import SegmentationModels
import TestSupport
import Testing
import Training
import VolumeIO
import Volumes
import Yams

struct TrainingRunTests {
    @Test func `a configuration becomes a bundle that segments, with its accuracy`() throws {
        try withTemporaryDirectory { directory in
            let lines = try trainTinyHeads(in: directory)
            let output = directory + "/run"
            #expect(
                try directoryListing(output) == [
                    "accuracy.tsv", "axial", "bundle", "configuration.yaml", "coronal", "sagittal",
                    "training.html", "training.json",
                ])
            #expect(
                try String(contentsOfFile: output + "/configuration.yaml", encoding: .utf8)
                    == tinyHeadConfiguration)
            for plane in ["axial", "coronal", "sagittal"] {
                #expect(
                    try directoryListing(output + "/" + plane)
                        == ["best.safetensors", "checkpoint.safetensors", "log.tsv"])
                #expect(try logRows(in: output + "/" + plane).map { $0[0] } == ["step", "2", "3"])
                #expect(lines.contains { $0.hasPrefix("\(plane)  step 3/3  loss ") })
            }
            #expect(lines.first == "2 cases to train on, 1 held out.")
            #expect(lines.last?.hasPrefix("Wrote the model 'tiny-heads' to ") == true)

            let bundle = try ModelBundle.load(at: output + "/bundle")
            let card = bundle.card
            #expect(card.name == "tiny-heads")
            #expect(card.labels == phantomLabelTable)
            #expect(card.training.cases == ["phantom-5", "phantom-6"])
            #expect(card.training.validationCases == ["phantom-7"])
            #expect(card.training.steps == 3)
            #expect(card.planes.map(\.plane) == [.coronal, .axial, .sagittal])
            #expect(card.planes.map(\.aggregationWeight) == [0.4, 0.4, 0.2])
            #expect(card.planes[0].outputClasses == nil)
            // The tiny network has no convolution that is worth 8-bit integers.
            #expect(card.planes.allSatisfy { $0.inputRanges?.isEmpty == true })
            // Background, seven pairs, and the brain stem as the seventh of the left side's eight.
            #expect(
                card.planes[2].outputClasses == [
                    [0], [1, 9], [2, 10], [3, 11], [4, 12], [5, 13], [6, 14], [7], [8, 15],
                ])

            // Of the views, the sagittal one is not measured alone: it cannot tell the sides apart.
            #expect(
                card.accuracy.map { $0.notes.prefix(while: { $0 != ";" }) }
                    == ["all planes", "coronal", "axial"])
            let rows = try String(contentsOfFile: output + "/accuracy.tsv", encoding: .utf8)
                .split(separator: "\n").map { $0.split(separator: "\t").map(String.init) }
            #expect(rows.first == ["planes", "case", "index", "name", "dice"])
            #expect(rows.count == 1 + 3 * phantomLabelTable.structures.count)
            for row in rows.dropFirst() {
                #expect(row[1] == "phantom-7")
                #expect(row[4] == "n/a" || Double(row[4]).map { (0...1).contains($0) } == true)
            }
            for record in card.accuracy {
                let view = rows.filter { $0[0] == record.notes.prefix(while: { $0 != ";" }) }
                let values = view.compactMap { Double($0[4]) }
                #expect(
                    abs(record.mean - values.reduce(0, +) / Double(max(1, values.count))) < 1e-3)
                for row in view where row[4] != "n/a" {
                    #expect(record.perStructure[row[3]] == Double(row[4]), "\(row)")
                }
            }

            // The page shows the figures of the log, the accuracy and the worst slices.
            let page = try String(contentsOfFile: output + "/training.html", encoding: .utf8)
            for plane in ["axial", "coronal", "sagittal"] {
                let last = try #require(try logRows(in: output + "/" + plane).last)
                let dice = try #require(Double(last[5]))
                #expect(page.contains("\(plane): \(String(format: "%g", dice)) at 3"))
            }
            for record in card.accuracy {
                #expect(page.contains("<b>\(String(format: "%.3f", record.mean))</b>"))
            }
            #expect(page.contains("phantom-7, coronal "))
            #expect(page.contains("optimization: {steps: 3, batchSize: 2, checkpointEvery: 2}"))
            let record = try #require(
                try JSONSerialization.jsonObject(
                    with: Data(contentsOf: URL(filePath: output + "/training.json")))
                    as? [String: Any])
            #expect(record["isFinished"] as? Bool == true)
            #expect(record["seed"] as? Int == 1)
            #expect(record["heldOutCases"] as? [String] == ["phantom-7"])

            let (scan, _) = makePhantom(seed: 99)
            let result = try Segmenter(
                bundle: bundle, options: SegmenterOptions(precision: .fp32)
            ).segment(scan)
            #expect(result.labels.grid == scan.grid)
            let known = Set([0] + phantomLabelTable.structures.map(\.index))
            #expect(Set(result.labels.labels).isSubset(of: known))

            // What is done is not done again.
            let weights = card.planes.map(\.sha256)
            let again = try trainTinyHeads(in: directory, resume: true)
            #expect(!again.contains { $0.contains("  step ") })
            #expect(
                try ModelBundle.load(at: output + "/bundle").card.planes.map(\.sha256) == weights)
        }
    }

    /// Everything below a folder with its content.
    private func snapshot(of folder: String) throws -> [String: Data] {
        let paths = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String }
        return Dictionary(
            uniqueKeysWithValues: (paths ?? []).compactMap { path in
                FileManager.default.contents(atPath: folder + "/" + path).map { (path, $0) }
            })
    }

    /// A training of one plane on heads in files.
    private let filed =
        tinyHeadConfiguration.replacing(
            "phantoms: {count: 3, seed: 5, validation: 1}",
            with: "directory: cases\n  scanSuffix: _T1\n  labelSuffix: _dseg\n"
                + "  validation: [head-7]"
        )
        .replacing("  - {plane: axial, weight: 0.4}\n", with: "")
        .replacing("  - {plane: sagittal, weight: 0.2}\n", with: "")

    /// Writes heads of 4 mm and their labels.
    private func writeHeads(_ seeds: [UInt64], to folder: String) throws {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        for seed in seeds {
            let head = makePhantom(
                seed: seed,
                options: PhantomOptions(
                    size: GridSize(40, 48, 40), spacingMillimeters: SIMD3(4, 4, 4),
                    orientation: .ras, contrasts: [.t1Weighted], skullProbability: 0))
            try writeVolume(
                head.scan, to: "\(folder)/head-\(seed)_T1.nii", like: nil, storedAs: .float32)
            try writeLabelMap(head.labels, to: "\(folder)/head-\(seed)_dseg.nii", like: nil)
        }
    }

    @Test
    func `a training goes on from the same table and cases only, and a refusal changes nothing`()
        throws
    {
        try withTemporaryDirectory { directory in
            let cases = directory + "/cases"
            try writeHeads([5, 6, 7], to: cases)
            let lines = try trainTinyHeads(filed, in: directory)
            #expect(lines.first == "2 cases to train on, 1 held out.")
            let before = try snapshot(of: directory + "/run")
            func expectRefused(_ words: String, _ edit: () throws -> Void) throws {
                try edit()
                let error = try #require(throws: (any Error).self) {
                    try trainTinyHeads(filed, in: directory, resume: true)
                }
                #expect("\(error)".contains(words), "\(error)")
                #expect(try snapshot(of: directory + "/run") == before)
            }
            // One label of one case.
            let path = cases + "/head-5_dseg.nii"
            let original = try Data(contentsOf: URL(filePath: path))
            try expectRefused("label table or cases have changed") {
                var changed = original
                let voxel = try #require(changed[352...].firstIndex { $0 == 17 })
                changed[voxel] = 53
                try changed.write(to: URL(filePath: path))
            }
            try original.write(to: URL(filePath: path))
            // A case more.
            try expectRefused("label table or cases have changed") {
                try writeHeads([8], to: cases)
            }
            for ending in ["T1", "dseg"] {
                try FileManager.default.removeItem(atPath: cases + "/head-8_\(ending).nii")
            }
            // The rows of the table in another order, so that left and right would change places.
            let rows = tinyHeadLabels.split(separator: "\n")
            let exchanged = [rows[0]] + rows.dropFirst().reversed()
            #expect(throws: (any Error).self) {
                try trainTinyHeads(
                    filed.replacing("labels: labels.tsv", with: "labels: exchanged.tsv"),
                    in: directory, resume: true)
            }
            try exchanged.joined(separator: "\n")
                .write(toFile: directory + "/exchanged.tsv", atomically: true, encoding: .utf8)
            let error = try #require(throws: (any Error).self) {
                try runTraining(
                    configurationPath: directory + "/tiny.yaml",
                    outputDirectory: directory + "/run", resume: true, device: "cpu", threads: nil
                ) { _ in }
            }
            #expect("\(error)".contains("belongs to another training"), "\(error)")
            #expect(try snapshot(of: directory + "/run") == before)

            // Without a word about it, a finished training is not replaced either.
            let replaced = try #require(throws: TrainingRunError.self) {
                try trainTinyHeads(filed, in: directory)
            }
            #expect(
                replaced.description
                    == "'\(directory)/run' holds a training that is finished; go on with it by "
                    + "--resume, choose another --output, or replace it with --overwrite")
            #expect(try snapshot(of: directory + "/run") == before)
            #expect(
                try !trainTinyHeads(filed, in: directory, resume: true).contains {
                    $0.contains("  step ")
                })
            #expect(
                try trainTinyHeads(filed, in: directory, overwrites: true).contains {
                    $0.contains("  step 3/3")
                })
        }
    }

    @Test func `a training that begins with a model's weights says so, and goes on only with them`()
        throws
    {
        try withTemporaryDirectory { directory in
            _ = try trainTinyHeads(in: directory)
            let first = directory + "/run/bundle"
            let extraction = "brainExtraction: {model: brain-mask, dilationMillimeters: 4}"
            let text = tinyHeadConfiguration.replacing("name: tiny-heads", with: "name: tuned")
                .replacing("architecture:", with: "\(extraction)\narchitecture:")
            let lines = try trainTinyHeads(text, in: directory, from: first, output: "tuned")
            for plane in ["coronal", "axial", "sagittal"] {
                #expect(
                    lines.contains("\(plane)  begins with the \(plane) weights of 'tiny-heads'"))
            }
            let card = try ModelBundle.load(at: directory + "/tuned/bundle").card
            #expect(
                card.brainExtraction
                    == BrainExtraction(model: "brain-mask", dilationMillimeters: 4))
            let identity = try ModelBundle.load(at: first).identity
            #expect(
                card.training.notes.hasSuffix("from the weights of tiny-heads (\(identity))"))

            _ = try trainTinyHeads(text, in: directory, resume: true, from: first, output: "tuned")
            let error = #expect(throws: (any Error).self) {
                try trainTinyHeads(text, in: directory, resume: true, output: "tuned")
            }
            #expect("\(try #require(error))".contains("belongs to another training"))
        }
    }

    @Test func `a plane may begin with an earlier plane's weights and take fewer steps`() throws {
        try withTemporaryDirectory { directory in
            let plane = "{plane: sagittal, weight: 0.2, steps: 2, beginsWith: coronal}"
            let text = tinyHeadConfiguration.replacing(
                "{plane: sagittal, weight: 0.2}", with: plane)
            let lines = try trainTinyHeads(text, in: directory)
            #expect(
                lines.filter { $0.contains("  begins with ") } == [
                    "sagittal  begins with the coronal weights of 'tiny-heads'"
                ])
            #expect(try logRows(in: directory + "/run/coronal").last?.first == "3")
            #expect(try logRows(in: directory + "/run/sagittal").last?.first == "2")
            let card = try ModelBundle.load(at: directory + "/run/bundle").card
            #expect(card.training.notes.hasSuffix(", sagittal 2 steps from coronal"))
            let resumed = try trainTinyHeads(text, in: directory, resume: true)
            #expect(!resumed.contains { $0.contains("  begins with ") })

            let backwards = tinyHeadConfiguration.replacing(
                "{plane: coronal, weight: 0.4}",
                with: "{plane: coronal, weight: 0.4, beginsWith: sagittal}")
            let error = #expect(throws: (any Error).self) {
                try trainTinyHeads(backwards, in: directory, overwrites: true)
            }
            let sentence = "\(try #require(error))"
            #expect(sentence.contains("begins with the sagittal plane, which must stand before it"))
        }
    }

    @Test func `a training tells its classes with voxels and volumes before it starts`() throws {
        try withTemporaryDirectory { directory in
            try writeHeads([5, 6, 7], to: directory + "/cases")
            let lines = try trainTinyHeads(filed, in: directory)
            var counts = 0
            for seed in [5, 6] {
                let (map, _) = try readLabelMap(at: "\(directory)/cases/head-\(seed)_dseg.nii")
                counts += map.labels.count { $0 == 16 }
            }
            // The brain stem, in voxels of 4 mm.
            let row =
                "  16\tBrain-Stem\t\(counts / 2) voxels, "
                + String(format: "%.2f", Double(counts) / 2 * 64 / 1000) + " ml, in 2 of 2 cases"
            let place = try #require(lines.firstIndex(of: row), "\(lines)")
            let step = try #require(lines.firstIndex { $0.contains("  step ") })
            #expect(place < step)
        }
    }

    @Test func `labels that cannot be meant are refused before a step`() throws {
        try withTemporaryDirectory { directory in
            let cases = directory + "/cases"
            func expectRefused(_ words: String, _ edit: () throws -> Void) throws {
                try writeHeads([5, 6, 7], to: cases)
                try edit()
                let error = try #require(throws: TrainingRunError.self) {
                    try trainTinyHeads(filed, in: directory)
                }
                #expect(error.description.contains(words), "\(error)")
                #expect(!FileManager.default.fileExists(atPath: directory + "/run"))
            }
            func file(_ name: String) -> String { cases + "/" + name + ".nii" }
            try expectRefused("'\(file("head-6_dseg"))' holds no label") {
                let (map, header) = try readLabelMap(at: file("head-6_dseg"))
                let nothing = LabelMap(
                    grid: map.grid, labels: [UInt16](repeating: 0, count: map.labels.count))
                try writeLabelMap(nothing, to: file("head-6_dseg"), like: header)
            }
            try expectRefused("'\(file("head-5_dseg"))' looks like a scan") {
                let scan = try readVolume(at: file("head-5_T1")).volume
                let rounded = scan.voxels.map { ($0 - (scan.voxels.min() ?? 0)).rounded() }
                try writeVolume(
                    Volume(grid: scan.grid, voxels: rounded.map { min($0, 60000) }),
                    to: file("head-5_dseg"), like: nil, storedAs: .float32)
            }
            try expectRefused("'\(file("head-5_T1"))' looks like a label map") {
                try FileManager.default.removeItem(atPath: file("head-5_T1"))
                try FileManager.default.copyItem(
                    atPath: file("head-5_dseg"), toPath: file("head-5_T1"))
            }
            try expectRefused("no case to train on holds Brain-Stem (16)") {
                for seed in [5, 6] {
                    let (map, header) = try readLabelMap(at: file("head-\(seed)_dseg"))
                    let without = LabelMap(
                        grid: map.grid, labels: map.labels.map { $0 == 16 ? 0 : $0 })
                    try writeLabelMap(without, to: file("head-\(seed)_dseg"), like: header)
                }
            }
        }
    }

    @Test func `cases that are one scan, and labels without a row, are named`() throws {
        try withTemporaryDirectory { directory in
            let cases = directory + "/cases"
            try writeHeads([5, 6], to: cases)
            for ending in ["T1", "dseg"] {
                try FileManager.default.copyItem(
                    atPath: "\(cases)/head-5_\(ending).nii", toPath: "\(cases)/head-7_\(ending).nii"
                )
            }
            let (map, header) = try readLabelMap(at: cases + "/head-6_dseg.nii")
            var odd = map
            for index in 0..<30 { odd.labels[index] = 99 }
            try writeLabelMap(odd, to: cases + "/head-6_dseg.nii", like: header)
            let lines = try trainTinyHeads(filed, in: directory)
            #expect(
                lines.contains {
                    $0.hasPrefix(
                        "Cases 'head-5' and 'head-7' are the same scan, and as one of them")
                })
            #expect(
                lines.contains { $0.hasSuffix("become background: 99 (30 voxels in 1 cases).") })
        }
    }

    @Test func `a checkpoint of an edited configuration is refused`() throws {
        try withTemporaryDirectory { directory in
            let plane = tinyHeadConfiguration.replacing("count: 3", with: "count: 1")
                .replacing("validation: 1", with: "validation: 0")
                .replacing("  - {plane: axial, weight: 0.4}\n", with: "")
                .replacing("  - {plane: sagittal, weight: 0.2}\n", with: "")
            let lines = try trainTinyHeads(plane, in: directory)
            #expect(lines.first == "1 cases to train on, 0 held out.")
            #expect(
                try directoryListing(directory + "/run")
                    == [
                        "bundle", "configuration.yaml", "coronal", "training.html", "training.json",
                    ])
            let error = try #require(throws: (any Error).self) {
                try trainTinyHeads(
                    plane.replacing("batchSize: 2", with: "batchSize: 3"), in: directory,
                    resume: true)
            }
            #expect("\(error)".contains("belongs to another training"), "\(error)")
        }
    }
}
