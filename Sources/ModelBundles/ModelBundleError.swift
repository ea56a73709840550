/// Tells what is wrong with a model bundle or with a file of tensors.
public struct ModelBundleError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of error.
    public enum Code: Sendable, Hashable {
        /// A file or folder is missing or may not be read.
        case unreadable
        /// No shipped model has this name.
        case unknownModel
        /// The card is not valid JSON, lacks a field, or contradicts itself.
        case invalidCard
        /// The card is of a format that this program does not know.
        case unknownFormat
        /// A weights file is not the one that the card was written with.
        case checksumMismatch
        /// A file of tensors is malformed.
        case malformedTensors
        /// A tensor is missing, left over, or of the wrong shape or type.
        case mismatchedTensors
        /// A weight is not a finite number, or becomes none in half precision.
        case notFinite
        /// The bundle has no network for a plane.
        case missingPlane
        /// The folder to replace holds files that belong to no bundle.
        case occupied
    }

    /// The kind, for callers.
    public let code: Code
    /// The file or folder, or the name that was asked for.
    public let path: String
    /// The problem and the next step.
    public let detail: String

    init(_ code: Code, _ path: String, _ detail: String) {
        self.code = code
        self.path = path
        // The name of a tensor may hold line ends; an error is one line.
        self.detail = detail.split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    /// One sentence that names the file.
    public var description: String { "'\(path)' \(detail)." }
}

extension DecodingError {
    /// The problem and its field, without the file: `field 'planes[0].sha256' is missing`.
    package var explanation: String {
        switch self {
        case .keyNotFound(let key, let context):
            "field '\(Self.fieldName(context.codingPath + [key]))' is missing"
        case .valueNotFound(_, let context):
            "field '\(Self.fieldName(context.codingPath))' is empty"
        case .typeMismatch(let type, let context):
            "field '\(Self.fieldName(context.codingPath))' should be \(Self.kind(of: type))"
        case .dataCorrupted(let context):
            context.codingPath.isEmpty
                ? context.debugDescription.trimmed
                : "field '\(Self.fieldName(context.codingPath))' is wrong: "
                    + context.debugDescription.trimmed
        @unknown default: "it cannot be decoded: \(self)"
        }
    }

    private static func fieldName(_ path: [any CodingKey]) -> String {
        path.reduce("") { name, key in
            if let index = key.intValue { return "\(name)[\(index)]" }
            return name.isEmpty ? key.stringValue : "\(name).\(key.stringValue)"
        }
    }

    private static func kind(of type: any Any.Type) -> String {
        switch type {
        case is String.Type: "a text"
        case is Bool.Type: "true or false"
        case is any BinaryInteger.Type: "a whole number"
        case is any BinaryFloatingPoint.Type: "a number"
        case is [String: Any].Type: "an object of fields"
        case is [Any].Type: "a list"
        default: "\(type)"
        }
    }
}

extension String {
    fileprivate var trimmed: String { hasSuffix(".") ? String(dropLast()) : self }
}
