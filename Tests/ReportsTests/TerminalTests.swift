import Reports
import SegmentationMetrics
import Synchronization
import Testing

private let plain = TerminalStyle(
    isInteractive: false, columns: 100, usesColor: false, usesUnicode: true)
private let ascii = TerminalStyle(
    isInteractive: true, columns: 80, usesColor: false, usesUnicode: false)

@Suite struct TerminalStyleTests {
    @Test(
        arguments: [
            ([:], false), (["NO_COLOR": ""], false), (["NO_COLOR": "1"], true),
            (["TERM": "dumb"], true),
        ] as [([String: String], Bool)])
    func `colors need a terminal that understands them and no NO_COLOR`(
        environment: [String: String], isOff: Bool
    ) {
        let style = TerminalStyle(isTerminal: true, columns: 90, environment: environment)
        #expect(style.usesColor == !isOff)
        let file = TerminalStyle(isTerminal: false, columns: nil, environment: environment)
        #expect(!file.usesColor && !file.isInteractive && file.columns == 80)
    }

    @Test(
        arguments: [
            ([:], false), (["LANG": "C.UTF-8"], true), (["LANG": "de_DE.utf8"], true),
            (["LC_ALL": "C", "LANG": "C.UTF-8"], false),
            (["LC_ALL": "", "LC_CTYPE": "C.UTF-8", "LANG": "C"], true),
        ] as [([String: String], Bool)])
    func `the locale decides on characters outside ASCII`(
        environment: [String: String], isOn: Bool
    ) {
        let style = TerminalStyle(isTerminal: true, columns: 90, environment: environment)
        #expect(style.usesUnicode == isOn)
    }

    @Test(
        arguments: [
            ("plain ü 東 🧠", "plain ü 東 🧠"), ("a\nb\tc\r", #"a\nb\tc\r"#),
            ("\u{1B}[31mred\u{9B}2J", #"\u{1B}[31mred\u{9B}2J"#), ("a\u{202E}b", #"a\u{202E}b"#),
            ("a\u{0}\u{7F}\u{2028}", #"a\u{0}\u{7F}\u{2028}"#), ("👩\u{200D}🔬", "👩\u{200D}🔬"),
        ])
    func `control characters are made visible`(text: String, visible: String) {
        #expect(visibleText(text) == visible)
    }
}

@Suite struct DiceTableTests {
    private let table = DiceTable(
        rows: [
            .init(name: "Left-Thalamus", summary: SampleSummary(of: [0.5, 0.75])),
            .init(name: "東\n", summary: SampleSummary(of: [1, nil])),
            .init(name: "absent", summary: SampleSummary(of: [nil, nil])),
        ], overall: .init(name: "mean over 2 cases", summary: SampleSummary(of: [0.75, 0.875])))

    @Test func `plain text is aligned, with bars`() {
        #expect(
            table.rendered(for: plain) == """
                structure            Dice     SD  n
                Left-Thalamus       0.625  0.177  2  ████████████▌
                東\\n                1.000      -  1  ████████████████████
                absent                n/a      -  0
                mean over 2 cases   0.812  0.088  2

                """)
    }

    @Test func `without Unicode and with few columns bars shrink and go`() {
        var narrow = ascii
        narrow.columns = 47
        let lines = table.rendered(for: narrow).split(separator: "\n")
        #expect(lines[1] == "Left-Thalamus       0.625  0.177  2  ######")
        narrow.columns = 39
        #expect(!table.rendered(for: narrow).contains("#"))
    }

    @Test func `four cases have an interval of the mean, three do not`() {
        let three = DiceTable(rows: [.init(name: "x", summary: SampleSummary(of: [0.5, 0.5, 0.5]))])
        #expect(!three.rendered(for: ascii).contains("interval"))
        let table = DiceTable(
            rows: [
                .init(name: "x", summary: SampleSummary(of: [0.5, 0.5, 0.5, 0.5])),
                .init(name: "y", summary: SampleSummary(of: [nil, nil, nil, 0.25])),
            ], overall: .init(name: "mean over 4 cases", summary: SampleSummary(of: [0.5])))
        #expect(
            table.rendered(for: ascii) == """
                structure            Dice     SD  95 % interval  n
                x                   0.500  0.000  0.500-0.500    4  ##########
                y                   0.250      -  -              1  #####
                mean over 4 cases   0.500      -  -              1

                """)
    }

    @Test func `distances stand beside Dice where there is room, and a note below`() {
        let table = DiceTable(
            rows: [
                .init(
                    name: "x", summary: SampleSummary(of: [0.5]), hausdorff95Millimeters: 2,
                    surfaceDice: 0.25),
                .init(
                    name: "y", summary: SampleSummary(of: [1]), hausdorff95Millimeters: 1,
                    surfaceDice: nil),
            ],
            overall: .init(
                name: "mean over 1 case", summary: SampleSummary(of: [0.75]),
                hausdorff95Millimeters: 1.5, surfaceDice: 0.25),
            note: "Convention monai.")
        #expect(
            table.rendered(for: plain) == """
                structure           Dice     SD    HD95    NSD  n
                x                  0.500      -    2.00  0.250  1  ██████████
                y                  1.000      -    1.00      -  1  ████████████████████
                mean over 1 case   0.750      -    1.50  0.250  1
                Convention monai.

                """)
        var narrow = plain
        narrow.columns = 52
        #expect(!table.rendered(for: narrow).contains("HD95"))
        #expect(table.rendered(for: narrow).contains("█"))
    }

