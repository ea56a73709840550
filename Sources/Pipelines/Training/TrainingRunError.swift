/// An error in a training configuration.
public struct TrainingRunError: Error, CustomStringConvertible {
    /// One sentence with a next step.
    public var description: String
}
