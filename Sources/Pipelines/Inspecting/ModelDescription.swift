import ModelBundles
import NeuralNetworks
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
        let planes = card.planes.map(\.plane.rawValue).joined(separator: ", ")
        text += """
            \(name)
              \(card.summary)
              structures  \(card.labels.structures.count)
              planes      \(planes)
              weights     \(card.licence.weights)
              data        \(card.licence.data)
              credit      \(card.licence.credit)

            """
        for record in card.accuracy {
            text +=
                "  accuracy    \(record.metric) \(decimals(record.mean, 3)) on "
                + "\(record.cases.count) cases of \(record.dataset) (\(record.notes))\n"
        }
        text += "\n"
    }
    return String(text.dropLast())
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
        text += "\n\(entry.plane.rawValue) plane, weight \(entry.aggregationWeight)\n"
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
    let nameWidth = rows.map(\.name.count).max() ?? 0
    let shapeWidth = max(5, rows.map(\.shape.count).max() ?? 0)
    func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
    func number(_ value: Int) -> String {
        let digits = String(value)
        return String(repeating: " ", count: max(0, 10 - digits.count)) + digits
    }
    var text = pad("layer", nameWidth) + "  " + pad("shape", shapeWidth) + "  parameters\n"
    for row in rows {
        text +=
            pad(row.name, nameWidth) + "  " + pad(row.shape, shapeWidth) + "  "
            + number(row.count) + (row.isTrainable ? "" : "  not trained") + "\n"
    }
    let trained = rows.filter(\.isTrainable)
    let recalibrating = trained.filter { $0.name.contains("recalibration") }
    func sum(_ rows: [(name: String, shape: String, count: Int, isTrainable: Bool)]) -> Int {
        rows.reduce(0) { $0 + $1.count }
    }
    let width = nameWidth + shapeWidth + 2
    text += pad("all that are trained", width) + "  " + number(sum(trained)) + "\n"
    text += pad("of these, recalibration blocks", width) + "  " + number(sum(recalibrating)) + "\n"
    return text
}
