import Files
import Foundation
import Yams

/// The values of a job file, checked against the schema.
struct JobReader {
    /// The values by key, such as `segment.resources.threads`.
    private var values: [String: [String]] = [:]
    private let path: String

    /// Reads a file and lays settings of the command line over it.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - settings: Such as `segment.model=phantom`.
    /// - Throws: ``UsageError`` that names the file and the line of what is wrong.
    init(path: String, settings: [String]) throws(UsageError) {
        self.path = path
        guard let data = FileManager.default.contents(atPath: path) else {
            throw UsageError("the job file '\(path)' cannot be read; check the path", code: .input)
        }
        guard let text = String(data: data, encoding: .utf8) else {
            throw UsageError(
                "the job file '\(path)' is not UTF-8 text; save it as UTF-8", code: .configuration)
        }
        let folder = (path as NSString).deletingLastPathComponent
        guard let node = try compose(text, place: "'\(path)'") else {
            throw UsageError(
                "the job file '\(path)' is empty; write at least one of "
                    + JobSchema.sections.map(\.name).joined(separator: ", "), code: .configuration)
        }
        try read(node, of: JobSchema.sections, at: [], folder: folder, setting: nil)
        for setting in settings { try set(setting) }
        try checkRequired()
    }

    // MARK: - Values

    /// Returns whether a section is there.
    func has(_ section: String) -> Bool { values.keys.contains { $0.hasPrefix(section + ".") } }

    /// The text of a key.
    func text(_ key: String) -> String? { values[key]?.first }

    /// The texts of a key that takes a list.
    func list(_ key: String) -> [String]? { values[key] }

    /// The whole number of a key.
    func integer(_ key: String) -> Int? { text(key).flatMap { Int($0) } }

    /// The number of a key.
    func number(_ key: String) -> Double? { text(key).flatMap { Double($0) } }

    /// The truth of a key.
    func boolean(_ key: String) -> Bool? { text(key).map { $0 == "true" } }

    // MARK: - Reading

    private func compose(_ text: String, place: String) throws(UsageError) -> Node? {
        do {
            return try Yams.compose(yaml: text)
        } catch let error as YamlError {
            let line =
                switch error {
                case .scanner(_, _, let mark, _), .parser(_, _, let mark, _),
                    .composer(_, _, let mark, _):
                    " in line \(mark.line)"
                default: ""
                }
            throw UsageError(
                "\(place)\(line) is not YAML; check indentation, colons and quotes",
                code: .configuration)
        } catch {
            throw UsageError("\(place) is not YAML: \(error)", code: .configuration)
        }
    }

    /// Reads a map of keys.
    private mutating func read(
        _ node: Node, of keys: [JobKey], at place: [String], folder: String, setting: String?
    ) throws(UsageError) {
        guard let mapping = node.mapping else {
            throw wrong(node, place, "must be a map of keys", setting)
        }
        var seen: Set<String> = []
        for (keyNode, value) in mapping {
            let name = keyNode.string ?? ""
            guard let key = keys.first(where: { $0.name == name }) else {
                throw unknown(name, keyNode, among: keys, place, setting)
            }
            guard seen.insert(name).inserted else {
                throw wrong(keyNode, place + [name], "is there twice; keep one", setting)
            }
            try read(value, of: key.kind, at: place + [name], folder: folder, setting: setting)
        }
    }

    private mutating func read(
        _ node: Node, of kind: JobValueKind, at place: [String], folder: String, setting: String?
    ) throws(UsageError) {
        if case .section(let keys) = kind {
            // A section without a key is one with the defaults.
            if let text = node.scalar?.string, text.isEmpty { return }
            try read(node, of: keys, at: place, folder: folder, setting: setting)
            return
        }
        var items = [node]
        var item = kind
        if case .list(let inner) = kind {
            item = inner
            if let sequence = node.sequence { items = Array(sequence) }
            guard !items.isEmpty else {
                throw wrong(node, place, "is empty; name at least one", setting)
            }
        }
        var texts: [String] = []
        for node in items {
            guard let text = node.scalar?.string, let value = normalized(text, item, folder: folder)
            else {
                let shown = node.scalar.map { ", not '\($0.string)'" } ?? ""
                throw wrong(node, place, "must be \(kind.name)\(shown)", setting)
            }
            texts.append(value)
        }
        values[place.joined(separator: ".")] = texts
    }

