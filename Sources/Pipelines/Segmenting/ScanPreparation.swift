import Files
import Foundation
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
    /// Called before a scan is read to be segmented.
    let beforeReading: @Sendable () -> Void

    func callAsFunction(_ scan: ScanFile) -> PreparedScan {
        if case .unreadable(let reason) = scan.origin { return .failed(reason) }
        let start = ContinuousClock.now
        do {
            return try prepare(scan, start)
        } catch {
            return .failed(FailureReason(error, about: scan.path, stage: .read))
        }
    }

    private func prepare(_ scan: ScanFile, _ start: ContinuousClock.Instant) throws -> PreparedScan
    {
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
        let content = try ScanContent(of: scan)
        guard let input else { return unreadable(scan) }
        return .ready(
            ReadyScan(
                content: content, input: input, changedFiles: changedFiles, note: note,
                seconds: (ContinuousClock.now - start) / .seconds(1)))
    }

    private func unreadable(_ scan: ScanFile) -> PreparedScan {
        .failed(
            FailureReason(
                sentence: "'\(scan.path)' cannot be read a second time; run again.",
                code: "volume.unreadable", stage: .read))
    }
}
