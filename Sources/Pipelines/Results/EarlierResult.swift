import Files
import Foundation
import VolumeIO
import Volumes

/// An earlier result of a scan beside what is wanted now.
enum EarlierResult: Sendable {
    /// There is none.
    case none
    /// It is what would be written now.
    case done(CaseResult, files: [OutputFile])
    /// Somebody has changed the label map; `result` tells whether it was measured since.
    case edited(LabelMap, result: CaseResult?)
    /// It is another one.
    ///
    /// `changed` are files that somebody has changed and that are kept under another name.
    case outdated(reason: String, changed: [String])
    /// A label map is there that this program did not write.
    case foreign
}

/// A search for what earlier runs have left of scans, by content.
struct EarlierResults: Sendable {
    /// The output folder.
    let output: String
    /// The store that knows them.
    let store: any ResultStore
    /// The model, with the one that finds the brain first.
    let modelIdentity: String
    /// A Boolean value indicating whether the brain is looked for first.
    let findsBrain: Bool
    /// The options; those that change labels are compared.
    let options: Provenance.Options
    /// The model's structures.
    let table: LabelTable
    /// A Boolean value indicating whether everything is read, even where size and time tell that
    /// nothing has changed.
    let verifies: Bool

    /// The identity of a scan.
    ///
    /// - Parameters:
    ///   - scan: The scan.
    ///   - stored: Its earlier result, whose hash holds while size and time are the same.
    /// - Returns: The identity, or `nil` where the scan cannot be read.
    func identity(of scan: ScanFile, _ stored: StoredResult?) -> InputIdentity? {
        let stamp: FileStamp? =
            switch scan.origin {
            case .volume, .bids: FileStamp(ofFilesAt: filesOfScan(at: scan.path))
            case .dicom, .unreadable: nil
            }
        if !verifies, let stamp, let known = stored?.input, known.stamp == stamp { return known }
        return contentHash(of: scan).map { InputIdentity(sha256: $0, stamp: stamp) }
    }

    /// Compares an earlier result with what is wanted.
    ///
    /// - Parameters:
    ///   - scan: The scan.
    ///   - stored: The store's entry of it.
    ///   - input: The scan as it is now.
    ///   - overwrites: Whether it is to be done again whatever is there.
    /// - Returns: The earlier result.
    func find(
        _ scan: ScanFile, _ stored: StoredResult?, input: InputIdentity?, overwrites: Bool
    ) -> EarlierResult {
        let outputs = ScanOutputs(of: scan, in: output)
        guard let stored, !stored.ownLabels.isEmpty else {
            guard pathExists(outputs.labels) else { return .none }
            // It may be ours from a run of an older version that was killed, with its companions.
            let isUnfinished = [outputs.table, outputs.volumes, outputs.picture]
                .allSatisfy(pathExists)
            if isUnfinished { return .outdated(reason: "it was not finished", changed: []) }
            return overwrites
                ? .outdated(reason: "it is not from this program", changed: [outputs.labels])
                : .foreign
        }
        var changed: [String] = []
        var reason: String?
        if isRegularFile(outputs.labels) {
            let known = stored.outputs.first { joined(output, $0.path) == outputs.labels }
            if let hash = currentHash(of: outputs.labels, known: known),
                !stored.ownLabels.contains(hash),
                let (labels, _) = try? readLabelMap(at: outputs.labels)
            {
                guard overwrites else {
                    let isMeasured = stored.state == .edited && known?.sha256 == hash
                    return .edited(labels, result: isMeasured ? stored.result : nil)
                }
                changed.append(outputs.labels)
                reason = "its label map was changed"
            } else if known.map({ !isWhole($0) }) ?? true {
                reason = "the label map is damaged"
            }
        } else {
            reason = "the label map is missing"
        }
        for file in stored.outputs where stored.state != .committing {
            let path = joined(output, file.path)
            guard path != outputs.labels, path != outputs.provenance, isRegularFile(path),
                !isWhole(file)
            else { continue }
            reason = reason ?? "'\(file.path)' was changed"
            if (FileStamp(ofFileAt: path)?.bytes ?? 0) > 0 { changed.append(path) }
        }
        if overwrites { return .outdated(reason: "that is asked for", changed: changed) }
        reason = reason ?? difference(stored, input: input, outputs)
        if let reason { return .outdated(reason: reason, changed: changed) }
        if let result = stored.result { return .done(result, files: stored.outputs) }
        return takenOver(scan, outputs)
    }

