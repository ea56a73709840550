/// The options of a file, one beside the other: what an architecture is decoded from and encoded to.
///
/// Options that mean nothing to an encoder, a decoder or a recalibration are read over, as the
/// networks of an experiment share their other options.
extension Architecture: Codable {
    private enum Key: String, CodingKey, CaseIterable {
        case family, decoder, classes, channels, kernel, depth, widths, contextSlices
        case recalibration, reductionRatio, combination, placement, normalization, upsampling
        case dropout, pooling, dilation, groups, hasBiases, selectiveKernel
    }

    /// The names of the options.
    public static let optionNames = Key.allCases.map(\.rawValue)

    /// Decodes an architecture; what is left out takes its default, except the family.
    ///
    /// A file may leave out the classes where a label table gives them; they are 2 until set.
    public init(from coder: any Decoder) throws {
        let container = try coder.container(keyedBy: Key.self)
        func value<Value: Decodable>(_ key: Key, default standard: Value) throws -> Value {
            try container.decodeIfPresent(Value.self, forKey: key) ?? standard
        }
        func choice<Value>(
            _ key: Key, _ name: String, among known: [Value], named: (Value) -> String
        ) throws -> Value {
            if let choice = known.first(where: { named($0) == name }) { return choice }
            throw DecodingError.dataCorruptedError(
                forKey: key, in: container,
                debugDescription: "'\(name)' is unknown; choose from "
                    + known.map(named).joined(separator: ", "))
        }
        let normalization = try value(.normalization, default: Normalization.none)
        let upsampling = try value(.upsampling, default: Upsampling.bilinear)
        encoder = try choice(
            .family, try container.decode(String.self, forKey: .family),
            among: EncoderKind.all(
                normalization: normalization,
                pooling: try value(.pooling, default: .maximum)), named: \.name)
        decoder = encoder.usualDecoder(normalization: normalization, upsampling: upsampling)
        if let name = try container.decodeIfPresent(String.self, forKey: .decoder) {
            decoder = try choice(
                .decoder, name,
                among: DecoderKind.all(normalization: normalization, upsampling: upsampling),
                named: \.name)
        }
        if let widths = try container.decodeIfPresent([Int].self, forKey: .widths) {
            self.widths = widths
        } else {
            let depth = try value(.depth, default: encoder.usualDepth)
            // A depth that cannot be stays one: it is refused below.
            widths = Array(
                repeating: try value(.channels, default: 64),
                count: encoder.widthCount(depth: max(0, min(depth, 99))))
        }
        let ratio = try container.decodeIfPresent(Int.self, forKey: .reductionRatio)
        recalibration = try choice(
            .recalibration, try value(.recalibration, default: "channelAndSpatial"),
            among: Recalibration.all(
                reductionRatio: ratio, combination: try value(.combination, default: .addition),
                hasBiases: try value(.hasBiases, default: true),
                selectiveKernel: try value(.selectiveKernel, default: SelectiveKernel())),
            named: \.name)
        classes = try value(.classes, default: 2)
        kernel = try value(.kernel, default: 5)
        contextSlices = try value(.contextSlices, default: 1)
        placement = try value(.placement, default: .endOfBlock)
        dropout = try value(.dropout, default: 0)
        dilation = try value(.dilation, default: 1)
        groups = try value(.groups, default: 1)
        if let problem {
            throw DecodingError.dataCorrupted(
                .init(codingPath: coder.codingPath, debugDescription: problem))
        }
    }

