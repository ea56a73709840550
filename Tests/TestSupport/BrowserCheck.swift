import Foundation

/// Opens pages in headless Chromium through `fixtures/checks/check_report.py`.
public enum BrowserCheck {
    /// The fate of a test that needs a browser.
    public enum Decision: Sendable, Hashable {
        /// The browser is there.
        case run
        /// There is none, and the machine is a person's.
        case skip
        /// There is none in continuous integration, where a check that vanishes is not a check.
        case fail
    }

    /// An interpreter that has the script's module, and a browser.
    private struct Setup {
        var python: String
        var browser: String
    }

    /// The packages that a browser's tests need, as a sentence.
    public static let requirement: String =
        "needs Chromium and Python with websocket-client: "
        + "apt-get install chromium python3-websocket"

    /// Debian's interpreter first: `make test` installs the module for that one, whatever
    /// `python3` stands on the path.
    private static let setup: Setup? = {
        func first(_ candidates: [String], _ arguments: [String]) -> String? {
            candidates.first { (try? Checkers.run([$0] + arguments).status) == 0 }
        }
        guard
            let python = first(["/usr/bin/python3", "python3"], ["-c", "import websocket"]),
            let browser = first(["chromium", "/usr/bin/chromium"], ["--version"])
        else { return nil }
        return Setup(python: python, browser: browser)
    }()

    /// Decides whether tests of pages run, are skipped or fail.
    ///
    /// - Parameters:
    ///   - isPossible: Whether the browser and the interpreter are there.
    ///   - environment: The process' environment; `CI` that is neither empty, `false` nor `0` means
    ///     continuous integration.
    /// - Returns: The decision.
    public static func decision(
        isPossible: Bool, environment: [String: String]
    ) -> Decision {
        guard !isPossible else { return .run }
        return Checkers.isIntegration(environment) ? .fail : .skip
    }

    /// The decision on this machine.
    public static let decision: Decision = decision(
        isPossible: setup != nil, environment: ProcessInfo.processInfo.environment)

    /// Checks pages as the script describes it.
    ///
    /// - Parameters:
    ///   - pages: Their paths.
    ///   - seconds: How long one may take to open.
    /// - Returns: Whether every claim holds, and all that the script says; without a browser, that
    ///   none holds.
    /// - Throws: Where the script cannot be started.
    public static func check(
        _ pages: [String], openingWithin seconds: Int = 30
    ) throws -> (holds: Bool, text: String) {
        guard let setup else { return (false, "The test \(requirement)") }
        let script = fixturePath("checks/check_report.py")
        let result = try Checkers.run(
            [setup.python, script, "--limit", String(seconds), "--chromium", setup.browser] + pages)
        return (result.status == 0, result.output)
    }
}
