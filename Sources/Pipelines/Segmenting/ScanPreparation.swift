import Datasets
import Foundation
import Reports
import SegmentationMetrics
import VolumeIO
import Volumes

/// A scan as it is handed to the network.
enum PreparedScan: Sendable {
    case done([StructureVolume], QualityInput)
    case ready(ScanContent, hash: String, note: String?, seconds: Double)
    case failed(String)
}

/// What a scan's file, or its DICOM series, holds.
struct ScanContent: Sendable {
    /// The volume with its header.
    var loaded: LoadedVolume
    /// What was odd when a DICOM series became a volume.
    var warnings: [String] = []

    /// Reads a scan; a DICOM series through its converter.
    ///
    /// - Parameter scan: The scan.
    /// - Throws: `VolumeIOError` or ``DICOMError``.
    init(of scan: ScanFile) throws {
        switch scan.origin {
        case .volume, .bids:
            loaded = try readVolume(at: scan.path, volume: scan.volume)
        case .dicom(let series):
            (loaded, warnings) = try series.converted { volume throws in
                try readVolume(at: volume, volume: scan.volume)
            }
        case .unreadable(let reason):
            throw DICOMError(description: reason)
        }
    }
}

/// Reads a scan, unless an earlier run has done it.
struct ScanPreparation: Sendable {
    let output: String
    let overwrites: Bool
    let modelIdentity: String
    /// Of the model that finds the brain first, if there is one.
    let brainModelIdentity: String?
    let options: Provenance.Options
    let table: LabelTable
    /// Is called before a scan is read to be segmented.
    let beforeReading: @Sendable () -> Void

    func callAsFunction(_ scan: ScanFile) -> PreparedScan {
        if case .unreadable(let reason) = scan.origin { return .failed(reason) }
        let clock = ContinuousClock()
        let start = clock.now
        let outputs = ScanOutputs(of: scan, in: output)
        var note: String?
        // A file that cannot be hashed cannot be read either; reading tells why.
        let hash = contentHash(of: scan)
        if !overwrites {
            guard !outputs.areForeign else {
                return .failed(
                    "'\(outputs.labels)' is there already and not from this program; choose "
                        + "another output folder, or --overwrite to replace it")
            }
            if let hash {
                let earlier = earlierResult(
                    at: outputs, scanHash: hash, modelIdentity: modelIdentity,
                    brainModelIdentity: brainModelIdentity, options: options,
                    table: table)
                switch earlier {
                case .none: break
                case .done(let volumes):
                    if let (labels, _) = try? readLabelMap(at: outputs.labels) {
                        let provenance = Provenance.read(at: outputs.provenance)
                        return .done(
                            volumes,
                            QualityInput(
                                name: scan.outputName, segmentation: labels, table: table,
                                planeDisagreement: provenance?.disagreementOfLabel ?? [:],
                                meanProbability: provenance?.meanProbabilityOfLabel ?? [:]))
                    }
                    note = "done again, as its label map cannot be read"
                case .outdated(let reason): note = "done again, as \(reason)"
                }
            }
        }
        beforeReading()
        do {
            let content = try ScanContent(of: scan)
            guard let hash else {
                return .failed("'\(scan.path)' cannot be read a second time; run again")
            }
            return .ready(
                content, hash: hash, note: note, seconds: (clock.now - start) / .seconds(1))
        } catch {
            return .failed(sentence(for: error, about: scan.path))
        }
    }
}
