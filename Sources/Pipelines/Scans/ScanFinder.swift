import Dispatch
import Files
import Foundation
import Synchronization
import VolumeIO

/// Finds the scans that a command line names.
///
/// An input is a scan's file, a folder, or a text list (`.txt`) with an input a line. Folders are
/// searched with their subfolders, sorted by name; hidden files, what this program writes beside
/// scans (`NAME_dseg`, `NAME_probseg`, brain masks) and folders that hold its results are left out, and symbolic
/// links are followed once. In a list, paths are relative to the list's folder, lines that begin
/// with `#` are comments, and spaces count. A line that names nothing usable is a scan that fails, with
/// its number; where no line is usable, that is an error. So is a folder that cannot be read where it
/// was named; a subfolder is left out with a note. What this program makes of a scan is no scan.
///
/// A folder that is a BIDS dataset gives the T1-weighted scans of its participants, and no other
/// file. Elsewhere each DICOM series is a scan too; its folder is told by the first files in it.
/// Headers of DICOM files are read by dcm2niix. A DICOM folder that cannot be read is a scan that
/// fails; one without dcm2niix is an error where there is nothing else.
///
/// Scans of a folder keep their subfolders in the output; others go straight into it.
///
/// - Parameters:
///   - inputs: The inputs, in the order in which scans are wanted.
///   - output: The output folder, which is not searched.
///   - participants: The labels of the participants of BIDS datasets that are wanted, with or
///     without `sub-`; all where it is empty.
///   - note: Is told what takes a while and which participants have no scan.
/// - Returns: The scans; one that is named twice comes once.
/// - Throws: ``UsageError`` where an input is missing or holds no scan, where there is no such
///   participant, and where two scans would write the same files.
public func findScans(
    in inputs: [String], output: String, participants: [String] = [],
    note: (String) -> Void = { _ in }
) throws(UsageError) -> [ScanFile] {
    try findScans(
        in: inputs, output: output, participants: participants,
        converter: DICOMConverter.find, note: note)
}

/// Finds the scans that a command line names, with another way to find dcm2niix.
package func findScans(
    in inputs: [String], output: String, participants: [String] = [],
    converter: () -> DICOMConverter?, note: (String) -> Void = { _ in }
) throws(UsageError) -> [ScanFile] {
    var finder = ScanFinder(
        output: output,
        participants: participants.map { $0.hasPrefix("sub-") ? String($0.dropFirst(4)) : $0 })
    for input in inputs { try finder.add(input) }
    try finder.checkParticipants()
    for line in finder.notes { note(line) }
    return try finder.scansWithSeries(converter: converter, note: note)
}

/// What a search comes upon.
private enum Finding {
    case scan(ScanFile)
    /// A folder of DICOM files whose series are not known yet, and its name below the input.
    case dicomFolder(path: String, relative: String)
}

private struct ScanFinder {
    private var findings: [Finding] = []
    private let output: String
    private let participants: [String]
    private var knownParticipants: Set<String> = []
    private var datasets: [String] = []
    private(set) var notes: [String] = []

    init(output: String, participants: [String]) {
        self.output = resolvedPath(output)
        self.participants = participants
    }

    /// Adds what an input of the command line names.
    mutating func add(_ input: String) throws(UsageError) {
        if !isDirectory(input), input.lowercased().hasSuffix(".txt"), pathExists(input) {
            try addList(input)
        } else {
            try addScans(input)
        }
    }

    /// Adds the scans of a file or folder.
    private mutating func addScans(_ input: String) throws(UsageError) {
        guard pathExists(input) else {
            throw UsageError(problemOfMissing(input), code: .input)
        }
        if isDirectory(input) {
            try addDirectory(input)
        } else if let name = volumeName(ofPath: input) {
            findings.append(.scan(ScanFile(path: input, outputName: name)))
        } else if isDICOMFile(input) {
            throw UsageError(
                "'\(input)' is one image of a DICOM series; name the folder of the series",
                code: .input)
        } else {
            throw UsageError(
                "'\(input)' is not a scan; name files that end in .nii, .nii.gz, .mgz, "
                    + ".mgh or .hdr, folders that hold some, or a .txt list of them", code: .input)
        }
    }

    // MARK: - Folders

