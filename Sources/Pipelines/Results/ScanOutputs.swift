import Files
import Foundation
import Inference
import Reports
import SegmentationMetrics
import Volumes

/// The files that a scan's segmentation is written to.
struct ScanOutputs {
    /// The folder and the scan's name in it.
    private let base: String
    /// The mask of the brain, for models that look for it first.
    let brainMask: String
    /// What the names of files on the model's grid begin with.
    private let conformedBase: String
    /// The conformed scan's suffix: BIDS has one for each kind of scan.
    private let scanSuffix: String

    init(of scan: ScanFile, in output: String) {
        base = joined(output, scan.fileName)
        brainMask = BrainOutputs(of: scan, in: output).mask
        let (folder, name) = (
            (base as NSString).deletingLastPathComponent, (base as NSString).lastPathComponent
        )
        if case .bids = scan.origin, var parts = BIDSName(name) {
            parts["space"] = "conformed"
            conformedBase = joined(folder, parts.text)
            scanSuffix = "_T1w"
        } else {
            conformedBase = base + "_space-conformed"
            scanSuffix = "_scan"
        }
    }

    /// The folder of all of them.
    var folder: String { (base as NSString).deletingLastPathComponent }
    /// The label map.
    var labels: String { base + "_dseg.nii.gz" }
    /// The meaning of its values.
    var table: String { base + "_dseg.tsv" }
    /// The structures' volumes.
    var volumes: String { base + "_volumes.tsv" }
    /// The same as FreeSurfer writes them.
    var statistics: String { base + ".stats" }
    /// The picture.
    var picture: String { base + "_qc.png" }
    /// The scan as the networks saw it.
    var conformedScan: String { conformedBase + scanSuffix + ".nii.gz" }
    /// The label map on the grid of ``conformedScan``.
    var conformedLabels: String { conformedBase + "_dseg.nii.gz" }
    /// The entropy of samples, on the model's grid.
    var entropy: String { conformedBase + "_entropy.nii.gz" }
    /// The spread of each structure over samples.
    var uncertainty: String { base + "_uncertainty.tsv" }
    /// The probabilities of all classes.
    func probabilities(in space: OutputSpace) -> String {
        (space == .native ? base : conformedBase) + "_probseg.nii.gz"
    }
    /// What the volumes of ``probabilities(in:)`` are.
    func probabilitiesDescription(in space: OutputSpace) -> String {
        (space == .native ? base : conformedBase) + "_probseg.json"
    }

    /// The files that some options ask for beside those that are always written.
    func additional(_ options: Provenance.Options) -> [String] {
        let space: OutputSpace = options.space == nil ? .native : .conformed
        return (space == .conformed ? [conformedScan, conformedLabels] : [])
            + (options.probabilities == true
                ? [probabilities(in: space), probabilitiesDescription(in: space)] : [])
            + (options.uncertaintySamples != nil ? [entropy, uncertainty] : [])
    }

    /// From what and how all was made; written last, so that it marks a scan that is done.
    var provenance: String { base + "_dseg.json" }

    /// Whether a label map is there that this program did not write.
    var areForeign: Bool {
        // Without provenance it may be ours from a run that was killed, with its companions.
        pathExists(labels) && Provenance.read(at: provenance) == nil
            && ![table, volumes, picture].allSatisfy(pathExists)
    }
}

/// What an earlier run left of a scan.
enum EarlierResult: Equatable {
    /// Nothing.
    case none
    /// All that would be written now.
    case done([StructureVolume])
    /// Something else; why.
    case outdated(String)
}

/// Compares what an earlier run left with what is asked for, by content.
///
/// - Parameters:
///   - outputs: The scan's outputs.
///   - scanHash: SHA-256 of the scan's bytes.
///   - modelIdentity: The model.
///   - brainModelIdentity: The model that finds the brain first, if there is one.
///   - options: The options; those that change labels are compared.
///   - table: The model's structures.
/// - Returns: What is there.
func earlierResult(
    at outputs: ScanOutputs, scanHash: String, modelIdentity: String,
    brainModelIdentity: String?, options: Provenance.Options, table: LabelTable
) -> EarlierResult {
    guard let earlier = Provenance.read(at: outputs.provenance) else {
        return pathExists(outputs.labels) ? .outdated("it was not finished") : .none
    }
    guard earlier.scan.sha256 == scanHash else { return .outdated("the scan has changed") }
    guard earlier.model.identity == modelIdentity else { return .outdated("the model is another") }
    guard earlier.brain?.model.identity == brainModelIdentity else {
        return .outdated("the model that finds the brain is another")
    }
    guard brainModelIdentity == nil || isRegularFile(outputs.brainMask) else {
        return .outdated("the brain mask is missing")
    }
    guard earlier.options.planes == options.planes,
        earlier.options.precision == options.precision,
        earlier.options.volume == options.volume,
        earlier.options.interpolation == options.interpolation,
        earlier.options.testTimeAugmentation == options.testTimeAugmentation,
        earlier.options.uncertaintySamples == options.uncertaintySamples,
        earlier.options.seed == options.seed
    else { return .outdated("the options are others") }
    guard contentHash(ofFileAt: outputs.labels) == earlier.labels.sha256 else {
        return .outdated("the label map is missing or was changed")
    }
    guard outputs.additional(options).allSatisfy(isRegularFile) else {
        return .outdated("more files are asked for")
    }
    guard isRegularFile(outputs.table), isRegularFile(outputs.picture),
        isRegularFile(outputs.statistics),
        let volumes = readVolumes(at: outputs.volumes, table: table)
    else { return .outdated("a table or the picture is missing") }
    return .done(volumes)
}

/// The structures' volumes from a `NAME_volumes.tsv`, or `nil` where it is not one of this table.
private func readVolumes(at path: String, table: LabelTable) -> [StructureVolume]? {
    guard isRegularFile(path), let reader = TSVReader(contentsOfFile: path) else { return nil }
    let volumes = reader.rows.compactMap { row -> StructureVolume? in
        guard let label = row["index"].flatMap(UInt16.init),
            let voxels = row["voxels"].flatMap(Int.init),
            let cubicMillimeters = row["volume_mm3"].flatMap(Double.init)
        else { return nil }
        return StructureVolume(
            label: label, voxelCount: voxels, volumeCubicMillimeters: cubicMillimeters)
    }
    return volumes.map(\.label) == table.structures.map(\.index) ? volumes : nil
}
