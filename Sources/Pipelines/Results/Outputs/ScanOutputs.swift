import Files
import Foundation
import Inference

/// The files that a scan's segmentation is written to.
struct ScanOutputs {
    /// The folder and the scan's name in it.
    private let base: String
    /// The files that fMRIPrep looks for, for a scan of a BIDS dataset.
    private let fmriprep: FMRIPrepOutputs?
    /// The mask of the brain, for models that look for it first.
    let brainMask: String
    /// The name prefix of files on the model's grid.
    private let conformedBase: String
    /// The conformed scan's suffix: BIDS has one for each kind of scan.
    private let scanSuffix: String

    init(of scan: ScanFile, in output: String) {
        base = joined(output, scan.fileName)
        fmriprep = FMRIPrepOutputs(of: scan, in: output)
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
    /// The path of the description of ``probabilities(in:)``.
    func probabilitiesDescription(in space: OutputSpace) -> String {
        (space == .native ? base : conformedBase) + "_probseg.json"
    }

    /// The files that some options ask for beside those that are always written.
    func additional(_ options: Provenance.Options) -> [String] {
        let space = options.space ?? .native
        return (space == .conformed ? [conformedScan, conformedLabels] : [])
            + (options.probabilities == true
                ? space.all.flatMap { [probabilities(in: $0), probabilitiesDescription(in: $0)] }
                : [])
            + (options.uncertaintySamples != nil ? [entropy, uncertainty] : [])
            + (options.derivativesFor == .fmriprep ? fmriprep?.all ?? [] : [])
    }

    /// The provenance file; written last, so that its presence marks a finished scan.
    var provenance: String { base + "_dseg.json" }

    /// The files that are always written, but for the provenance.
    var always: [String] { [labels, table, volumes, statistics, picture] }
}

extension OutputSpace {
    /// The spaces that are written where this one is asked for: the scan's own always.
    var all: [OutputSpace] { self == .native ? [.native] : [.native, self] }
}
