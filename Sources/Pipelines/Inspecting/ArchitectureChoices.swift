import SegmentationModels

/// An architecture as a command line names it; what is `nil` takes its default.
public struct ArchitectureChoices: Sendable, Hashable {
    /// The network's name, in any case of letters and with or without hyphens: `uNet`, `sdNet`,
    /// `denseNet`, `quicknat`, `residual`, or a published encoder such as `resnet-50`; `se-` before
    /// the latter adds SENet's blocks.
    public var family: String
    /// A Boolean value indicating whether the network is the encoder alone, as a classifier.
    public var isClassifier = false
    /// Classes, background included.
    public var classes = 28
    /// Channels of every block.
    public var channels: Int?
    /// Edge length of the kernels.
    public var kernel: Int?
    /// The number of poolings.
    public var depth: Int?
    /// Neighbouring slices that enter as channels.
    public var contextSlices: Int?
    /// The kind of recalibration, also by the short names `cse`, `sse`, `scse`, `se`, `sk`.
    public var recalibration: String?
    /// The kind where neither name nor option says one.
    public var usualRecalibration = "channelAndSpatial"
    /// The reduction ratio of cSE's hidden layer.
    public var reductionRatio: Int?
    /// A way in which scSE combines its halves.
    public var combination: String?
    /// The place of recalibration blocks.
    public var placement: String?
    /// The normalization of a U-Net.
    public var normalization: String?
    /// A U-Net's step to the finer level.
    public var upsampling: String?
    /// The decoder, where it is not the encoder's own.
    public var decoder: String?
    /// A U-Net's step to the coarser level.
    public var pooling: String?
    /// Step between the taps of kernels.
    public var dilation: Int?
    /// Groups of channels that are convolved apart.
    public var groups: Int?

    /// Makes choices with defaults for all but the family.
    public init(family: String) { self.family = family }

    /// The architecture, where the family was given by an option of this name.
    func architecture(
        familyOption: String = "--architecture"
    ) throws(UsageError) -> Architecture {
        let normalization = try choice(
            normalization ?? "none", among: Normalization.allCases, named: \.rawValue,
            "--normalization")
        let upsampling = try choice(
            upsampling ?? "bilinear", among: Upsampling.allCases, named: \.rawValue,
            "--upsampling")
        let pooling = try choice(
            pooling ?? "maximum", among: LevelPooling.allCases, named: \.rawValue, "--pooling")
        let (name, prefixed) = try splitName(familyOption)
        let encoder = try choice(
            name, among: EncoderKind.all(normalization: normalization, pooling: pooling),
            named: \.name, familyOption)
        let decoder =
            try (isClassifier ? DecoderKind.average.name : decoder).map {
                (name) throws(UsageError) in
                try choice(
                    name,
                    among: DecoderKind.all(normalization: normalization, upsampling: upsampling),
                    named: \.name, "--decoder")
            } ?? encoder.usualDecoder(normalization: normalization, upsampling: upsampling)
        let depth = max(0, min(depth ?? encoder.usualDepth, 99))
        var result = Architecture(
            encoder: encoder, decoder: decoder, classes: classes,
            widths: Array(repeating: channels ?? 64, count: encoder.widthCount(depth: depth)))
        if let kernel { result.kernel = kernel }
        if let contextSlices { result.contextSlices = contextSlices }
        if let dilation { result.dilation = dilation }
        if let groups { result.groups = groups }
        if Self.isQuickNAT(family) {
            result.dropout = 0.2
        }
        result.recalibration = try recalibrationKind(prefixed)
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

    /// The name without `se`, and whether it had one.
    private func splitName(_ option: String) throws(UsageError) -> (String, Bool) {
        let name = Self.plain(family)
        if Self.isQuickNAT(family) { return ("denseNet", false) }
        guard name.hasPrefix("se"),
            PublishedEncoder.allCases.contains(where: {
                Self.plain($0.rawValue) == name.dropFirst(2)
            })
        else { return (family, false) }
        return (String(name.dropFirst(2)), true)
    }

    private static func isQuickNAT(_ name: String) -> Bool { plain(name) == "quicknat" }

    private func recalibrationKind(_ isPrefixed: Bool) throws(UsageError) -> Recalibration {
        var usual = isPrefixed ? "se" : usualRecalibration
        var combination = combination
        if Self.isQuickNAT(family) {
            usual = "scse"
            combination = combination ?? "maximum"
        }
        let chosen = try choice(
            combination ?? "addition", among: Combination.allCases, named: \.rawValue,
            "--combination")
        return try choice(
            recalibration ?? usual,
            among: Recalibration.all(reductionRatio: reductionRatio, combination: chosen),
            named: \.name, "--recalibration")
    }

    /// The blocks as the papers write them.
    private static let longNames = [
        "cse": "channel", "sse": "spatial", "scse": "channelandspatial",
        "se": "squeezeandexcitation", "sk": "selectivekernel", "seratio": "expandedsqueeze",
    ]

    private static func plain(_ name: String) -> String {
        name.lowercased().filter { $0 != "-" && $0 != "_" }
    }

    private func choice<Value>(
        _ text: String, among known: [Value], named: (Value) -> String, _ option: String
    ) throws(UsageError) -> Value {
        let name = Self.longNames[Self.plain(text)] ?? Self.plain(text)
        guard let value = known.first(where: { Self.plain(named($0)) == name }) else {
            let names = known.map(named).joined(separator: ", ")
            throw UsageError("'\(text)' is unknown to \(option); choose from \(names)")
        }
        return value
    }
}
