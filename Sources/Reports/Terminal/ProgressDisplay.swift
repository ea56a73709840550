import Foundation
import Synchronization

/// Shows how a run over many scans gets on.
///
/// Any task may call it; several scans may be under way at once. Progress goes to the standard
/// error, JSON records to the standard output, so that one can be piped without the other.
public final class ProgressDisplay: Sendable {
    /// The form of the terminal output.
    public enum Mode: Sendable, Hashable {
        /// One line on a terminal that is written over, at most ten times a second.
        case live(TerminalStyle)
        /// One line for each scan that is done, failed or left out.
        case lines
        /// Failed scans only.
        case quiet
        /// One JSON object for each scan on the standard output and nothing else.
        case json
        /// Events for a log.
        case events

        /// The live line where the standard error is a terminal, plain lines elsewhere.
        public static var automatic: Mode {
            let style = TerminalStyle(fileDescriptor: 2)
            return style.isInteractive ? .live(style) : .lines
        }
    }

    /// A scan that is under way.
    private struct Scan {
        var name: String
        var stage: String
        var fraction: Double
    }

    private struct State {
        var scans: [Scan] = []
        var finished = 0
        var skipped = 0
        var lastDrawing: Duration?
        /// The time of the last report of the pace.
        var lastPace = Duration.zero
        var isLineShown = false
    }

    /// The mode of the display.
    public let mode: Mode
    private let total: Int
    private let state = Mutex(State())
    private let columns: @Sendable () -> Int?
    private let elapsed: @Sendable () -> Duration
    private let writeError: @Sendable (String) -> Void
    private let writeOutput: @Sendable (String) throws -> Void
    private let log: @Sendable (ProgressEvent) -> Void

    /// Makes a display for a run that begins now.
    ///
    /// - Parameters:
    ///   - mode: What is shown.
    ///   - total: How many scans the run has, those that will be left out included.
    ///   - log: Takes the events, where the mode is ``Mode/events``.
    public convenience init(
        mode: Mode, total: Int, log: @escaping @Sendable (ProgressEvent) -> Void = { _ in }
    ) {
        let start = ContinuousClock.now
        self.init(
            mode: mode, total: total, columns: { terminalColumns(ofFileDescriptor: 2) },
            elapsed: { ContinuousClock.now - start },
            writeError: { text in
                // A closed standard error leaves nobody to tell.
                try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
            },
            writeOutput: { try FileHandle.standardOutput.write(contentsOf: Data($0.utf8)) },
            log: log)
    }

    /// Makes a display with its own clock and outputs.
    package init(
        mode: Mode, total: Int, columns: @escaping @Sendable () -> Int?,
        elapsed: @escaping @Sendable () -> Duration,
        writeError: @escaping @Sendable (String) -> Void,
        writeOutput: @escaping @Sendable (String) throws -> Void,
        log: @escaping @Sendable (ProgressEvent) -> Void = { _ in }
    ) {
        self.mode = mode
        self.total = total
        self.columns = columns
        self.elapsed = elapsed
        self.writeError = writeError
        self.writeOutput = writeOutput
        self.log = log
    }

    /// Tells that a scan is under way.
    ///
    /// - Parameter name: The scan's name, under which later calls refer to it.
    public func begin(_ name: String) {
        state.withLock { state in
            state.scans.append(Scan(name: name, stage: "", fraction: 0))
            if mode == .events { log(event(.begin, name, "\(name): begun", state)) }
            draw(&state)
        }
    }

    /// Tells how far a scan has got.
    ///
    /// - Parameters:
    ///   - name: The scan's name.
    ///   - stage: What is being done, such as `coronal`.
    ///   - fraction: The share of the whole scan that is done, 0 to 1.
    public func advance(_ name: String, stage: String, fraction: Double) {
        state.withLock { state in
            guard let position = state.scans.firstIndex(where: { $0.name == name }) else { return }
            var scan = state.scans.remove(at: position)
            scan.stage = stage
            scan.fraction = fraction.isNaN ? 0 : min(max(fraction, 0), 1)
            // The last one is the one that is shown.
            state.scans.append(scan)
            draw(&state)
        }
    }

