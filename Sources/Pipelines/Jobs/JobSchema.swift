import Foundation
import Inference
import Preprocessing
import SegmentationMetrics
import Volumes

/// The kind of value that a key of a job file takes.
indirect enum JobValueKind: Sendable {
    /// Any text.
    case text
    /// A path, which counts from the file's folder.
    case path
    /// A whole number in a range.
    case integer(ClosedRange<Int>)
    /// A number of at least 0.
    case number
    /// `true` or `false`.
    case boolean
    /// One of some words.
    case choice([String])
    /// One value or a list of them.
    case list(JobValueKind)
    /// A map of keys.
    case section([JobKey])

    /// The kind as an error names it.
    var name: String {
        switch self {
        case .text: "a text"
        case .path: "a path"
        case .integer(let range):
            range.upperBound == .max
                ? "a whole number from \(range.lowerBound)"
                : "a whole number, \(range.lowerBound) to \(range.upperBound)"
        case .number: "a number of 0 or more"
        case .boolean: "true or false"
        case .choice(let words): words.joined(separator: ", ")
        case .list(let kind): "\(kind.name), or a list of such"
        case .section: "a map of keys"
        }
    }
}

/// A key of a job file.
struct JobKey: Sendable {
    var name: String
    var kind: JobValueKind
    /// Its meaning in a sentence.
    var summary: String
    var isRequired = false
}

/// The keys of a job file.
enum JobSchema {
    private static func words<Choice: CaseIterable & RawRepresentable<String>>(
        _: Choice.Type
    ) -> JobValueKind { .choice(Choice.allCases.map(\.rawValue)) }

    /// All sections with their keys.
    static let sections: [JobKey] = [
        JobKey(
            name: "phantom",
            kind: .section([
                JobKey(
                    name: "output", kind: .path, summary: "The folder of the scans.",
                    isRequired: true),
                JobKey(
                    name: "references", kind: .path,
                    summary: "The folder of the label maps; 'references' in the output by default."),
                JobKey(name: "count", kind: .integer(1...100_000), summary: "The number of heads."),
                JobKey(
                    name: "seed", kind: .integer(0...Int.max),
                    summary: "The first head: the same seed gives the same heads."),
            ]), summary: "Synthetic heads with their labels, made where they are missing."),
        JobKey(
            name: "segment", kind: .section(segmentation),
            summary: "The segmentation of scans, as by segment-brain."),
        JobKey(
            name: "evaluate", kind: .section(evaluation),
            summary: "The comparison of label maps with references, as by 'sliceseg evaluate'."),
    ]

    private static let segmentation: [JobKey] = [
        JobKey(
            name: "input", kind: .list(.path),
            summary: "Scans, folders, BIDS datasets, DICOM folders, or .txt lists of them.",
            isRequired: true),
        JobKey(
            name: "output", kind: .path, summary: "The folder of the results.", isRequired: true),
        JobKey(name: "model", kind: .text, summary: "A shipped model's name or a model's folder."),
        JobKey(
            name: "planes", kind: .list(words(Plane.self)),
            summary: "The planes to use; all that the model has by default."),
        JobKey(name: "precision", kind: words(Precision.self), summary: "The precision."),
        JobKey(
            name: "interpolation", kind: words(Interpolation.self),
            summary: "The interpolation of scans; as the model's card says by default."),
        JobKey(
            name: "volume", kind: .integer(0...Int.max),
            summary: "The volume of 4-D scans, counted from 0."),
        JobKey(
            name: "participants", kind: .list(.text),
            summary: "The participants of a BIDS dataset; all by default."),
        JobKey(
            name: "references", kind: .path,
            summary: "Reference label maps, against which the results are measured."),
        JobKey(
            name: "overwrite", kind: .boolean, summary: "Segment finished scans again."),
        JobKey(
            name: "verify", kind: .boolean,
            summary: "Read every file to tell what is done, whatever its size and time."),
        JobKey(
            name: "check", kind: .boolean,
            summary: "Look at scans of heads first, and warn where a header seems wrong; true by "
                + "default."),
        JobKey(
            name: "outputs",
            kind: .section([
                JobKey(
                    name: "space", kind: words(OutputSpace.self),
                    summary: "The grid of additional results."),
                JobKey(
                    name: "probabilities", kind: .boolean,
                    summary: "Write the probabilities of all classes."),
            ]), summary: "Results beside labels, tables and pictures."),
        JobKey(
            name: "resources",
            kind: .section([
                JobKey(name: "device", kind: .text, summary: "auto, cpu, cuda or cuda:1."),
                JobKey(
                    name: "threads", kind: .integer(1...1024),
                    summary: "Threads of the networks; all cores by default."),
                JobKey(
                    name: "batchSize", kind: .integer(1...1024),
                    summary: "Slices that are computed at once."),
                JobKey(
                    name: "maxMemory", kind: .text,
                    summary: "Memory that scans may take beside the model, such as 1.5G."),
            ]), summary: "The part of the machine that is used."),
    ]

