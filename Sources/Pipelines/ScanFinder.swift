import Foundation
import VolumeIO

/// A scan to be segmented, and where its outputs go.
public struct ScanFile: Sendable, Hashable {
    /// The scan's file.
    public var path: String
    /// The outputs' name below the output folder, such as `sub-01/anat/t1`.
    public var outputName: String

    /// Makes a scan.
    public init(path: String, outputName: String) {
        self.path = path
        self.outputName = outputName
    }
}

/// Finds the scans that a command line names.
///
/// An input is a scan's file, a folder, or a text list (`.txt`) with an input a line. Folders are
/// searched with their subfolders, sorted by name; hidden files, label maps (`NAME_dseg`) and folders that
/// hold results of this program are left out, and symbolic links are followed once. In a list, paths
/// are relative to the list's folder, lines that begin with `#` are comments, and spaces count.
///
/// Scans of a folder keep their subfolders in the output; others go straight into it.
///
/// - Parameters:
///   - inputs: The inputs, in the order in which scans are wanted.
///   - output: The output folder, which is not searched.
/// - Returns: The scans; one that is named twice comes once.
/// - Throws: ``UsageError`` where an input is missing or holds no scan, and where two scans would
///   write the same files.
public func findScans(in inputs: [String], output: String) throws(UsageError) -> [ScanFile] {
    var finder = ScanFinder(output: output)
    for input in inputs { try finder.add(input, list: nil) }
    return finder.scans
}

private struct ScanFinder {
    private(set) var scans: [ScanFile] = []
    private var positionOfOutput: [String: Int] = [:]
    private let output: String

    init(output: String) { self.output = resolvedPath(output) }

    /// Adds what an input of the command line, or a line of a list, names.
    mutating func add(_ input: String, list: String?) throws(UsageError) {
        let place = list.map { ", named in '\($0)'," } ?? ""
        guard pathExists(input) else {
            throw UsageError(
                "'\(input)'\(place) does not exist; check the path of the scan or folder")
        }
        if isDirectory(input) {
            try addDirectory(input)
        } else if list == nil, input.lowercased().hasSuffix(".txt") {
            try addList(input)
        } else if let name = volumeName(ofPath: input) {
            try add(ScanFile(path: input, outputName: name))
        } else {
            throw UsageError(
                "'\(input)'\(place) is not a scan; name files that end in .nii, .nii.gz, .mgz, "
                    + ".mgh or .hdr, folders that hold some, or a .txt list of them")
        }
    }

    private mutating func add(_ scan: ScanFile) throws(UsageError) {
        guard let position = positionOfOutput[scan.outputName] else {
            positionOfOutput[scan.outputName] = scans.count
            scans.append(scan)
            return
        }
        let earlier = scans[position].path
        guard resolvedPath(earlier) == resolvedPath(scan.path) else {
            throw UsageError(
                "'\(earlier)' and '\(scan.path)' would both be written to "
                    + "'\(scan.outputName)_dseg.nii.gz'; rename one or run them into different "
                    + "output folders")
        }
    }

    // MARK: - Folders

    private mutating func addDirectory(_ path: String) throws(UsageError) {
        let countBefore = scans.count
        var search = DirectorySearch(output: output)
        try search.visit(path, relative: "")
        for scan in search.found { try add(scan) }
        guard search.found.isEmpty else { return }
        assert(scans.count == countBefore)
        if search.holdsDICOM {
            throw UsageError(
                "'\(path)' holds DICOM files, which cannot be read yet; convert them to NIfTI "
                    + "with dcm2niix and name the result")
        }
        throw UsageError(
            "no scan was found in '\(path)'; name a folder with .nii, .nii.gz, .mgz or .mgh files")
    }

    // MARK: - Lists

    private mutating func addList(_ path: String) throws(UsageError) {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw UsageError("the list '\(path)' cannot be read; check its permissions")
        }
        guard var text = String(data: data, encoding: .utf8) else {
            throw UsageError("the list '\(path)' is not UTF-8 text; save it as UTF-8")
        }
        if text.unicodeScalars.first == "\u{FEFF}" { text.unicodeScalars.removeFirst() }
        let folder = (path as NSString).deletingLastPathComponent
        var isEmpty = true
        for line in text.split(whereSeparator: \.isNewline) where !line.hasPrefix("#") {
            guard line.contains(where: { !$0.isWhitespace }) else { continue }
            isEmpty = false
            try add(line.hasPrefix("/") ? String(line) : joined(folder, String(line)), list: path)
        }
        guard !isEmpty else {
            throw UsageError("the list '\(path)' names no scan; write one path a line")
        }
    }
}

/// A walk through a folder and its subfolders.
private struct DirectorySearch {
    private(set) var found: [ScanFile] = []
    private(set) var holdsDICOM = false
    private var visited: Set<String> = []
    private let output: String

    init(output: String) { self.output = output }

    mutating func visit(_ path: String, relative: String) throws(UsageError) {
        guard visited.insert(resolvedPath(path)).inserted else { return }
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
            throw UsageError("the folder '\(path)' cannot be read; check its permissions")
        }
        for name in names.sorted() where !name.hasPrefix(".") {
            let full = joined(path, name)
            if isDirectory(full) {
                // The output may lie inside the input, but the folder that is named is searched
                // even where it is both.
                guard resolvedPath(full) != output, !holdsOurResults(full) else { continue }
                try visit(full, relative: joined(relative, name))
            } else if let scan = scanName(name) {
                found.append(ScanFile(path: full, outputName: joined(relative, scan)))
            } else if !holdsDICOM {
                holdsDICOM = isDICOM(full)
            }
        }
    }

    /// The name of a scan, or `nil` for other files, for label maps and for the image of a pair.
    private func scanName(_ file: String) -> String? {
        let lowercased = file.lowercased()
        guard volumeFileExtensions.contains(where: { lowercased.hasSuffix("." + $0) }),
            let name = volumeName(ofPath: file), !name.hasSuffix("_dseg")
        else { return nil }
        return name
    }

    private func isDICOM(_ path: String) -> Bool {
        guard isRegularFile(path) else { return false }
        if path.lowercased().hasSuffix(".dcm") { return true }
        guard let file = FileHandle(forReadingAtPath: path) else { return false }
        defer { try? file.close() }
        guard let start = try? file.read(upToCount: 132), start.count == 132 else { return false }
        return start.suffix(4).elementsEqual("DICM".utf8)
    }
}

/// Whether a folder holds results of this program.
func holdsOurResults(_ folder: String) -> Bool {
    DatasetDescription.read(in: folder)?.isOurs == true
}
