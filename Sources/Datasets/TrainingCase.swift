import Foundation
public import Preprocessing
import VolumeIO
public import Volumes

/// One scan and its labels, as files.
public struct CaseFiles: Sendable, Hashable {
    /// The common part of their names, such as `1015`.
    public var name: String
    /// The scan.
    public var scanPath: String
    /// Its label map.
    public var labelPath: String

    /// Names the files of a case.
    public init(name: String, scanPath: String, labelPath: String) {
        self.name = name
        self.scanPath = scanPath
        self.labelPath = labelPath
    }

    /// Finds the cases of a folder.
    ///
    /// - Parameters:
    ///   - directory: The folder; its subfolders are not searched.
    ///   - scanSuffix: What follows the case's name in a scan's file name, such as `_SS`.
    ///   - labelSuffix: The same for label maps, such as `_dseg`.
    /// - Returns: The cases that have both files, by name.
    /// - Throws: ``DatasetError`` where the folder cannot be read, holds no case, or a case lacks
    ///   one of its files or has one twice.
    public static func find(
        in directory: String, scanSuffix: String, labelSuffix: String
    ) throws -> [CaseFiles] {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: directory) else {
            throw DatasetError(
                "the folder of cases '\(directory)' cannot be read; correct 'directory' in the "
                    + "configuration")
        }
        var scans: [String: String] = [:]
        var labels: [String: String] = [:]
        func add(_ file: String, of name: String, to files: inout [String: String], as kind: String)
            throws(DatasetError)
        {
            if let other = files.updateValue(file, forKey: name) {
                throw DatasetError(
                    "case '\(name)' in '\(directory)' has two \(kind), '\(other)' and '\(file)'; "
                        + "move one away")
            }
        }
        for file in names.sorted() where !file.hasPrefix(".") {
            guard let name = volumeName(ofPath: file) else { continue }
            if !labelSuffix.isEmpty, name.hasSuffix(labelSuffix) {
                try add(
                    file, of: String(name.dropLast(labelSuffix.count)), to: &labels,
                    as: "label maps")
            } else if name.hasSuffix(scanSuffix) {
                try add(
                    file, of: String(name.dropLast(scanSuffix.count)), to: &scans, as: "scans")
            }
        }
        let complete = Set(scans.keys).intersection(labels.keys).sorted()
        if let lonely = Set(scans.keys).symmetricDifference(labels.keys).sorted().first {
            let missing = scans[lonely] == nil ? "a scan" : "a label map"
            throw DatasetError(
                "case '\(lonely)' in '\(directory)' lacks \(missing); add it or move the other "
                    + "file away")
        }
        guard !complete.isEmpty else {
            throw DatasetError(
                "'\(directory)' holds no pair of files NAME\(scanSuffix) and NAME\(labelSuffix); "
                    + "correct the suffixes in the configuration")
        }
        return complete.compactMap { name in
            guard let scan = scans[name], let label = labels[name] else { return nil }
            return CaseFiles(
                name: name, scanPath: directory + "/" + scan, labelPath: directory + "/" + label)
        }
    }
}

/// One scan and its labels, conformed for a model.
public struct TrainingCase: Sendable {
    /// The case's name.
    public let name: String
    /// The scan in the model's space.
    public private(set) var conformed: ConformedScan
    /// The class of each voxel of `conformed.volume`: 0 background, then the table's order.
    public let classes: [UInt8]
    /// The labels on the scan's own grid, as validation compares with them.
    public let reference: LabelMap

    /// Conforms a scan and its labels.
    ///
    /// - Parameters:
    ///   - name: The case's name.
    ///   - scan: The scan.
    ///   - labels: Its labels, by the table's indices, on the scan's grid; its axes may be stored in
    ///     another order or direction.
    ///   - table: The structures.
    ///   - conform: The model's space and intensities.
    ///   - region: The brain and how much around it the model sees, for models whose scans are cut to
    ///     it first; `nil` for whole scans.
    /// - Throws: ``DatasetError`` where the two do not share a grid, `PreprocessingError` where the
    ///   scan holds no signal.
    public init(
        name: String, scan: Volume, labels: LabelMap, table: LabelTable,
        conform: ConformSpecification, within region: BrainRegion? = nil
    ) throws {
        guard let labels = labels.reordered(onto: scan.grid) else {
            let distance = scan.grid.largestCornerDistanceMillimeters(from: labels.grid)
            let difference =
                distance.map { String(format: "lie %.4g mm apart", $0) }
                ?? "have \(scan.grid.size) and \(labels.grid.size) voxels"
            throw DatasetError(
                "scan and labels of case '\(name)' \(difference); resample the labels to the "
                    + "scan's grid")
        }
        self.name = name
        conformed = try Preprocessing.conform(scan, to: conform, brain: region)
        let classOfLabel = table.classOfLabel()
        classes = conformLabels(labels, like: conformed).labels.map { classOfLabel[Int($0)] }
        reference = LabelMap(
            grid: labels.grid, labels: labels.labels.map { classOfLabel[Int($0)] == 0 ? 0 : $0 })
    }

    /// A synthetic scan, which lies in the model's space already.
    public init(name: String, scan: SyntheticScan, table: LabelTable) {
        self.name = name
        let grid = scan.volume.grid
        conformed = ConformedScan(
            volume: scan.volume, conformedGrid: grid, box: VoxelBox(all: grid.size),
            scanGrid: grid, isExact: true)
        classes = scan.classes
        let labelOfClass = table.labelOfClass
        reference = LabelMap(
            grid: grid, labels: scan.classes.map { labelOfClass[Int($0)] })
    }

    /// Copies the case as a scanner with coarser voxels would have it, on the same voxels.
    ///
    /// Background that is exactly 0 stays so: the brain mask of a scan lies on the model's voxels.
    ///
    /// - Parameters:
    ///   - number: Which copy it is: the same for a name and number on every machine.
    ///   - resolution: The range of voxel sizes.
    /// - Returns: The copy, with the labels of the case.
    public func coarser(_ number: Int, _ resolution: CoarseResolution) -> TrainingCase {
        let volume = conformed.volume
        let size = volume.grid.size
        let model = volume.grid.affine.spacing.min()
        let seed = name.utf8.reduce(UInt64(number)) { $0 &* 1_099_511_628_211 ^ UInt64($1) }
        var generator = SeededGenerator(seed: seed)
        let spacing = resolution.spacing(finest: model, using: &generator)
        var voxels = coarselySampled(
            volume.voxels, size: size, model: model, spacing: spacing
        ) { _ in }
        for index in voxels.indices where volume.voxels[index] == 0 { voxels[index] = 0 }
        var copy = self
        copy.conformed = ConformedScan(
            volume: Volume(grid: volume.grid, voxels: voxels),
            conformedGrid: conformed.conformedGrid, box: conformed.box,
            scanGrid: conformed.scanGrid, isExact: conformed.isExact)
        return copy
    }
}