    /// A value as it is kept, or `nil` where it is of another kind.
    private func normalized(_ text: String, _ kind: JobValueKind, folder: String) -> String? {
        switch kind {
        case .text: return text.isEmpty ? nil : text
        case .path: return text.isEmpty ? nil : resolve(text, relativeTo: folder)
        case .integer(let range): return Int(text).flatMap { range.contains($0) ? text : nil }
        case .number: return Double(text).flatMap { $0.isFinite && $0 >= 0 ? text : nil }
        case .boolean:
            return ["true", "false"].contains(text.lowercased()) ? text.lowercased() : nil
        case .choice(let words): return words.contains(text) ? text : nil
        case .list, .section: return nil
        }
    }

    /// Lays one setting over the file.
    private mutating func set(_ setting: String) throws(UsageError) {
        guard let equals = setting.firstIndex(of: "="), equals != setting.startIndex else {
            throw UsageError(
                "--set takes key=value, such as segment.model=phantom, not '\(setting)'")
        }
        let key = setting[..<equals].split(separator: ".").map(String.init)
        let text = String(setting[setting.index(after: equals)...])
        var keys = JobSchema.sections
        var kind: JobValueKind?
        for (depth, name) in key.enumerated() {
            guard let found = keys.first(where: { $0.name == name }) else {
                throw unknown(name, nil, among: keys, Array(key[..<depth]), setting)
            }
            kind = found.kind
            if case .section(let inner) = found.kind { keys = inner } else { keys = [] }
        }
        guard let kind else { return }
        if case .section = kind {
            throw UsageError(
                "--set \(setting): '\(key.joined(separator: "."))' is a section; name a "
                    + "key in it: " + keys.map(\.name).joined(separator: ", "))
        }
        guard let node = try compose(text, place: "--set \(setting)") else {
            throw UsageError("--set \(setting): the value is empty")
        }
        try read(node, of: kind, at: key, folder: "", setting: setting)
    }

    private func checkRequired() throws(UsageError) {
        for section in JobSchema.sections where has(section.name) {
            guard case .section(let keys) = section.kind else { continue }
            for key in keys where key.isRequired && values["\(section.name).\(key.name)"] == nil {
                throw UsageError(
                    "the job file '\(path)' lacks '\(section.name).\(key.name)': \(key.summary) "
                        + "Write it, or give it with --set", code: .configuration)
            }
        }
    }

    // MARK: - Errors

    private func wrong(
        _ node: Node?, _ place: [String], _ problem: String, _ setting: String?
    ) -> UsageError {
        let origin =
            setting.map { "--set \($0)" }
            ?? "'\(path)'" + (node?.mark.map { " in line \($0.line)" } ?? "")
        let key = place.isEmpty ? "the job" : "'\(place.joined(separator: "."))'"
        return UsageError("\(origin): \(key) \(problem)", code: .configuration)
    }

    private func unknown(
        _ name: String, _ node: Node?, among keys: [JobKey], _ place: [String], _ setting: String?
    ) -> UsageError {
        let names = keys.map(\.name)
        let nearest = names.min { editDistance(name, $0) < editDistance(name, $1) }
        let isNear = nearest.map { editDistance(name, $0) <= max(2, name.count / 3) } ?? false
        let hint =
            isNear
            ? "; did you mean '\(nearest ?? "")'?"
            : "; choose from " + names.joined(separator: ", ")
        return wrong(node, place + [name], "is no key" + hint, setting)
    }
}

/// The letters that have to be added, removed or exchanged to make one text of another (Levenshtein).
func editDistance(_ first: String, _ second: String) -> Int {
    let (first, second) = (Array(first.lowercased()), Array(second.lowercased()))
    var row = Array(0...second.count)
    for (i, letter) in first.enumerated() {
        var previous = row[0]
        row[0] = i + 1
        for (j, other) in second.enumerated() {
            let substitution = previous + (letter == other ? 0 : 1)
            previous = row[j + 1]
            row[j + 1] = min(row[j + 1] + 1, row[j] + 1, substitution)
        }
    }
    return row[second.count]
}
