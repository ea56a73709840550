import Files
import Foundation
import VolumeIO

/// The files that a scan's brain is written to.
struct BrainOutputs {
    /// The mask.
    let mask: String
    /// The scan without skull.
    let scan: String
    /// The provenance file; written last, so that its presence marks a finished scan.
    let provenance: String

    /// Names the files of a scan.
    ///
    /// In BIDS a mask has no `seg`, and the scan keeps its own suffix.
    init(of scan: ScanFile, in output: String) {
        let base = joined(output, scan.outputName)
        let (folder, name) = (
            (base as NSString).deletingLastPathComponent, (base as NSString).lastPathComponent
        )
        if case .bids(let source) = scan.origin, var parts = BIDSName(name) {
            if parts["space"] == nil { parts["space"] = "orig" }
            parts["desc"] = "brain"
            let stem = joined(folder, parts.text)
            let suffix = BIDSName(volumeName(ofPath: source.relativePath) ?? "")?.suffix
            mask = stem + "_mask.nii.gz"
            provenance = stem + "_mask.json"
            self.scan = stem + "_" + (suffix ?? "T1w") + ".nii.gz"
        } else {
            mask = base + "_desc-brain_mask.nii.gz"
            provenance = base + "_desc-brain_mask.json"
            self.scan = base + "_desc-brain.nii.gz"
        }
    }

    /// The folder of all of them.
    var folder: String { (mask as NSString).deletingLastPathComponent }
}
