import Files
import Foundation
import Inference
import ModelBundles
import VolumeIO
import Volumes

/// A tool whose anatomical inputs are written too, under the names by which it looks for them.
public enum DerivativeConsumer: String, Sendable, Codable, Hashable, CaseIterable {
    /// fMRIPrep, through `--derivatives`.
    case fmriprep
}

/// The anatomical files that fMRIPrep takes instead of making them itself.
///
/// Source: `io_spec.json` of smriprep, queries `baseline`.
struct FMRIPrepOutputs {
    /// The scan.
    let scan: String
    /// Its description.
    let scanDescription: String
    /// The mask of the brain.
    let mask: String
    /// Tissues: 1 grey matter, 2 white matter, 3 cerebrospinal fluid.
    let tissues: String
    /// The probabilities of the tissues, in that order.
    let probabilities: [String]

    /// Names the files of a scan of a BIDS dataset; `nil` for another one.
    init?(of scan: ScanFile, in output: String) {
        guard case .bids = scan.origin,
            let name = BIDSName((scan.outputName as NSString).lastPathComponent)
        else { return nil }
        let folder = joined(output, (scan.outputName as NSString).deletingLastPathComponent)
        func path(_ key: String?, _ value: String, _ ending: String) -> String {
            var parts = name
            if let key { parts[key] = value }
            return joined(folder, parts.text + ending)
        }
        self.scan = path("desc", "preproc", "_T1w.nii.gz")
        scanDescription = path("desc", "preproc", "_T1w.json")
        mask = path("desc", "brain", "_mask.nii.gz")
        tissues = path(nil, "", "_dseg.nii.gz")
        probabilities = Tissue.allCases.map { path("label", $0.label, "_probseg.nii.gz") }
    }

    /// All of them.
    var all: [String] { [scan, scanDescription, mask, tissues] + probabilities }
}

/// A tissue of the brain as fMRIPrep numbers them.
enum Tissue: UInt16, CaseIterable {
    case greyMatter = 1
    case whiteMatter = 2
    case cerebrospinalFluid = 3

    /// The label in BIDS names.
    var label: String {
        switch self {
        case .greyMatter: "GM"
        case .whiteMatter: "WM"
        case .cerebrospinalFluid: "CSF"
        }
    }

    /// The tissue of a structure by FreeSurfer's index, or `nil` where it is none of the three.
    ///
    /// Source: the table by which smriprep makes tissues of FreeSurfer's aseg.
    init?(structure index: UInt16) {
        switch index {
        case 2, 7, 16, 28, 41, 46, 60, 77...79, 250...255: self = .whiteMatter
        case 4, 5, 14, 15, 24, 43, 44, 72: self = .cerebrospinalFluid
        case 3, 8...13, 17...20, 26...39, 42, 47...71: self = .greyMatter
        default: return nil
        }
    }

    /// The meaning of a tissue map's values.
    static let table: LabelTable = {
        let structures = [
            Structure(index: 1, name: "GM", color: LabelColor(red: 205, green: 62, blue: 78)),
            Structure(index: 2, name: "WM", color: LabelColor(red: 245, green: 245, blue: 245)),
            Structure(index: 3, name: "CSF", color: LabelColor(red: 60, green: 60, blue: 60)),
        ]
        guard let table = LabelTable(structures) else { preconditionFailure("three tissues") }
        return table
    }()
}

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