    private mutating func addDirectory(_ path: String) throws(UsageError) {
        if let dataset = BIDSDataset(at: path) {
            guard resolvedPath(path) != output else {
                throw UsageError(
                    "the output folder '\(path)' is the BIDS dataset itself; write to "
                        + "'\(joined(path, "derivatives/sliceseg"))' or elsewhere")
            }
            knownParticipants.formUnion(dataset.participants)
            datasets.append(path)
            findings += try dataset.scans(ofParticipants: participants).map { .scan($0) }
            if let line = dataset.noteOnMissingScans(ofParticipants: participants) {
                notes.append(line)
            }
            return
        }
        var search = DirectorySearch(output: output)
        try search.visit(path, relative: "")
        notes += search.notes
        guard !search.found.isEmpty else {
            throw UsageError(
                "no scan was found in '\(path)'; name a folder with .nii, .nii.gz, .mgz, .mgh or "
                    + "DICOM files, or a BIDS dataset")
        }
        findings += search.found
    }

    /// Checks that each participant that is asked for was seen.
    func checkParticipants() throws(UsageError) {
        guard let unknown = participants.first(where: { !knownParticipants.contains($0) }) else {
            return
        }
        guard let dataset = datasets.first else {
            throw UsageError(
                "--participant-label needs a BIDS dataset, and no input is one; name its folder or "
                    + "leave the option out")
        }
        let known = knownParticipants.sorted()
        let more = known.count > 20 ? " and \(known.count - 20) more" : ""
        throw UsageError(
            "there is no participant '\(unknown)' in '\(dataset)'; there are "
                + known.prefix(20).joined(separator: ", ") + more)
    }

    // MARK: - Series and doubles

    /// The scans, each once, with the series in place of DICOM folders.
    func scansWithSeries(
        converter: () -> DICOMConverter?, note: (String) -> Void
    ) throws(UsageError) -> [ScanFile] {
        let folders = findings.compactMap { finding -> (path: String, relative: String)? in
            guard case .dicomFolder(let path, let relative) = finding else { return nil }
            return (path, relative)
        }
        var series = try findSeries(in: folders, converter: converter, note: note)[...]
        let all = findings.flatMap { finding -> [ScanFile] in
            switch finding {
            case .scan(let scan): [scan]
            case .dicomFolder: series.popFirst() ?? []
            }
        }
        var result: [ScanFile] = []
        var positionOfOutput: [String: Int] = [:]
        for scan in all {
            guard let position = positionOfOutput[scan.outputName] else {
                positionOfOutput[scan.outputName] = result.count
                result.append(scan)
                continue
            }
            let earlier = result[position]
            guard identity(ofPath: earlier.path) == identity(ofPath: scan.path),
                earlier.isSameKind(as: scan)
            else { throw sameOutput(earlier.path, scan.path, name: scan.outputName) }
        }
        return result
    }

    /// The series of each DICOM folder, several folders at a time; one that fails is a scan that
    /// fails.
    private func findSeries(
        in folders: [(path: String, relative: String)], converter: () -> DICOMConverter?,
        note: (String) -> Void
    ) throws(UsageError) -> [[ScanFile]] {
        guard let first = folders.first else { return [] }
        guard let converter = converter() else {
            let problem =
                "holds DICOM files, which are read through dcm2niix; install it (apt install "
                + "dcm2niix) and run again"
            guard findings.count > folders.count else {
                throw UsageError("'\(first.path)' \(problem)")
            }
            return folders.map { path, relative in
                [unreadableDICOM(path, relative, reason: "'\(path)' \(problem).")]
            }
        }
        if folders.count > 1 {
            note("dcm2niix looks for series in \(folders.count) DICOM folders.")
        }
        let found = Mutex([[ScanFile]](repeating: [], count: folders.count))
        DispatchQueue.concurrentPerform(iterations: folders.count) { index in
            let (path, relative) = folders[index]
            var series: [ScanFile]
            do {
                let (found, problem) = try converter.series(in: path)
                series = found.map { series in
                    ScanFile(
                        path: path, outputName: joined(relative, series.name),
                        origin: .dicom(series))
                }
                if let problem {
                    let reason = userMessage(for: problem)
                    series.append(unreadableDICOM(path, relative, reason: reason))
                }
            } catch {
                let reason = userMessage(for: error, about: path)
                series = [unreadableDICOM(path, relative, reason: reason)]
            }
            found.withLock { [series] in $0[index] = series }
        }
        return found.withLock { $0 }
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
        // A line may end in either way, or in both.
        let lines = text.split(omittingEmptySubsequences: false) {
            $0 == "\n" || $0 == "\r\n" || $0 == "\r"
        }
        var problems: [(line: Int, path: String, error: UsageError)] = []
        var isEmpty = true
        for (index, line) in lines.enumerated() where !line.hasPrefix("#") {
            guard line.contains(where: { !$0.isWhitespace }) else { continue }
            isEmpty = false
            let path = line.hasPrefix("/") ? String(line) : joined(folder, String(line))
            let before = findings.count
            do {
                try addScans(path)
            } catch {
                findings.removeSubrange(before...)
                problems.append((index + 1, path, error))
            }
        }
        guard !isEmpty else {
            throw UsageError(
                "the list '\(path)' names no scan; write one path a line", code: .input)
        }
        guard let first = problems.first else { return }
        guard findings.count > 0 else {
            let more =
                problems.count > 1 ? " (and \(problems.count - 1) more lines like it)" : ""
            throw UsageError(
                "line \(first.line) of '\(path)'\(more): \(first.error)", code: .input)
        }
        for problem in problems {
            let sentence = "line \(problem.line) of '\(path)': \(problem.error)"
            notes.append(sentence + ".")
            let name = volumeName(ofPath: problem.path) ?? "line-\(problem.line)"
            findings.append(
                .scan(
                    ScanFile(
                        path: problem.path, outputName: name,
                        origin: .unreadable(
                            FailureReason(
                                sentence: sentence, code: problem.error.errorCode, stage: nil)))))
        }
    }
}

