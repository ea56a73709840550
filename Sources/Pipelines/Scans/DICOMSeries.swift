import Files
import Foundation
import VolumeIO

/// Tells that a folder of DICOM files could not be read.
struct DICOMError: UserFacingError, Hashable {
    /// The kind of trouble.
    enum Code: String, Sendable, Hashable {
        /// The converter is not installed.
        case noConverter
        /// No series is found.
        case noSeries
        /// The converter makes no volume, or cannot read all.
        case unreadable
        /// A series holds several volumes.
        case severalVolumes
        /// The volume that the converter made cannot be read.
        case unusableVolume
    }

    /// The kind.
    var code: Code
    /// One sentence with a next step.
    var description: String

    /// Such as `dicom.noSeries`.
    var errorCode: String { "dicom." + code.rawValue }
}

/// A series of DICOM images in a folder.
package struct DICOMSeries: Sendable, Hashable, Codable {
    /// The folder.
    package var folder: String
    /// The number by which the converter knows the series in its folder.
    package var identifier: String
    /// The series' number and description, safe to name a file: `3_T1_MPRAGE`.
    package var name: String
    /// The program that converts it to a volume.
    package var converter: DICOMConverter
    /// The ways in which slices are missing or there too often, a clause each.
    package var faults: [String] = []
    /// The number in its images' headers, else the one that its name begins with.
    var number: Int?
    /// The description in its images' headers, else its name.
    var description: String
    /// A Boolean value indicating whether it only plans other series.
    var isLocalizer = false
    /// A Boolean value indicating whether its images were computed from others.
    var isDerived = false
    /// The place of its images: study and frame of reference.
    var space = ""

    /// Converts the series in a temporary folder, which is removed afterwards.
    ///
    /// - Parameter read: Reads the volume from a NIfTI file.
    /// - Returns: What was read, and what the converter warned of.
    /// - Throws: ``DICOMError`` where the series does not become one volume, or what `read` throws
    ///   with the series in place of the temporary file's name.
    func converted<Value>(
        _ read: (_ volume: String) throws -> Value
    ) throws -> (Value, warnings: [String]) {
        try withScratchFolder { scratch in
            let result = try converter.run(
                on: folder, output: scratch, ["-n", identifier, "-b", "n", "-z", "n", "-f", "scan"])
            let names = (try? FileManager.default.contentsOfDirectory(atPath: scratch)) ?? []
            let volumes = names.filter { $0.hasSuffix(".nii") }.sorted()
            guard !volumes.isEmpty else {
                throw DICOMError(
                    code: .unreadable,
                    description: "dcm2niix makes no volume of \(place)\(result.reason); see what "
                        + "'dcm2niix' says to the folder")
            }
            guard let (volume, note) = Self.choose(volumes) else {
                throw DICOMError(
                    code: .severalVolumes,
                    description: "\(place) holds \(volumes.count) volumes; convert it with "
                        + "dcm2niix and name the one to segment")
            }
            let path = joined(scratch, volume)
            do {
                return (
                    try read(path),
                    faults.map { "the series is incomplete and was segmented all the same: \($0)" }
                        + result.warnings + (note.map { [$0] } ?? [])
                )
            } catch {
                let text = userMessage(for: error, about: path)
                throw DICOMError(
                    code: .unusableVolume, description: text.replacing("'\(path)'", with: place))
            }
        }
    }

    /// Why the series is not segmented, or `nil` where it is whole.
    var refusal: String? {
        guard !faults.isEmpty else { return nil }
        return "\(place) is incomplete: \(faults.joined(separator: "; ")); fetch it again, or "
            + "segment what is there with --allow-gaps."
    }

    /// Returns whether a choice means the series: its number, or a part of its name or description.
    func matches(_ choice: String) -> Bool {
        if let asked = Int(choice) { return number == asked }
        return name.localizedCaseInsensitiveContains(choice)
            || description.localizedCaseInsensitiveContains(choice)
    }

    /// The series as an error names it.
    private var place: String { "the series '\(name)' in '\(folder)'" }

    /// The volume of a series among what dcm2niix has written.
    ///
    /// Where slices are spaced unevenly or the gantry was tilted, a corrected volume (`_Eq`, `_Tilt`)
    /// lies beside the plain one, whose header cannot say where its slices are.
    package static func choose(_ files: [String]) -> (file: String, note: String?)? {
        if files.count == 1, let file = files.first { return (file, nil) }
        let corrected = files.filter { $0 != "scan.nii" }
        let isCorrection = corrected.allSatisfy {
            $0.hasPrefix("scan_Eq") || $0.hasPrefix("scan_Tilt")
        }
        guard files.contains("scan.nii"), isCorrection else { return nil }
        // A tilt is corrected first and the spacing after it.
        let best = corrected.first { $0.contains("_Eq") } ?? corrected.first
        return best.map {
            ($0, "slices are unevenly spaced or tilted; dcm2niix's resampled volume is used")
        }
    }
}

