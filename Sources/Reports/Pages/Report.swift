import Files
import Foundation
public import SegmentationMetrics
public import Volumes

/// A quantity that a report shows for each case and structure.
public struct ReportMetric: Sendable, Hashable {
    /// The summary statistic over a case's structures.
    public enum CaseFigure: String, Sendable, Hashable {
        /// Their mean.
        case mean
        /// Their sum, as for volumes.
        case sum
        /// The one farthest from zero.
        case largest
    }

    /// Its name, such as `Dice`; unique in a report.
    public var name: String
    /// Its unit, such as `mm`; empty for a plain number.
    public var unit: String
    /// The direction of better values; `nil` where there is none, as for volumes.
    public var direction: MetricDirection?
    /// Decimals shown.
    public var decimals: Int
    /// The summary statistic over a case's structures.
    public var caseFigure: CaseFigure
    /// A Boolean value indicating whether plots have a logarithmic axis: for values above 0 of many
    /// orders of magnitude.
    public var isLogarithmic: Bool

    /// Makes a metric.
    public init(
        name: String, unit: String = "", direction: MetricDirection?, decimals: Int = 3,
        caseFigure: CaseFigure = .mean, isLogarithmic: Bool = false
    ) {
        self.name = name
        self.unit = unit
        self.direction = direction
        self.decimals = decimals
        self.caseFigure = caseFigure
        self.isLogarithmic = isLogarithmic
    }
}

/// One case of a report.
public struct ReportCase: Sendable, Hashable {
    /// The case's name; any text.
    public var name: String
    /// The measured values by metric and structure (label index).
    ///
    /// A value that is absent or not finite is undefined and enters no figure.
    public var values: [ReportMetric: [UInt16: Double]]
    /// The structures by metric whose value is a penalty in place of a distance.
    public var penalties: [ReportMetric: Set<UInt16>] = [:]
    /// The reason why the case has failed, in one sentence; `nil` where it has not.
    public var failure: String?
    /// A Boolean value indicating whether quality control takes the segmentation for a failure.
    public var hasLikelyFailed = false
    /// A Boolean value indicating whether the case could not be measured, so that it is in no
    /// figure.
    public var isUnmeasured = false
    /// Remarks for a reader, gravest first, such as `Left-Amygdala is missing`.
    public var flags: [String]
    /// The score of quality control, or `nil` where only the flags tell; it decides which case is
    /// worst where the first metric has no good end.
    public var severity: Double?

    /// Makes a case.
    public init(
        name: String, values: [ReportMetric: [UInt16: Double]], failure: String? = nil,
        flags: [String] = [], severity: Double? = nil
    ) {
        self.name = name
        self.values = values
        self.failure = failure
        self.flags = flags
        self.severity = severity
    }
}

/// One line about where a report comes from.
public struct ReportFact: Sendable, Hashable {
    /// The name of the fact, such as `Model`.
    public var name: String
    /// The fact.
    public var value: String

    /// Makes a fact.
    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// Measured cases as a page to read: headline figures, box plots, a table of cases, a viewer.
///
/// The page needs nothing but a browser: no network, no server, no library. The numbers of all
/// cases stand in it; the pictures of each case lie in a file beside it and are read when the case
/// is opened.
public struct Report: Sendable, Hashable {
    /// The page's title.
    public var title: String
    /// A sentence under the title; may be empty.
    public var summary: String
    /// The structures, in the order of the plots.
    public var table: LabelTable
    /// The metrics; cases are ordered by the first.
    public var metrics: [ReportMetric]
    /// The cases.
    public var cases: [ReportCase]
    /// The provenance of the numbers: versions, options, hashes, conventions.
    public var provenance: [ReportFact]
    /// The grouping of the cases, or `nil` for none.
    public var groups: CaseGroups?
    /// Remarks on the whole report, a sentence each.
    public var notes: [String] = []
    /// The structures, by label, that no reference holds; they are in no figure.
    public var structuresInNoReference: Set<UInt16> = []
    /// The comparison with another run, or `nil` without one.
    public var comparison: EvaluationComparison?
    /// The name of that run.
    public var comparedRun = ""

    /// Makes a report.
    ///
    /// - Precondition: no two metrics have one name.
    public init(
        title: String, summary: String = "", table: LabelTable, metrics: [ReportMetric],
        cases: [ReportCase], provenance: [ReportFact] = [], groups: CaseGroups? = nil
    ) {
        precondition(
            Set(metrics.map(\.name)).count == metrics.count,
            "a name stands twice in \(metrics.map(\.name))")
        self.title = title
        self.summary = summary
        self.table = table
        self.metrics = metrics
        self.cases = cases
        self.provenance = provenance
        self.groups = groups
    }

