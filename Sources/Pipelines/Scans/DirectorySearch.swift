import Files
import Foundation
import VolumeIO

/// A walk through a folder and its subfolders.
struct DirectorySearch {
    /// The findings, by name.
    private(set) var found: [Finding] = []
    /// Warnings about folders that cannot be read.
    private(set) var warnings: [String] = []
    /// Files that hold a volume and no scan.
    private(set) var leftOut = LeftOutFiles()
    private var visited: Set<[UInt8]> = []
    private let output: String

    /// Prepares a search that leaves out an output folder.
    init(output: String) { self.output = output }

    /// Searches a folder.
    ///
    /// - Parameters:
    ///   - path: The folder.
    ///   - relative: Its name below the input; empty for the input itself.
    /// - Throws: ``UsageError`` where the input itself cannot be read.
    mutating func visit(_ path: String, relative: String) throws(UsageError) {
        guard visited.insert(identity(ofPath: path)).inserted else { return }
        guard let listing = try? FileManager.default.contentsOfDirectory(atPath: path) else {
            guard !relative.isEmpty else {
                throw UsageError(
                    "the folder '\(path)' cannot be read; check its permissions", code: .input)
            }
            warnings.append("The folder '\(path)' cannot be read and was not searched.")
            return
        }
        let names = listing.filter { !$0.hasPrefix(".") }.sorted()
        let all = Set(names)
        var others: [String] = []
        for name in names {
            let full = joined(path, name)
            if isDirectory(full) {
                // The output may lie inside the input, but the folder that is named is searched
                // even where it is both.
                guard resolvedPath(full) != output, !holdsOurResults(full) else { continue }
                try visit(full, relative: joined(relative, name))
            } else if let scan = volumeOfFile(name) {
                if isSetAside(scan) || Self.isOurs(scan, among: all) { continue }
                if let kind = NonScan(named: scan) ?? NonScan(contentAt: full) {
                    leftOut.add(joined(relative, name), kind)
                } else {
                    found.append(.scan(ScanFile(path: full, outputName: joined(relative, scan))))
                }
            } else {
                others.append(name)
            }
        }
        if firstDICOMFile(among: others, in: path) != nil {
            found.append(.dicomFolder(path: path, relative: relative))
        }
    }

    /// The name of a volume without its ending, or `nil` for other files and for the image of a pair.
    private func volumeOfFile(_ file: String) -> String? {
        let lowercased = file.lowercased()
        guard volumeFileExtensions.contains(where: { lowercased.hasSuffix("." + $0) }) else {
            return nil
        }
        return volumeName(ofPath: file)
    }

    /// Returns whether a volume is what this program writes beside a scan: labels or probabilities,
    /// with other files of theirs.
    private static func isOurs(_ name: String, among files: Set<String>) -> Bool {
        for suffix in [
            "_dseg", "_probseg", "_entropy", "_space-conformed_scan", "_desc-brain_mask",
        ]
        where name.hasSuffix(suffix) {
            let base = String(name.dropLast(suffix.count))
            if ["_dseg.json", "_qc.png", "_volumes.tsv"].contains(where: {
                files.contains(base + $0)
            }) {
                return true
            }
        }
        return false
    }
}