    /// Tells that a scan is done.
    ///
    /// - Parameters:
    ///   - name: The scan's name.
    ///   - note: What else a plain line says, such as `12.3 s`.
    public func finish(_ name: String, note: String = "") {
        end(name, .done, outcome: note.isEmpty ? "done" : "done, \(note)")
    }

    /// Tells that a scan failed; on a terminal the reason stays on the screen.
    ///
    /// - Parameters:
    ///   - name: The scan's name.
    ///   - reason: One sentence with the next step.
    public func fail(_ name: String, reason: String) {
        end(name, .failed, outcome: "failed: \(reason)")
    }

    /// Tells that a scan is left out; it does not count for the time left.
    ///
    /// - Parameters:
    ///   - name: The scan's name.
    ///   - reason: Why, such as `done before`.
    public func skip(_ name: String, reason: String) {
        state.withLock { $0.skipped += 1 }
        end(name, .skipped, outcome: "skipped, \(reason)")
    }

    /// Writes a line that stays on the screen, above a live line.
    ///
    /// Not shown where the mode is quiet or JSON.
    public func note(_ text: String) {
        state.withLock { state in
            switch mode {
            case .live, .lines: write(line: visibleText(text), &state)
            case .events: log(event(.note, nil, text, state))
            case .quiet, .json: break
            }
        }
    }

