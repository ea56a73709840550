import Foundation
public import Volumes

/// Looks for failed segmentations of a run without a reference.
///
/// Each structure of each scan is measured in several ways (``QualityMeasure``), and each measure is
/// divided by its threshold: its *severity*, at most ``ScanQuality/largestSeverity``. A severity
/// above 1 raises a flag. Less than ``QualityThresholds/leastVolumeCubicMillimeters`` raises none: thin
/// and tiny structures fall apart, differ and are disputed by a few voxels in good scans. Where a table names all structures of ``AdultVolume``, a scan is judged
/// alone too: the share of each structure in the whole, and the volume of the whole, against adults.
/// A segmentation that touches the edge of the field of view is cut off by it. A missing structure has the largest severity, and neither a z-score nor
/// a flag for asymmetry beside it; it does not enter the distribution of the others either.
///
/// Structures named `Left-…` and `Right-…` with the same ending are pairs.
///
/// > Note: A run that fails in the same way everywhere has ordinary z-scores. The other measures
/// > need no run. Children, and brains with large lesions, are no adults of the table.
///
/// - Parameters:
///   - scans: The run's scans.
///   - table: The structures that each one should hold.
///   - thresholds: From where on a measure is flagged.
/// - Returns: The scans by falling score; equal ones by name.
/// - Precondition: each scan measures each structure of the table once; volumes are finite and
///   not negative, fractions and disagreements lie in `0...1`.
public func qualityControl(
    of scans: [QualityInput], table: LabelTable, thresholds: QualityThresholds = .standard
) -> [ScanQuality] {
    let structures = scans.map { $0.structures(of: table) }
    let scored = withZScores(structures, thresholds: thresholds)
    let pairs = table.sidePairs
    return zip(scans, scored).map { scan, structures in
        ScanQuality(
            name: scan.name, structures: structures, pairs: pairs,
            edgeContacts: scan.edgeContacts, thresholds: thresholds)
    }.sorted { $0.score == $1.score ? $0.name < $1.name : $0.score > $1.score }
}

extension QualityInput {
    /// The measurements in the order of a table, without z-scores and asymmetries.
    fileprivate func structures(of table: LabelTable) -> [ScanQuality.Structure] {
        let byLabel = Dictionary(grouping: measurements, by: \.label)
        let structures = table.structures.map { structure -> ScanQuality.Structure in
            guard let found = byLabel[structure.index], found.count == 1 else {
                preconditionFailure(
                    "'\(name)' measures '\(structure.name)' \(byLabel[structure.index]?.count ?? 0)"
                        + " times")
            }
            let volume = found[0].volumeCubicMillimeters
            precondition(volume.isFinite && volume >= 0, "a volume of \(volume) mm3")
            for share in [found[0].fractionOutsideLargest, found[0].planeDisagreement ?? 0] {
                precondition((0...1).contains(share), "a share of \(share)")
            }
            return ScanQuality.Structure(
                label: structure.index, name: structure.name, volumeCubicMillimeters: volume,
                volumeZScore: nil, asymmetry: nil, fragmentCount: found[0].fragmentCount,
                fractionOutsideLargest: found[0].fractionOutsideLargest,
                planeDisagreement: found[0].planeDisagreement,
                meanProbability: found[0].meanProbability, isCut: found[0].edgeVoxelCount > 0)
        }
        return AdultVolume.isJudged(by: structures.map(\.name))
            ? withAdultDeviations(structures) : structures
    }

    /// Adds each structure's share of the volume of those that the adults' table names.
    private func withAdultDeviations(
        _ structures: [ScanQuality.Structure]
    ) -> [ScanQuality.Structure] {
        let total = structures.reduce(0) {
            $0 + (AdultVolume.named($1.name) == nil ? 0 : $1.volumeCubicMillimeters)
        }
        guard total > 0 else { return structures }
        return structures.map { structure in
            var structure = structure
            guard let adult = AdultVolume.named(structure.name),
                structure.volumeCubicMillimeters > 0
            else { return structure }
            let share = structure.volumeCubicMillimeters / total
            structure.labelledShare = share
            structure.adultDeviation = adult.deviation(ofShare: share)
            return structure
        }
    }
}

private func withZScores(
    _ scans: [[ScanQuality.Structure]], thresholds: QualityThresholds
) -> [[ScanQuality.Structure]] {
    var scans = scans
    for position in (scans.first ?? []).indices {
        let holding = scans.indices.filter { scans[$0][position].volumeCubicMillimeters > 0 }
        guard holding.count >= thresholds.scansForZScores else { continue }
        // Volumes spread by factors, those of ventricles above all.
        let scores = robustZScores(
            of: holding.map { log(scans[$0][position].volumeCubicMillimeters) },
            leastSpread: QualityThresholds.leastVolumeSpread)
        for (scan, score) in zip(holding, scores) { scans[scan][position].volumeZScore = score }
    }
    return scans
}

