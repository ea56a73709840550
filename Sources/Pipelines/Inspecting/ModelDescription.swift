import ModelBundles
import NeuralNetworks
import Reports
import SegmentationModels
import Tensors
import Volumes

/// Tells which models are shipped: structures, planes, licence, measured accuracy.
///
/// - Returns: Text for the terminal.
/// - Throws: Errors of a bundle that is damaged.
public func describeShippedModels() throws -> String {
    let names = ModelBundle.shippedNames()
    guard !names.isEmpty else {
        return "No model is shipped with this program; give segment-brain a folder with --model.\n"
    }
    var text = ""
    for name in names {
        let card = try ModelBundle.shipped(named: name).card
        text += """
            \(name)
              \(card.summary)
              \(answers(of: card))
              weights     \(card.licence.weights)
              data        \(card.licence.data)
              credit      \(card.licence.credit)

            """
        for record in card.accuracy {
            text +=
                "  accuracy    "
                + (record.metric == "accuracy" ? "" : "\(record.metric) ")
                + "\(decimals(record.mean, 3)) on "
                + "\(record.cases.count) cases of \(record.dataset) (\(record.notes))\n"
        }
        text += "\n"
    }
    return String(text.dropLast())
}

/// The answers of a model: structures in planes, or kinds of scans.
private func answers(of card: ModelCard) -> String {
    guard let classes = card.classification else {
        let planes = card.planes.map(\.plane.rawValue).joined(separator: ", ")
        return "structures  \(card.labels.structures.count)\n  planes      \(planes)"
    }
    return "classes     " + classes.kinds.joined(separator: ", ")
        + (classes.tellsOrientation ? "; the way the head lies" : "")
}

/// Tells a model's layers, shapes and parameters.
///
/// - Parameter name: A shipped model's name or a bundle's folder.
/// - Returns: Text for the terminal, a table for each plane.
/// - Throws: Errors of the bundle and of the engine.
public func describeModel(_ name: String) throws -> String {
    let bundle = try loadModel(name)
    let card = bundle.card
    var text = "\(card.name): \(card.summary)\n"
    for entry in card.planes {
        let network = try bundle.makeNetwork(for: entry.plane)
        text +=
            card.classification == nil
            ? "\n\(entry.plane.rawValue) plane, weight \(entry.aggregationWeight)\n"
            : "\nslices along all axes\n"
        text += parameterTable(network)
    }
    return text
}

/// A line for each parameter, and the totals.
private func parameterTable(_ network: SegmentationNetwork) -> String {
    let rows = network.namedParameters.map { name, parameter in
        (
            name: name,
            shape: parameter.value.shape.map(String.init).joined(separator: "x"),
            count: parameter.value.count, isTrainable: parameter.isTrainable
        )
    }
    var table = TerminalTable([
        .init("layer", .left), .init("shape", .left), .init("parameters"),
    ])
    for row in rows {
        table.append(
            [row.name, row.shape, String(row.count)], suffix: row.isTrainable ? "" : "not trained")
    }
    let trained = rows.filter(\.isTrainable)
    let recalibrating = trained.filter { $0.name.contains("recalibration") }
    func sum(_ rows: [(name: String, shape: String, count: Int, isTrainable: Bool)]) -> Int {
        rows.reduce(0) { $0 + $1.count }
    }
    table.append(["all that are trained", "", String(sum(trained))])
    table.append(["of these, recalibration blocks", "", String(sum(recalibrating))])
    return table.rendered()
}