extension DICOMSeries {
    /// Takes over what the headers of its images tell.
    fileprivate mutating func describe(_ headers: [DICOMHeader]) {
        guard let first = headers.first else { return }
        let slices = DICOMSlices(headers)
        faults = slices.faults
        isLocalizer = slices.isLocalizer
        isDerived = slices.isDerived
        number = first.seriesNumber ?? number
        if !first.seriesDescription.isEmpty { description = first.seriesDescription }
        space = first.frameOfReference.isEmpty ? "" : first.study + " " + first.frameOfReference
    }
}

/// The outside program dcm2niix.
///
/// Source: Li et al., J Neurosci Methods 264, 2016, <https://doi.org/10.1016/j.jneumeth.2016.03.001>.
package struct DICOMConverter: Sendable, Hashable, Codable {
    /// The program.
    package var path: String
    /// Its version, such as `v1.0.20220720`.
    package var version: String

    /// The dcm2niix on the command search path, or `nil` where there is none.
    package static func find() -> DICOMConverter? {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        for folder in folders {
            let path = joined(String(folder), "dcm2niix")
            guard isRegularFile(path), access(path, X_OK) == 0 else { continue }
            guard let output = try? runProgram(path, ["-v"]).output else { continue }
            // The last word of the first line or the next line, by release.
            let version = output.split(whereSeparator: \.isWhitespace).first { word in
                word.hasPrefix("v") && word.dropFirst().first?.isNumber == true
            }
            return DICOMConverter(path: path, version: version.map(String.init) ?? "unknown")
        }
        return nil
    }

    /// The series in a folder, its subfolders not counted.
    ///
    /// Only headers are read. Two series of one name also get their identifier.
    ///
    /// - Parameter folder: The folder.
    /// - Returns: The series in the order of their names, and an error where there are others that
    ///   dcm2niix cannot read.
    /// - Throws: ``DICOMError`` where dcm2niix finds none.
    func series(in folder: String) throws -> (found: [DICOMSeries], problem: DICOMError?) {
        // A list writes nothing, but names what it would write over.
        let result = try run(
            on: folder, output: NSTemporaryDirectory(), ["-n", "-1", "-w", "1", "-f", "%s_%d"])
        // A line for each: a tab, the identifier (with an echo's number after a point), a tab, and
        // the path of the volume it would write. Several lines of one series are its volumes. The
        // next line names the first of its images, after a space.
        var identifiers: Set<Substring> = []
        var found: [DICOMSeries] = []
        var isNew = false
        let headers = headers(in: folder)
        for line in result.output.split(whereSeparator: \.isNewline) {
            if isNew, line.hasPrefix(" "), let name = line.split(separator: "/").last,
                let series = headers.seriesOfFile[String(name)]
            {
                found[found.count - 1].describe(headers.ofSeries[series] ?? [])
            }
            isNew = false
            guard line.hasPrefix("\t") else { continue }
            let fields = line.split(separator: "\t")
            guard fields.count == 2, fields[0].contains(/^[0-9]+(\.-?[0-9]+)?$/),
                let name = fields[1].split(separator: "/").last,
                identifiers.insert(fields[0]).inserted
            else { continue }
            isNew = true
            found.append(
                DICOMSeries(
                    folder: folder, identifier: String(fields[0]),
                    name: safeFileName(String(name)), converter: self,
                    number: name.split(separator: "_").first.flatMap { Int($0) },
                    description: String(name),
                    isLocalizer: DICOMSlices.namesLocalizer(String(name))))
        }
        let nextStep = "\(result.reason); see what 'dcm2niix' says to the folder"
        guard !found.isEmpty else {
            throw DICOMError(
                code: .noSeries, description: "dcm2niix finds no series in '\(folder)'" + nextStep)
        }
        let counts = Dictionary(grouping: found, by: \.name).mapValues(\.count)
        for index in found.indices where counts[found[index].name] != 1 {
            found[index].name += "_" + found[index].identifier
        }
        return (
            found.sorted { ($0.name, $0.identifier) < ($1.name, $1.identifier) },
            result.status == 0
                ? nil
                : DICOMError(
                    code: .unreadable,
                    description: "dcm2niix cannot read every series in '\(folder)'" + nextStep)
        )
    }

    /// The headers of the DICOM files in a folder by their series, and each file's series.
    private func headers(
        in folder: String
    ) -> (ofSeries: [String: [DICOMHeader]], seriesOfFile: [String: String]) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        var ofSeries: [String: [DICOMHeader]] = [:]
        var seriesOfFile: [String: String] = [:]
        for name in names.sorted() where mayBeDICOM(name) {
            let path = joined(folder, name)
            guard isRegularFile(path), let header = DICOMHeader(path: path) else { continue }
            ofSeries[header.seriesKey, default: []].append(header)
            seriesOfFile[name] = header.seriesKey
        }
        return (ofSeries, seriesOfFile)
    }

    /// The output and result of dcm2niix.
    fileprivate struct Result {
        var status: Int32
        var output: String
        /// The reported problem, phrased to follow a folder's name, or the exit status.
        var reason: String
        /// Its warnings.
        var warnings: [String]
    }

    fileprivate func run(
        on folder: String, output: String, _ options: [String]
    ) throws -> Result {
        // The defaults are the program's, not those that the user has set for it.
        let result = try runProgram(
            path, ["-g", "i", "-d", "0"] + options + ["-o", output, absolutePath(folder)])
        let lines = result.output.split(whereSeparator: \.isNewline)
            .map { $0.trimmingCharacters(in: .whitespaces) }
        // The count of files that were converted says nothing of the others.
        let complaint =
            lines.first { $0.hasPrefix("Error") && !$0.hasPrefix("Error: Converted") }
            ?? (result.status == 0 ? nil : lines.last { $0.hasPrefix("Warning") })
        let reason =
            complaint.map { ": it says '\($0)'" }
            ?? (result.status == 0 ? "" : ": it ends with status \(result.status)")
        let warnings = lines.filter { $0.hasPrefix("Warning") }.map {
            $0.replacing("Warning:", with: "dcm2niix:")
                .replacing(joined(output, "scan"), with: "the volume")
        }
        return Result(
            status: result.status, output: result.output, reason: reason, warnings: warnings)
    }
}

