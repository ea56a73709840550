package import Foundation
import Volumes

/// The elements of one DICOM image that tell what series it belongs to and where it lies.
///
/// Source: DICOM PS3.5, "Data Structures and Encoding", sections 7.1 to 7.5, and PS3.10 for files.
package struct DICOMHeader: Sendable, Hashable {
    /// Image Type (0008,0008), such as `ORIGINAL`, `PRIMARY`, `LOCALIZER`.
    package var imageType: [String] = []
    /// Series Description (0008,103E).
    package var seriesDescription = ""
    /// Study Instance UID (0020,000D).
    package var study = ""
    /// Series Instance UID (0020,000E).
    package var series = ""
    /// Series Number (0020,0011).
    package var seriesNumber: Int?
    /// Instance Number (0020,0013).
    package var instanceNumber: Int?
    /// Image Position (0020,0032): the first voxel's place in mm.
    package var position: SIMD3<Double>?
    /// Image Orientation (0020,0037): the directions of rows and columns.
    package var orientation: [SIMD3<Double>]?
    /// Frame of Reference UID (0020,0052).
    package var frameOfReference = ""
    /// Number of Frames (0028,0008).
    package var frameCount = 1

    /// A text that the images of one series have in common, also where anonymisation has emptied its
    /// UID.
    var seriesKey: String {
        series.isEmpty ? "\(seriesNumber ?? 0) \(seriesDescription)" : series
    }

    /// The direction across the slice.
    var normal: SIMD3<Double>? {
        guard let orientation else { return nil }
        let normal = orientation[0].cross(orientation[1])
        return normal.length > 0.5 ? normal / normal.length : nil
    }

    /// The range of places in mm, a kilometer each way; none outside is that of a scan.
    private static let positions = -1e6...1e6

    /// Makes a header that says nothing.
    package init() {}

    /// Reads the elements of a file up to its image.
    ///
    /// `nil` where the file is no DICOM file of a transfer syntax that can be walked through; that is
    /// every one but the deflated.
    package init?(path: String) {
        guard let data = try? Data(contentsOf: URL(filePath: path), options: .alwaysMapped) else {
            return nil
        }
        self.init(data)
    }

    /// Reads the elements of a file's content up to its image.
    package init?(_ data: Data) {
        var reader = DICOMElements(data)
        guard reader.start() else { return nil }
        while let element = reader.next(), element.group <= 0x28 {
            take(element)
        }
        guard !series.isEmpty || !imageType.isEmpty || position != nil else { return nil }
    }

    private mutating func take(_ element: DICOMElements.Element) {
        func text() -> String { element.text }
        // An integer string has 32 bits (PS3.5, section 6.2).
        func number() -> Int? { Int32(text()).map(Int.init) }
        func numbers() -> [Double] {
            text().split(separator: "\\").compactMap { Double(trimmed($0)) }
        }
        switch (element.group, element.number) {
        case (0x0008, 0x0008):
            imageType = text().split(separator: "\\").map { trimmed($0).uppercased() }
        case (0x0008, 0x103E): seriesDescription = text()
        case (0x0020, 0x000D): study = text()
        case (0x0020, 0x000E): series = text()
        case (0x0020, 0x0011): seriesNumber = number()
        case (0x0020, 0x0013): instanceNumber = number()
        case (0x0020, 0x0032):
            let values = numbers()
            guard values.count == 3, values.allSatisfy(Self.positions.contains) else { return }
            position = SIMD3(values[0], values[1], values[2])
        case (0x0020, 0x0037):
            let values = numbers()
            guard values.count == 6, values.allSatisfy((-2.0...2).contains) else { return }
            orientation = [
                SIMD3(values[0], values[1], values[2]), SIMD3(values[3], values[4], values[5]),
            ]
        case (0x0020, 0x0052): frameOfReference = text()
        case (0x0028, 0x0008): frameCount = number() ?? 1
        default: break
        }
    }
}

/// A text without the spaces and zeros around it, which fill values up to an even length.
private func trimmed(_ text: Substring) -> String {
    func isPadding(_ scalar: Unicode.Scalar) -> Bool { scalar.value <= 0x20 }
    let start = text.unicodeScalars.drop(while: isPadding)
    let count = start.reversed().prefix(while: isPadding).count
    return String(start.dropLast(count))
}

/// A walk through the elements of a DICOM file, sequences passed over.
private struct DICOMElements {
    struct Element {
        var group: UInt16
        var number: UInt16
        var value: Data

        /// The value as text, without padding; bytes that are not UTF-8 are replaced.
        var text: String { trimmed(String(decoding: value, as: UTF8.self)[...]) }
    }

