import Datasets
import Files
import Foundation
import VolumeIO
import Volumes

/// A look at the files of a training's cases, before anything is made of them.
///
/// What cannot be meant is an error: a scan in place of a label map, or a label map in place of a
/// scan, or a map without a label. The rest is told in notes.
struct CaseCheck {
    /// The table's file, which the notes name.
    let tablePath: String
    private let mapping: LabelMapping
    private var unnamedVoxels: [UInt16: Int] = [:]
    private var unnamedCases: [UInt16: Int] = [:]
    private var roundedCounts: [(path: String, count: Int)] = []
    private var caseOfScan: [String: (name: String, isHeldOut: Bool)] = [:]
    private var doubles: [String] = []

    init(mapping: LabelMapping, tablePath: String) {
        self.mapping = mapping
        self.tablePath = tablePath
    }

    /// Looks at a case.
    ///
    /// - Throws: ``TrainingRunError`` where its files cannot be meant.
    mutating func add(
        _ files: CaseFiles, scan: Volume, labels: LoadedLabelMap, isHeldOut: Bool
    ) throws {
        let counts = labels.map.voxelCounts()
        let present = (1...UInt16.max).filter { counts[Int($0)] > 0 }
        guard !present.isEmpty else {
            throw TrainingRunError(
                description: "'\(files.labelPath)' holds no label, as every voxel is 0; give the "
                    + "label map of case '\(files.name)'")
        }
        if let fraction = labels.map.patchFraction, fraction < 0.4 {
            throw TrainingRunError(
                description: "'\(files.labelPath)' looks like a scan and not like a label map, as "
                    + "only \(percent(fraction)) of neighbouring voxels share their value; check "
                    + "which file of case '\(files.name)' is which")
        }
        if let fraction = scan.patchFraction, fraction > 0.75,
            scan.voxels.allSatisfy({ $0 == $0.rounded() })
        {
            throw TrainingRunError(
                description: "'\(files.scanPath)' looks like a label map and not like a scan, as "
                    + "\(percent(fraction)) of neighbouring voxels share their value; check which "
                    + "file of case '\(files.name)' is which")
        }
        for label in present where mapping[label] == 0 {
            unnamedVoxels[label, default: 0] += counts[Int(label)]
            unnamedCases[label, default: 0] += 1
        }
        if labels.roundedVoxelCount > 0 {
            roundedCounts.append((files.labelPath, labels.roundedVoxelCount))
        }
        addScan(scan, of: files.name, isHeldOut: isHeldOut)
    }

    private mutating func addScan(_ scan: Volume, of name: String, isHeldOut: Bool) {
        let bytes = scan.voxels.withUnsafeBytes { Data($0) }
        let key = sha256(bytes)
        guard let earlier = caseOfScan[key] else {
            caseOfScan[key] = (name, isHeldOut)
            return
        }
        let consequence =
            earlier.isHeldOut != isHeldOut
            ? ", and as one of them is held out, the accuracy will look better than it is" : ""
        doubles.append("Cases '\(earlier.name)' and '\(name)' are the same scan\(consequence).")
    }

    /// Notes to read before the training starts, one sentence each.
    var notes: [String] {
        var notes = doubles
        if !unnamedVoxels.isEmpty {
            let labels = unnamedVoxels.keys.sorted().map { label in
                "\(label) (\(unnamedVoxels[label] ?? 0) voxels in \(unnamedCases[label] ?? 0) cases)"
            }
            notes.append(
                "Labels that no row of '\(tablePath)' names become background: "
                    + "\(listed(labels, atMost: 8)).")
        }
        if let first = roundedCounts.first {
            let others = roundedCounts.count - 1
            notes.append(
                "'\(first.path)'\(others > 0 ? " and \(others) others" : "") hold labels that are "
                    + "off by rounding, in \(roundedCounts.reduce(0) { $0 + $1.count }) voxels.")
        }
        return notes
    }
}

