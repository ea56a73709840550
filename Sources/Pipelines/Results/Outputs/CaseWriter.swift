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
    /// The scan's identity.
    var input: InputIdentity
    /// Files of an earlier result that somebody has changed.
    var changedFiles: [String]
    /// On the scan's own grid.
    var labels: LabelMap
    /// The scan as the networks saw it and its labels there, where they are wanted.
    var conformed: (scan: Volume, labels: LabelMap)?
    /// The spread of samples, where they were asked for.
    var uncertainty: Uncertainty?
    var computation: Provenance.Computation
    /// The disagreement of the planes by label.
    var planeDisagreement: [UInt16: Double]
    /// The mean probability by label.
    var meanProbability: [UInt16: Double]
    /// The number of voxels that were deep in the wrong hemisphere.
    var voxelsMovedToTheirSide: Int
    /// The brain, where it was looked for first.
    var brain: ExtractedBrain?
    var restoration: Restoration
    var started: Date
    /// The stages so far.
    var stages: [StageSeconds]
    /// The most memory that the process held meanwhile, where the system tells it.
    var peakMemoryBytes: Int?
}

/// A writer of the files of one scan.
struct CaseWriter: Sendable {
    let output: OutputFolder
    let store: any ResultStore
    let space: OutputSpace
    let modelName: String
    let modelIdentity: String
    /// The model that finds the brain first, if there is one.
    let brainModel: ModelRecord?
    let options: Provenance.Options
    let table: LabelTable
    let thresholds: QualityThresholds
    let sources: BIDSSources

    /// Writes a scan's files, which take their names when all are whole; the provenance is the last.
    ///
    /// - Parameters:
    ///   - segmented: The scan.
    ///   - probabilities: Those of its classes, where they are to be written too.
    /// - Returns: Its results.
    /// - Throws: `FileWriteError` and errors of the formats; nothing is replaced then.
    func callAsFunction(
        _ segmented: SegmentedCase, probabilities: ClassProbabilities? = nil
    ) throws -> CaseResult {
        let begun = ContinuousClock.now
        let (scan, loaded) = (segmented.scan, segmented.content.loaded)
        let quality = Background { [table] in
            CaseResult(
                measuring: segmented.labels, name: scan.outputName, table: table,
                planeDisagreement: segmented.planeDisagreement,
                meanProbability: segmented.meanProbability)
        }
        let outputs = ScanOutputs(of: scan, in: output.path)
        var result: CaseResult?
        var files: [OutputFile] = []
        try output.replace(
            marker: outputs.provenance, settingAside: segmented.changedFiles,
            willCommit: { staged in
                files = try hashed(staged)
                try store.willCommit(scan, files)
            },
            { staged in
                try writeDerived(
                    of: scan, volume: loaded.volume, labels: segmented.labels, quality.wait,
                    to: outputs, staged)
                try staged.write(outputs.labels) {
                    try writeLabelMap(segmented.labels, to: $0, like: loaded.header, table: table)
                }
                guard let labels = staged.files.last,
                    let labelHash = contentHash(ofFileAt: labels.stagedPath)
                else { throw FileWriteError(path: outputs.labels, errorNumber: EIO) }
                var brainRecord: Provenance.Brain?
                if let brain = segmented.brain, let brainModel {
                    brainRecord = try write(
                        brain, by: brainModel, of: segmented, to: outputs, staged)
                }
                if let conformed = segmented.conformed {
                    try staged.write(outputs.conformedScan) {
                        try writeVolume(conformed.scan, to: $0, like: nil, storedAs: .float32)
                    }
                    try staged.write(outputs.conformedLabels) {
                        try writeLabelMap(conformed.labels, to: $0, like: nil, table: table)
                    }
                }
                if let uncertainty = segmented.uncertainty {
                    try staged.write(outputs.entropy) {
                        try writeVolume(uncertainty.entropy, to: $0, like: nil, storedAs: .float32)
                    }
                    try staged.write(outputs.uncertainty) {
                        try writeAtomically(uncertaintyTable(uncertainty, table: table), to: $0)
                    }
                }
                if let probabilities {
                    if options.probabilities == true {
                        for space in space.all {
                            try write(probabilities, of: segmented, in: space, to: outputs, staged)
                        }
                    }
                    if options.derivativesFor == .fmriprep {
                        try writeForFMRIPrep(segmented, probabilities, staged)
                    }
                }
                var measured = quality.wait()
                measured.warnings =
                    segmented.content.warnings + warnings(of: loaded, volumes: measured.volumes)
                if segmented.voxelsMovedToTheirSide > 0 {
                    measured.warnings.append(
                        "\(segmented.voxelsMovedToTheirSide) voxels deep in the wrong half of the "
                            + "head were given to the structure's counterpart; look at the sides in "
                            + "the picture")
                }
                measured.stages =
                    segmented.stages + [
                        StageSeconds(
                            stage: .write, seconds: (ContinuousClock.now - begun) / .seconds(1))
                    ]
                measured.seconds = rounded(measured.stages.reduce(0) { $0 + $1.seconds })
                measured.computation = segmented.computation.path ?? ""
                measured.peakMemoryBytes = segmented.peakMemoryBytes
                var provenance = provenance(
                    of: segmented,
                    labels: ((outputs.labels as NSString).lastPathComponent, labelHash))
                provenance.stages = measured.stages
                provenance.seconds = measured.seconds ?? 0
                provenance.warnings = measured.warnings
                provenance.brain = brainRecord
                let text = try jsonText(provenance)
                try staged.write(outputs.provenance) { try writeAtomically(text, to: $0) }
                result = measured
            })
        guard let result else { preconditionFailure("a scan without results was written") }
        note(scan, .segmented(result), input: segmented.input, files: files)
        return result
    }