    private static let evaluation: [JobKey] = [
        JobKey(
            name: "prediction", kind: .path, summary: "A label map or a folder of them.",
            isRequired: true),
        JobKey(
            name: "reference", kind: .path, summary: "The same of the references.",
            isRequired: true),
        JobKey(name: "output", kind: .path, summary: "The folder of the tables.", isRequired: true),
        JobKey(name: "labels", kind: .path, summary: "A table of the structures (dseg.tsv)."),
        JobKey(name: "against", kind: .path, summary: "Another run's label maps to compare with."),
        JobKey(
            name: "participants", kind: .path, summary: "A table of participants for 'group'."),
        JobKey(
            name: "group", kind: .text,
            summary: "A column of that table, such as sex, or age:40,60 to cut numbers there."),
        JobKey(
            name: "convention", kind: words(MetricConvention.self),
            summary: "The definitions that distances follow."),
        JobKey(
            name: "toleranceMillimeters", kind: .number,
            summary: "The distance at which surfaces still agree."),
        JobKey(
            name: "resample", kind: .boolean,
            summary: "Carry predictions to the grids of their references."),
        JobKey(name: "report", kind: .boolean, summary: "Write report.html."),
    ]

    /// The JSON Schema of job files (draft 2020-12).
    static var json: String {
        var root = object(sections)
        root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        root["title"] = "SliceSeg job"
        root["minProperties"] = 1
        let data = try? JSONSerialization.data(
            withJSONObject: root, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        return String(decoding: data ?? Data(), as: UTF8.self) + "\n"
    }

    private static func object(_ keys: [JobKey]) -> [String: Any] {
        var result: [String: Any] = ["type": "object", "additionalProperties": false]
        var properties: [String: Any] = [:]
        for key in keys {
            var property = schema(of: key.kind)
            property["description"] = key.summary
            properties[key.name] = property
        }
        result["properties"] = properties
        let required = keys.filter(\.isRequired).map(\.name)
        if !required.isEmpty { result["required"] = required }
        return result
    }

    private static func schema(of kind: JobValueKind) -> [String: Any] {
        switch kind {
        case .text: return ["type": ["string", "number"]]
        case .path: return ["type": "string"]
        case .integer(let range):
            var result: [String: Any] = ["type": "integer", "minimum": range.lowerBound]
            if range.upperBound < .max { result["maximum"] = range.upperBound }
            return result
        case .number: return ["type": "number", "minimum": 0]
        case .boolean: return ["type": "boolean"]
        case .choice(let words): return ["enum": words]
        case .list(let kind):
            let item = schema(of: kind)
            return ["anyOf": [item, ["type": "array", "items": item, "minItems": 1]]]
        case .section(let keys): return object(keys)
        }
    }
}
