import Foundation

/// Files that a reader takes together, such as a header and its image; the first one is damaged.
public struct FuzzInput: Sendable {
    /// The files' names and contents.
    public var files: [(name: String, bytes: [UInt8])]

    /// Makes an input of one file.
    public init(name: String, bytes: [UInt8]) { files = [(name, bytes)] }

    /// Makes an input of several files.
    public init(files: [(name: String, bytes: [UInt8])]) { self.files = files }
}

/// What went wrong with a damaged input; its file is kept.
public struct FuzzFinding: Error, CustomStringConvertible {
    /// Which input, counted from 0, and what happened.
    public let description: String

    /// Makes a finding of what happened.
    public init(description: String) { self.description = description }
}

/// Hands damaged inputs to a reader, which may refuse them but must neither hang nor fill memory.
///
/// `SLICESEG_FUZZ_COUNT` is how many inputs each reader gets, `SLICESEG_FUZZ_SEED` another seed than 1,
/// and `SLICESEG_FUZZ_FOLDER` where the input at hand is written before it is read, so that it is
/// there after a crash. fixtures/checks/fuzz_readers.sh sets all three.
public struct Fuzzer {
    /// How long a reader may take for one input, on a busy machine too.
    public static let largestSeconds = 5.0
    /// How far the process may grow beyond what it needed before.
    public static let largestGrowthBytes = 1 << 30

    private let count: Int
    private let seed: UInt64
    private let folder: String?

    /// Makes a fuzzer.
    ///
    /// - Parameter count: How many inputs there are where the environment asks for no other number.
    public init(count: Int) {
        let environment = ProcessInfo.processInfo.environment
        self.count = environment["SLICESEG_FUZZ_COUNT"].flatMap(Int.init) ?? count
        seed = environment["SLICESEG_FUZZ_SEED"].flatMap(UInt64.init) ?? 1
        folder = environment["SLICESEG_FUZZ_FOLDER"]
    }

    /// Damages inputs and has them read.
    ///
    /// - Parameters:
    ///   - name: The reader's, for its folder.
    ///   - inputs: Sound ones.
    ///   - damage: Makes a damaged copy of an input's first file.
    ///   - read: Reads the file at a path; throws what must not happen, a ``FuzzFinding`` or any error
    ///     that is not a refusal.
    /// - Returns: How many inputs were read.
    /// - Throws: What `read` throws, with the number of the input.
    @discardableResult
    public func run(
        _ name: String, inputs: [FuzzInput],
        damage: (inout Mutator, _ file: [UInt8], _ other: [UInt8]) throws -> [UInt8],
        read: (_ path: String) throws -> Void
    ) throws -> Int {
        guard let folder else {
            return try withTemporaryDirectory { try run(in: $0, inputs, damage, read) }
        }
        let place = folder + "/" + name
        try FileManager.default.createDirectory(
            atPath: place, withIntermediateDirectories: true)
        return try run(in: place, inputs, damage, read)
    }

    private func run(
        in folder: String, _ inputs: [FuzzInput],
        _ damage: (inout Mutator, [UInt8], [UInt8]) throws -> [UInt8],
        _ read: (String) throws -> Void
    ) throws -> Int {
        var mutator = Mutator(seed: seed)
        let small = inputs.filter { $0.files[0].bytes.count <= 32 * 1024 }
        var written: Set<String> = []
        let memory = peakMemoryBytes()
        for number in 0..<count {
            // Large inputs cost time and hold the same headers.
            let isSmall = !small.isEmpty && mutator.number(below: 200) > 0
            let input = mutator.choice(of: isSmall ? small : inputs)
            let other = mutator.choice(of: small.isEmpty ? inputs : small)
            let bytes = try damage(&mutator, input.files[0].bytes, other.files[0].bytes)
            for file in input.files.dropFirst() where written.insert(file.name).inserted {
                try Data(file.bytes).write(to: URL(filePath: folder + "/" + file.name))
            }
            let path = folder + "/" + input.files[0].name
            try Data(bytes).write(to: URL(filePath: path))
            let start = ContinuousClock.now
            do {
                try read(path)
            } catch {
                throw FuzzFinding(
                    description: "input \(number) (\(input.files[0].name)): \(error)")
            }
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            guard seconds < Self.largestSeconds else {
                throw FuzzFinding(description: "input \(number) took \(seconds) s: \(path)")
            }
            guard peakMemoryBytes() - memory < Self.largestGrowthBytes else {
                throw FuzzFinding(description: "input \(number) filled memory: \(path)")
            }
            try FileManager.default.removeItem(atPath: path)
        }
        return count
    }
}

/// The most memory that this process has had so far.
private func peakMemoryBytes() -> Int {
    var usage = rusage()
    guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
    return usage.ru_maxrss * 1024
}
