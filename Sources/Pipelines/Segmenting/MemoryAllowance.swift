import Inference

/// The memory that a run may take.
public struct MemoryAllowance: Sendable, Codable, Hashable {
    /// The bytes.
    public var bytes = 1_500_000_000
    /// A Boolean value indicating whether the model and the engine count, too; otherwise it is the memory of scans beside them.
    public var includesModel = false

    /// Makes the default: 1.5 GB beside the model.
    public init() {}

    /// Reads an allowance as a command line has it.
    ///
    /// - Parameters:
    ///   - text: Such as `1.5G` or `800M`, in powers of 1000.
    ///   - option: The option, for the error.
    /// - Throws: ``UsageError`` where it is another text or less than 50 MB.
    public init(parsing text: String, option: String) throws(UsageError) {
        let factor: Double? =
            switch text.last?.uppercased() {
            case "G": 1e9
            case "M": 1e6
            default: nil
            }
        guard let factor, let number = Double(text.dropLast()), number.isFinite,
            number * factor >= 50e6, number * factor < 1e15
        else {
            throw UsageError(
                "\(option) must be such as 1.5G or 800M, at least 50M, not '\(text)'")
        }
        bytes = Int(number * factor)
    }

    /// The budget of a process.
    ///
    /// - Parameter held: The bytes that it holds with the model and before the first scan.
    /// - Returns: The budget.
    func budget(holding held: Int) -> MemoryBudget {
        MemoryBudget(limitBytes: includesModel ? bytes : held + bytes)
    }

    /// The bytes that scans may take.
    func bytesForScans(holding held: Int) -> Int {
        includesModel ? max(0, bytes - held) : bytes
    }
}
