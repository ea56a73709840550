import Foundation
import Reports
import SegmentationMetrics
import Volumes

/// The outcome of the work on one scan.
enum ScanOutcome: Sendable {
    /// It was segmented in this run.
    case segmented(CaseResult)
    /// It had been segmented before.
    case earlier(CaseResult)
    /// Somebody has changed its label map, which was kept and measured anew.
    case edited(CaseResult)
    /// It could not be segmented.
    case failed(FailureReason)

    /// The results, where there are some.
    var result: CaseResult? {
        switch self {
        case .segmented(let result), .earlier(let result), .edited(let result): result
        case .failed: nil
        }
    }

    /// The state as records have it.
    var status: ScanRecord.Status {
        switch self {
        case .segmented: .done
        case .earlier: .skipped
        case .edited: .edited
        case .failed: .failed
        }
    }
}

/// The results of a scan that stand in its files.
struct CaseResult: Sendable, Codable, Hashable {
    /// The structures' volumes.
    var volumes: [StructureVolume]
    /// The input of quality control.
    var quality: QualityInput
    /// Oddities of the scan or its labels.
    var warnings: [String] = []
    /// The seconds that it took, where they are known.
    var seconds: Double?
    /// The seconds of each stage.
    var stages: [StageSeconds] = []
    /// The path by which the networks were computed.
    var computation = ""
    /// The most memory that the process held meanwhile, in bytes.
    var peakMemoryBytes: Int?

    /// Measures a label map.
    ///
    /// - Parameters:
    ///   - labels: The label map.
    ///   - name: The scan's name.
    ///   - table: The structures.
    ///   - planeDisagreement: By label, how far the planes disagree.
    ///   - meanProbability: By label, the mean probability of the structure in its voxels.
    init(
        measuring labels: LabelMap, name: String, table: LabelTable,
        planeDisagreement: [UInt16: Double] = [:], meanProbability: [UInt16: Double] = [:]
    ) {
        volumes = structureVolumes(of: labels, labels: table.structures.map(\.index))
        quality = QualityInput(
            name: name, segmentation: labels, table: table, planeDisagreement: planeDisagreement,
            meanProbability: meanProbability)
    }
}