    private let data: Data
    private var position: Int
    private var isExplicit = true
    private var isBigEndian = false

    /// The values that begin with two reserved bytes and have a length of four.
    private static let longForms: Set<String> = [
        "OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV",
    ]
    private static let undefinedLength = 0xFFFF_FFFF

    init(_ data: Data) {
        self.data = data
        position = data.startIndex
    }

    /// Steps over preamble and file meta information.
    ///
    /// - Returns: Whether elements follow that can be read.
    mutating func start() -> Bool {
        guard bytes(at: 128, count: 4).map({ $0 == Data("DICM".utf8) }) == true else {
            // Old files begin with the first element, mostly of group 8.
            guard let group = integer(at: position, bytes: 2), group == 8 else { return false }
            isExplicit = hasRepresentation(at: position + 4)
            return true
        }
        position = data.startIndex + 132
        var syntax = ""
        while integer(at: position, bytes: 2) == 2, let element = next() {
            if element.number == 0x0010 { syntax = element.text }
        }
        switch syntax {
        case "1.2.840.10008.1.2.1.99": return false  // deflated
        case "1.2.840.10008.1.2": isExplicit = false
        case "1.2.840.10008.1.2.2": isBigEndian = true
        default: isExplicit = hasRepresentation(at: position + 4)
        }
        return true
    }

    /// The next element; of a sequence, an empty value.
    mutating func next() -> Element? {
        guard let (group, number, length, isSequence) = head() else { return nil }
        if length == Self.undefinedLength {
            guard skipItems(depth: 0) else { return nil }
            return Element(group: group, number: number, value: Data())
        }
        guard let value = bytes(at: position - data.startIndex, count: length) else { return nil }
        position += length
        return Element(group: group, number: number, value: isSequence ? Data() : value)
    }

    /// The head of the element that stands here.
    private mutating func head() -> (
        group: UInt16, number: UInt16, length: Int, isSequence: Bool
    )? {
        guard let group = integer(at: position, bytes: 2),
            let number = integer(at: position + 2, bytes: 2)
        else { return nil }
        var length: Int?
        var isSequence = false
        // Items and what ends them have no representation.
        if isExplicit, group != 0xFFFE {
            guard let kind = bytes(at: position + 4 - data.startIndex, count: 2) else { return nil }
            let name = String(decoding: kind, as: UTF8.self)
            isSequence = name == "SQ"
            if Self.longForms.contains(name) {
                length = integer(at: position + 8, bytes: 4)
                position += 12
            } else {
                length = integer(at: position + 6, bytes: 2)
                position += 8
            }
        } else {
            length = integer(at: position + 4, bytes: 4)
            position += 8
        }
        guard let length else { return nil }
        return (UInt16(group), UInt16(number), length, isSequence)
    }

    /// Steps over the items of a sequence without a length, to behind what ends it.
    private mutating func skipItems(depth: Int) -> Bool {
        guard depth < 32 else { return false }
        while let (group, number, length, _) = head() {
            guard group == 0xFFFE else { return false }
            if number == 0xE0DD { return true }
            guard number == 0xE000 else { return false }
            if length == Self.undefinedLength {
                guard skipItem(depth: depth) else { return false }
            } else {
                guard length <= data.endIndex - position else { return false }
                position += length
            }
        }
        return false
    }

    /// Steps over the elements of an item without a length, to behind what ends it.
    private mutating func skipItem(depth: Int) -> Bool {
        while let (group, number, length, _) = head() {
            if group == 0xFFFE, number == 0xE00D { return true }
            if length == Self.undefinedLength {
                guard skipItems(depth: depth + 1) else { return false }
            } else {
                guard length <= data.endIndex - position else { return false }
                position += length
            }
        }
        return false
    }

    private func hasRepresentation(at index: Int) -> Bool {
        bytes(at: index - data.startIndex, count: 2)?
            .allSatisfy { (0x41...0x5A).contains($0) } == true
    }

    private func bytes(at offset: Int, count: Int) -> Data? {
        let start = data.startIndex + offset
        guard offset >= 0, count >= 0, start <= data.endIndex, count <= data.endIndex - start
        else { return nil }
        return data[start..<start + count]
    }

    private func integer(at index: Int, bytes count: Int) -> Int? {
        guard let bytes = bytes(at: index - data.startIndex, count: count) else { return nil }
        let ordered = isBigEndian ? Array(bytes) : bytes.reversed()
        return ordered.reduce(0) { $0 << 8 | Int($1) }
    }
}
