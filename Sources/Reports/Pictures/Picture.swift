internal import CPNG
public import Volumes

/// Why a picture could not be encoded.
public struct PictureError: Error, Hashable, CustomStringConvertible {
    /// The message of libpng.
    public let message: String

    /// One sentence with the next step.
    public var description: String {
        "the picture cannot be encoded as PNG (\(message)); free some memory and run again."
    }
}

/// A color picture, 8 bits a channel.
public struct Picture: Sendable, Hashable {
    /// Pixels across.
    public let width: Int
    /// Pixels down.
    public let height: Int
    /// `3 * width * height` bytes: red, green, blue of each pixel, rows from the top.
    public private(set) var bytes: [UInt8]

    /// Makes a picture of one color.
    ///
    /// - Precondition: both sides are at least 1.
    public init(width: Int, height: Int, color: LabelColor) {
        precondition(width > 0 && height > 0, "a picture of \(width)x\(height) pixels")
        self.width = width
        self.height = height
        var row: [UInt8] = []
        for _ in 0..<width { row += [color.red, color.green, color.blue] }
        bytes = []
        bytes.reserveCapacity(row.count * height)
        for _ in 0..<height { bytes += row }
    }

    /// The color of a pixel, counted from the upper left.
    public subscript(x: Int, y: Int) -> LabelColor {
        get {
            let offset = 3 * (y * width + x)
            return LabelColor(
                red: bytes[offset], green: bytes[offset + 1], blue: bytes[offset + 2])
        }
        set {
            let offset = 3 * (y * width + x)
            bytes[offset] = newValue.red
            bytes[offset + 1] = newValue.green
            bytes[offset + 2] = newValue.blue
        }
    }

    /// Encodes the picture as a PNG file.
    ///
    /// - Throws: ``PictureError`` where memory runs out or a side is beyond what PNG can hold.
    public func pngData() throws(PictureError) -> [UInt8] {
        guard let width = UInt32(exactly: width), let height = UInt32(exactly: height) else {
            throw PictureError(message: "a side is too long")
        }
        return try unsafe bytesFromC { encoded, count, message in
            unsafe bytes.withUnsafeBufferPointer { pixels in
                guard let pixels = pixels.baseAddress else { return CPNG_ERROR_INVALID_SIZE }
                return unsafe cpng_encode_rgb8(pixels, width, height, encoded, count, message)
            }
        }
    }

    /// Decodes a PNG file of any kind; transparent pixels are laid over black.
    ///
    /// - Throws: ``PictureError`` where the bytes are not a PNG file.
    package init(png: [UInt8]) throws(PictureError) {
        var width: UInt32 = 0
        var height: UInt32 = 0
        bytes = try unsafe bytesFromC { decoded, count, message in
            unsafe png.withUnsafeBufferPointer { png in
                guard let start = png.baseAddress else { return CPNG_ERROR_INVALID_SIZE }
                return unsafe cpng_decode_rgb8(
                    start, png.count, &width, &height, decoded, count, message)
            }
        }
        self.width = Int(width)
        self.height = Int(height)
    }
}

/// Runs a call of CPNG that hands over bytes, copies them and frees them.
func bytesFromC(
    _ call: (
        UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>, UnsafeMutablePointer<Int>,
        UnsafeMutablePointer<CChar>
    ) -> CPNGStatus
) throws(PictureError) -> [UInt8] {
    var bytes: UnsafeMutablePointer<UInt8>?
    var count = 0
    var message = [CChar](repeating: 0, count: Int(CPNG_MESSAGE_SIZE))
    let status = unsafe message.withUnsafeMutableBufferPointer { buffer in
        guard let buffer = buffer.baseAddress else { return CPNG_ERROR_OUT_OF_MEMORY }
        return unsafe call(&bytes, &count, buffer)
    }
    guard status == CPNG_OK else {
        let text = message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        throw PictureError(message: String(decoding: text, as: UTF8.self))
    }
    defer { unsafe cpng_bytes_free(bytes) }
    return unsafe Array(UnsafeBufferPointer(start: bytes, count: count))
}

// MARK: - Drawing

extension Picture {
    /// Fills a rectangle; what lies outside the picture is left out.
    mutating func fill(x: Int, y: Int, width: Int, height: Int, color: LabelColor) {
        for row in max(0, y)..<max(0, y, min(self.height, y + height)) {
            for column in max(0, x)..<max(0, x, min(self.width, x + width)) {
                self[column, row] = color
            }
        }
    }

    /// Draws the outline of a rectangle, one pixel wide.
    mutating func outline(x: Int, y: Int, width: Int, height: Int, color: LabelColor) {
        fill(x: x, y: y, width: width, height: 1, color: color)
        fill(x: x, y: y + height - 1, width: width, height: 1, color: color)
        fill(x: x, y: y, width: 1, height: height, color: color)
        fill(x: x + width - 1, y: y, width: 1, height: height, color: color)
    }

    /// Writes a line of text with its upper left corner at a pixel.
    ///
    /// - Parameters:
    ///   - text: The text; see ``PixelFont`` for how characters outside ASCII are drawn.
    ///   - x: Left edge.
    ///   - y: Upper edge.
    ///   - scale: Pixels per dot of the font.
    ///   - color: Color of the letters.
    mutating func write(_ text: String, x: Int, y: Int, scale: Int, color: LabelColor) {
        for (position, character) in PixelFont.ascii(text).enumerated() {
            let left = x + position * PixelFont.advance * scale
            for row in 0..<PixelFont.glyphHeight {
                for column in 0..<PixelFont.glyphWidth
                where PixelFont.isSet(character, column: column, row: row) {
                    fill(
                        x: left + column * scale, y: y + row * scale, width: scale,
                        height: scale, color: color)
                }
            }
        }
    }
}
