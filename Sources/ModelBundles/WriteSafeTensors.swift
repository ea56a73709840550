import Files
import Foundation
public import Tensors

/// Writes tensors to a safetensors file, which is there in full or not at all.
///
/// The bytes depend on nothing but names, elements and metadata, and are the same as those of
/// Python's safetensors library.
///
/// - Parameters:
///   - tensors: The tensors, on any device; their order does not matter.
///   - metadata: Texts to put beside them.
///   - type: The type to store floating-point tensors in, or `nil` to keep each tensor's own;
///     whole numbers and truth values keep theirs in any case.
///   - path: The file.
/// - Throws: `FileWriteError` or `TensorError`.
/// - Precondition: names differ, and none is `__metadata__`.
public func writeSafeTensors(
    _ tensors: [(name: String, tensor: Tensor)], metadata: [String: String] = [:],
    as type: ElementType? = nil, to path: String
) throws {
    try writeAtomically(encodedSafeTensors(tensors, metadata: metadata, as: type), to: path)
}

/// The bytes of a safetensors file.
func encodedSafeTensors(
    _ tensors: [(name: String, tensor: Tensor)], metadata: [String: String], as type: ElementType?
) throws -> [UInt8] {
    let repeated = Dictionary(grouping: tensors, by: \.name).filter { $1.count > 1 }.keys
    precondition(repeated.isEmpty, "tensors of one name: \(repeated.sorted())")
    precondition(
        !tensors.contains { $0.name == SafeTensorsHeader.metadataKey },
        "a tensor is called \(SafeTensorsHeader.metadataKey)")

    let order = ElementType.storedNames
    var entries: [(name: String, rank: Int, shape: [Int], bytes: [UInt8])] = []
    for (name, tensor) in tensors {
        let own = tensor.elementType
        let stored = own.isFloatingPoint ? type ?? own : own
        guard let rank = order.firstIndex(where: { $0.type == stored }) else {
            preconditionFailure("safetensors files have no type \(stored)")
        }
        let converted = try tensor.detached().converted(to: stored, on: .cpu)
        entries.append((name, rank, tensor.shape, try converted.bytes()))
    }
    // Swift compares texts by canonical equivalence; the file's order is that of the bytes.
    entries.sort {
        $0.rank != $1.rank
            ? $0.rank < $1.rank : $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
    }

    var fields: [String] = []
    if !metadata.isEmpty {
        let texts = metadata.sorted { $0.key < $1.key }
            .map { "\(quotedForJSON($0.key)):\(quotedForJSON($0.value))" }
        fields.append(
            "\(quotedForJSON(SafeTensorsHeader.metadataKey)):{\(texts.joined(separator: ","))}")
    }
    var offset = 0
    for entry in entries {
        let end = offset + entry.bytes.count
        let shape = entry.shape.map(String.init).joined(separator: ",")
        fields.append(
            "\(quotedForJSON(entry.name)):{\"dtype\":\"\(order[entry.rank].name)\",\"shape\":[\(shape)],"
                + "\"data_offsets\":[\(offset),\(end)]}")
        offset = end
    }
    var header = Array("{\(fields.joined(separator: ","))}".utf8)
    while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }

    var bytes: [UInt8] = []
    bytes.reserveCapacity(8 + header.count + offset)
    for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: header.count >> (8 * shift))) }
    bytes += header
    for entry in entries { bytes += entry.bytes }
    return bytes
}
