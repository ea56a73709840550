import Files
import Foundation
import Inference
import ModelBundles
import VolumeIO
import Volumes

/// The sidecar of the scan that fMRIPrep takes.
private struct PreparedScanDescription: Encodable {
    var skullStripped: Bool
    var sources: [String]

    enum CodingKeys: String, CodingKey {
        case skullStripped = "SkullStripped"
        case sources = "Sources"
    }
}

extension CaseWriter {
    /// Writes the files that fMRIPrep looks for, all on the scan's own grid.
    func writeForFMRIPrep(
        _ segmented: SegmentedCase, _ probabilities: ClassProbabilities, _ staged: StagedFiles
    ) throws {
        guard let outputs = FMRIPrepOutputs(of: segmented.scan, in: output.path) else { return }
        let loaded = segmented.content.loaded
        let header = loaded.header
        try staged.write(outputs.scan) {
            try writeVolume(loaded.volume, to: $0, like: header, storedAs: .float32)
        }
        var sources: [String] = []
        if case .bids(let source) = segmented.scan.origin {
            sources = [self.sources.address(of: source)]
        }
        let text = try jsonText(
            PreparedScanDescription(
                skullStripped: segmented.brain?.isAlreadyStripped ?? false, sources: sources))
        try staged.write(outputs.scanDescription) { try writeAtomically(text, to: $0) }
        let mask =
            segmented.brain?.labels(on: loaded.volume)
            ?? LabelMap(
                grid: segmented.labels.grid,
                labels: segmented.labels.labels.map { $0 > 0 ? 1 : 0 })
        try staged.write(outputs.mask) {
            try writeLabelMap(mask, to: $0, like: header, table: ExtractedBrain.labelTable)
        }
        var tissueOfLabel = [UInt16](repeating: 0, count: Int(UInt16.max) + 1)
        for structure in table.structures {
            tissueOfLabel[Int(structure.index)] =
                Tissue(structure: structure.index)?.rawValue ?? 0
        }
        let tissues = LabelMap(
            grid: segmented.labels.grid,
            labels: segmented.labels.labels.map { tissueOfLabel[Int($0)] })
        try staged.write(outputs.tissues) {
            try writeLabelMap(tissues, to: $0, like: header, table: Tissue.table)
        }
        for (tissue, path) in zip(Tissue.allCases, outputs.probabilities) {
            var sum = [Float](repeating: 0, count: segmented.labels.labels.count)
            for (position, structure) in table.structures.enumerated()
            where Tissue(structure: structure.index) == tissue {
                let found = try probabilities.volumes(
                    ofClasses: position + 1..<position + 2, in: .native)
                guard let values = found.first else { continue }
                for index in sum.indices {
                    sum[index] += Float(values[index]) / Float(ClassProbabilities.scale)
                }
            }
            for index in sum.indices { sum[index] = min(sum[index], 1) }
            try staged.write(path) {
                try writeVolume(
                    Volume(grid: segmented.labels.grid, voxels: sum), to: $0, like: header,
                    storedAs: .float32)
            }
        }
    }
}
