/// An error that stops a training.
public struct TrainingError: Error, CustomStringConvertible {
    /// One sentence with a next step.
    public var description: String
}