    @Test func `colors tell good from poor`() {
        var style = plain
        style.usesColor = true
        let text = table.rendered(for: style)
        #expect(text.contains("\u{1B}[33m████████████▌\u{1B}[0m"))
        #expect(text.contains("\u{1B}[32m████████████████████\u{1B}[0m"))
        #expect(!table.rendered(for: plain).contains("\u{1B}"))
    }

    @Test func `no row and no value make a table`() {
        #expect(DiceTable(rows: []).rendered(for: plain).hasPrefix("structure"))
    }
}

/// Collects what a display writes and gives it the time.
private final class Screen: Sendable {
    private let state = Mutex((error: "", output: "", seconds: 0.0, columns: 80 as Int?))

    var error: String { state.withLock { $0.error } }
    var output: String { state.withLock { $0.output } }

    func pass(seconds: Double) { state.withLock { $0.seconds += seconds } }
    func resize(to columns: Int) { state.withLock { $0.columns = columns } }
    func clear() { state.withLock { $0.error = "" } }

    func display(_ mode: ProgressDisplay.Mode, total: Int) -> ProgressDisplay {
        ProgressDisplay(
            mode: mode, total: total, columns: { self.state.withLock { $0.columns } },
            elapsed: { .seconds(self.state.withLock { $0.seconds }) },
            writeError: { text in self.state.withLock { $0.error += text } },
            writeOutput: { text in self.state.withLock { $0.output += text } })
    }
}

@Suite struct ProgressDisplayTests {
    private struct Record: Encodable {
        var scan: String
        var dice: Double
    }

    private func run(_ display: ProgressDisplay, _ screen: Screen) throws {
        display.begin("one")
        screen.pass(seconds: 2)
        display.advance("one", stage: "coronal", fraction: 0.5)
        display.advance("one", stage: "axial", fraction: 0.75)
        screen.pass(seconds: 2)
        display.finish("one", note: "4.0 s")
        try display.record(Record(scan: "a/one", dice: 0.5))
        display.skip("two", reason: "done before")
        display.begin("t\u{1B}[2Jhree")
        display.fail("t\u{1B}[2Jhree", reason: "'x' ends\nearly.")
        display.note("\u{1B}[2J!")
        display.end()
    }

