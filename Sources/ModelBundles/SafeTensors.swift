public import Foundation
public import Tensors

/// A tensor as it lies in a file.
public struct StoredTensor: Sendable, Equatable {
    /// The type of the elements.
    public let type: ElementType
    /// The extent of each dimension.
    public let shape: [Int]
    /// The elements, row by row, little-endian: a slice of the file.
    public let bytes: Data

    /// The number of elements.
    public var count: Int { bytes.count / type.byteCount }
}

/// The content of a safetensors file: named tensors and a few texts.
///
/// Format: <https://huggingface.co/docs/safetensors>: 8 bytes with the length of a JSON header, the
/// header, then the elements of all tensors without gaps. Reading one runs no code from it.
public struct SafeTensors: Sendable {
    /// The file it was read from.
    public let path: String
    /// Every tensor by its name.
    public let tensors: [String: StoredTensor]
    /// The texts that stand beside the tensors.
    public let metadata: [String: String]

    /// The names of the tensors, sorted.
    public var names: [String] { tensors.keys.sorted() }

    /// Reads the bytes of a file; `path` is for errors.
    init(_ data: Data, path: String) throws(ModelBundleError) {
        let header = try SafeTensorsHeader(of: data, path: path)
        self.path = path
        metadata = header.metadata
        let start = data.startIndex + header.dataStart
        tensors = header.entries.mapValues { entry in
            StoredTensor(
                type: entry.type, shape: entry.shape,
                bytes: data[start + entry.begin..<start + entry.end])
        }
    }

    /// Copies a tensor out, to the processor's memory and in its stored type.
    ///
    /// - Parameter name: The tensor's name in the file.
    /// - Returns: The tensor.
    /// - Throws: ``ModelBundleError`` where there is none of this name, or `TensorError`.
    public func tensor(named name: String) throws -> Tensor {
        guard let stored = tensors[name] else {
            throw ModelBundleError(
                .mismatchedTensors, path,
                "holds no tensor '\(name)'; check that it is the file you mean")
        }
        return try Tensor(bytes: [UInt8](stored.bytes), type: stored.type, shape: stored.shape)
    }
}

/// Reads a safetensors file and checks all of it: lengths, types, shapes, and that the tensors lie
/// side by side without gap or overlap.
///
/// Types are F64, F32, F16, BF16, I64, I32, I16, I8, U8 and BOOL; other ones are refused.
///
/// - Parameter path: The file.
/// - Returns: Its tensors and texts.
/// - Throws: ``ModelBundleError``.
public func readSafeTensors(at path: String) throws(ModelBundleError) -> SafeTensors {
    try SafeTensors(readFile(at: path), path: path)
}

/// Reads a whole file.
func readFile(at path: String) throws(ModelBundleError) -> Data {
    do {
        return try Data(contentsOf: URL(filePath: path))
    } catch {
        throw ModelBundleError(.unreadable, path, "cannot be read: " + readingProblem(error))
    }
}

private func readingProblem(_ error: any Error) -> String {
    switch (error as? CocoaError)?.code {
    case .fileReadNoSuchFile?, .fileNoSuchFile?: "there is no such file; check its name"
    case .fileReadNoPermission?: "no permission; ask its owner for the right to read it"
    default: "check that it is a file and that its disk is well"
    }
}

extension ElementType {
    /// The types of safetensors files in the order in which Python's library lays tensors out, so
    /// that each is aligned to its own size.
    static let storedNames: [(type: ElementType, name: String)] = [
        (.int64, "I64"), (.float64, "F64"), (.float32, "F32"), (.int32, "I32"),
        (.bfloat16, "BF16"), (.float16, "F16"), (.int16, "I16"), (.int8, "I8"), (.uint8, "U8"),
        (.bool, "BOOL"),
    ]

    /// A Boolean value indicating whether the elements are floating-point numbers.
    var isFloatingPoint: Bool {
        switch self {
        case .float16, .bfloat16, .float32, .float64: true
        case .uint8, .int8, .int16, .int32, .int64, .bool: false
        }
    }
}
