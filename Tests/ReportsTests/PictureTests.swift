import Foundation
import Reports
import Testing
import Volumes

/// The contents of a file of `fixtures/reports`.
func reportsFixture(_ name: String) throws -> [UInt8] {
    let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    return [UInt8](try Data(contentsOf: root.appending(path: "fixtures/reports/\(name)")))
}

@Suite struct PictureTests {
    private let black = LabelColor(red: 0, green: 0, blue: 0)

    @Test func `a picture that Pillow wrote has the pixels that Pillow was given`() throws {
        let picture = try Picture(png: reportsFixture("gradient.png"))
        #expect(picture.width == 12 && picture.height == 8)
        for y in 0..<8 {
            for x in 0..<12 {
                let expected = LabelColor(
                    red: UInt8(x * 20), green: UInt8(y * 30), blue: UInt8(x * y))
                #expect(picture[x, y] == expected)
            }
        }
    }

    @Test(arguments: [(1, 1), (1, 300), (257, 3), (64, 64)])
    func `a picture comes back from PNG as it was`(width: Int, height: Int) throws {
        var picture = Picture(width: width, height: height, color: black)
        for y in 0..<height {
            for x in 0..<width {
                picture[x, y] = LabelColor(
                    red: UInt8(truncatingIfNeeded: x * 7 + y), green: UInt8(truncatingIfNeeded: y),
                    blue: UInt8(truncatingIfNeeded: x * y))
            }
        }
        let png = try picture.pngData()
        #expect(png.prefix(8) == [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
        #expect(try Picture(png: png) == picture)
    }

    @Test func `bytes that are no PNG or end early are refused with libpng's reason`() throws {
        for broken in [[], Array("GIF89a and more bytes".utf8)] {
            #expect(throws: PictureError.self) { try Picture(png: broken) }
        }
        let whole = try reportsFixture("gradient.png")
        let error = #expect(throws: PictureError.self) {
            try Picture(png: Array(whole.prefix(whole.count / 2)))
        }
        #expect(error?.message.isEmpty == false)
    }

    @Test func `every printable character has a glyph of its own`() {
        var seen: [[Bool]: UInt8] = [:]
        for character in UInt8(32)...127 {
            let dots = (0..<PixelFont.glyphHeight).flatMap { row in
                (0..<PixelFont.glyphWidth).map {
                    PixelFont.isSet(character, column: $0, row: row)
                }
            }
            #expect(dots.contains(true) == (character != 32))
            #expect(seen[dots] == nil, "\(character) looks like \(seen[dots] ?? 0)")
            seen[dots] = character
        }
    }

    @Test(arguments: [("Zoë", "Zoe"), ("東京", "??"), ("a\nb\u{1B}", "a?b?"), ("", "")])
    func `titles fall back to ASCII`(text: String, drawn: String) {
        #expect(PixelFont.ascii(text) == Array(drawn.utf8))
    }
}
