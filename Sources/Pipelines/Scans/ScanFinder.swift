import Dispatch
import Files
import Foundation
import Synchronization
import VolumeIO

/// A selection among the scans at the inputs.
public struct ScanSelection: Sendable, Hashable, Codable {
    /// The labels of the participants of BIDS datasets, with or without `sub-`; empty for all.
    public var participants: [String] = []
    /// The labels of the sessions of BIDS datasets, with or without `ses-`; `nil` for all.
    public var sessions: [String]?
    /// The DICOM series: numbers, or parts of descriptions; empty for all but localizers and what was
    /// computed from another series.
    public var series: [String] = []
    /// A Boolean value indicating whether DICOM series that lack slices, or hold some twice, are
    /// taken as they are.
    public var allowsGaps = false

    /// Makes a selection of all scans.
    public init() {}
}

/// The scans at some inputs.
public struct FoundScans: Sendable {
    /// The scans, each once, in the order in which they are wanted.
    ///
    /// Among them are those that cannot be read, which fail by name.
    public var scans: [ScanFile]
    /// One sentence for each omitted file and each folder that could not be searched, with reasons.
    public var warnings: [String]
}

/// Finds the scans that a command line names.
///
/// An input is a scan's file, a folder, or a text list (`.txt`) with an input a line. Folders are
/// searched with their subfolders, sorted by name; hidden files, what this program writes beside
/// scans (`NAME_dseg`, `NAME_probseg`, brain masks) and folders that hold its results are left out, and
/// symbolic links are followed once. Masks, label maps, phase images and images of other kinds, as their names
/// or headers tell, are left out of folders with a warning; a file that is named itself is taken. In
/// a list, paths are relative to the list's folder, lines that begin with `#` are comments, and spaces
/// count; a line that names nothing becomes a scan that fails.
///
/// A folder that is a BIDS dataset gives the T1-weighted scans of its participants, and no other
/// file. Elsewhere each DICOM series is a scan too; its folder is told by the first files in it.
/// Localizers, and series that were computed from others beside them, are left out unless they are
/// chosen. A series that lacks slices, or holds some twice, is a scan that fails, unless that is
/// allowed. A DICOM folder that cannot be read is a scan that fails; one without dcm2niix is an
/// error where there is nothing else.
///
/// Scans of a folder keep their subfolders in the output; others go straight into it.
///
/// - Parameters:
///   - inputs: The inputs, in the order in which scans are wanted.
///   - output: The output folder, which is not searched.
///   - selection: Which of them are wanted. A participant that is asked for and has no scan, or that
///     is not there beside others that are, is a scan that fails.
///   - note: Called with a line about each step that takes a while.
/// - Returns: The scans.
/// - Throws: ``UsageError`` where an input is missing or holds no scan, where no participant or
///   series is there that is asked for, and where two scans would write the same files.
public func findScans(
    in inputs: [String], output: String, selection: ScanSelection = ScanSelection(),
    note: (String) -> Void = { _ in }
) throws(UsageError) -> FoundScans {
    try findScans(
        in: inputs, output: output, selection: selection, converter: DICOMConverter.find,
        note: note)
}

/// Finds the scans that a command line names, with another way to find dcm2niix.
package func findScans(
    in inputs: [String], output: String, selection: ScanSelection = ScanSelection(),
    converter: () -> DICOMConverter?, note: (String) -> Void = { _ in }
) throws(UsageError) -> FoundScans {
    var finder = ScanFinder(output: output, selection: selection)
    for input in inputs { try finder.add(input, list: nil) }
    try finder.addMissingParticipants()
    let scans = try finder.scansWithSeries(converter: converter, note: note)
    return FoundScans(scans: scans, warnings: finder.warnings)
}

private struct ScanFinder {
    private var findings: [Finding] = []
    private let output: String
    private let selection: ScanSelection
    private let participants: [String]
    private var knownParticipants: Set<String> = []
    private var datasets: [String] = []
    private(set) var warnings: [String] = []

    init(output: String, selection: ScanSelection) {
        self.output = resolvedPath(output)
        self.selection = selection
        participants = selection.participants.map {
            $0.hasPrefix("sub-") ? String($0.dropFirst(4)) : $0
        }
    }