/// A text with other characters than letters, digits, `.`, `-`, `+` and `_` replaced by `_`, and
/// without those of them at its ends that would hide or confuse a file.
package func safeFileName(_ text: String) -> String {
    let name = text.unicodeScalars.map { scalar in
        let isSafe =
            scalar.isASCII
            && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
            || ".-+_".unicodeScalars.contains(scalar)
        return isSafe ? Character(scalar) : "_"
    }
    let trimmed = String(name.prefix(120)).trimmingCharacters(in: CharacterSet(charactersIn: "._-"))
    return trimmed.isEmpty ? "series" : trimmed
}

/// Returns whether a file is a DICOM one: `DICM` stands at its byte 128, or it is called `.dcm`.
func isDICOMFile(_ path: String) -> Bool {
    guard isRegularFile(path) else { return false }
    if path.lowercased().hasSuffix(".dcm") { return true }
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return false }
    defer { close(file) }
    var magic: [UInt8] = [0, 0, 0, 0]
    return pread(file, &magic, 4, 128) == 4 && magic == Array("DICM".utf8)
}

/// The DICOM files among the names of a folder.
///
/// - Parameters:
///   - names: Names of files.
///   - folder: Their folder.
///   - limit: How many files are opened at most before the first is found.
/// - Returns: The first, or `nil`.
package func firstDICOMFile(among names: [String], in folder: String, limit: Int = 100) -> String? {
    var opened = 0
    for name in names where mayBeDICOM(name) {
        guard opened < limit else { return nil }
        opened += 1
        if isDICOMFile(joined(folder, name)) { return name }
    }
    return nil
}

/// Returns whether a name does not say that the file is something else, or the index of a DICOM
/// disc.
private func mayBeDICOM(_ name: String) -> Bool {
    guard !name.hasPrefix("."), name != "DICOMDIR" else { return false }
    let ending = (name.lowercased() as NSString).pathExtension
    return !otherEndings.contains(ending) && volumeName(ofPath: name) == nil
}

/// Endings of files that often lie beside scans.
private let otherEndings: Set<String> = [
    "json", "tsv", "csv", "txt", "md", "xml", "html", "pdf", "log", "yaml", "yml", "png", "jpg",
    "jpeg", "gif", "svg", "bval", "bvec", "gz", "zip", "tar", "py", "m", "sh", "nrrd", "mat",
]

/// The SHA-256 of a series: of the DICOM files of its folder by name, and of its identifier.
func contentHash(of series: DICOMSeries) -> String? {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: series.folder) else {
        return nil
    }
    let files = names.sorted().filter { mayBeDICOM($0) }.map { joined(series.folder, $0) }
        .filter { isDICOMFile($0) }
    return contentHash(ofFilesAt: files, salt: series.identifier)
}
