import Foundation
import Tensors

/// The checked header of a safetensors file.
struct SafeTensorsHeader {
    /// The location of one tensor in the data after the header.
    struct Entry {
        var type: ElementType
        var shape: [Int]
        var begin: Int
        var end: Int
    }

    static let metadataKey = "__metadata__"
    /// The longest header that Python's library reads, too.
    static let largestLength = 100_000_000

    let entries: [String: Entry]
    let metadata: [String: String]
    /// The offset at which the header ends and the elements begin.
    let dataStart: Int

    init(of data: Data, path: String) throws(ModelBundleError) {
        func malformed(_ reason: String) -> ModelBundleError {
            ModelBundleError(
                .malformedTensors, path,
                "is not a complete safetensors file: \(reason); fetch or write it again")
        }
        guard data.count >= 8 else {
            throw malformed("it has \(data.count) bytes, fewer than any has")
        }
        let length = data.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= UInt64(Self.largestLength) else {
            throw malformed("its header would be \(length) bytes long")
        }
        dataStart = 8 + Int(length)
        guard dataStart <= data.count else {
            throw malformed(
                "its header should be \(length) bytes long and the file ends after "
                    + "\(data.count - 8)")
        }
        do throws(JSONError) {
            let value = try StrictJSON.parsed(
                [UInt8](data[data.startIndex + 8..<data.startIndex + dataStart]))
            (entries, metadata) = try Self.contents(value)
            try Self.checkLayout(entries, byteCount: data.count - dataStart)
        } catch {
            throw malformed(error.reason)
        }
    }

    private static func contents(
        _ value: StrictJSON
    ) throws(JSONError) -> (entries: [String: Entry], metadata: [String: String]) {
        guard case .object(let fields) = value else {
            throw JSONError("its header is not a JSON object")
        }
        var entries: [String: Entry] = [:]
        var metadata: [String: String] = [:]
        for (name, value) in fields {
            guard name == metadataKey else {
                entries[name] = try entry(value, name: name)
                continue
            }
            guard case .object(let texts) = value else {
                throw JSONError("its metadata is not an object of texts")
            }
            for (key, text) in texts {
                guard case .string(let text) = text else {
                    throw JSONError("the metadata '\(key)' is not a text")
                }
                metadata[key] = text
            }
        }
        return (entries, metadata)
    }

    private static func entry(_ value: StrictJSON, name: String) throws(JSONError) -> Entry {
        guard case .object(let fields) = value else {
            throw JSONError("tensor '\(name)' is not described by an object")
        }
        guard case .string(let typeName)? = fields["dtype"] else {
            throw JSONError("tensor '\(name)' has no dtype")
        }
        guard let type = ElementType.storedNames.first(where: { $0.name == typeName })?.type else {
            let known = ElementType.storedNames.map(\.name).joined(separator: ", ")
            throw JSONError(
                "tensor '\(name)' is of type '\(typeName)', and the types known are \(known)")
        }
        let shape = try sizes(fields["shape"], of: "shape", name: name)
        let offsets = try sizes(fields["data_offsets"], of: "data_offsets", name: name)
        guard offsets.count == 2, offsets[0] <= offsets[1] else {
            throw JSONError("tensor '\(name)' has data_offsets \(offsets)")
        }
        guard let needed = byteCount(of: shape, type) else {
            throw JSONError("tensor '\(name)' of shape \(shape) is larger than any memory")
        }
        guard needed == offsets[1] - offsets[0] else {
            throw JSONError(
                "tensor '\(name)' of shape \(shape) and type \(typeName) needs \(needed) bytes "
                    + "and has \(offsets[1] - offsets[0])")
        }
        return Entry(type: type, shape: shape, begin: offsets[0], end: offsets[1])
    }

    private static func sizes(
        _ value: StrictJSON?, of field: String, name: String
    ) throws(JSONError) -> [Int] {
        guard case .array(let items)? = value else {
            throw JSONError("tensor '\(name)' has no \(field)")
        }
        var sizes: [Int] = []
        for item in items {
            guard case .number(let text) = item, let size = Int(text), size >= 0 else {
                throw JSONError("tensor '\(name)' has a \(field) that is not of sizes")
            }
            sizes.append(size)
        }
        return sizes
    }

    private static func byteCount(of shape: [Int], _ type: ElementType) -> Int? {
        var total = type.byteCount
        // A 0 makes the product 0 whatever stands beside it, but sizes must still be sizes.
        for size in shape {
            let (product, overflow) = total.multipliedReportingOverflow(by: size)
            if overflow { return nil }
            total = product
        }
        return total
    }

    /// The tensors must cover the data from its first to its last byte, each byte once.
    private static func checkLayout(
        _ entries: [String: Entry], byteCount: Int
    ) throws(JSONError) {
        let sorted = entries.sorted {
            ($0.value.begin, $0.value.end, $0.key) < ($1.value.begin, $1.value.end, $1.key)
        }
        var covered = 0
        for (name, entry) in sorted {
            guard entry.end <= byteCount else {
                throw JSONError(
                    "tensor '\(name)' ends at byte \(entry.end) of the data, which ends at "
                        + "\(byteCount)")
            }
            guard entry.begin == covered else {
                throw JSONError(
                    entry.begin < covered
                        ? "tensor '\(name)' overlaps another one"
                        : "no tensor holds the bytes \(covered) to \(entry.begin)")
            }
            covered = entry.end
        }
        guard covered == byteCount else {
            throw JSONError("\(byteCount - covered) bytes follow its last tensor")
        }
    }
}