    /// The folder of the pictures, beside the page.
    public static let folderOfPictures = "report-files"

    /// The file of a case's pictures, relative to the page.
    package static func pictureFile(ofCase position: Int) -> String {
        let number = String(position + 1)
        let zeros = String(repeating: "0", count: max(0, 4 - number.count))
        return "\(folderOfPictures)/case-\(zeros)\(number).js"
    }

    /// Writes `report.html` and the pictures beside it, `report-files/case-0001.js` and so on.
    ///
    /// Each file appears whole or not at all, the page last; pictures of an earlier report that
    /// this one does not have are removed. Pictures are asked for one case at a time.
    ///
    /// - Parameters:
    ///   - directory: A folder that exists; a report there is replaced.
    ///   - pictures: What to show of a case; `nil` for a case without pictures.
    /// - Throws: `FileWriteError`, or what `pictures` throws.
    public func write(
        to directory: String, pictures: (ReportCase) throws -> ReportPictures? = { _ in nil }
    ) throws {
        do {
            try writeFiles(to: directory, pictures: pictures)
        } catch {
            // Pictures without their page are of no use.
            try? removePictures(in: directory) { _ in true }
            throw error
        }
    }

    private func writeFiles(
        to directory: String, pictures picturesOf: (ReportCase) throws -> ReportPictures?
    ) throws {
        let folder = directory + "/" + Self.folderOfPictures
        let stamp = stamp
        var pictures = [String?](repeating: nil, count: cases.count)
        for (position, reported) in cases.enumerated() {
            guard let shown = try picturesOf(reported) else { continue }
            let file = Self.pictureFile(ofCase: position)
            if !FileManager.default.fileExists(atPath: folder) {
                do {
                    try FileManager.default.createDirectory(
                        atPath: folder, withIntermediateDirectories: false)
                } catch {
                    throw FileWriteError(path: folder, errorNumber: errno)
                }
            }
            try writeAtomically(
                shown.script(stamp: stamp, caseNumber: position), to: directory + "/" + file)
            pictures[position] = file
        }
        try writeAtomically(
            page(pictures: pictures, stamp: stamp), to: directory + "/report.html")

        let kept = Set(pictures.compactMap(\.self))
        try removePictures(in: directory) { !kept.contains($0) }
    }

    /// Removes files of pictures, and their folder where none is left.
    private func removePictures(in directory: String, where isUseless: (String) -> Bool) throws {
        let folder = directory + "/" + Self.folderOfPictures
        let found = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        for name in found where name.wholeMatch(of: /case-[0-9]{4,}\.js/) != nil {
            let file = "\(Self.folderOfPictures)/\(name)"
            guard isUseless(file) else { continue }
            do {
                try FileManager.default.removeItem(atPath: directory + "/" + file)
            } catch {
                throw FileWriteError(path: directory + "/" + file, errorNumber: errno)
            }
        }
        // It stays where something else lies in it.
        if !found.isEmpty { _ = unsafe rmdir(folder) }
    }

    /// A short text that changes with what the report says, so that a page never shows pictures
    /// of another.
    private var stamp: String {
        String(sha256(Data((title + pageData(pictures: [], stamp: "")).utf8)).prefix(16))
    }

    /// The values of one metric and structure, a value per case; `nil` where it is undefined.
    func values(of metric: ReportMetric, structure: Structure) -> [Double?] {
        cases.map { $0.value(of: metric, structure: structure) }
    }
}

extension Report {
    /// Returns whether a structure has a penalty in place of a distance in some case.
    func hasPenalties(of metric: ReportMetric, structure: Structure) -> Bool {
        cases.contains { $0.penalties[metric]?.contains(structure.index) == true }
    }
}

extension ReportCase {
    /// The measured value, if it is defined.
    func value(of metric: ReportMetric, structure: Structure) -> Double? {
        guard let value = values[metric]?[structure.index], value.isFinite else { return nil }
        return value
    }

    /// Returns whether penalties are among the values of a metric.
    func hasPenalties(of metric: ReportMetric) -> Bool { penalties[metric]?.isEmpty == false }

    /// The summary statistic over the structures where a metric is defined; `nil` if there are
    /// none.
    func figure(of metric: ReportMetric, table: LabelTable) -> Double? {
        let defined = table.structures.compactMap { value(of: metric, structure: $0) }
        return switch metric.caseFigure {
        case .mean: SegmentationMetrics.mean(of: defined)
        case .sum: defined.isEmpty ? nil : defined.reduce(0, +)
        case .largest: defined.max { abs($0) < abs($1) }
        }
    }
}
