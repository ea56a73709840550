/// A DICOM image without voxels: the elements that tell what series it belongs to and where it lies.
public struct DICOMImage: Sendable {
    /// Image Type.
    public var imageType = #"ORIGINAL\PRIMARY\M\ND"#
    /// Series Instance UID.
    public var series = "1.2.3"
    /// Series Number.
    public var seriesNumber = 3
    /// Series Description.
    public var description = "T1 MPRAGE"
    /// Instance Number.
    public var number = 1
    /// Image Position, in mm.
    public var position: [Double] = [0, 0, 0]
    /// Image Orientation: rows, then columns.
    public var orientation: [Double] = [1, 0, 0, 0, 1, 0]
    /// The ways to write elements.
    public enum Syntax: Sendable, CaseIterable {
        /// Explicit representations, little-endian.
        case explicitLittle
        /// No representations, little-endian.
        case implicitLittle
        /// Explicit representations, big-endian.
        case explicitBig
    }
    /// The transfer syntax.
    public var syntax = Syntax.explicitLittle

    /// Makes an image of a series.
    public init() {}

    /// The file.
    public var bytes: [UInt8] {
        let names: [Syntax: String] = [
            .explicitLittle: "1.2.840.10008.1.2.1", .implicitLittle: "1.2.840.10008.1.2",
            .explicitBig: "1.2.840.10008.1.2.2",
        ]
        func list(_ numbers: [Double]) -> String {
            numbers.map { String($0) }.joined(separator: #"\"#)
        }
        let preamble = [UInt8](repeating: 0, count: 128) + Array("DICM".utf8)
        let meta = element(
            2, 0x10, "UI", names[syntax] ?? "", syntax: .explicitLittle)
        // A sequence without a length, in which the series' own elements stand for another one.
        let nested = element(0x20, 0x0E, "UI", "9.9.9", syntax: syntax)
        let undefined: UInt32 = 0xFFFF_FFFF
        var sequence = tag(8, 0x1140)
        if syntax != .implicitLittle { sequence += Array("SQ".utf8) + [0, 0] }
        sequence += ordered(undefined) + tag(0xFFFE, 0xE000) + ordered(undefined) + nested
        sequence += tag(0xFFFE, 0xE00D) + ordered(UInt32(0))
        sequence += tag(0xFFFE, 0xE0DD) + ordered(UInt32(0))
        let elements: [[UInt8]] = [
            element(8, 8, "CS", imageType), element(8, 0x103E, "LO", description), sequence,
            element(0x20, 0x0D, "UI", "1.2"), element(0x20, 0x0E, "UI", series),
            element(0x20, 0x11, "IS", String(seriesNumber)),
            element(0x20, 0x13, "IS", String(number)),
            element(0x20, 0x32, "DS", list(position)),
            element(0x20, 0x37, "DS", list(orientation)), element(0x20, 0x52, "UI", "1.2.9"),
        ]
        return preamble + meta + elements.joined()
    }

    private func element(
        _ group: UInt16, _ number: UInt16, _ kind: String, _ text: String, syntax: Syntax? = nil
    ) -> [UInt8] {
        let syntax = syntax ?? self.syntax
        var value = Array(text.utf8)
        if value.count % 2 == 1 { value.append(kind == "UI" ? 0 : 0x20) }
        let length =
            syntax == .implicitLittle
            ? ordered(UInt32(value.count), syntax)
            : Array(kind.utf8) + ordered(UInt16(value.count), syntax)
        return tag(group, number, syntax) + length + value
    }

    private func tag(_ group: UInt16, _ number: UInt16, _ syntax: Syntax? = nil) -> [UInt8] {
        ordered(group, syntax) + ordered(number, syntax)
    }

    private func ordered<Number: FixedWidthInteger>(
        _ number: Number, _ syntax: Syntax? = nil
    ) -> [UInt8] {
        let bytes = (0..<Number.bitWidth / 8).map {
            UInt8(truncatingIfNeeded: number >> Number($0 * 8))
        }
        return (syntax ?? self.syntax) == .explicitBig ? bytes.reversed() : bytes
    }
}
