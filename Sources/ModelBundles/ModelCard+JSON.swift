import Foundation

extension ModelCard {
    /// The card's file in a bundle.
    static let fileName = "model.json"

    /// Reads a card and checks it.
    ///
    /// - Parameter path: The path of a `model.json`.
    /// - Returns: The card.
    /// - Throws: ``ModelBundleError``.
    public static func read(at path: String) throws(ModelBundleError) -> ModelCard {
        let data = try readFile(at: path)
        // The format first: a card of another one may differ in any field.
        let format: CardFormat = try decode(CardFormat.self, from: data, path: path)
        guard format.formatVersion == currentFormatVersion else {
            throw ModelBundleError(
                .unknownFormat, path,
                "has format version \(format.formatVersion) and this program reads version "
                    + "\(currentFormatVersion); \(format.nextStep)")
        }
        let card: ModelCard = try decode(ModelCard.self, from: data, path: path)
        if let problem = card.problem ?? card.planes.lazy.compactMap(\.fileProblem).first {
            throw ModelBundleError(
                .invalidCard, path, problem + "; fetch the model again or correct the card")
        }
        return card
    }

    /// The fields that a card of any format has.
    private struct CardFormat: Decodable {
        var formatVersion: Int
        var firstReader: String?

        /// The next step where this program does not read the format.
        var nextStep: String {
            guard formatVersion > currentFormatVersion else {
                return "train or fetch the model again"
            }
            guard let firstReader else { return "use a newer SliceSeg" }
            return "use SliceSeg \(firstReader) or newer"
        }
    }

    private static func decode<Value: Decodable>(
        _ type: Value.Type, from data: Data, path: String
    ) throws(ModelBundleError) -> Value {
        let reason: String
        do {
            _ = try StrictJSON.parsed([UInt8](data))
            return try JSONDecoder().decode(type, from: data)
        } catch let error as JSONError {
            reason = error.reason
        } catch DecodingError.dataCorrupted(let context) where context.codingPath.isEmpty {
            // All that is left of Foundation's nameless complaints: the text itself is JSON.
            reason = "a number is too large or not whole for its field"
        } catch {
            reason = (error as? DecodingError)?.explanation ?? "\(error)"
        }
        throw ModelBundleError(
            .invalidCard, path,
            "is not a model card: \(reason); fetch the model again or correct the card")
    }

    /// The card as it stands in `model.json`: fields sorted by name, one a line.
    ///
    /// - Parameter path: The file it is for, named in errors.
    /// - Returns: The text in UTF-8.
    /// - Throws: ``ModelBundleError`` where a number is not finite.
    func encoded(for path: String) throws(ModelBundleError) -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            return try encoder.encode(self) + Data("\n".utf8)
        } catch {
            let field = (error as? EncodingError)?.fieldName ?? "a field"
            throw ModelBundleError(
                .invalidCard, path,
                "cannot be written: \(field) is not a finite number; leave it out or correct it")
        }
    }
}

extension EncodingError {
    fileprivate var fieldName: String {
        switch self {
        case .invalidValue(_, let context):
            "'" + context.codingPath.map(\.stringValue).joined(separator: ".") + "'"
        @unknown default: "a field"
        }
    }
}
