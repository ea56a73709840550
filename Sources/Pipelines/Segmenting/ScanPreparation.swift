import Files
import Foundation
import Inference
import VolumeIO
import Volumes

/// A scan as it is handed to the network, or the reason why it is not.
enum PreparedScan: Sendable {
    /// An earlier run has done it; `files` are its files as the store should know them.
    case earlier(CaseResult, input: InputIdentity?, files: [OutputFile])
    /// Somebody has changed its label map, and it was measured since.
    case edited(CaseResult)
    /// Somebody has changed its label map, which is to be measured anew.
    case changed(ScanContent, LabelMap, input: InputIdentity)
    /// It is to be segmented.
    case ready(ReadyScan)
    /// It takes so much memory that it is read when no other scan is held.
    case deferred
    /// It cannot be read.
    case failed(FailureReason)
}

/// A scan that is to be segmented.
struct ReadyScan: Sendable {
    var content: ScanContent
    var input: InputIdentity
    /// Files of an earlier result that somebody has changed.
    var changedFiles: [String]
    /// The reason why it is done again.
    var note: String?
    /// The seconds that reading took.
    var seconds: Double
}

/// A reader of scans that leaves out those which an earlier run has done.
struct ScanPreparation: Sendable {
    let earlier: EarlierResults
    /// A Boolean value indicating whether scans are done again whatever is there.
    let overwrites: Bool
    /// The memory that scans may take.
    let memory: MemoryAllowance
    /// Called before a scan is read to be segmented.
    let beforeReading: @Sendable () -> Void

    /// Looks at a scan and reads it.
    ///
    /// - Parameters:
    ///   - scan: The scan.
    ///   - mayDefer: Whether a scan that takes much memory is left for later.
    /// - Returns: The scan, or the reason why it is not read.
    func callAsFunction(_ scan: ScanFile, mayDefer: Bool) -> PreparedScan {
        if case .unreadable(let reason) = scan.origin { return .failed(reason) }
        let start = ContinuousClock.now
        do {
            return try prepare(scan, start, mayDefer: mayDefer)
        } catch {
            return .failed(FailureReason(error, about: scan.path, stage: .read))
        }
    }

    private func prepare(
        _ scan: ScanFile, _ start: ContinuousClock.Instant, mayDefer: Bool
    ) throws -> PreparedScan {
        let stored = try earlier.store.stored(scan)
        // A file that cannot be hashed cannot be read either; reading tells why.
        let input = earlier.identity(of: scan, stored)
        let outputs = ScanOutputs(of: scan, in: earlier.output)
        var note: String?
        var changedFiles: [String] = []
        switch earlier.find(scan, stored, input: input, overwrites: overwrites) {
        case .none: break
        case .done(let result, let files):
            let isKnown = stored?.result != nil
            return .earlier(result, input: isKnown ? nil : input, files: isKnown ? [] : files)
        case .edited(_, .some(let result)): return .edited(result)
        case .edited(let labels, nil):
            let content = try ScanContent(of: scan)
            guard let input else { return unreadable(scan) }
            guard content.loaded.volume.grid.size == labels.grid.size else {
                return .failed(
                    FailureReason(
                        sentence: "'\(outputs.labels)' was changed and has \(labels.grid.size) "
                            + "voxels where its scan has \(content.loaded.volume.grid.size); bring "
                            + "it back to the scan's grid, or do it anew with --overwrite.",
                        code: "labels.otherGrid", stage: .read))
            }
            return .changed(content, labels, input: input)
        case .outdated(let reason, let changed):
            if !overwrites { note = "segmented again, as \(reason)" }
            changedFiles = changed
        case .foreign:
            return .failed(
                FailureReason(
                    sentence: "'\(outputs.labels)' is there already and not from this program; "
                        + "choose another output folder, or --overwrite to move it aside.",
                    code: "output.foreign", stage: .read))
        }
        beforeReading()
        if let bytes = bytesToRead(scan) {
            let allowed = memory.bytesForScans(holding: MemoryBudget.residentBytes() ?? 0)
            if bytes > allowed {
                throw MemoryLimitError(
                    stage: "reading the scan", neededBytes: bytes, limitBytes: allowed)
            }
            if mayDefer, bytes > allowed / 4 { return .deferred }
        }
        let content = try ScanContent(of: scan)
        guard let input else { return unreadable(scan) }
        return .ready(
            ReadyScan(
                content: content, input: input, changedFiles: changedFiles, note: note,
                seconds: (ContinuousClock.now - start) / .seconds(1)))
    }

    /// The bytes that reading a scan takes: its voxels as they are stored, and as numbers.
    private func bytesToRead(_ scan: ScanFile) -> Int? {
        switch scan.origin {
        case .volume, .bids:
            guard let header = try? readVolumeHeader(at: scan.path, volume: scan.volume) else {
                return nil
            }
            return (header.storedType.byteCount + MemoryLayout<Float>.size) * header.grid.size.count
        case .dicom, .unreadable: return nil
        }
    }

    private func unreadable(_ scan: ScanFile) -> PreparedScan {
        .failed(
            FailureReason(
                sentence: "'\(scan.path)' cannot be read a second time; run again.",
                code: "volume.unreadable", stage: .read))
    }
}
