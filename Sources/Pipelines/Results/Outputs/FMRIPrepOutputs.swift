import Files
import Foundation

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
