import Files
import Foundation
import Reports
import Tensors
import Training
import Volumes

/// Writes `table.tsv`, `structures.tsv` and `table.html` of an experiment from what is finished.
///
/// Each network's values come from its `accuracy.tsv`: those of all planes together where there are
/// several.
func writeTable(of experiment: Experiment, data: String, outputDirectory: String) throws {
    var cases: [String] = []
    var structures: [String] = []
    let description = experiment.description
    var networks: [[NetworkTable.Measured?]] = description.families.map { _ in
        description.recalibrations.map { _ in nil }
    }
    for network in experiment.networks {
        let directory = outputDirectory + "/" + network.name
        let identity = try experimentIdentity(of: network.configuration, data: data)
        guard let record = FinishedNetwork(in: directory, identity: identity) else { continue }
        let accuracy = try AccuracyTable(path: directory + "/accuracy.tsv")
        if cases.isEmpty { (cases, structures) = (accuracy.cases, accuracy.structures) }
        guard accuracy.cases == cases, accuracy.structures == structures else {
            throw TrainingRunError(
                description: "'\(directory)/accuracy.tsv' holds other cases or structures than the "
                    + "networks before it; remove '\(directory)' and train the network again")
        }
        networks[network.family][network.recalibration] = .init(
            dice: accuracy.dice, parameters: record.parameters,
            trainingSeconds: record.trainingSeconds)
    }
    let shared = experiment.networks[0].configuration
    let table = NetworkTable(
        title: description.title, summary: description.summary,
        families: description.families.map(\.title),
        recalibrations: description.recalibrations.map(\.title), cases: cases,
        structures: structures, networks: networks,
        published: description.families.map { family in
            description.recalibrations.map { family.published?[$0.name] }
        },
        publishedSource: description.publishedSource ?? "",
        arePublishedChecked: description.arePublishedChecked ?? true,
        deviations: description.deviations,
        provenance: [
            ("Data", shared.cases.name ?? shared.name),
            ("Planes", shared.planes.map(\.plane.rawValue).joined(separator: ", ")),
            (
                "Budget",
                "\(shared.optimization.steps) batches of \(shared.optimization.batchSize) slices, "
                    + "\(shared.optimization.optimizer.rawValue), seed \(shared.optimization.seed)"
            ),
            (
                "Software",
                "SliceSeg \(softwareVersion), LibTorch \(try Engine.versionDescription())"
            ),
        ])
    try table.table.write(to: outputDirectory + "/table.tsv")
    try table.structureTable.write(to: outputDirectory + "/structures.tsv")
    try writeAtomically(table.page, to: outputDirectory + "/table.html")
}

/// The first view of a training's `accuracy.tsv`.
private struct AccuracyTable {
    /// The cases in the file's order.
    var cases: [String] = []
    /// The structures in the file's order.
    var structures: [String] = []
    /// The Dice coefficients by case and structure.
    var dice: [[Double?]] = []

    init(path: String) throws {
        let rows = TSVReader(try readText(path)).rows.map(\.fields)
        let view = rows.first?.first
        for row in rows where row.first == view {
            guard row.count == 5, row[4] == "n/a" || Double(row[4]) != nil else {
                throw TrainingRunError(
                    description: "'\(path)' is not a table of this program; remove it and train "
                        + "the network again")
            }
            if cases.last != row[1] {
                cases.append(row[1])
                dice.append([])
            }
            if cases.count == 1 { structures.append(row[3]) }
            dice[dice.count - 1].append(Double(row[4]))
        }
        guard dice.allSatisfy({ $0.count == structures.count }) else {
            throw TrainingRunError(
                description: "'\(path)' holds not every structure of every case; remove it and "
                    + "train the network again")
        }
    }
}
