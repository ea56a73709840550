/// The endings of files that hold a volume, without the dot, longest first.
///
/// Of a `.hdr`/`.img` pair the header stands for both, so that a folder's listing counts it once;
/// ``readVolume(at:volume:)`` also takes the `.img` file's name.
public let volumeFileExtensions = ["nii.gz", "mgh.gz", "hdr.gz", "nii", "mgz", "mgh", "hdr"]

/// The name of a volume file without folder and ending: `"a/b.nii.gz"` gives `"b"`.
///
/// Upper and lower case are alike in the ending. The image file of a pair has a name too.
///
/// - Parameter path: A file's path.
/// - Returns: The name, or `nil` where the ending is not that of a volume file.
public func volumeName(ofPath path: String) -> String? {
    let file = path.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
    guard let ending = volumeExtension(ofPath: path) else { return nil }
    let name = file.dropLast(ending.count + 1)
    return name.isEmpty ? nil : String(name)
}

/// The ending of a volume file in lower case, without its dot.
func volumeExtension(ofPath path: String) -> String? {
    let lowercased = path.lowercased()
    return (volumeFileExtensions + ["img.gz", "img"]).first { lowercased.hasSuffix("." + $0) }
}
