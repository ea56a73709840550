import Foundation

/// The memory that a process may hold while it segments a scan.
public struct MemoryBudget: Sendable, Hashable {
    /// The most bytes that the process may hold, the model's included.
    public var limitBytes: Int

    /// Makes a budget.
    public init(limitBytes: Int) { self.limitBytes = limitBytes }

    /// The bytes that the process holds now, or `nil` where the system does not tell.
    public static func residentBytes() -> Int? {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else {
            return nil
        }
        let numbers = text.split(separator: " ").compactMap { Int($0) }
        return numbers.count > 1 ? numbers[1] * Int(sysconf(Int32(_SC_PAGESIZE))) : nil
    }

    /// The bytes that are left.
    var freeBytes: Int { limitBytes - (Self.residentBytes() ?? 0) }

    /// Checks that a stage fits.
    ///
    /// - Parameters:
    ///   - bytes: The bytes that it needs beside those that are held.
    ///   - stage: Its name.
    /// - Throws: ``MemoryLimitError``.
    func reserve(_ bytes: Int, for stage: String) throws(MemoryLimitError) {
        let free = freeBytes
        guard bytes > free else { return }
        throw MemoryLimitError(
            stage: stage, neededBytes: limitBytes - free + bytes, limitBytes: limitBytes)
    }
}

/// Tells that a scan does not fit into the memory that is allowed.
public struct MemoryLimitError: Error, Hashable, CustomStringConvertible {
    /// The stage that does not fit.
    public var stage: String
    /// The bytes that the process would hold.
    public var neededBytes: Int
    /// The bytes that it may hold.
    public var limitBytes: Int

    /// Makes an error.
    public init(stage: String, neededBytes: Int, limitBytes: Int) {
        self.stage = stage
        self.neededBytes = neededBytes
        self.limitBytes = limitBytes
    }

    /// One sentence with a next step.
    public var description: String {
        "\(stage) needs about \(megabytes(neededBytes)) MB where \(megabytes(limitBytes)) MB are "
            + "allowed; raise --max-memory, use fewer planes, or resample the scan to larger voxels"
    }

    private func megabytes(_ bytes: Int) -> Int { (max(0, bytes) + 999_999) / 1_000_000 }
}