    /// Writes tables and picture of a label map that somebody has changed, which stays as it is.
    ///
    /// - Parameters:
    ///   - scan: The scan.
    ///   - volume: Its voxels.
    ///   - labels: The label map as it is now, on the scan's grid.
    ///   - input: The scan's identity.
    /// - Returns: Its results.
    /// - Throws: `FileWriteError` and errors of the formats; nothing is replaced then.
    func callAsFunction(
        edited scan: ScanFile, volume: Volume, labels: LabelMap, input: InputIdentity
    ) throws -> CaseResult {
        var result = CaseResult(
            measuring: labels, name: scan.outputName, table: table, planeDisagreement: [:])
        result.warnings = ["the label map was changed after it was written and is kept as it is"]
        let outputs = ScanOutputs(of: scan, in: output.path)
        var files: [OutputFile] = []
        let measured = result
        try output.replace(
            willCommit: { files = try hashed($0) },
            { staged in
                try writeDerived(
                    of: scan, volume: volume, labels: labels, { measured }, to: outputs, staged)
            })
        for path in [outputs.labels, outputs.provenance] {
            if let file = outputFile(at: path, in: output.path) { files.append(file) }
        }
        note(scan, .edited(result), input: input, files: files)
        return result
    }

    /// Tells the store of an outcome; a full disk, or a store that cannot be written, is no reason to
    /// stop, as the files themselves tell the same.
    func note(
        _ scan: ScanFile, _ outcome: ScanOutcome, input: InputIdentity? = nil,
        files: [OutputFile]? = nil
    ) {
        try? store.record(scan, outcome, input: input, files: files)
    }

    private func hashed(_ staged: [StagedFiles.File]) throws -> [OutputFile] {
        try staged.map { file in
            guard let known = outputFile(at: file.stagedPath, named: file.path, in: output.path)
            else { throw FileWriteError(path: file.path, errorNumber: EIO) }
            return known
        }
    }

    /// Writes all that follows from a label map.
    private func writeDerived(
        of scan: ScanFile, volume: Volume, labels: LabelMap, _ result: () -> CaseResult,
        to outputs: ScanOutputs, _ staged: StagedFiles
    ) throws {
        let measured = structureVolumes(of: labels, labels: table.structures.map(\.index))
        try staged.write(outputs.table) { try writeAtomically(bidsTable(of: table), to: $0) }
        let statistics = FreeSurferStatistics(
            scan: scan.outputName, volumes: measured, table: table,
            voxelVolumeCubicMillimeters: labels.grid.voxelVolumeCubicMillimeters,
            labelFile: (outputs.labels as NSString).lastPathComponent,
            software: "SliceSeg \(softwareVersion)")
        try staged.write(outputs.statistics) { try writeAtomically(statistics.text, to: $0) }
        let picture = qualityControlPicture(
            scan: volume, labels: labels, table: table, title: scan.outputName)
        let png = try picture.pngData()
        try staged.write(outputs.picture) { try writeAtomically(png, to: $0) }
        let judged = qualityControl(
            of: [result().quality], table: table, thresholds: thresholds
        ).first
        try staged.write(outputs.volumes) {
            try TSVTable.volumes(measured, table: table, quality: judged).write(to: $0)
        }
    }

    /// Writes the mask of the brain.
    private func write(
        _ brain: ExtractedBrain, by model: ModelRecord, of segmented: SegmentedCase,
        to outputs: ScanOutputs, _ staged: StagedFiles
    ) throws -> Provenance.Brain {
        let mask = brain.labels(on: segmented.content.loaded.volume)
        try staged.write(outputs.brainMask) {
            try writeLabelMap(
                mask, to: $0, like: segmented.content.loaded.header,
                table: ExtractedBrain.labelTable)
        }
        guard let path = staged.files.last?.stagedPath, let hash = contentHash(ofFileAt: path)
        else {
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
            scan: .init(path: absolutePath(scan.path), sha256: segmented.input.sha256),
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
        _ probabilities: ClassProbabilities, of segmented: SegmentedCase, in space: OutputSpace,
        to outputs: ScanOutputs, _ staged: StagedFiles
    ) throws {
        let count = probabilities.classCount
        let grid = space == .native ? segmented.labels.grid : segmented.conformed?.labels.grid
        guard let grid else { preconditionFailure("probabilities on a grid that was not kept") }
        let header = space == .native ? segmented.content.loaded.header : nil
        try staged.write(outputs.probabilities(in: space)) { path in
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
        try staged.write(outputs.probabilitiesDescription(in: space)) {
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
