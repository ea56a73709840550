import Foundation
import Pipelines
import TestSupport
import Testing
import VolumeIO
import Volumes

struct EmbeddedNamesTests {
    @Test func `evaluate takes the names in a header where no table lies beside`() throws {
        let grid = Grid(size: GridSize(6, 6, 6), affine: .identity)
        let map = LabelMap(grid: grid, labels: (0..<216).map { [0, 17, 53][$0 % 3] })
        let color = LabelColor(red: 1, green: 2, blue: 3)
        let table = try #require(
            LabelTable([
                Structure(index: 17, name: "Left-Hippocampus", color: color),
                Structure(index: 53, name: "Right-Hippocampus", color: color),
            ]))
        try withTemporaryDirectory { folder in
            for name in ["named", "plain"] {
                try FileManager.default.createDirectory(
                    atPath: folder + "/" + name, withIntermediateDirectories: true)
                try writeLabelMap(
                    map, to: folder + "/\(name)/a_dseg.nii.gz", like: nil,
                    table: name == "named" ? table : nil)
            }
            func names(ofPredictions predictions: String) throws -> Set<String> {
                let output = folder + "/scores-" + predictions
                _ = try evaluate(
                    EvaluationRequest(
                        prediction: folder + "/" + predictions, reference: folder + "/plain",
                        output: output))
                let data = try Data(contentsOf: URL(filePath: output + "/metrics.tsv"))
                let rows = String(decoding: data, as: UTF8.self).split(separator: "\n").dropFirst()
                return Set(rows.map { String($0.split(separator: "\t")[2]) })
            }
            #expect(
                try names(ofPredictions: "named")
                    .isSuperset(of: ["Left-Hippocampus", "Right-Hippocampus"]))
            #expect(
                try names(ofPredictions: "plain").isSuperset(of: ["label-17", "label-53"]))
        }
    }
}
