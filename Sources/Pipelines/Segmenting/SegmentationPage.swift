import Files
import Foundation
import ModelBundles
import Parallel
import Reports
import SegmentationMetrics
import VolumeIO
import Volumes

/// A case's pictures that are being coded beside other work.
typealias PendingPictures = Background<Result<ReportPictures?, any Error>>

/// The page that a run of `segment-brain` ends with: `report.html`.
struct SegmentationPage {
    let model: ModelBundle
    let planes: [Plane]
    /// The folder of the references, or `nil` without any.
    let references: String?
    /// The run's scans.
    let scans: [ScanFile]
    /// The records of the scans.
    let records: [ScanRecord]
    /// The results of quality control, most suspicious scan first.
    let quality: [ScanQuality]
    /// The pictures that exist already, by scan; for pages without references.
    let pictures: [String: PendingPictures]

    /// The folder of its pictures.
    static let folderOfPictures = "report-files"

    /// The largest number of scans with pictures in a page without references, most suspicious
    /// first: pictures take most of the time of writing a page.
    static let largestPictureCount = 100

    /// Writes how scans agree with references, with what quality control found.
    func write(_ evaluation: Evaluation, to folder: String) throws {
        let flags = Dictionary(
            quality.map { ($0.name, $0.flags.map(\.reason)) },
            uniquingKeysWith: { first, _ in first })
        var page = evaluation.report(
            title: title,
            summary: "\(counted(evaluation.cases.count)), measured against references.",
            flags: flags, provenance: provenance)
        page.notes += warnings
        let failed = Set(quality.filter(\.hasLikelyFailed).map(\.name))
        for position in page.cases.indices where failed.contains(page.cases[position].name) {
            page.cases[position].hasLikelyFailed = true
        }
        let scans = scanOfName
        try page.write(to: folder) { shown in
            guard let evaluated = evaluation.cases.first(where: { $0.name == shown.name }) else {
                return nil
            }
            let scan = evaluated.failure == nil ? scans[shown.name] : nil
            let volumes = reportVolumes(
                of: evaluated, scan: scan.flatMap { try? ScanContent(of: $0).loaded.volume })
            return try ReportPictures(of: volumes)
        }
    }

    /// Writes volumes and what quality control found, where there are no references.
    func write(failures: [ScanFailure], to folder: String) throws {
        var summary =
            "\(counted(quality.count + failures.count)) without references: volumes, and "
            + "what is unusual about them. Most suspicious first; ordinary numbers prove nothing."
        if quality.count > Self.largestPictureCount {
            summary += " The first \(Self.largestPictureCount) have pictures."
        }
        var page = Report(
            quality: quality, failures: failures, table: model.card.labels, title: title,
            summary: summary, provenance: provenance)
        page.notes = warnings
        let scans = scanOfName
        let labels = Dictionary(
            records.map { ($0.name, $0.labels) }, uniquingKeysWith: { first, _ in first })
        let pictured = Set(quality.prefix(Self.largestPictureCount).map(\.name))
        try page.write(to: folder) { shown in
            guard shown.failure == nil, pictured.contains(shown.name) else { return nil }
            if let known = pictures[shown.name] { return try known.wait().get() }
            guard let path = labels[shown.name] ?? nil, let (map, _) = try? readLabelMap(at: path)
            else { return nil }
            let scan = scans[shown.name].flatMap { try? ScanContent(of: $0).loaded.volume }
            let isOnGrid = scan.map { $0.grid.size == map.grid.size } ?? false
            return try ReportPictures(
                of: ReportVolumes(scan: isOnGrid ? scan : nil, prediction: map))
        }
    }

    /// The warnings of reading the scans, each once with the scans it concerns.
    private var warnings: [String] {
        var scansOfWarning: [(text: String, scans: [String])] = []
        for record in records {
            for text in record.warnings ?? [] {
                if let known = scansOfWarning.firstIndex(where: { $0.text == text }) {
                    scansOfWarning[known].scans.append(record.name)
                } else {
                    scansOfWarning.append((text, [record.name]))
                }
            }
        }
        return scansOfWarning.map { text, scans in
            let shown = scans.prefix(5).joined(separator: ", ")
            return "\(shown)\(scans.count > 5 ? " and \(scans.count - 5) more" : ""): \(text)"
        }
    }

    private var title: String { "Segmentations by \(model.card.name)" }

    private func counted(_ scans: Int) -> String { "\(scans) \(scans == 1 ? "scan" : "scans")" }

    private var scanOfName: [String: ScanFile] {
        Dictionary(
            scans.map { ($0.outputName, $0) }, uniquingKeysWith: { first, _ in first })
    }

    private var provenance: [ReportFact] {
        [
            ReportFact(name: "Software", value: "SliceSeg \(softwareVersion)"),
            ReportFact(name: "Model", value: "\(model.card.name) \(model.identity)"),
            ReportFact(name: "Planes", value: planes.map(\.rawValue).joined(separator: ", ")),
        ] + (references.map { [ReportFact(name: "References", value: absolutePath($0))] } ?? [])
    }
}