/// The sentence about a path that leads nowhere.
func problemOfMissing(_ path: String) -> String {
    guard let place = destinationOfLink(at: path) else {
        return "'\(path)' does not exist; check the path of the scan or folder"
    }
    guard place.contains(".git/annex/") else {
        return "'\(path)' is a link to '\(place)', which is not there; restore that file"
    }
    return "'\(path)' is a link into a git annex whose content is not here; fetch it with "
        + "'datalad get \(path)'"
}

/// A DICOM folder as a scan that fails.
private func unreadableDICOM(_ path: String, _ relative: String, reason: String) -> ScanFile {
    let name =
        relative.isEmpty
        ? (absolutePath(path) as NSString).lastPathComponent : joined(relative, "DICOM")
    return ScanFile(
        path: path, outputName: name,
        origin: .unreadable(FailureReason(sentence: reason, code: "dicom.unreadable", stage: nil)))
}

extension ScanFile {
    /// Whether both are the same volume of one file or folder.
    fileprivate func isSameKind(as other: ScanFile) -> Bool {
        if case .dicom(let series) = origin, case .dicom(let otherSeries) = other.origin {
            return series.identifier == otherSeries.identifier
        }
        return true
    }
}

/// A walk through a folder and its subfolders.
private struct DirectorySearch {
    private(set) var found: [Finding] = []
    private(set) var notes: [String] = []
    private var visited: Set<[UInt8]> = []
    private let output: String

    init(output: String) { self.output = output }

    mutating func visit(_ path: String, relative: String) throws(UsageError) {
        guard visited.insert(identity(ofPath: path)).inserted else { return }
        guard let listing = try? FileManager.default.contentsOfDirectory(atPath: path) else {
            let problem = "the folder '\(path)' cannot be read"
            guard !relative.isEmpty else {
                throw UsageError("\(problem); check its permissions", code: .input)
            }
            notes.append("warning: \(problem) and is left out.")
            return
        }
        let names = listing.filter { !$0.hasPrefix(".") }.sorted()
        var others: [String] = []
        for name in names {
            let full = joined(path, name)
            if isDirectory(full) {
                // The output may lie inside the input, but the folder that is named is searched
                // even where it is both.
                guard resolvedPath(full) != output, !holdsOurResults(full) else { continue }
                try visit(full, relative: joined(relative, name))
            } else if let scan = scanName(name) {
                found.append(.scan(ScanFile(path: full, outputName: joined(relative, scan))))
            } else {
                others.append(name)
            }
        }
        if firstDICOMFile(among: others, in: path) != nil {
            found.append(.dicomFolder(path: path, relative: relative))
        }
    }

    /// The name of a scan, or `nil` for other files, for what this program writes and for the image
    /// of a pair.
    private func scanName(_ file: String) -> String? {
        let lowercased = file.lowercased()
        guard volumeFileExtensions.contains(where: { lowercased.hasSuffix("." + $0) }),
            let name = volumeName(ofPath: file),
            ![
                "_dseg", "_probseg", "_entropy", "_space-conformed_scan", "_desc-brain_mask",
            ]
            .contains(where: name.hasSuffix),
            !isSetAside(name)
        else { return nil }
        return name
    }
}
