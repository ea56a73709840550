internal import CNIfTI
import Foundation
import FoundationXML
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

/// The label table of the first volume in Caret's XML, or `nil` where there is none.
private func labelTable(inCaretXML payload: ArraySlice<UInt8>) -> LabelTable? {
    // Programs fill up with zeros, which XML forbids.
    let end = payload.lastIndex { $0 != 0 } ?? payload.startIndex
    let data = Data(payload[payload.startIndex...max(end, payload.startIndex)])
    guard data.range(of: Data("<CaretExtension".utf8)) != nil else { return nil }
    let reader = LabelTableReader()
    let parser = XMLParser(data: data)
    parser.delegate = reader
    guard parser.parse(), !reader.structures.isEmpty else { return nil }
    return LabelTable(reader.structures)
}

/// Collects the labels of the first label table.
private final class LabelTableReader: NSObject, XMLParserDelegate {
    private(set) var structures: [Structure] = []
    private var tableCount = 0
    private var label: [String: String]?
    private var name = ""

    func parser(
        _ parser: XMLParser, didStartElement element: String, namespaceURI: String?,
        qualifiedName: String?, attributes: [String: String]
    ) {
        if element == "LabelTable" { tableCount += 1 }
        guard element == "Label", tableCount == 1 else { return }
        label = attributes
        name = ""
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) {
        if label != nil { name += string }
    }

    func parser(_ parser: XMLParser, foundCDATA block: Data) {
        if label != nil { name += String(decoding: block, as: UTF8.self) }
    }

    func parser(
        _ parser: XMLParser, didEndElement element: String, namespaceURI: String?,
        qualifiedName: String?
    ) {
        guard element == "Label", let attributes = label else { return }
        label = nil
        guard let index = attributes["Key"].flatMap(UInt16.init), index > 0 else { return }
        func channel(_ name: String) -> UInt8 {
            let value = attributes[name].flatMap(Double.init) ?? 0.5
            return UInt8((min(max(value.isNaN ? 0.5 : value, 0), 1) * 255).rounded())
        }
        // Tabs and line ends would break the tables that the name goes into.
        let words = name.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        structures.append(
            Structure(
                index: index, name: words.isEmpty ? "label-\(index)" : words,
                color: LabelColor(
                    red: channel("Red"), green: channel("Green"), blue: channel("Blue"))))
    }
}
