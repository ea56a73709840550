import Reports
import Testing

@Suite struct `Tables that are read` {
    @Test func `fields are found by column, and what has no value is none`() throws {
        let reader = TSVReader("\u{feff}id\tage \tsex\r\n\r\n01\t 39.5\tn/a\r\n02\t\tF\r\n")
        #expect(reader.columns == ["id", "age", "sex"])
        #expect(reader.rows.map(\.number) == [1, 2])
        #expect(reader.rows[0]["age"] == "39.5")
        #expect(reader.rows[0]["sex"] == nil && reader.rows[1]["age"] == nil)
        #expect(reader.rows[1]["sex"] == "F" && reader.rows[1]["site"] == nil)
        #expect(reader.raggedRow == nil)
    }

    @Test func `a line with more or fewer fields than columns is found`() {
        let reader = TSVReader("a\tb\n1\t2\n3\n4\t5\t6\n")
        #expect(reader.raggedRow?.number == 2)
        #expect(reader.rows[1]["b"] == nil)
    }

    @Test(arguments: ["", "\n\n", "\u{feff}"])
    func `a text without lines is a table without columns`(text: String) {
        #expect(TSVReader(text).columns.isEmpty && TSVReader(text).rows.isEmpty)
    }

    @Test func `a table of this program reads back`() {
        let table = TSVTable(
            columns: ["name", "value"],
            rows: [[.text("tab\there"), .number(0.1)], [.text("b"), .missing]])
        let reader = TSVReader(table.text)
        #expect(reader.rows.map { $0["name"] } == [#"tab\there"#, "b"])
        #expect(reader.rows.map { $0["value"] } == ["0.1", nil])
    }

    @Test func `columns are as wide as their widest cell, names on the left`() {
        var table = TerminalTable([.init("name", .left), .init("n", leastWidth: 3)])
        table.append(["東京", "7"])
        table.append(["a", "1234"], suffix: "more")
        #expect(
            table.rendered() == """
                name     n
                東京     7
                a     1234  more

                """)
    }
}
