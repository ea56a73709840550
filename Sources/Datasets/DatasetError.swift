/// An error in a folder of cases.
public struct DatasetError: Error, Hashable, CustomStringConvertible {
    /// One sentence with a next step.
    public var description: String

    /// Makes an error.
    public init(_ description: String) { self.description = description }
}
