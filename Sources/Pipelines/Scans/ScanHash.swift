import Files
import Foundation

/// The SHA-256 of a scan's bytes: of a `.hdr`/`.img` pair, of both files one after the other; of a
/// DICOM series, of all the DICOM files beside it.
///
/// - Parameter scan: The scan.
/// - Returns: 64 hexadecimal digits, or `nil` where it cannot be read.
func contentHash(of scan: ScanFile) -> String? {
    guard case .dicom(let series) = scan.origin else {
        return contentHash(ofFilesAt: filesOfScan(at: scan.path))
    }
    return contentHash(of: series)
}

/// The files that hold a scan: one, or the two of a pair.
func filesOfScan(at path: String) -> [String] {
    let lowercased = path.lowercased()
    for ending in [".hdr.gz", ".img.gz", ".hdr", ".img"] where lowercased.hasSuffix(ending) {
        let base = path.dropLast(ending.count)
        let parts = [".hdr", ".hdr.gz", ".img", ".img.gz"].map { base + $0 }
            .filter { isRegularFile($0) }
        return parts.isEmpty ? [path] : parts
    }
    return [path]
}