    /// Adds what an input of the command line, or a line of a list, names.
    mutating func add(_ input: String, list: String?) throws(UsageError) {
        guard pathExists(input) else {
            throw UsageError(problemOfMissing(input), code: .input)
        }
        if isDirectory(input) {
            try addDirectory(input)
        } else if list == nil, input.lowercased().hasSuffix(".txt") {
            try addList(input)
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
            try addDataset(dataset, at: path)
            return
        }
        var search = DirectorySearch(output: output)
        try search.visit(path, relative: "")
        warnings += search.warnings
        guard !search.found.isEmpty else {
            guard search.leftOut.isEmpty else {
                throw UsageError(
                    "no scan was found in '\(path)', but \(search.leftOut.text); name a file itself "
                        + "to segment it")
            }
            throw UsageError(
                "no scan was found in '\(path)'; name a folder with .nii, .nii.gz, .mgz, .mgh or "
                    + "DICOM files, or a BIDS dataset")
        }
        if !search.leftOut.isEmpty {
            warnings.append(
                "Left out of '\(path)': \(search.leftOut.text); name a file itself to segment it.")
        }
        findings += search.found
    }

    private mutating func addDataset(
        _ dataset: BIDSDataset, at path: String
    ) throws(UsageError) {
        guard resolvedPath(path) != output else {
            throw UsageError(
                "the output folder '\(path)' is the BIDS dataset itself; write to "
                    + "'\(joined(path, "derivatives/sliceseg"))' or elsewhere")
        }
        knownParticipants.formUnion(dataset.participants)
        datasets.append(path)
        let scans = try dataset.scans(ofParticipants: participants).filter { scan in
            guard let sessions = selection.sessions, !sessions.isEmpty else { return true }
            return scan.outputName.split(separator: "/").contains { part in
                part.hasPrefix("ses-")
                    && (sessions.contains(String(part))
                        || sessions.contains(String(part.dropFirst(4))))
            }
        }
        if let sessions = selection.sessions, !sessions.isEmpty, scans.isEmpty {
            throw UsageError(
                "'\(path)' has no T1-weighted scan of the session \(listed(sessions, atMost: 5)) of the "
                    + "participants that are asked for; check --session-label", code: .input)
        }
        findings += scans.map { .scan($0) }
        let missing = dataset.withoutScan(ofParticipants: participants)
        let reason = "'\(path)' has no T1-weighted scan"
        if participants.isEmpty {
            if !missing.isEmpty {
                warnings.append("\(reason) of \(listed(missing, atMost: 20)).")
            }
        } else {
            findings += missing.map { participant in
                .scan(
                    ScanFile(
                        path: joined(path, participant), outputName: participant,
                        origin: .unreadable(
                            FailureReason(
                                sentence: "\(reason) of \(participant); add it as "
                                    + "'\(participant)/anat/\(participant)_T1w.nii.gz', or leave the "
                                    + "participant out", code: "input.noScan", stage: nil))))
            }
        }
        let others = dataset.leftOutFiles(ofParticipants: participants)
        if !others.isEmpty {
            warnings.append(
                "Left out of '\(path)', as they are no anatomical scans: "
                    + "\(listed(others, atMost: 5)).")
        }
    }

    /// Makes participants that are asked for and not there scans that fail, unless all are such.
    mutating func addMissingParticipants() throws(UsageError) {
        let unknown = participants.filter { !knownParticipants.contains($0) }
        guard let first = unknown.first else { return }
        guard let dataset = datasets.first else {
            throw UsageError(
                "--participant-label needs a BIDS dataset, and no input is one; name its folder or "
                    + "leave the option out")
        }
        let known = listed(knownParticipants.sorted(), atMost: 20)
        guard unknown.count < participants.count else {
            throw UsageError(
                "there is no participant '\(first)' in '\(dataset)'; there are \(known)")
        }
        findings += unknown.map { label in
            .scan(
                ScanFile(
                    path: joined(dataset, "sub-" + label), outputName: "sub-" + label,
                    origin: .unreadable(
                        FailureReason(
                            stage: nil, code: "input.noParticipant",
                            problem: "there is no participant '\(label)' in '\(dataset)'",
                            nextStep: "there are \(known)"))))
        }
    }

    // MARK: - Series and doubles

