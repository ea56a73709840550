import Foundation

/// Programs outside of Swift that tests check against, which `make checkers` installs.
public enum Checkers {
    /// The environment that `scripts/install-checkers.sh` makes.
    private static let folder = URL(filePath: fixturePath("")).deletingLastPathComponent()
        .appending(path: ".deps/checkers/bin").path(percentEncoded: false)

    /// A Boolean value indicating continuous integration, where a check that vanishes is not a check.
    public static let isIntegration: Bool = isIntegration(ProcessInfo.processInfo.environment)

    /// Decides by an environment: `CI` that is neither empty, `false` nor `0` means continuous
    /// integration.
    public static func isIntegration(_ environment: [String: String]) -> Bool {
        !["", "0", "false"].contains((environment["CI"] ?? "").lowercased())
    }

    /// An interpreter that has ONNX Runtime: `SLICESEG_ONNX_PYTHON`, the installed one, or `python3`.
    public static let onnxPython: String? = {
        let named = ProcessInfo.processInfo.environment["SLICESEG_ONNX_PYTHON"].map { [$0] } ?? []
        return (named + [folder + "/python", "python3"]).first {
            (try? run([$0, "-c", "import onnx, onnxruntime"]).status) == 0
        }
    }()

    /// The search path, which leads to the installed programs after those of the system.
    public static let path: String =
        (ProcessInfo.processInfo.environment["PATH"] ?? "") + ":" + folder

    /// Returns whether a program is on ``path``.
    public static func has(_ program: String) -> Bool {
        path.split(separator: ":").contains { access("\($0)/\(program)", X_OK) == 0 }
    }

    /// Runs a program that is found on the search path.
    ///
    /// - Parameter words: The program and its arguments.
    /// - Returns: Its exit status, and what it printed on both channels.
    /// - Throws: Where it cannot be started.
    public static func run(_ words: [String]) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = words
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }
}
