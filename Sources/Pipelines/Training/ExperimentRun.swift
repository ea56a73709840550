import Datasets
import Files
import Foundation
import Tensors
import Training
import Volumes

/// Trains the networks of an experiment one after the other, each in a folder of its own, and
/// writes the table after each.
///
/// With `resume`, networks that are finished are left alone, and one that was broken off goes on
/// from its checkpoint. Several processes may share a folder as long as `only` gives each network
/// to one of them; the last to end writes the whole table.
func runExperiment(
    _ experiment: Experiment, mapping: LabelMapping, data: String, cases: LazyCases,
    outputDirectory: String, resume: Bool, overwrites: Bool, device: Device, only: [String],
    report: @escaping @Sendable (String) -> Void
) throws {
    try FileManager.default.createDirectory(
        atPath: outputDirectory, withIntermediateDirectories: true)
    for network in experiment.networks where only.isEmpty || only.contains(network.name) {
        let directory = outputDirectory + "/" + network.name
        let identity = try experimentIdentity(of: network.configuration, data: data)
        if resume, FinishedNetwork(in: directory, identity: identity) != nil {
            report("\(network.name) is finished.")
            continue
        }
        report("\(network.name):")
        let model = try trainModel(
            network.configuration, text: network.text, mapping: mapping, data: data, cases: cases,
            outputDirectory: directory, resume: resume, overwrites: overwrites, device: device
        ) { report("\(network.name)  \($0)") }
        guard let accuracy = contentHash(ofFileAt: directory + "/accuracy.tsv") else {
            throw TrainingRunError(
                description: "'\(experiment.path)' holds out no case, so that nothing can be "
                    + "compared; name some in 'cases.validation'")
        }
        try FinishedNetwork(identity: identity, accuracySHA256: accuracy, model: model)
            .write(in: directory)
        try writeTable(of: experiment, data: data, outputDirectory: outputDirectory)
    }
    try writeTable(of: experiment, data: data, outputDirectory: outputDirectory)
    report("Wrote '\(outputDirectory)/table.html'.")
}
