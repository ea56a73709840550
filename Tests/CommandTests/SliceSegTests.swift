import Foundation
import ModelBundles
import NeuralNetworks
import Preprocessing
import SegmentationModels
import Tensors
import TestSupport
import Testing
import VolumeIO
import Volumes

/// The subcommands of `sliceseg`.
@Suite struct `sliceseg` {
    @Test func `phantom writes heads and labels that evaluate finds`() throws {
        try withTemporaryDirectory { folder in
            let arguments = [
                "phantom", "--output", folder + "/scans", "--references", folder + "/labels",
                "--count", "2", "--seed", "7",
            ]
            let result = try run("sliceseg", arguments)
            #expect(result.status == 0, "\(result.errors)")
            #expect(
                files(below: folder) == [
                    "labels/phantom-001_dseg.nii.gz", "labels/phantom-002_dseg.nii.gz",
                    "scans/phantom-001.nii.gz", "scans/phantom-002.nii.gz",
                ])
            let again = try run("sliceseg", arguments)
            #expect(again.status == 2)
            #expect(again.errors.contains("phantom-001.nii.gz' is there already"))
            #expect(try run("sliceseg", arguments + ["--overwrite"]).status == 0)

            let evaluation = try run(
                "sliceseg",
                [
                    "evaluate", "--prediction", folder + "/labels", "--reference",
                    folder + "/labels", "--output", folder + "/scores",
                ])
            #expect(evaluation.status == 0, "\(evaluation.errors)")
            let dice = try rows(of: folder + "/scores/metrics.tsv").filter { $0[3] == "dice" }
            #expect(!dice.isEmpty)
            #expect(dice.allSatisfy { $0[4] == "1.0" || $0[4] == "n/a" })
            let last = evaluation.output.split(separator: "\n").suffix(3)
            #expect(
                last.first?.contains("mean over") == true && last.first?.contains("1.000") == true)
            #expect(last.last == "Convention surface-distance; NSD at 1.0 mm, HD95 in mm.")
        }
    }

    @Test func `evaluate lists what has no counterpart and counts it as a failure`() throws {
        try withTemporaryDirectory { folder in
            for name in ["p", "r"] { try makeFolder(folder + "/" + name) }
            let map = NIfTIFile()
            try write(map.bytes, to: folder + "/p/1015_SS_dseg.nii")
            try write(map.bytes, to: folder + "/p/extra_dseg.nii")
            try write(map.bytes, to: folder + "/r/1015_dseg.nii")
            try write(map.bytes, to: folder + "/r/1036_dseg.nii")
            var moved = map
            moved.rows[0][3] += 3
            try write(moved.bytes, to: folder + "/p/moved_dseg.nii")
            try write(map.bytes, to: folder + "/r/moved_dseg.nii")
            let result = try run(
                "sliceseg",
                [
                    "evaluate", "--prediction", folder + "/p", "--reference", folder + "/r",
                    "--output", folder + "/scores",
                ])
            #expect(result.status == 1)
            #expect(result.errors.contains("/p/extra_dseg.nii' has no reference"))
            #expect(result.errors.contains("no prediction for the reference '\(folder)/r/1036"))
            #expect(result.errors.contains("lie 3.00 mm apart"))
            let failures = try rows(of: folder + "/scores/failures.tsv")
            #expect(failures.map { $0[0] } == ["1036", "moved"])
            #expect(failures.map { $0[2] } == ["case.noPrediction", "case.otherGrid"])
            // What is missing counts; what cannot be compared does not.
            let dice = try rows(of: folder + "/scores/metrics.tsv").filter { $0[3] == "dice" }
            #expect(Set(dice.map { $0[0] }) == ["1015_SS", "1036"])
            #expect(dice.allSatisfy { $0[4] == ($0[0] == "1036" ? "0.0" : "1.0") })
        }
    }

    @Test func `evaluate follows the convention and the tolerance that it is told`() throws {
        try withTemporaryDirectory { folder in
            // A voxel is 2 mm long; the cube is shifted by one.
            func cube(at x: Int) -> [UInt8] {
                var file = NIfTIFile()
                file.voxels = (0..<720).flatMap { index -> [UInt8] in
                    let (i, j, k) = (index % 8, index / 8 % 9, index / 72)
                    let isInside = (x..<x + 2).contains(i) && (3..<5).contains(j) && (4..<6) ~= k
                    return [isInside ? 5 : 0, 0]
                }
                return file.bytes
            }
            try write(cube(at: 3), to: folder + "/p.nii")
            try write(cube(at: 2), to: folder + "/r.nii")
            func dice(_ options: String...) throws -> [String: Any] {
                let result = try run(
                    "sliceseg",
                    [
                        "evaluate", "--prediction", folder + "/p.nii", "--reference",
                        folder + "/r.nii", "--output", folder + "/scores", "--json",
                    ] + options)
                #expect(result.status == 0, "\(result.errors)")
                let value = try JSONSerialization.jsonObject(with: Data(result.output.utf8))
                let summary = try #require(value as? [String: Any])
                #expect(summary["tolerance_mm"] is Double)
                let means = try #require(summary["mean"] as? [String: [String: Any]])
                return try #require(means["5"])
            }
            let border = try dice("--convention", "monai", "--tolerance", "1.9")
            #expect(border["Dice"] as? Double == 0.5)
            #expect(border["surface_dice"] as? Double == 0.5)
            #expect(border["hausdorff95_mm"] as? Double == 2)
            #expect(border["mean_surface_distance_mm"] as? Double == 1)
            let tolerant = try dice("--convention", "nnunet", "--tolerance", "2")
            #expect(tolerant["surface_dice"] as? Double == 1)
            // Two of six faces lie 2 mm apart, the others' edges are nearer; more than half agrees.
            let elements = try dice("--tolerance", "1.9")
            #expect((elements["surface_dice"] as? Double).map { $0 > 0.5 && $0 < 1 } == true)
            let wide = try String(
                contentsOfFile: folder + "/scores/metrics_wide.csv", encoding: .utf8)
            #expect(wide.contains("p,5,label-5,both,0.5,"))
            #expect(wide.contains(",surface-distance,1.9,"))
        }
    }

    @Test func `evaluate compares two runs and writes a page`() throws {
        try withTemporaryDirectory { folder in
            for name in ["new", "old", "r"] { try makeFolder(folder + "/" + name) }
            // The new run finds all of the first `n` voxels, the old one fewer in each case.
            func map(_ count: Int) -> [UInt8] {
                var file = NIfTIFile()
                file.voxels = (0..<720).flatMap { [$0 < count ? 3 : 0, UInt8(0)] }
                return file.bytes
            }
            for (number, found) in [10, 20, 30, 40, 50, 60].enumerated() {
                let name = "<script>\(number)_dseg.nii"
                try write(map(100), to: folder + "/r/" + name)
                try write(map(100), to: folder + "/new/" + name)
                try write(map(found), to: folder + "/old/" + name)
            }
            let arguments = [
                "evaluate", "--prediction", folder + "/new", "--against", folder + "/old",
                "--reference", folder + "/r", "--output", folder + "/scores",
            ]
            let result = try run("sliceseg", arguments)
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.output.contains("p (Holm)"))
            let comparison = try rows(of: folder + "/scores/comparison.tsv")
            let dice = try #require(comparison.first)
            #expect(Array(dice[...5]) == ["dice", "1", "3", "label-3", "6", "0"])
            // All six signs alike: 2 of the 2^6 assignments.
            #expect(dice[13...15] == ["0.03125", "0.03125", "exact"])
            let page = try String(contentsOfFile: folder + "/scores/report.html", encoding: .utf8)
            #expect(page.contains("surface-distance"))
            #expect(page.contains("&lt;script&gt;0"))
            #expect(!page.contains("<script>0"))
            #expect(files(below: folder + "/scores/report-files").count == 6)

            let other = folder + "/other"
            #expect(
                try run("sliceseg", arguments.dropLast() + [other, "--no-report"]).status == 0)
            #expect(
                files(below: other) == [
                    "comparison.tsv", "failures.tsv", "metrics.tsv", "metrics_wide.csv",
                    "statistics.tsv", "summary.json",
                ])
        }
    }

    @Test func `evaluate resamples where it may`() throws {
        try withTemporaryDirectory { folder in
            try writeHead(to: folder + "/scan.nii.gz", labels: folder + "/r.nii.gz")
            let (map, _) = try readLabelMap(at: folder + "/r.nii.gz")
            let half = Grid(
                size: GridSize(
                    map.grid.size.x * 2, map.grid.size.y * 2, map.grid.size.z * 2),
                affine: map.grid.affine
                    * Affine(
                        spacing: SIMD3(0.5, 0.5, 0.5), translation: SIMD3(-0.25, -0.25, -0.25)))
            try writeLabelMap(resampled(map, to: half), to: folder + "/p.nii.gz", like: nil)
            let arguments = [
                "evaluate", "--prediction", folder + "/p.nii.gz", "--reference",
                folder + "/r.nii.gz", "--output", folder + "/scores",
            ]
            let refused = try run("sliceseg", arguments)
            #expect(refused.status == 1)
            #expect(refused.errors.contains("allow it with --resample"))
            let result = try run("sliceseg", arguments + ["--resample"])
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.errors.contains("p.nii.gz' was resampled to the grid of its reference"))
            let dice = try rows(of: folder + "/scores/metrics.tsv").filter { $0[3] == "dice" }
            #expect(!dice.isEmpty && dice.allSatisfy { $0[4] == "1.0" || $0[4] == "n/a" })
        }
    }

    @Test func `info tells a volume's grid and range, also as JSON`() throws {
        try withTemporaryDirectory { folder in
            try write(NIfTIFile().bytes, to: folder + "/a.nii")
            try write([1, 2, 3], to: folder + "/b.nii")
            let result = try run(
                "sliceseg", ["info", folder + "/b.nii", folder + "/a.nii", "--json"])
            #expect(result.status == 1)
            #expect(result.errorLines.count == 1)
            #expect(result.errors.contains("b.nii'"))
            let value = try JSONSerialization.jsonObject(with: Data(result.output.utf8))
            let information = try #require(value as? [String: Any])
            #expect(information["size"] as? [Int] == [8, 9, 10])
            #expect(information["orientation"] as? String == "RAS")
            #expect(information["spacing"] as? [Double] == [2, 2, 2])
            #expect(information["datatype"] as? String == "int16")
            #expect(information["minimum"] as? Double == 1)
            #expect(information["maximum"] as? Double == 97)
            let text = try run("sliceseg", ["info", folder + "/a.nii"]).output
            #expect(text.contains("size         8 x 9 x 10 voxels"))
        }
    }

    @Test func `verify says whether two grids are one`() throws {
        try withTemporaryDirectory { folder in
            try write(NIfTIFile().bytes, to: folder + "/a.nii")
            var moved = NIfTIFile()
            moved.rows[2][3] += 0.5
            try write(moved.bytes, to: folder + "/b.nii")
            let same = try run("sliceseg", ["verify", folder + "/a.nii", folder + "/a.nii"])
            #expect(same.status == 0)
            #expect(same.output.contains("have the same grid: 8x9x10 voxels"))
            let other = try run("sliceseg", ["verify", folder + "/a.nii", folder + "/b.nii"])
            #expect(other.status == 1)
            #expect(other.output.contains("they differ in origin; corners up to 0.500 mm apart"))
            let json = try run(
                "sliceseg", ["verify", folder + "/a.nii", folder + "/b.nii", "--json"])
            #expect(json.status == 1)
            let value = try JSONSerialization.jsonObject(with: Data(json.output.utf8))
            let object = try #require(value as? [String: Any])
            #expect(object["isSameGrid"] as? Bool == false)
            #expect(object["differences"] as? [String] == ["origin"])
            #expect(object["largestCornerDistanceMillimeters"] as? Double == 0.5)
        }
    }

    @Test func `describe counts the paper's parameters`() throws {
        let network = ["describe", "--network", "unet", "--json"]
        func parameters(_ options: [String]) throws -> [String: Any] {
            let result = try run("sliceseg", network + options)
            #expect(result.status == 0, "\(result.errors)")
            let object = try JSONSerialization.jsonObject(with: Data(result.output.utf8))
            return try #require(object as? [String: Any])
        }
        // A plain name has no recalibration.
        let plain = try parameters([])
        #expect(plain["parameters"] as? Int == 2_154_972)
        #expect(plain["recalibrationParameters"] as? Int == 0)
        let recalibrated = try parameters(["--recalibration", "scse"])
        #expect(recalibrated["parameters"] as? Int == 2_154_972 + 34_056)
        #expect(recalibrated["recalibrationParameters"] as? Int == 34_056)
        let layers = try #require(recalibrated["layers"] as? [[String: Any]])
        #expect(layers.first?["name"] as? String == "encoders.0.block.convolution1")
        #expect(layers.first?["outputShape"] as? [Int] == [64, 256, 256])
        #expect(layers.first?["multiplyAdds"] as? Int == 25 * 64 * 65_536)

        let wrong = try run("sliceseg", ["describe", "--architecture", "vNet"])
        #expect(wrong.status == 2)
        #expect(wrong.errors.contains("choose from uNet, sdNet, denseNet"))
        #expect(try run("sliceseg", network + ["--kernel", "4"]).status == 2)
        #expect(try run("sliceseg", ["describe"]).status == 2)
    }

    @Test(arguments: [
        ("densenet-121", 7_978_856), ("densenet-169", 14_149_480), ("densenet-201", 20_013_928),
        ("resnet-50", 25_557_032), ("se-resnet-50", 28_088_024), ("sknet-50", 27_479_784),
    ])
    func `describe counts the parameters of published classifiers`(
        name: String, expected: Int
    ) throws {
        let result = try run(
            "sliceseg", ["describe", "--network", name, "--classifier", "--json"])
        #expect(result.status == 0, "\(result.errors)")
        let object = try JSONSerialization.jsonObject(with: Data(result.output.utf8))
        #expect((object as? [String: Any])?["parameters"] as? Int == expected)
    }

    @Test func `describe compares what kinds of recalibration cost`() throws {
        let result = try run(
            "sliceseg",
            ["describe", "--network", "unet", "--compare", "none,cse,sse,scse,se,sk"])
        #expect(result.status == 0, "\(result.errors)")
        let lines = result.output.split(separator: "\n").map(String.init)
        #expect(lines.count == 7)
        #expect(lines[4].hasPrefix("scse"))
        #expect(lines[4].contains("2189028"))
        #expect(lines[4].contains("+1.58 %"))
    }

    @Test func `an exported model's weights are its own, and ONNX files have their metadata`()
        throws
    {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            let weights = try run(
                "sliceseg",
                ["export", folder + "/model", "--format", "safetensors", "--output", folder + "/s"])
            #expect(weights.status == 0, "\(weights.errors)")
            let file = try readSafeTensors(at: folder + "/s/tiny-coronal.safetensors")
            let network = try ModelBundle.load(at: folder + "/model").makeNetwork(for: .coronal)
            for (name, parameter) in network.namedParameters {
                let stored: [Float] = try file.tensor(named: name).elements()
                #expect(try parameter.value.elements() == stored, "\(name)")
            }
            let onnx = try run(
                "sliceseg",
                ["export", folder + "/model", "--format", "onnx", "--output", folder + "/o"])
            #expect(onnx.status == 0, "\(onnx.errors)")
            let data = try Data(contentsOf: URL(filePath: folder + "/o/metadata.json"))
            let object = try JSONSerialization.jsonObject(with: data) as? [String: Any]
            let formats = object?["network_data_format"] as? [String: Any]
            #expect(Set(formats?.keys.map { $0 } ?? []) == ["inputs", "outputs"])
            #expect(
                try run(
                    "sliceseg", ["export", folder + "/model", "--format", "x", "--output", "y"]
                )
                .status == 2)
        }
    }

    @Test func `imported weights become a model that segments`() throws {
        try withTemporaryDirectory { folder in
            let result = try run(
                "sliceseg",
                [
                    "import", "--format", "quicknat",
                    fixturePath("networks/quicknat.safetensors"), "--output", folder + "/quicknat",
                ])
            #expect(result.status == 0, "\(result.errors)")
            let card = try ModelBundle.load(at: folder + "/quicknat").card
            #expect(card.architecture.classes == 5)
            #expect(card.labels.structures.map(\.index) == [1, 2, 3, 4])
            // Weights are kept as they are, not in half precision.
            let stored = try readSafeTensors(at: folder + "/quicknat/weights-coronal.safetensors")
            #expect(stored.tensors.values.allSatisfy { $0.type == .float32 })
            let again = try run(
                "sliceseg",
                [
                    "import", "--format", "relaynet",
                    fixturePath("networks/quicknat.safetensors"), "--output", folder + "/x",
                ])
            #expect(again.status == 1)
            #expect(again.errors.contains("encode1.conv.weight"))
        }
    }

    @Test func `describe tells the layers of a model's networks`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            let result = try run("sliceseg", ["describe", folder + "/model"])
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.output.hasPrefix("tiny: Random weights for tests.\n"))
            #expect(result.output.contains("\ncoronal plane, weight 1.0\n"))
            #expect(result.output.contains("classifier.weight"))
        }
    }

    @Test func `train names what is wrong with its configuration`() throws {
        try withTemporaryDirectory { folder in
            let missing = try run(
                "sliceseg", ["train", folder + "/gone.yaml", "--output", folder + "/out"])
            #expect(missing.status == 1)
            #expect(missing.errorLines.count == 1)
            #expect(missing.errors.contains("gone.yaml' cannot be read"))
        }
    }

    @Test(
        arguments: [
            (["evaluate", "--prediction", "p"], "Missing expected argument"),
            (
                ["evaluate", "--prediction", "p", "--reference", "r", "--output", "o"],
                "'p' does not exist"
            ),
            (
                [
                    "evaluate", "--prediction", "p", "--reference", "r", "--output", "o",
                    "--convention", "mine",
                ], "'mine' is not a convention; write surface-distance, monai, nnunet"
            ),
            (
                [
                    "evaluate", "--prediction", "p", "--reference", "r", "--output", "o",
                    "--tolerance=-1",
                ], "--tolerance must be 0 mm or more"
            ),
            (["phantom", "--output", "o", "--count", "0", "--seed", "1"], "1 to 100000, not 0"),
            (["phantom", "--output", "o", "--count", "1", "--seed", "-1"], "--seed"),
            (["dance"], "Unexpected argument 'dance'"),
            (["info"], "Missing expected argument"),
            (["verify", "a", "b", "c"], "Unexpected argument 'c'"),
        ])
    func `a wrong command line gets one sentence and status 2`(
        arguments: [String], says: String
    ) throws {
        try withTemporaryDirectory { folder in
            let result = try RunningCommand("sliceseg", arguments, folder: folder).wait()
            #expect(result.status == 2)
            #expect(result.errorLines.count == 1, "\(result.errors)")
            #expect(result.errors.contains(says), "\(result.errors)")
            #expect(files(below: folder).isEmpty)
        }
    }
}
