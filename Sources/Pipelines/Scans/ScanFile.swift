/// A scan to be segmented, and where its outputs go.
public struct ScanFile: Sendable, Hashable {
    /// The scan's file; of a DICOM series, its folder.
    public var path: String
    /// The outputs' name below the output folder, such as `sub-01/anat/t1`.
    public var outputName: String
    /// What kind of scan it is.
    package var origin: ScanOrigin
    /// Which volume of a 4-D file is meant, counted from 0; `nil` where it must be 3-D.
    package var volume: Int?
    /// What the names of its output files begin with: ``outputName``, but as BIDS has it for a scan
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

/// What kind of scan something is.
package enum ScanOrigin: Sendable, Hashable {
    /// A volume in a file.
    case volume
    /// A volume in a file of a BIDS dataset.
    case bids(BIDSScan)
    /// A series of DICOM images.
    case dicom(DICOMSeries)
    /// A DICOM folder that cannot be read; one sentence with the next step.
    case unreadable(String)
}

/// Gives scans of BIDS datasets the names that derivatives have there.
///
/// - Parameters:
///   - scans: The scans.
///   - model: The model's name, which becomes a part of theirs.
/// - Returns: The scans with ``ScanFile/fileName`` set.
/// - Throws: ``UsageError`` where two scans would write the same files.
package func namedAsDerivatives(
    _ scans: [ScanFile], model: String
) throws(UsageError) -> [ScanFile] {
    var pathOfName: [String: String] = [:]
    var named: [ScanFile] = []
    for var scan in scans {
        if case .bids = scan.origin {
            scan.fileName = derivativeName(of: scan.outputName, model: model)
        }
        if let earlier = pathOfName.updateValue(scan.path, forKey: scan.fileName) {
            throw sameOutput(earlier, scan.path, name: scan.fileName)
        }
        named.append(scan)
    }
    return named
}

/// Tells that two scans would write the same files.
func sameOutput(_ first: String, _ second: String, name: String) -> UsageError {
    UsageError(
        "'\(first)' and '\(second)' would both be written to '\(name)_dseg.nii.gz'; rename one, name "
            + "a folder above both, whose subfolders the output keeps, or run them into different "
            + "output folders")
}
