import Foundation

/// Opens pages in headless Chromium through `fixtures/check_report.py`.
public enum BrowserCheck {
    /// What `.enabled(if:)` says where there is no browser.
    public static let requirement: String =
        "needs Chromium and Python with websocket-client: "
        + "apt-get install chromium python3-websocket"

    /// Whether the browser and the script's Python module are there.
    public static let isPossible: Bool =
        (try? run(["chromium", "--version"]).status) == 0
        && (try? run(["python3", "-c", "import websocket"]).status) == 0

    /// Checks pages as the script describes it.
    ///
    /// - Parameters:
    ///   - pages: Their paths.
    ///   - seconds: How long one may take to open.
    /// - Returns: Whether every claim holds, and all that the script says.
    /// - Throws: Where the script cannot be started.
    public static func check(
        _ pages: [String], openingWithin seconds: Int = 30
    ) throws -> (holds: Bool, text: String) {
        let script = fixturePath("check_report.py")
        let result = try run(["python3", script, "--limit", String(seconds)] + pages)
        return (result.status == 0, result.output)
    }

    private static func run(_ words: [String]) throws -> (status: Int32, output: String) {
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