    /// Writes one JSON object on one line of the standard output; in other modes nothing.
    ///
    /// - Parameter record: What is known of a scan.
    /// - Throws: Where it cannot be encoded or the output is closed or full.
    public func record(_ record: some Encodable) throws {
        guard mode == .json else { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        let text = String(decoding: try encoder.encode(record), as: UTF8.self)
        try state.withLock { _ in try writeOutput(text + "\n") }
    }

    /// Takes the live line away; call it when the run is over, also after an error.
    public func end() {
        state.withLock { erase(&$0) }
    }

    // MARK: - Drawing, under the lock

    private func end(_ name: String, _ kind: ProgressEvent.Kind, outcome: String) {
        let isFailure = kind == .failed
        state.withLock { state in
            if let position = state.scans.firstIndex(where: { $0.name == name }) {
                state.scans.remove(at: position)
            }
            state.finished += 1
            let name = visibleText(name)
            let outcome = visibleText(outcome)
            switch mode {
            case .lines: write(line: "[\(state.finished)/\(total)] \(name): \(outcome)", &state)
            case .quiet where isFailure: write(line: "\(name): \(outcome)", &state)
            case .live(let style) where isFailure:
                write(line: style.colored("\(name): \(outcome)", .red), &state)
                draw(&state)
            case .live: draw(&state)
            case .events: log(event(kind, name, "\(name): \(outcome)", state))
            case .quiet, .json: break
            }
            tellPace(&state)
        }
    }

    private func event(
        _ kind: ProgressEvent.Kind, _ scan: String?, _ text: String, _ state: State
    ) -> ProgressEvent {
        let pace = pace(state)
        return ProgressEvent(
            kind: kind, scan: scan, text: text, finished: state.finished, total: total,
            scansPerHour: pace?.scansPerHour, secondsLeft: pace?.secondsLeft)
    }

    /// Scans that were not left out, in an hour, and the seconds until all are done at this pace;
    /// `nil` in the first second and before the first scan.
    private func pace(_ state: State) -> (scansPerHour: Double, secondsLeft: Int)? {
        let seconds = elapsed() / .seconds(1)
        let done = Double(state.finished - state.skipped)
        guard seconds >= 1, done > 0 else { return nil }
        let left = seconds / done * Double(max(0, total - state.finished))
        return (done / seconds * 3600, Int(left.rounded(.up)))
    }

    /// Tells the pace once a minute, where lines are written one after the other.
    private func tellPace(_ state: inout State) {
        guard mode == .lines || mode == .events, elapsed() - state.lastPace >= .seconds(60),
            state.finished < total, let pace = pace(state)
        else { return }
        state.lastPace = elapsed()
        let (hours, minutes) = (pace.secondsLeft / 3600, pace.secondsLeft / 60 % 60)
        let text =
            "\(state.finished) of \(total) scans, \(Int(pace.scansPerHour.rounded())) an hour, "
            + "\(hours) h \(minutes) min left"
        if mode == .events {
            log(event(.pace, nil, text, state))
        } else {
            write(line: text, &state)
        }
    }

    private func write(line: String, _ state: inout State) {
        erase(&state)
        writeError(line + "\n")
    }

    private func erase(_ state: inout State) {
        guard state.isLineShown else { return }
        writeError("\r\u{1B}[K")
        state.isLineShown = false
        state.lastDrawing = nil
    }

    private func draw(_ state: inout State) {
        guard case .live(let style) = mode, let scan = state.scans.last else { return }
        let now = elapsed()
        if let last = state.lastDrawing, now - last < .milliseconds(100) { return }
        state.lastDrawing = now
        state.isLineShown = true
        writeError("\r" + line(scan, state, now: now, style: style) + "\u{1B}[K")
    }

    /// Bar, percentage, count, name, stage, scans an hour, time left: as much as fits into the width.
    private func line(
        _ scan: Scan, _ state: State, now: Duration, style: TerminalStyle
    ) -> String {
        // The last column stays free: some terminals break the line there.
        let width = max(10, (columns() ?? style.columns) - 1)
        let separator = style.usesUnicode ? " · " : " - "
        let underWay = state.scans.reduce(0) { $0 + $1.fraction }
        let share = total == 0 ? 1 : min(1, (Double(state.finished) + underWay) / Double(total))
        let count = "\(min(total, state.finished + 1))/\(total)"
        let stage = visibleText(scan.stage)
        let left = timeLeft(state, underWay: underWay, now: now)

        var bar = ""
        if width >= 40 {
            let columns = width >= 70 ? 24 : 10
            let full = Int((share * Double(columns)).rounded(.down))
            let (done, open) = style.usesUnicode ? ("█", "░") : ("#", "-")
            bar =
                style.colored(String(repeating: done, count: full), .green)
                + style.colored(String(repeating: open, count: columns - full), .dim) + " "
            bar += padded("\(Int((share * 100).rounded(.down)))%", toColumns: 4, onLeft: true) + " "
        }
        let barWidth = bar.isEmpty ? 0 : (width >= 70 ? 24 : 10) + 6
        let before = [count]
        let pace = pace(state).map { "\(Int($0.scansPerHour.rounded()))/h" } ?? ""
        var after = [stage, pace, left].filter { !$0.isEmpty }
        func room() -> Int {
            let fixed = (before + after).map { terminalColumns(of: $0) + separator.count }
            return width - barWidth - fixed.reduce(0, +)
        }
        // The name matters most: the stage goes first, then the pace and the time.
        while room() < min(16, terminalColumns(of: scan.name)), !after.isEmpty {
            after.removeFirst()
        }
        let name = truncated(
            visibleText(scan.name), toColumns: max(0, room()),
            ellipsis: style.usesUnicode ? "…" : "..")
        return bar + (before + [name] + after).joined(separator: separator)
    }

    /// The time left by the pace so far, such as `1:05 left`; nothing in the first second.
    private func timeLeft(_ state: State, underWay: Double, now: Duration) -> String {
        let done = Double(state.finished - state.skipped) + underWay
        let remaining = Double(total - state.finished) - underWay
        let seconds = now / .seconds(1)
        guard seconds >= 1, done > 0.01, remaining >= 0 else { return "" }
        let left = Int((seconds / done * remaining).rounded(.up))
        func twoDigits(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let (hours, minutes) = (left / 3600, left / 60 % 60)
        return hours > 0
            ? "\(hours):\(twoDigits(minutes)):\(twoDigits(left % 60)) left"
            : "\(minutes):\(twoDigits(left % 60)) left"
    }
}
