import Files
import Foundation
import VolumeIO
import Volumes

/// The content of a scan's file, or of its DICOM series.
struct ScanContent: Sendable {
    /// The volume with its header.
    var loaded: LoadedVolume
    /// Oddities of a DICOM series that became a volume, and of the picture.
    var warnings: [String] = []

    /// Reads a scan; a DICOM series through its converter.
    ///
    /// - Parameter scan: The scan.
    /// - Throws: `VolumeIOError`, ``DICOMError`` or ``UnreadableInputError``.
    init(of scan: ScanFile) throws {
        switch scan.origin {
        case .volume, .bids:
            if !pathExists(scan.path), destinationOfLink(at: scan.path) != nil {
                throw UsageError(problemOfMissing(scan.path), code: .input)
            }
            loaded = try readVolume(at: scan.path, volume: scan.volume)
        case .dicom(let series):
            (loaded, warnings) = try series.converted { volume throws in
                try readVolume(at: volume, volume: scan.volume)
            }
        case .unreadable(let reason):
            throw UnreadableInputError(reason: reason)
        }
    }
}

/// Tells that an input was found to be unreadable when scans were searched for.
struct UnreadableInputError: UserFacingError {
    var reason: FailureReason
    var description: String { reason.sentence }
    var errorCode: String { reason.code }
    var errorPath: String? { "" }
}