    @Test func `elsewhere there is one line for each scan`() throws {
        let screen = Screen()
        try run(screen.display(.lines, total: 3), screen)
        #expect(
            screen.error == #"""
                [1/3] one: done, 4.0 s
                [2/3] two: skipped, done before
                [3/3] t\u{1B}[2Jhree: failed: 'x' ends\nearly.
                \u{1B}[2J!

                """#)
        #expect(screen.output.isEmpty)
    }

    @Test func `the quiet mode tells failures only`() throws {
        let screen = Screen()
        try run(screen.display(.quiet, total: 3), screen)
        #expect(screen.error == #"t\u{1B}[2Jhree: failed: 'x' ends\nearly."# + "\n")
        #expect(screen.output.isEmpty)
    }

    @Test func `the JSON mode writes one object per scan and nothing else`() throws {
        let screen = Screen()
        try run(screen.display(.json, total: 3), screen)
        #expect(screen.error.isEmpty)
        #expect(screen.output == #"{"dice":0.5,"scan":"a/one"}"# + "\n")
    }

    @Test func `an undefined number is still JSON`() throws {
        let screen = Screen()
        try screen.display(.json, total: 1).record(Record(scan: "x", dice: .nan))
        #expect(screen.output == #"{"dice":"nan","scan":"x"}"# + "\n")
    }

    @Test func `a terminal has a live line that is erased at the end`() throws {
        let screen = Screen()
        try run(screen.display(.live(ascii), total: 3), screen)
        let open = String(repeating: "-", count: 24)
        let lines = [
            "\r\(open)   0% 1/3 - one\u{1B}[K",
            // Half of one scan in 2 s, 2.5 scans are left: 10 s.
            "\r####--------------------  16% 1/3 - one - coronal - 0:10 left\u{1B}[K",
            // The stage axial comes within 0.1 s and is not drawn; then scan 3 begins. Of the time
            // left none is known, as a skipped scan does not tell the pace: 4 s for one, which is 900
            // an hour, one left.
            "\r################--------  66% 3/3 - t\\u{1B}[2Jhree - 900/h - 0:04 left\u{1B}[K",
            "\r\u{1B}[K",
            "t\\u{1B}[2Jhree: failed: 'x' ends\\nearly.\n",
            "\\u{1B}[2J!\n",
        ]
        #expect(screen.error == lines.joined())
    }

    @Test func `the line is drawn at most ten times a second`() {
        let screen = Screen()
        let display = screen.display(.live(ascii), total: 1)
        display.begin("x")
        for step in 0..<1000 {
            screen.pass(seconds: 0.001)
            display.advance("x", stage: "s", fraction: Double(step) / 1000)
        }
        let drawings = screen.error.split(separator: "\r").count
        #expect((9...11).contains(drawings))
    }

    @Test(arguments: [200, 80, 60, 41, 30, 20, 11])
    func `the line never reaches the last column`(columns: Int) throws {
        let screen = Screen()
        screen.resize(to: columns)
        var style = ascii
        style.usesUnicode = true
        let display = screen.display(.live(style), total: 1000)
        display.begin("x")
        screen.pass(seconds: 5000)
        screen.clear()
        display.advance("x", stage: "view aggregation", fraction: 0.3)
        display.begin("x")
        let name = String(repeating: "東京", count: 30) + "_T1w"
        display.begin(name)
        screen.pass(seconds: 1)
        screen.clear()
        display.advance(name, stage: "view aggregation", fraction: 0.3)
        let line = screen.error.dropFirst().dropLast(3)
        let wide = line.count { "東京".contains($0) }
        #expect(line.count + wide < columns)
        if columns >= 30 { #expect(line.contains("…")) }
    }

    @Test func `the time left has hours where it needs them`() {
        let screen = Screen()
        let display = screen.display(.live(ascii), total: 100)
        display.begin("x")
        screen.pass(seconds: 90)
        display.advance("x", stage: "", fraction: 1)
        // 90 s for one scan, 99 are left: 8910 s.
        #expect(screen.error.hasSuffix("1/100 - x - 2:28:30 left\u{1B}[K"))
    }

    @Test func `tasks may report at the same time`() async {
        let screen = Screen()
        let display = screen.display(.lines, total: 64)
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<64 {
                group.addTask {
                    display.begin("\(number)")
                    display.advance("\(number)", stage: "axial", fraction: 0.5)
                    display.finish("\(number)")
                }
            }
        }
        let lines = screen.error.split(separator: "\n")
        #expect(lines.count == 64)
        #expect(lines.last?.hasPrefix("[64/64] ") == true)
    }
}