/// The classes that a training learns, counted in its cases.
struct ClassCensus {
    private struct Row {
        let structure: Structure
        /// The number of cases that contain it.
        var caseCount = 0
        var voxelCount = 0
        var cubicMillimeters = 0.0
    }

    private let rows: [Row]
    private let caseCount: Int

    /// Counts the labels of cases to train on.
    init(of cases: [TrainingCase], table: LabelTable) {
        var rows = table.structures.map { Row(structure: $0) }
        for known in cases {
            let counts = known.reference.voxelCounts()
            let voxel = known.reference.grid.voxelVolumeCubicMillimeters
            for index in rows.indices {
                let count = counts[Int(rows[index].structure.index)]
                guard count > 0 else { continue }
                rows[index].caseCount += 1
                rows[index].voxelCount += count
                rows[index].cubicMillimeters += Double(count) * voxel
            }
        }
        self.rows = rows
        caseCount = cases.count
    }

    /// The counts as lines of text: voxels and volume of a case that holds the structure, as the mean.
    var lines: [String] {
        ["Classes, as means of the cases that hold them:"]
            + rows.map { row in
                let count = max(1, row.caseCount)
                return "  \(row.structure.index)\t\(row.structure.name)\t"
                    + "\(row.voxelCount / count) voxels, "
                    + "\(decimals(row.cubicMillimeters / Double(count) / 1000, 2)) ml, in "
                    + "\(row.caseCount) of \(caseCount) cases"
            }
    }

    /// Checks that each class occurs, and that none has a hundred times its usual volume.
    ///
    /// - Parameter tablePath: The table's file.
    /// - Throws: ``TrainingRunError`` with what is absurd.
    func check(tablePath: String) throws {
        let absent = rows.filter { $0.caseCount == 0 }.map {
            "\($0.structure.name) (\($0.structure.index))"
        }
        guard absent.isEmpty else {
            throw TrainingRunError(
                description: "no case to train on holds \(listed(absent, atMost: 5)); correct the "
                    + "column 'source' of '\(tablePath)', or remove the rows")
        }
        for row in rows {
            guard let usual = usualMilliliters(of: row.structure) else { continue }
            let volume = row.cubicMillimeters / Double(row.caseCount) / 1000
            guard volume > 100 * usual else { continue }
            throw TrainingRunError(
                description: "\(row.structure.name) (\(row.structure.index)) has "
                    + "\(decimals(volume, 1)) ml a case, more than a hundred times its usual "
                    + "\(decimals(usual, 1)) ml; correct the column 'source' of '\(tablePath)', or "
                    + "the unit of the label maps' headers")
        }
    }
}

/// The volume of a structure of FreeSurfer's in a healthy adult, of one side where it has two; `nil`
/// for other names.
///
/// Means over eight training maps of the Multi-Atlas Labelling Challenge, 2012; of what these lack
/// (inferior horns, accumbens), what the order of magnitude needs.
private func usualMilliliters(of structure: Structure) -> Double? {
    switch structure.nameWithoutSide {
    case "Cerebral-White-Matter": return 240
    case "Cerebral-Cortex": return 315
    case "Lateral-Ventricle": return 7
    case "Inf-Lat-Vent": return 0.7
    case "Cerebellum-White-Matter": return 16
    case "Cerebellum-Cortex": return 55
    case "Thalamus", "Thalamus-Proper": return 8.5
    case "Caudate": return 3.7
    case "Putamen": return 5
    case "Pallidum": return 1.6
    case "3rd-Ventricle": return 0.7
    case "4th-Ventricle": return 2
    case "Brain-Stem": return 19
    case "Hippocampus": return 3.7
    case "Amygdala": return 1
    case "Accumbens-area": return 0.5
    case "VentralDC": return 5.2
    default: return nil
    }
}

private func percent(_ fraction: Double) -> String { "\(decimals(fraction * 100, 0)) %" }
