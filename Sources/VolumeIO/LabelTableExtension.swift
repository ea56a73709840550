internal import CNIfTI
import Foundation
public import Volumes

/// The code that NIfTI's registry gives to Caret, whose XML holds label tables.
///
/// Source: <https://nifti.nimh.nih.gov/nifti-1/documentation/faq>, "header extensions".
private let caretCode: Int32 = 30

/// The most bytes of header extensions that are looked at.
private let largestExtensions = 1 << 24

/// Reads the label table that a NIfTI file carries in a header extension.
///
/// The table is looked for in every extension whatever its code, as ``writeLabelMap(_:to:like:table:)``
/// writes it with Caret's (30) and TotalSegmentator with 0. An extension that cannot be understood is
/// passed over: it is another program's.
///
/// - Parameter path: A volume's file, as in ``readVolume(at:volume:)``.
/// - Returns: The structures in the table's order, or `nil` where the file holds none. Values that
///   no label map may hold, and the background's 0, are not among them.
/// - Throws: ``VolumeIOError`` where the file cannot be read or is no volume.
public func embeddedLabelTable(at path: String) throws(VolumeIOError) -> LabelTable? {
    let header = try readVolumeHeader(at: path, volume: 0)
    guard header.format != .mgh else { return nil }
    let headerPath = try pairPaths(of: path)?.header ?? path
    let stream = try InputStream(path: headerPath)
    let announcement = header.bytes.count + 4
    let start = try stream.read(upTo: announcement)
    guard start.count == announcement, start[header.bytes.count] != 0 else { return nil }
    let end =
        header.dataPath == headerPath ? header.dataOffset - announcement : largestExtensions
    let content = try stream.read(upTo: min(end, largestExtensions))
    for payload in extensionPayloads(content, isSwapped: header.isSwapped) {
        if let table = labelTable(inCaretXML: payload) { return table }
    }
    return nil
}

/// The contents of a chain of extensions: each has its size, a multiple of 16, its code and data.
private func extensionPayloads(_ bytes: [UInt8], isSwapped: Bool) -> [ArraySlice<UInt8>] {
    func integer(at offset: Int) -> Int {
        let word = bytes[offset..<offset + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return Int(Int32(bitPattern: isSwapped ? word : word.byteSwapped))
    }
    var payloads: [ArraySlice<UInt8>] = []
    var position = 0
    while position + 8 <= bytes.count {
        let size = integer(at: position)
        guard size > 8, size <= bytes.count - position else { break }
        payloads.append(bytes[position + 8..<position + size])
        position += size
    }
    return payloads
}

/// The extension that holds a label table, and the four bytes that announce it.
///
/// Without a table, four bytes that say that none follows. The size is a multiple of 16, as the
/// standard asks; spaces, which XML takes anywhere, fill it up. Nothing in it depends on the date, so
/// that equal labels make equal files.
func niftiExtensions(of table: LabelTable?) -> [UInt8] {
    guard let table else { return [0, 0, 0, 0] }
    var payload = Array(caretXML(of: table).utf8)
    let size = (payload.count + 8 + 15) / 16 * 16
    payload += [UInt8](repeating: UInt8(ascii: " "), count: size - 8 - payload.count)
    let words = [Int32(clamping: size), caretCode].flatMap { word in
        (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * Int32($0))) }
    }
    return [1, 0, 0, 0] + words + payload
}

/// A label table as Connectome Workbench has it in a volume.
private func caretXML(of table: LabelTable) -> String {
    var text = """
        <?xml version="1.0" encoding="UTF-8"?>
        <CaretExtension>
        <VolumeInformation Index="0">
        <LabelTable>

        """
    for structure in table.structures {
        let color = [structure.color.red, structure.color.green, structure.color.blue]
            .map { String(format: "%.6f", Double($0) / 255) }
        text +=
            "<Label Key=\"\(structure.index)\" Red=\"\(color[0])\" Green=\"\(color[1])\" "
            + "Blue=\"\(color[2])\" Alpha=\"1\"><![CDATA[\(characterData(structure.name))]]></Label>\n"
    }
    return text + """
        </LabelTable>
        <StudyMetaDataLinkSet></StudyMetaDataLinkSet>
        <VolumeType><![CDATA[Label]]></VolumeType>
        </VolumeInformation>
        </CaretExtension>

        """
}