extension ScanQuality {
    fileprivate init(
        name: String, structures: [Structure], pairs: [LabelTable.SidePair],
        edgeContacts: [EdgeContact], thresholds: QualityThresholds
    ) {
        self.name = name
        self.structures = structures
        self.edgeContacts = edgeContacts
        totalVolumeCubicMillimeters = structures.reduce(0) { $0 + $1.volumeCubicMillimeters }
        var found: [QualityFlag] = []
        if AdultVolume.isJudged(by: structures.map(\.name)) {
            found.append(.totalVolume(of: structures))
        }
        if let contact = edgeContacts.max(by: { $0.fraction < $1.fraction }) {
            found.append(
                .cut(contact, count: structures.count(where: \.isCut), thresholds: thresholds))
        }
        for pair in pairs {
            let left = structures[pair.left].volumeCubicMillimeters
            let right = structures[pair.right].volumeCubicMillimeters
            guard left + right > 0 else { continue }
            let asymmetry = (left - right) / (left + right)
            self.structures[pair.left].asymmetry = asymmetry
            self.structures[pair.right].asymmetry = asymmetry
            // A missing side has a flag of its own.
            guard left > 0 && right > 0 else { continue }
            found.append(
                QualityFlag(
                    .asymmetry, of: structures[pair.left], value: asymmetry,
                    threshold: thresholds.asymmetry, cubicMillimeters: abs(left - right),
                    reason: "\(pair.name): \(rounded(left)) mm3 on the left and "
                        + "\(rounded(right)) mm3 on the right"))
        }
        for structure in structures {
            found += structure.candidates(thresholds: thresholds)
        }
        flags = found.filter { $0.severity > 1 }.enumerated().sorted { first, second in
            first.element.severity == second.element.severity
                ? first.offset < second.offset : first.element.severity > second.element.severity
        }.map(\.element)
        score =
            flags.isEmpty
            ? found.map(\.severity).max() ?? 0 : flags.reduce(0) { $0 + $1.severity }
    }
}

extension ScanQuality.Structure {
    /// The structure's own measures as flags, whatever their severity.
    fileprivate func candidates(thresholds: QualityThresholds) -> [QualityFlag] {
        guard volumeCubicMillimeters > 0 else {
            return [
                QualityFlag(
                    measure: .missing, label: label, value: 0,
                    severity: ScanQuality.largestSeverity, reason: "\(name) is missing")
            ]
        }
        var found = [
            QualityFlag(
                .fragments, of: self, value: fractionOutsideLargest,
                threshold: thresholds.fractionOutsideLargest,
                cubicMillimeters: fractionOutsideLargest * volumeCubicMillimeters,
                reason: "\(name): \(rounded(100 * fractionOutsideLargest)) % of the voxels lie "
                    + "apart, in \(fragmentCount) fragments in all")
        ]
        if let volumeZScore {
            found.append(
                QualityFlag(
                    .volume, of: self, value: volumeZScore, threshold: thresholds.volumeZScore,
                    reason: "\(name): \(rounded(volumeCubicMillimeters)) mm3, "
                        + "\(rounded(abs(volumeZScore))) robust standard deviations "
                        + "\(volumeZScore < 0 ? "below" : "above") the run's median"))
        }
        if let labelledShare, let adultDeviation, let adult = AdultVolume.named(name) {
            found.append(
                QualityFlag(
                    .adultVolume, of: self, value: adultDeviation,
                    threshold: thresholds.adultDeviation,
                    cubicMillimeters: abs(1 - exp(adult.meanLogarithm) / labelledShare)
                        * volumeCubicMillimeters,
                    reason: "\(name): \(percent(labelledShare)) of the labelled volume; "
                        + "\(AdultVolume.adultCount) adults have "
                        + "\(percent(adult.shareRange.lowerBound)) to "
                        + percent(adult.shareRange.upperBound)))
        }
        if let planeDisagreement {
            found.append(
                QualityFlag(
                    .planeDisagreement, of: self, value: planeDisagreement,
                    threshold: thresholds.planeDisagreement,
                    cubicMillimeters: planeDisagreement * volumeCubicMillimeters,
                    reason: "\(name): the planes disagree by \(rounded(100 * planeDisagreement)) "
                        + "%"))
        }
        return found
    }
}

extension QualityFlag {
    fileprivate init(
        _ measure: QualityMeasure, of structure: ScanQuality.Structure, value: Double,
        threshold: Double, cubicMillimeters: Double = .infinity, reason: String
    ) {
        self.init(
            measure: measure, label: structure.label, value: value,
            severity: min(
                abs(value) / threshold,
                cubicMillimeters / QualityThresholds.leastVolumeCubicMillimeters,
                ScanQuality.largestSeverity), reason: reason)
    }

    /// The volume of the structures that the adults' table names; its severity grows with the
    /// logarithm of the factor to the nearest adult.
    fileprivate static func totalVolume(of structures: [ScanQuality.Structure]) -> QualityFlag {
        let total = structures.reduce(0) {
            $0 + (AdultVolume.named($1.name) == nil ? 0 : $1.volumeCubicMillimeters)
        }
        let range = AdultVolume.totalRangeCubicMillimeters
        let factor = max(total / range.upperBound, range.lowerBound / max(total, 1), 1)
        return QualityFlag(
            measure: .totalVolume, label: 0, value: total,
            severity: min(
                log(factor) / log(QualityThresholds.totalVolumeFactor), ScanQuality.largestSeverity),
            reason:
                "\(rounded(total / 1000)) mL are labelled; \(AdultVolume.adultCount) adults have "
                + "\(rounded(range.lowerBound / 1000)) to \(rounded(range.upperBound / 1000)) mL")
    }

    fileprivate static func cut(
        _ contact: EdgeContact, count: Int, thresholds: QualityThresholds
    ) -> QualityFlag {
        QualityFlag(
            measure: .cut, label: 0, value: contact.fraction,
            severity: min(
                contact.fraction / thresholds.edgeFraction, ScanQuality.largestSeverity),
            reason: "the \(contact.side.rawValue) edge of the field of view cuts the brain: "
                + "\(count) \(count == 1 ? "structure touches" : "structures touch") an edge")
    }
}

/// A share in percent, with two digits that count.
private func percent(_ share: Double) -> String { String(format: "%.2g %%", 100 * share) }

/// A positive number for people: one decimal below 100, none above.
private func rounded(_ value: Double) -> String {
    guard value >= 100 else { return "\((value * 10).rounded() / 10)" }
    return value < 1e15 ? "\(Int(value.rounded()))" : "\(value)"
}
