/// A color for display, 8 bits a channel.
public struct LabelColor: Sendable, Hashable, Codable {
    /// Red, 0 to 255.
    public var red: UInt8
    /// Green, 0 to 255.
    public var green: UInt8
    /// Blue, 0 to 255.
    public var blue: UInt8

    /// Makes a color.
    public init(red: UInt8, green: UInt8, blue: UInt8) {
        self.red = red
        self.green = green
        self.blue = blue
    }

    /// The color as BIDS writes it in `dseg.tsv`: `#cd3e4e`.
    public var hexadecimal: String {
        "#" + [red, green, blue].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Reads `#cd3e4e` or `205,62,78`.
    public init?(_ text: String) {
        if text.hasPrefix("#"), text.utf8.count == 7,
            let value = UInt32(text.dropFirst(), radix: 16)
        {
            self.init(
                red: UInt8(value >> 16), green: UInt8(value >> 8 & 255), blue: UInt8(value & 255))
            return
        }
        let parts = text.split(separator: ",").compactMap { UInt8($0) }
        guard parts.count == 3 else { return nil }
        self.init(red: parts[0], green: parts[1], blue: parts[2])
    }
}

/// One structure that a label map may hold.
public struct Structure: Sendable, Hashable, Codable {
    /// The value its voxels carry in label maps.
    public var index: UInt16
    /// Its name, such as `Left-Hippocampus`.
    public var name: String
    /// Its color in pictures.
    public var color: LabelColor

    /// Makes a structure.
    public init(index: UInt16, name: String, color: LabelColor) {
        self.index = index
        self.name = name
        self.color = color
    }
}

/// The structures that a model knows or a label map holds, in order; background is not among them.
public struct LabelTable: Sendable, Hashable {
    /// The structures, in the order of the network's classes 1, 2, ….
    public let structures: [Structure]

    /// Makes a table.
    ///
    /// - Returns: `nil` where an index is 0 (background) or stands twice.
    public init?(_ structures: [Structure]) {
        guard Set(structures.map(\.index)).count == structures.count,
            !structures.contains(where: { $0.index == 0 })
        else { return nil }
        self.structures = structures
    }

    /// The structure with an index, if it is in the table.
    public subscript(index: UInt16) -> Structure? { structures.first { $0.index == index } }

    /// The number of network classes: background and the structures.
    public var classCount: Int { structures.count + 1 }

    /// The label of each network class: background, then each structure in order.
    public var labelOfClass: [UInt16] { [0] + structures.map(\.index) }

    /// The network class of each possible label; labels outside the table are background (0).
    public func classOfLabel() -> [UInt8] {
        precondition(structures.count < 256, "\(structures.count) structures; at most 255")
        var classes = [UInt8](repeating: 0, count: Int(UInt16.max) + 1)
        for (position, structure) in structures.enumerated() {
            classes[Int(structure.index)] = UInt8(position + 1)
        }
        return classes
    }
}

extension LabelTable: Codable {
    /// Encodes the list of structures.
    public func encode(to encoder: any Encoder) throws {
        try structures.encode(to: encoder)
    }

    /// Decodes a list of structures and checks it.
    public init(from decoder: any Decoder) throws {
        let structures = try [Structure](from: decoder)
        guard let table = LabelTable(structures) else {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: decoder.codingPath,
                    debugDescription: "an index is 0 or stands twice in the label table"))
        }
        self = table
    }
}
