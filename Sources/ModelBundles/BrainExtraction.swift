/// The model that extracts the brain before segmentation, and the margin around the brain that is
/// segmented.
public struct BrainExtraction: Sendable, Hashable, Codable {
    /// The name of a shipped model that labels the brain, or a model's folder.
    public var model: String
    /// Voxels farther from the brain than this are nothing to the networks.
    public var dilationMillimeters: Double

    /// Makes a request.
    public init(model: String, dilationMillimeters: Double) {
        self.model = model
        self.dilationMillimeters = dilationMillimeters
    }

    /// The problem as part of a sentence, or `nil` if it is valid.
    var problem: String? {
        if model.isEmpty { return "names no model that finds the brain" }
        guard dilationMillimeters >= 0, dilationMillimeters <= 50 else {
            return "has a dilation of \(dilationMillimeters) mm around the brain; 0 to 50 can be"
        }
        return nil
    }
}