    /// The reason why an earlier result is another one, or `nil` where it is the same.
    private func difference(
        _ stored: StoredResult, input: InputIdentity?, _ outputs: ScanOutputs
    ) -> String? {
        switch stored.state {
        case .done: break
        case .edited: return "its label map is no longer the changed one"
        case .waiting, .running, .committing, .failed: return "it was not finished"
        }
        guard let input, stored.input?.sha256 == input.sha256 else { return "the scan has changed" }
        guard stored.modelIdentity == modelIdentity else { return "the model is another" }
        guard stored.options?.agree(with: options) == true else { return "the options are others" }
        guard outputs.additional(options).allSatisfy(isRegularFile) else {
            return "more files are asked for"
        }
        guard !findsBrain || isRegularFile(outputs.brainMask) else {
            return "the brain mask is missing"
        }
        guard (outputs.always + [outputs.provenance]).allSatisfy(isRegularFile) else {
            return "a table or the picture is missing"
        }
        return nil
    }

    /// The result of an older version, which kept no record of it but the one beside the label map.
    private func takenOver(_ scan: ScanFile, _ outputs: ScanOutputs) -> EarlierResult {
        guard let result = measuredResult(of: scan, outputs, table: table) else {
            return .outdated(reason: "its label map cannot be read", changed: [])
        }
        let paths =
            outputs.always + (findsBrain ? [outputs.brainMask] : [])
            + outputs.additional(options) + [outputs.provenance]
        return .done(result, files: paths.compactMap { outputFile(at: $0, in: output) })
    }

    /// Returns whether a file is as it was written.
    private func isWhole(_ file: OutputFile) -> Bool {
        currentHash(of: joined(output, file.path), known: file) == file.sha256
    }

    /// The hash of a file's bytes, from the store where size and time are the same.
    private func currentHash(of path: String, known: OutputFile?) -> String? {
        if !verifies, let known, let stamp = known.stamp, FileStamp(ofFileAt: path) == stamp {
            return known.sha256
        }
        return contentHash(ofFileAt: path)
    }
}

/// The result of a scan as its label map and the record beside it tell it.
///
/// - Parameters:
///   - scan: The scan.
///   - outputs: Its files.
///   - table: The structures.
/// - Returns: The result, or `nil` where the label map cannot be read.
func measuredResult(
    of scan: ScanFile, _ outputs: ScanOutputs, table: LabelTable
) -> CaseResult? {
    guard let (labels, _) = try? readLabelMap(at: outputs.labels) else { return nil }
    let provenance = Provenance.read(at: outputs.provenance)
    var result = CaseResult(
        measuring: labels, name: scan.outputName, table: table,
        planeDisagreement: provenance?.disagreementOfLabel ?? [:],
        meanProbability: provenance?.meanProbabilityOfLabel ?? [:])
    result.warnings = provenance?.warnings ?? []
    return result
}

/// A file with its hash, its size and its time.
///
/// - Parameters:
///   - path: The file.
///   - place: The final name, where it has another one still.
///   - output: The output folder.
/// - Returns: The file, or `nil` where it cannot be read.
func outputFile(at path: String, named place: String? = nil, in output: String) -> OutputFile? {
    contentHash(ofFileAt: path).map { hash in
        OutputFile(
            path: relativePath(place ?? path, in: output), sha256: hash,
            stamp: FileStamp(ofFileAt: path))
    }
}
