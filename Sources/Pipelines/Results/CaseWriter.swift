import Datasets
import Files
import Foundation
import Inference
import ModelBundles
import Parallel
import Reports
import SegmentationMetrics
import VolumeIO
import Volumes

/// A scan's segmentation on its way to its files.
struct SegmentedCase: Sendable {
    var scan: ScanFile
    var content: ScanContent
    /// SHA-256 of the scan's bytes.
    var hash: String
    /// On the scan's own grid.
    var labels: LabelMap
    /// The scan as the networks saw it and its labels there, where they are wanted.
    var conformed: (scan: Volume, labels: LabelMap)?
    /// The spread of samples, where they were asked for.
    var uncertainty: Uncertainty?
    var computation: Provenance.Computation
    /// By label.
    var planeDisagreement: [UInt16: Double]
    /// By label.
    var meanProbability: [UInt16: Double]
    /// How many voxels were deep in the wrong half of the head.
    var voxelsMovedToTheirSide: Int
    /// The brain, where it was looked for first.
    var brain: ExtractedBrain?
    var restoration: Restoration
    var started: Date
    /// What has been done so far.
    var stages: [StageSeconds]
}

/// What is known of a scan once all its files are there.
struct WrittenCase: Sendable {
    var volumes: ScanVolumes
    var quality: QualityInput
    var record: ScanRecord
    /// Also where no profile is asked for.
    var stages: [StageSeconds]
    /// By what path the networks were computed.
    var path: String
}

/// Writes all that is known of a scan.
struct CaseWriter: Sendable {
    let output: String
    let space: OutputSpace
    let modelName: String
    let modelIdentity: String
    /// The model that finds the brain first, if there is one.
    let brainModel: RunRecord.Model?
    let options: Provenance.Options
    let table: LabelTable
    let sources: BIDSSources
    let files: InterruptibleOutput

    /// Writes a scan's files, the provenance last; where one cannot be written, none stays.
    ///
    /// - Parameters:
    ///   - segmented: The scan.
    ///   - probabilities: Those of its classes, where they are to be written too.
    /// - Returns: What is known of it now.
    /// - Throws: `FileWriteError` and errors of the formats.
    func callAsFunction(
        _ segmented: SegmentedCase, probabilities: ClassProbabilities? = nil
    ) throws -> WrittenCase {
        do {
            return try write(segmented, probabilities)
        } catch {
            files.rollBack()
            throw error
        }
    }