    /// The scans, each once, with the series in place of DICOM folders.
    mutating func scansWithSeries(
        converter: () -> DICOMConverter?, note: (String) -> Void
    ) throws(UsageError) -> [ScanFile] {
        let folders = findings.compactMap { finding -> (path: String, relative: String)? in
            guard case .dicomFolder(let path, let relative) = finding else { return nil }
            return (path, relative)
        }
        guard selection.series.isEmpty || !folders.isEmpty else {
            throw UsageError(
                "--series needs a folder of DICOM files, and no input holds one; name it or leave "
                    + "the option out")
        }
        var series = try chosen(findSeries(in: folders, converter: converter, note: note))[...]
        let all = findings.flatMap { finding -> [ScanFile] in
            switch finding {
            case .scan(let scan): [scan]
            case .dicomFolder: series.popFirst() ?? []
            }
        }
        guard !all.isEmpty else {
            throw UsageError(
                "every DICOM series in '\(folders.first?.path ?? "")' is left out ("
                    + "\(warnings.joined(separator: " "))); choose one with --series")
        }
        return try withoutDoubles(all)
    }

    /// Leaves out series that are not wanted, and refuses those that are not whole.
    private mutating func chosen(_ found: [[ScanFile]]) throws(UsageError) -> [[ScanFile]] {
        let known = found.joined().compactMap(\.series)
        for choice in selection.series where !known.contains(where: { $0.matches(choice) }) {
            let names = listed(known.map(\.name), atMost: 20)
            throw UsageError("there is no DICOM series '\(choice)'; there are \(names)")
        }
        let sources = known.filter { !$0.isDerived && !$0.isLocalizer && !$0.space.isEmpty }
        let spaces = Set(sources.map(\.space))
        var localizers: [String] = []
        var derived: [String] = []
        let result = found.map { scans in
            scans.compactMap { scan -> ScanFile? in
                guard let series = scan.series else { return scan }
                if !selection.series.isEmpty {
                    guard selection.series.contains(where: series.matches) else { return nil }
                } else if series.isLocalizer {
                    localizers.append(scan.outputName)
                    return nil
                } else if series.isDerived, spaces.contains(series.space) {
                    derived.append(scan.outputName)
                    return nil
                }
                guard !selection.allowsGaps, let refusal = series.refusal else { return scan }
                return ScanFile(
                    path: scan.path, outputName: scan.outputName,
                    origin: .unreadable(
                        FailureReason(sentence: refusal, code: "dicom.incomplete", stage: nil)))
            }
        }
        if !localizers.isEmpty {
            warnings.append(
                "Left out as localizers: \(listed(localizers, atMost: 10)); choose one with "
                    + "--series to segment it.")
        }
        if !derived.isEmpty {
            warnings.append(
                "Left out as computed from a series beside them (DERIVED): "
                    + "\(listed(derived, atMost: 10)); choose one with --series to segment it.")
        }
        return result
    }

    private func withoutDoubles(_ all: [ScanFile]) throws(UsageError) -> [ScanFile] {
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
        var count = 0
        var problems: [(line: Int, input: String, problem: String)] = []
        let lines = text.split(omittingEmptySubsequences: false) {
            $0 == "\n" || $0 == "\r\n" || $0 == "\r"
        }
        for (number, line) in zip(1..., lines) where !line.hasPrefix("#") {
            guard line.contains(where: { !$0.isWhitespace }) else { continue }
            count += 1
            let input = line.hasPrefix("/") ? String(line) : joined(folder, String(line))
            do {
                try add(input, list: path)
            } catch {
                problems.append((number, input, error.description))
            }
        }
        guard count > 0 else {
            throw UsageError(
                "the list '\(path)' names no scan; write one path a line", code: .input)
        }
        let sentences = problems.map { "line \($0.line) of the list '\(path)': \($0.problem)" }
        guard problems.count < count else {
            throw UsageError(sentences.joined(separator: "; "), code: .input)
        }
        for (problem, sentence) in zip(problems, sentences) {
            let text = sentence.prefix(1).uppercased() + sentence.dropFirst() + "."
            warnings.append(text)
            let file = (problem.input as NSString).lastPathComponent
            findings.append(
                .scan(
                    ScanFile(
                        path: problem.input,
                        outputName: "\(volumeName(ofPath: problem.input) ?? file) "
                            + "(line \(problem.line))",
                        origin: .unreadable(
                            FailureReason(sentence: text, code: "usage.input", stage: nil)))))
        }
    }
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

extension ScanFile {
    /// Returns whether both are the same volume of one file or folder.
    fileprivate func isSameKind(as other: ScanFile) -> Bool {
        if case .dicom(let series) = origin, case .dicom(let otherSeries) = other.origin {
            return series.identifier == otherSeries.identifier
        }
        return true
    }

    /// The DICOM series, where the scan is one.
    fileprivate var series: DICOMSeries? {
        guard case .dicom(let series) = origin else { return nil }
        return series
    }
}
