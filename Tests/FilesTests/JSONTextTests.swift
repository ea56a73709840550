import Files
import Foundation
import Testing

@Suite struct `JSON strings` {
    // Python 3.11: json.dumps('a"b\\c/d\n\r\t\x08\x0c\x00\x1f\x7f\u00e9 \u2229', ensure_ascii=False)
    @Test func `are those of Python's json module`() {
        #expect(
            quotedForJSON("a\"b\\c/d\n\r\t\u{8}\u{C}\0\u{1F}\u{7F}é ∩")
                == #""a\"b\\c/d\n\r\t\b\f\u0000\u001f"# + "\u{7F}é ∩\"")
    }

    @Test func `are read back by Foundation as the text they were made of`() throws {
        let text = String(
            String.UnicodeScalarView((0..<0x300).compactMap { Unicode.Scalar(UInt32($0)) }))
        let json = Data("[\(quotedForJSON(text))]".utf8)
        let read = try JSONDecoder().decode([String].self, from: json)
        #expect(read == [text])
    }
}
