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

/// Tells the layers, shapes and parameters of an architecture.
///
/// - Parameter choices: What the command line names.
/// - Returns: Text for the terminal.
/// - Throws: ``UsageError`` where no network can be built so; errors of the engine.
public func describeArchitecture(_ choices: ArchitectureChoices) throws -> String {
    parameterTable(try SegmentationNetwork(try choices.architecture()))
}

/// An architecture as a command line names it; what is `nil` takes its default.
public struct ArchitectureChoices: Sendable, Hashable {
    /// `uNet`, `sdNet` or `denseNet`, in any case of letters.
    public var family: String
    /// Classes, background included.
    public var classes = 28
    /// Channels of every block.
    public var channels: Int?
    /// Edge length of the kernels.
    public var kernel: Int?
    /// How many poolings.
    public var depth: Int?
    /// Neighbouring slices that enter as channels.
    public var contextSlices: Int?
    /// Which recalibration blocks it carries, also by their short names: `cse`, `sse`, `scse`.
    public var recalibration: String?
    /// How much narrower the hidden layer of cSE is.
    public var reductionRatio: Int?
    /// How scSE combines its halves.
    public var combination: String?
    /// Where recalibration blocks stand.
    public var placement: String?
    /// Whether a U-Net normalises.
    public var normalization: String?
    /// How a U-Net upsamples.
    public var upsampling: String?

    /// Makes choices with defaults for all but the family.
    public init(family: String) { self.family = family }

    /// The architecture, where the family was given by an option of this name.
    func architecture(
        familyOption: String = "--architecture"
    ) throws(UsageError) -> Architecture {
        let combination =
            try combination.map { (name) throws(UsageError) in
                try choice(name, among: Combination.allCases, named: \.rawValue, "--combination")
            } ?? .addition
        let normalization =
            try normalization.map { (name) throws(UsageError) in
                try choice(
                    name, among: Normalization.allCases, named: \.rawValue, "--normalization")
            } ?? .none
        let upsampling =
            try upsampling.map { (name) throws(UsageError) in
                try choice(name, among: Upsampling.allCases, named: \.rawValue, "--upsampling")
            } ?? .bilinear
        let encoder = try choice(
            family, among: EncoderKind.all(normalization: normalization), named: \.name,
            familyOption)
        var result = Architecture(
            encoder: encoder,
            decoder: encoder.usualDecoder(normalization: normalization, upsampling: upsampling),
            classes: classes,
            widths: Array(repeating: channels ?? 64, count: max(0, min(depth ?? 4, 99)) + 1))
        if let kernel { result.kernel = kernel }
        if let contextSlices { result.contextSlices = contextSlices }
        result.recalibration = try choice(
            recalibration ?? "channelAndSpatial",
            among: Recalibration.all(reductionRatio: reductionRatio, combination: combination),
            named: \.name, "--recalibration")
        if let placement {
            result.placement = try choice(
                placement, among: RecalibrationPlacement.allCases, named: \.rawValue,
                "--placement")
        }
        if let problem = result.problem {
            throw UsageError("no such network can be built: \(problem)")
        }
        return result
    }

    /// The blocks as the papers write them.
    private static let longNames = [
        "cse": "channel", "sse": "spatial", "scse": "channelandspatial",
    ]

    private func choice<Value>(
        _ text: String, among known: [Value], named: (Value) -> String, _ option: String
    ) throws(UsageError) -> Value {
        let lowercased = text.lowercased()
        let name = Self.longNames[lowercased] ?? lowercased
        guard let value = known.first(where: { named($0).lowercased() == name }) else {
            let names = known.map(named).joined(separator: ", ")
            throw UsageError("'\(text)' is unknown to \(option); choose from \(names)")
        }
        return value
    }
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
