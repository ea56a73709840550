import Files
import Foundation
import Inference
import ModelBundles
import Preprocessing
import Reports
import Tensors
import VolumeIO
import Volumes

/// The request of `sliceseg check`.
public struct CheckRequest: Sendable {
    /// Scans, folders, BIDS datasets, DICOM folders and lists.
    public var inputs: [String]
    /// The name or folder of a model that classifies scans.
    public var model = checkModel
    /// The index of the volume to use in 4-D scans, from 0; `nil` if all are 3-D.
    public var volume: Int?
    /// Threads of the network, or `nil` for all cores.
    public var threads: Int?
    /// A table to write, or `nil`.
    public var table: String?
    /// A Boolean value indicating whether a JSON object a scan is written in place of lines.
    public var writesJSON = false

    /// Makes a request with the defaults.
    ///
    /// - Throws: ``UsageError`` where no input is named.
    public init(inputs: [String]) throws(UsageError) {
        guard !inputs.isEmpty else { throw UsageError("name the scans to check") }
        self.inputs = inputs
    }
}

/// The shipped model that checks scans.
public let checkModel = "scan-check"

/// Tells of each scan what kind of scan it is, and whether the head lies as its header says.
///
/// - Parameter request: What to do.
/// - Returns: Failure where a scan cannot be read or a warning is given.
/// - Throws: ``UsageError`` where the request cannot be met; errors of the model; `FileWriteError`.
public func checkScans(_ request: CheckRequest) throws -> ExitStatus {
    let found = try findScans(in: request.inputs, output: "") { printError($0) }
    for warning in found.warnings { printError(warning) }
    if let threads = request.threads { try Engine.setThreadCount(threads) }
    let classifier = try ScanClassifier(bundle: try loadModel(request.model))
    var checks: [ScanCheck] = []
    var status = ExitStatus.success
    for var scan in found.scans {
        scan.volume = request.volume
        let check: ScanCheck
        do {
            let content = try ScanContent(of: scan)
            var checked = try ScanCheck(scan, volume: content.loaded.volume, by: classifier)
            checked.warnings = content.warnings + content.loaded.warnings + checked.warnings
            check = checked
        } catch {
            let reason = userMessage(for: error, about: scan.path)
            printError("\(scan.outputName): failed: \(reason)")
            check = ScanCheck(name: scan.outputName, path: scan.path, failure: reason)
        }
        if request.writesJSON {
            try printChecked(try jsonLine(check) + "\n")
        } else if let line = check.line {
            try printChecked(line + "\n")
        }
        if !check.warnings.isEmpty || check.failure != nil { status = .failure }
        checks.append(check)
    }
    if let table = request.table { try ScanCheck.table(of: checks).write(to: table) }
    return status
}

extension ScanCheck {
    /// Looks at a scan.
    init(_ scan: ScanFile, volume: Volume, by classifier: ScanClassifier) throws {
        self.init(
            try classifier.classification(of: volume), name: scan.outputName, path: scan.path,
            header: volume.grid.orientation, classes: classifier.classes)
    }

    /// A line for a terminal; `nil` where the scan was not checked.
    var line: String? {
        guard let kind, let kindProbability, let header else { return nil }
        var text = "\(name): \(kind)" + String(format: " (%.2f)", kindProbability)
        if let picture, let orientationProbability {
            text += ", axes \(picture)" + String(format: " (%.2f)", orientationProbability)
            text += picture == header ? " as in the header" : ", \(header) in the header"
        }
        return text + warnings.map { ". Warning: \($0)" }.joined()
    }

    /// The checks as a table.
    static func table(of checks: [ScanCheck]) -> TSVTable {
        func text(_ text: String?) -> TSVField { text.map { .text($0) } ?? .missing }
        func number(_ number: Double?) -> TSVField {
            number.map { .fixed($0, decimals: 4) } ?? .missing
        }
        return TSVTable(
            columns: [
                "name", "scan", "kind", "kind_probability", "header_axes", "picture_axes",
                "axes_probability", "warnings", "failure",
            ],
            rows: checks.map { check in
                [
                    .text(check.name), .text(check.scan), text(check.kind),
                    number(check.kindProbability), text(check.header?.description),
                    text(check.picture?.description), number(check.orientationProbability),
                    .list(check.warnings), text(check.failure),
                ]
            })
    }
}
