/// A scan to be segmented, and where its outputs go.
public struct ScanFile: Sendable, Hashable, Codable {
    /// The scan's file; of a DICOM series, its folder.
    public var path: String
    /// The outputs' name below the output folder, such as `sub-01/anat/t1`.
    public var outputName: String
    /// Its kind.
    package var origin: ScanOrigin
    /// The volume of a 4-D file that is meant, counted from 0; `nil` where it must be 3-D.
    package var volume: Int?
    /// The beginning of the names of its output files: ``outputName``, but as BIDS has it for a scan
    /// of a BIDS dataset.
    package var fileName: String

    /// Makes a scan.
    public init(path: String, outputName: String) {
        self.init(path: path, outputName: outputName, origin: .volume)
    }

    /// Makes a scan of some kind.
    package init(path: String, outputName: String, origin: ScanOrigin) {
        self.path = path
        self.outputName = outputName
        self.origin = origin
        fileName = outputName
    }
}

/// A T1-weighted scan of a BIDS dataset.
package struct BIDSScan: Sendable, Hashable, Codable {
    /// The dataset's folder.
    package var dataset: String
    /// The scan's path in it, such as `sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz`.
    package var relativePath: String

    /// Names a scan.
    package init(dataset: String, relativePath: String) {
        self.dataset = dataset
        self.relativePath = relativePath
    }
}

/// The kind of a scan.
package enum ScanOrigin: Sendable, Hashable, Codable {
    /// A volume in a file.
    case volume
    /// A volume in a file of a BIDS dataset.
    case bids(BIDSScan)
    /// A series of DICOM images.
    case dicom(DICOMSeries)
    /// An input that was found to be unreadable when scans were searched for, and why.
    case unreadable(FailureReason)
}

/// Tells that two scans would write the same files.
func sameOutput(_ first: String, _ second: String, name: String) -> UsageError {
    UsageError(
        "'\(first)' and '\(second)' would both be written to '\(name)_dseg.nii.gz'; rename one, name "
            + "a folder above both, whose subfolders the output keeps, or run them into different "
            + "output folders")
}