/// A name without what XML 1.0 forbids, and without an end of the section that it stands in.
private func characterData(_ name: String) -> String {
    let allowed = name.unicodeScalars.filter { $0.value >= 32 && !(0xFFFE...0xFFFF ~= $0.value) }
    return String(String.UnicodeScalarView(allowed))
        .replacingOccurrences(of: "]]>", with: "]]]]><![CDATA[>")
}

/// The label table of the first volume in Caret's XML, or `nil` where there is none that can be
/// understood.
private func labelTable(inCaretXML payload: ArraySlice<UInt8>) -> LabelTable? {
    var scanner = CaretScanner(payload)
    guard let structures = scanner.structures(), !structures.isEmpty else { return nil }
    return LabelTable(structures)
}

/// Reads the few elements of Caret's XML that a label table has.
///
/// Foundation's parser ends the program where a name is not UTF-8, and a file may hold anything.
private struct CaretScanner {
    private let bytes: ArraySlice<UInt8>
    private var position: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    /// The structures of the first `LabelTable`; `nil` where something else than labels is in it.
    mutating func structures() -> [Structure]? {
        guard text(before: "<CaretExtension") != nil, text(before: "<LabelTable") != nil,
            text(before: ">") != nil
        else { return nil }
        var structures: [Structure] = []
        while true {
            skipSpace()
            if take("</LabelTable") { return structures }
            guard take("<Label"), let (attributes, isEmpty) = attributes(),
                let name = isEmpty ? "" : labelText()
            else { return nil }
            if let structure = structure(attributes, name: name) { structures.append(structure) }
        }
    }

    private func structure(_ attributes: [String: String], name: String) -> Structure? {
        guard let index = attributes["Key"].flatMap(UInt16.init), index > 0 else { return nil }
        func channel(_ name: String) -> UInt8 {
            let value = attributes[name].flatMap(Double.init) ?? 0.5
            return UInt8((min(max(value.isNaN ? 0.5 : value, 0), 1) * 255).rounded())
        }
        // Tabs and line ends would break the tables that the name goes into.
        let words = name.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return Structure(
            index: index, name: words.isEmpty ? "label-\(index)" : words,
            color: LabelColor(
                red: channel("Red"), green: channel("Green"), blue: channel("Blue")))
    }

    /// The attributes up to the tag's end, and whether the element ends there too.
    private mutating func attributes() -> (values: [String: String], isEmpty: Bool)? {
        var values: [String: String] = [:]
        while true {
            skipSpace()
            if take("/>") { return (values, true) }
            if take(">") { return (values, false) }
            guard let name = text(before: "="), let quote = next, quote == 0x22 || quote == 0x27,
                take(quote == 0x22 ? "\"" : "'"),
                let value = text(before: quote == 0x22 ? "\"" : "'")
            else { return nil }
            values[name] = value
        }
    }

    /// The text up to the label's end, in sections or with entities.
    private mutating func labelText() -> String? {
        var name = ""
        while true {
            if take("<![CDATA[") {
                guard let section = text(before: "]]>") else { return nil }
                name += section
            } else {
                let start = position
                while let byte = next, byte != UInt8(ascii: "<") { position += 1 }
                guard let plain = String(validating: bytes[start..<position], as: UTF8.self)
                else { return nil }
                name += withoutEntities(plain)
                if take("</Label") { return text(before: ">") == nil ? nil : name }
                guard startsHere("<![CDATA[") else { return nil }
            }
        }
    }

    private func withoutEntities(_ text: String) -> String {
        let entities = [
            ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&"),
        ]
        return entities.reduce(text) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
    }

    private var next: UInt8? { position < bytes.endIndex ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = next, [0x20, 0x09, 0x0a, 0x0d].contains(byte) { position += 1 }
    }

    private func startsHere(_ text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        guard bytes.endIndex - position >= length else { return false }
        return unsafe UnsafeBufferPointer(start: text.utf8Start, count: length)
            .elementsEqual(bytes[position..<position + length])
    }

    /// Steps over a text that stands here.
    private mutating func take(_ text: StaticString) -> Bool {
        guard startsHere(text) else { return false }
        position += text.utf8CodeUnitCount
        return true
    }

    /// Steps over all up to a text and over that; `nil` where it does not come or what is before it
    /// is not UTF-8.
    private mutating func text(before end: StaticString) -> String? {
        let start = position
        while position < bytes.endIndex {
            let here = position
            if take(end) { return String(validating: bytes[start..<here], as: UTF8.self) }
            position += 1
        }
        return nil
    }
}
