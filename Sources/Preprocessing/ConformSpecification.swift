public import Volumes

/// The space and intensities that a model was trained in.
public struct ConformSpecification: Sendable, Hashable, Codable {
    /// The orientation of the storage axes.
    public var orientation: Orientation
    /// Millimetres per voxel along each storage axis.
    public var spacingMillimeters: SIMD3<Double>
    /// The intensity normalization.
    public var intensity: IntensityRule
    /// The margin around the foreground, in voxels.
    public var marginVoxels: Int
    /// The interpolation of intensities between voxels.
    public var interpolation: Interpolation

    /// Makes a specification.
    ///
    /// - Precondition: the spacing is positive and the margin is not negative.
    public init(
        orientation: Orientation, spacingMillimeters: SIMD3<Double>, intensity: IntensityRule,
        marginVoxels: Int, interpolation: Interpolation = .linear
    ) {
        precondition(
            (0..<3).allSatisfy { spacingMillimeters[$0] > 0 && spacingMillimeters[$0].isFinite },
            "spacing \(spacingMillimeters) mm is not positive")
        precondition(marginVoxels >= 0, "a margin of \(marginVoxels) voxels")
        self.orientation = orientation
        self.spacingMillimeters = spacingMillimeters
        self.intensity = intensity
        self.marginVoxels = marginVoxels
        self.interpolation = interpolation
    }

    private enum CodingKeys: String, CodingKey {
        case orientation, spacingMillimeters, intensity, marginVoxels, interpolation
    }

    /// Decodes a specification and checks it.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let spacing = try container.decode(SIMD3<Double>.self, forKey: .spacingMillimeters)
        let margin = try container.decode(Int.self, forKey: .marginVoxels)
        guard (0..<3).allSatisfy({ spacing[$0] > 0 && spacing[$0].isFinite }) else {
            throw DecodingError.dataCorruptedError(
                forKey: .spacingMillimeters, in: container,
                debugDescription: "a spacing must be three positive numbers")
        }
        guard margin >= 0 else {
            throw DecodingError.dataCorruptedError(
                forKey: .marginVoxels, in: container,
                debugDescription: "a margin of \(margin) voxels is negative")
        }
        self.init(
            orientation: try container.decode(Orientation.self, forKey: .orientation),
            spacingMillimeters: spacing,
            intensity: try container.decode(IntensityRule.self, forKey: .intensity),
            marginVoxels: margin,
            interpolation: try container.decodeIfPresent(
                Interpolation.self, forKey: .interpolation) ?? .linear)
    }

    /// Encodes a specification; linear interpolation is left out.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(orientation, forKey: .orientation)
        try container.encode(spacingMillimeters, forKey: .spacingMillimeters)
        try container.encode(intensity, forKey: .intensity)
        try container.encode(marginVoxels, forKey: .marginVoxels)
        if interpolation != .linear { try container.encode(interpolation, forKey: .interpolation) }
    }
}
