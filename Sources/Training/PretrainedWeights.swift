import Foundation
public import Inference
public import ModelBundles
import NeuralNetworks
package import SegmentationModels
import Tensors
public import Volumes

/// The weights of a trained model, for another training to begin with.
///
/// All layers are taken over but the classifier, whose outputs are matched by the names of their
/// structures: a structure that the model does not know begins with random weights.
public struct PretrainedWeights {
    /// The name of the model, for people.
    public let name: String
    /// The name of the weights in the identity of the training that begins with them.
    public let identity: String
    private let place: String
    private let sources: [Source]

    private struct Source {
        var plane: Plane
        var outputs: [Set<String>]
        var network: () throws -> SegmentationNetwork
    }

    /// Takes a model's weights.
    public init(_ bundle: ModelBundle) {
        let table = bundle.card.labels
        name = bundle.card.name
        identity = bundle.identity
        place = "the model card in '\(bundle.directory)'"
        sources = bundle.card.planes.map { entry in
            Source(
                plane: entry.plane,
                outputs: outputNames(
                    Inference.outputOfClass(
                        entry.outputClasses, classCount: table.classCount), table),
                network: { try bundle.makeNetwork(for: entry.plane) })
        }
    }

    /// Takes the weights of another plane of the same training.
    ///
    /// - Parameters:
    ///   - network: The trained network of the plane.
    ///   - table: The structures.
    ///   - name: The name of the model that is trained.
    public init(_ network: PlaneNetwork, table: LabelTable, name: String) {
        self.name = name
        identity = network.plane.rawValue
        place = "the \(network.plane.rawValue) plane"
        sources = [
            Source(
                plane: network.plane, outputs: outputNames(network.outputOfClass, table),
                network: { network.network })
        ]
    }

    /// A record of what was taken over.
    public struct Transfer: Sendable, Hashable {
        /// The plane of the network that the weights were of.
        public var plane: Plane
        /// The names of the outputs that the model does not know.
        public var newOutputs: [String]
    }

    /// Copies the weights into a network of another training.
    ///
    /// - Parameters:
    ///   - network: The network.
    ///   - plane: Its plane; where the model has no network for it, that of its first plane serves.
    ///   - outputOfClass: For each class the output that stands for it.
    ///   - table: The structures.
    /// - Returns: What was taken over.
    /// - Throws: ``TrainingError`` where the two networks differ in more than their outputs; what
    ///   reading the model throws.
    package func copy(
        into network: SegmentationNetwork, plane: Plane, outputOfClass: [Int], table: LabelTable
    ) throws -> Transfer {
        guard let source = sources.first(where: { $0.plane == plane }) ?? sources.first else {
            throw TrainingError(description: "'\(name)' has no network; choose another model")
        }
        let known = try source.network().namedParameters
        let wanted = network.namedParameters
        let valueOfName = Dictionary(
            uniqueKeysWithValues: known.map { ($0.name, $0.parameter.value) })
        try checkFit(wanted.map { ($0.name, $0.parameter.value.shape) }, valueOfName)

        let sources = source.outputs
        let targets = outputNames(outputOfClass, table)
        let matches = targets.map { names in
            sources.indices.filter { !sources[$0].isDisjoint(with: names) }
        }
        try withoutGradients {
            for (name, parameter) in wanted {
                guard let value = valueOfName[name] else { continue }
                guard isOfClassifier(name) else {
                    try parameter.value.copyInPlace(from: value)
                    continue
                }
                let own: [Float] = try parameter.value.elements()
                let theirs: [Float] = try value.elements()
                let values = rows(own, count: targets.count).enumerated().flatMap { output, row in
                    mean(of: matches[output].map { rows(theirs, count: sources.count)[$0] }) ?? row
                }
                try parameter.value.copyInPlace(
                    from: Tensor(values, shape: parameter.value.shape))
            }
        }
        return Transfer(
            plane: source.plane,
            newOutputs: zip(targets, matches).filter(\.1.isEmpty).compactMap { $0.0.sorted().first }
        )
    }

    /// Throws where the two networks differ in more than their outputs.
    private func checkFit(
        _ wanted: [(name: String, shape: [Int])], _ known: [String: Tensor]
    ) throws {
        let names = Set(wanted.map(\.name))
        var difference =
            wanted.first { known[$0.name] == nil }.map { "lacks '\($0.name)'" }
            ?? known.keys.sorted().first { !names.contains($0) }.map { "has '\($0)' as well" }
        for (name, shape) in wanted {
            guard difference == nil, let theirs = known[name]?.shape, theirs != shape else {
                continue
            }
            if isOfClassifier(name), theirs.dropFirst() == shape.dropFirst() { continue }
            difference = "has '\(name)' in shape \(theirs), not \(shape)"
        }
        guard let difference else { return }
        throw TrainingError(
            description: "the network of '\(name)' is another than the configuration's: it "
                + "\(difference); give the configuration the architecture of \(place)")
    }
}

/// Returns whether a tensor is of the last layer, which has a row for each output.
private func isOfClassifier(_ name: String) -> Bool { name.hasPrefix("classifier.") }

/// The names of the structures that each output stands for, `background` among them.
private func outputNames(_ outputOfClass: [Int], _ table: LabelTable) -> [Set<String>] {
    var names = [Set<String>](repeating: [], count: (outputOfClass.max() ?? 0) + 1)
    for (member, output) in outputOfClass.enumerated() {
        names[output].insert(member == 0 ? "background" : table.structures[member - 1].name)
    }
    return names
}

/// The rows of a matrix.
private func rows(_ values: [Float], count: Int) -> [ArraySlice<Float>] {
    let width = values.count / count
    return (0..<count).map { values[($0 * width)..<(($0 + 1) * width)] }
}

/// The mean of rows, or `nil` where there is none.
private func mean(of rows: [ArraySlice<Float>]) -> ArraySlice<Float>? {
    guard var sum = rows.first.map(Array.init) else { return nil }
    for row in rows.dropFirst() {
        for (place, value) in row.enumerated() { sum[place] += value }
    }
    return ArraySlice(sum.map { $0 / Float(rows.count) })
}