    /// Encodes every option that cards have always held, and those that differ from their defaults.
    ///
    /// The identity of a model is a hash of its card, so an architecture has one text.
    public func encode(to coder: any Encoder) throws {
        var container = coder.container(keyedBy: Key.self)
        var normalization = Normalization.none
        var upsampling = Upsampling.bilinear
        if case .uNet(let chosen, _) = encoder { normalization = chosen }
        if case .uNet(let chosen, let step) = decoder {
            (normalization, upsampling) = (chosen, step)
        }
        try container.encode(encoder.name, forKey: .family)
        let usual = encoder.usualDecoder(normalization: normalization, upsampling: upsampling)
        if decoder != usual { try container.encode(decoder.name, forKey: .decoder) }
        if let width = widths.first, widths.allSatisfy({ $0 == width }) {
            try container.encode(width, forKey: .channels)
            try container.encode(depth, forKey: .depth)
        } else {
            try container.encode(widths, forKey: .widths)
        }
        var combination = Combination.addition
        if case .channelAndSpatial(_, let chosen) = recalibration { combination = chosen }
        try container.encode(recalibration.name, forKey: .recalibration)
        try container.encode(recalibration.reductionRatio ?? 2, forKey: .reductionRatio)
        try container.encode(combination, forKey: .combination)
        try container.encode(classes, forKey: .classes)
        try container.encode(kernel, forKey: .kernel)
        try container.encode(contextSlices, forKey: .contextSlices)
        try container.encode(placement, forKey: .placement)
        try container.encode(normalization, forKey: .normalization)
        try container.encode(upsampling, forKey: .upsampling)
        try container.encode(dropout, forKey: .dropout)
        if encoder.pooling != .maximum { try container.encode(encoder.pooling, forKey: .pooling) }
        if dilation != 1 { try container.encode(dilation, forKey: .dilation) }
        if groups != 1 { try container.encode(groups, forKey: .groups) }
        if case .squeezeAndExcitation(_, false) = recalibration {
            try container.encode(false, forKey: .hasBiases)
        }
        if case .selectiveKernel(let options) = recalibration {
            try container.encode(options, forKey: .selectiveKernel)
        }
    }
}

extension EncoderKind {
    /// Every encoder.
    public static func all(
        normalization: Normalization = .none, pooling: LevelPooling = .maximum
    ) -> [EncoderKind] {
        [
            .uNet(normalization: normalization, pooling: pooling), .sdNet, .denseNet,
            .residual(pooling: pooling),
        ] + PublishedEncoder.allCases.map { .published($0) }
    }

    /// The step from one level to the coarser one.
    public var pooling: LevelPooling {
        switch self {
        case .uNet(_, let pooling), .residual(let pooling): pooling
        case .sdNet, .denseNet, .published: .maximum
        }
    }

    /// The number of poolings where none is given.
    public var usualDepth: Int {
        if case .published(let kind) = self { return kind.levelCount }
        return 4
    }

    /// The number of widths for a number of poolings.
    public func widthCount(depth: Int) -> Int {
        if case .published = self { return depth }
        return depth + 1
    }

    /// The encoder's name in files, such as `uNet`.
    public var name: String {
        switch self {
        case .uNet: "uNet"
        case .sdNet: "sdNet"
        case .denseNet: "denseNet"
        case .residual: "residual"
        case .published(let kind): kind.rawValue
        }
    }

    /// The decoder that it has where none is named.
    public func usualDecoder(
        normalization: Normalization = .none, upsampling: Upsampling = .bilinear
    ) -> DecoderKind {
        switch self {
        case .uNet(let normalization, _):
            .uNet(normalization: normalization, upsampling: upsampling)
        case .sdNet: .sdNet
        case .denseNet: .denseNet
        case .residual, .published: .uNet(normalization: normalization, upsampling: upsampling)
        }
    }
}

extension DecoderKind {
    /// Every decoder.
    public static func all(
        normalization: Normalization = .none, upsampling: Upsampling = .bilinear
    ) -> [DecoderKind] {
        [.uNet(normalization: normalization, upsampling: upsampling), .sdNet, .denseNet, .average]
    }

    /// The decoder's name in files, such as `uNet`.
    public var name: String {
        switch self {
        case .uNet: "uNet"
        case .sdNet: "sdNet"
        case .denseNet: "denseNet"
        case .average: "average"
        }
    }
}

extension Recalibration {
    /// Every kind with some options; a ratio of `nil` is each kind's own default.
    public static func all(
        reductionRatio: Int? = nil, combination: Combination = .addition, hasBiases: Bool = true,
        selectiveKernel: SelectiveKernel = SelectiveKernel()
    ) -> [Recalibration] {
        [
            .none, .channel(reductionRatio: reductionRatio ?? 2), .spatial,
            .channelAndSpatial(reductionRatio: reductionRatio ?? 2, combination: combination),
            .squeezeAndExcitation(reductionRatio: reductionRatio ?? 16, hasBiases: hasBiases),
            .expandedSqueeze(ratio: reductionRatio ?? 2), .selectiveKernel(selectiveKernel),
        ]
    }
}