    private func write(
        _ segmented: SegmentedCase, _ probabilities: ClassProbabilities?
    ) throws -> WrittenCase {
        let clock = ContinuousClock()
        let begun = clock.now
        let (scan, loaded, labels) = (segmented.scan, segmented.content.loaded, segmented.labels)
        let name = scan.outputName
        let quality = Background { [table] in
            QualityInput(
                name: name, segmentation: labels, table: table,
                planeDisagreement: segmented.planeDisagreement,
                meanProbability: segmented.meanProbability)
        }
        let measured = structureVolumes(of: labels, labels: table.structures.map(\.index))
        var warnings = segmented.content.warnings + warnings(of: loaded, volumes: measured)
        if segmented.voxelsMovedToTheirSide > 0 {
            warnings.append(
                "\(segmented.voxelsMovedToTheirSide) voxels deep in the wrong half of the head were "
                    + "given to the structure's counterpart; look at the sides in the picture")
        }
        let outputs = ScanOutputs(of: scan, in: output)
        let labelFile = (outputs.labels as NSString).lastPathComponent
        try makeDirectory(outputs.folder)
        try files.write(outputs.table) { try writeAtomically(bidsTable(of: table), to: $0) }
        let statistics = FreeSurferStatistics(
            scan: name, volumes: measured, table: table,
            voxelVolumeCubicMillimeters: labels.grid.voxelVolumeCubicMillimeters,
            labelFile: labelFile, software: "SliceSeg \(softwareVersion)")
        try files.write(outputs.statistics) { try writeAtomically(statistics.text, to: $0) }
        let picture = qualityControlPicture(
            scan: loaded.volume, labels: labels, table: table, title: name)
        let png = try picture.pngData()
        try files.write(outputs.picture) { try writeAtomically(png, to: $0) }
        try files.write(outputs.labels) {
            try writeLabelMap(labels, to: $0, like: loaded.header, table: table)
        }
        var brainRecord: Provenance.Brain?
        if let brain = segmented.brain, let brainModel {
            brainRecord = try write(brain, by: brainModel, of: segmented, to: outputs)
        }
        if let conformed = segmented.conformed {
            try files.write(outputs.conformedScan) {
                try writeVolume(conformed.scan, to: $0, like: nil, storedAs: .float32)
            }
            try files.write(outputs.conformedLabels) {
                try writeLabelMap(conformed.labels, to: $0, like: nil, table: table)
            }
        }
        if let uncertainty = segmented.uncertainty {
            try files.write(outputs.entropy) {
                try writeVolume(uncertainty.entropy, to: $0, like: nil, storedAs: .float32)
            }
            try files.write(outputs.uncertainty) {
                try writeAtomically(uncertaintyTable(uncertainty, table: table), to: $0)
            }
        }
        if let probabilities { try write(probabilities, of: segmented, to: outputs) }
        let judged = qualityControl(of: [quality.wait()], table: table).first
        try files.write(outputs.volumes) {
            try TSVTable.volumes(measured, table: table, quality: judged).write(to: $0)
        }
        guard let labelHash = contentHash(ofFileAt: outputs.labels) else {
            throw FileWriteError(path: outputs.labels, errorNumber: EIO)
        }
        let writeSeconds = (clock.now - begun) / .seconds(1)
        let stages =
            segmented.stages + [StageSeconds(stage: "write", seconds: rounded(writeSeconds))]
        let seconds = rounded(stages.reduce(0) { $0 + $1.seconds })
        var provenance = provenance(of: segmented, labels: (labelFile, labelHash))
        provenance.stages = stages
        provenance.seconds = seconds
        provenance.warnings = warnings
        provenance.brain = brainRecord
        let text = try jsonText(provenance)
        try files.writeLast(outputs.provenance) { try writeAtomically(text, to: $0) }
        return WrittenCase(
            volumes: ScanVolumes(scan: name, volumes: measured),
            quality: quality.wait(),
            record: ScanRecord(
                name: name, scan: scan.path, status: .done, labels: outputs.labels,
                warnings: warnings.isEmpty ? nil : warnings, seconds: seconds),
            stages: stages, path: segmented.computation.path ?? "")
    }

    /// Writes the mask of the brain.
    private func write(
        _ brain: ExtractedBrain, by model: RunRecord.Model, of segmented: SegmentedCase,
        to outputs: ScanOutputs
    ) throws -> Provenance.Brain {
        let mask = brain.labels(on: segmented.content.loaded.volume)
        try files.write(outputs.brainMask) {
            try writeLabelMap(
                mask, to: $0, like: segmented.content.loaded.header,
                table: ExtractedBrain.labelTable)
        }
        guard let hash = contentHash(ofFileAt: outputs.brainMask) else {
            throw FileWriteError(path: outputs.brainMask, errorNumber: EIO)
        }
        return Provenance.Brain(
            model: model,
            mask: .init(
                file: (outputs.brainMask as NSString).lastPathComponent, sha256: hash),
            volumeCubicMillimeters: Double(mask.labels.count { $0 > 0 })
                * mask.grid.voxelVolumeCubicMillimeters,
            isAlreadyStripped: brain.isAlreadyStripped, seconds: rounded(brain.seconds))
    }

    private func provenance(
        of segmented: SegmentedCase, labels: (file: String, sha256: String)
    ) -> Provenance {
        let scan = segmented.scan
        var provenance = Provenance(
            software: "SliceSeg", version: softwareVersion,
            scan: .init(path: absolutePath(scan.path), sha256: segmented.hash),
            model: .init(name: modelName, identity: modelIdentity), options: options,
            computation: segmented.computation,
            labels: .init(file: labels.file, sha256: labels.sha256),
            started: timestamp(segmented.started), seconds: 0, stages: [], warnings: [],
            planeDisagreement: segmented.planeDisagreement.isEmpty
                ? nil
                : Dictionary(
                    uniqueKeysWithValues: segmented.planeDisagreement.map { (String($0), $1) }))
        provenance.restoration = segmented.restoration.rawValue
        if !segmented.meanProbability.isEmpty {
            provenance.meanProbability = Dictionary(
                uniqueKeysWithValues: segmented.meanProbability.map { (String($0), $1) })
        }
        switch scan.origin {
        case .bids(let source):
            provenance.bidsDescription = "Segmentation by the model '\(modelName)'"
            provenance.bidsSources = [sources.address(of: source)]
            provenance.bidsSpatialReference = sources.address(of: source)
        case .dicom(let series):
            provenance.scan.series = series.name
            provenance.scan.converter = "dcm2niix \(series.converter.version)"
        case .volume, .unreadable: break
        }
        return provenance
    }

    private func write(
        _ probabilities: ClassProbabilities, of segmented: SegmentedCase, to outputs: ScanOutputs
    ) throws {
        let count = probabilities.classCount
        let grid = space == .native ? segmented.labels.grid : segmented.conformed?.labels.grid
        guard let grid else { preconditionFailure("probabilities on a grid that was not kept") }
        let header = space == .native ? segmented.content.loaded.header : nil
        try files.write(outputs.probabilities(in: space)) { path in
            try writeProbabilities(
                on: grid, classCount: count, to: path, like: header
            ) { first in
                // A few at a time, so that memory holds no more.
                try probabilities.volumes(ofClasses: first..<min(first + 4, count), in: space)
            }
        }
        let description = Provenance.Probabilities(
            labelMap: ["Background"] + table.structures.map(\.name),
            description: "Probabilities by the model '\(modelName)', a volume for each class")
        let text = try jsonText(description)
        try files.write(outputs.probabilitiesDescription(in: space)) {
            try writeAtomically(text, to: $0)
        }
    }

    private func warnings(of loaded: LoadedVolume, volumes: [StructureVolume]) -> [String] {
        var warnings = loaded.warnings
        if volumes.allSatisfy({ $0.voxelCount == 0 }) {
            warnings.append("no structure was found; look at the picture and at the model's card")
        }
        return warnings
    }
}

/// The spread of each structure as a table: index, name, mean volume, its coefficient of variation
/// and the intersection over union of all samples; `n/a` where no sample has the structure.
private func uncertaintyTable(_ uncertainty: Uncertainty, table: LabelTable) -> String {
    let voxel = uncertainty.entropy.grid.voxelVolumeCubicMillimeters
    var text = "index\tname\tmean_volume_mm3\tvolume_cv\tiou\n"
    for structure in table.structures {
        guard let spread = uncertainty.structures[structure.index] else { continue }
        func figure(_ value: Double?) -> String { value.map { decimals($0, 4) } ?? "n/a" }
        text +=
            "\(structure.index)\t\(structure.name)\t"
            + "\(decimals(spread.meanVoxelCount * voxel, 1))\t"
            + "\(figure(spread.volumeVariation))\t\(figure(spread.intersectionOverUnion))\n"
    }
    return text
}

/// A scan whose files are being written beside the work on the next one.
struct PendingWrite: Sendable {
    /// What came of it.
    enum Outcome: Sendable {
        case written(WrittenCase)
        /// Why not, in a sentence.
        case failed(String)
    }

    /// The scan.
    let scan: ScanFile
    private let outcome: Background<Outcome>

    /// Begins to write.
    init(_ segmented: SegmentedCase, by writer: CaseWriter) {
        scan = segmented.scan
        outcome = Background {
            do {
                return .written(try writer(segmented))
            } catch {
                return .failed(sentence(for: error, about: segmented.scan.path))
            }
        }
    }

    /// Whether ``wait()`` returns at once.
    var isFinished: Bool { outcome.isFinished }

    /// Waits until it is written.
    func wait() -> Outcome { outcome.wait() }
}
