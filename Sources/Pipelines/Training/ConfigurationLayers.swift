import Files
import Foundation
package import Training
import Yams

/// A configuration file with those it builds on, laid over one another.
///
/// A file may say `base: other.yaml`, relative to its own folder, and then only what differs. Maps
/// merge key by key, at every depth; anything else, lists too, replaces what the base has. Paths of
/// cases and labels count from the folder of the file that names them.
package struct ConfigurationLayers {
    /// The merged content of the files, without `base`.
    let content: Node
    /// The text of the one file, or what several say together, written out.
    package let text: String
    /// The file that was asked for, then its base, and so on.
    private let files: [(path: String, content: Node)]

    /// Reads a file and its bases.
    ///
    /// - Throws: ``TrainingRunError`` where a file cannot be read, is no YAML map, or builds on
    ///   itself.
    package init(path: String) throws {
        var files: [(path: String, content: Node)] = []
        var seen: Set<[UInt8]> = []
        var text = ""
        var next: String? = path
        // Each file's folder, as seen from the folder of the file that was asked for.
        var folders = [""]
        while let current = next {
            guard seen.insert(identity(ofPath: current)).inserted else {
                throw TrainingRunError(
                    description: "'\(files.last?.path ?? path)' builds on '\(current)', which "
                        + "builds on it in turn; correct 'base' in one of them")
            }
            text = try readText(current)
            var content = try Self.parse(text, path: current)
            next = nil
            if let base = content["base"] {
                guard let name = base.scalar?.string, !name.isEmpty else {
                    throw TrainingRunError(
                        description: "'\(current)' is not a training configuration: at 'base': "
                            + "name one file")
                }
                next = resolve(name, relativeTo: (current as NSString).deletingLastPathComponent)
                folders.append(
                    resolve(
                        (name as NSString).deletingLastPathComponent,
                        relativeTo: folders[folders.count - 1]))
                content = content.removing("base")
            }
            files.append((current, content))
        }
        var merged = Node.mapping([:])
        for (file, folder) in zip(files, folders).reversed() {
            merged = merged.overlaid(with: file.content.withPaths(from: folder))
        }
        self.files = files
        content = merged
        self.text = files.count == 1 ? text : try Yams.serialize(node: merged)
    }

    /// The configuration that the files describe together.
    ///
    /// - Throws: ``TrainingRunError`` that names the file and the option which is wrong.
    package func configuration() throws -> TrainingConfiguration {
        try decode(TrainingConfiguration.self, from: content)
    }

    private static func parse(_ text: String, path: String) throws -> Node {
        do {
            if let content = try Yams.compose(yaml: text), content.mapping != nil {
                return content
            }
        } catch let error as YamlError {
            throw TrainingRunError(
                description: "'\(path)' is not a training configuration: the given data was not "
                    + "valid YAML: \(error)")
        }
        throw TrainingRunError(
            description: "'\(path)' is not a training configuration: it is no map of options")
    }

    /// Decodes a part of the content; what is wrong is said with the file that says it.
    func decode<Value: Decodable>(_ type: Value.Type, from node: Node) throws -> Value {
        do {
            return try YAMLDecoder().decode(Value.self, from: node)
        } catch let error as DecodingError {
            let (place, problem) =
                switch error {
                case .keyNotFound(let key, let context):
                    (context.codingPath + [key], "it is missing")
                case .typeMismatch(_, let context), .valueNotFound(_, let context),
                    .dataCorrupted(let context):
                    (context.codingPath, context.debugDescription)
                @unknown default: ([], "\(error)")
                }
            let names = place.map { $0.intValue.map(String.init) ?? $0.stringValue }
            let culprit = files.first { $0.content.holds(names) } ?? files[0]
            throw TrainingRunError(
                description: "'\(culprit.path)' is not a training configuration: "
                    + (names.isEmpty ? "" : "at '\(names.joined(separator: "."))': ") + problem)
        }
    }
}

extension Node {
    /// The node with another's map laid over it; anything that is no map is replaced.
    func overlaid(with other: Node) -> Node {
        guard let own = mapping, let upper = other.mapping else { return other }
        var pairs = own.map { ($0.key, $0.value) }
        for (key, value) in upper {
            if let position = pairs.firstIndex(where: { $0.0 == key }) {
                pairs[position].1 = pairs[position].1.overlaid(with: value)
            } else {
                pairs.append((key, value))
            }
        }
        return Node(pairs)
    }

    /// The node with one value of a map set.
    func setting(_ key: String, to value: Node) -> Node {
        overlaid(with: Node([(Node(key), value)]))
    }

    /// The map without one of its keys.
    func removing(_ key: String) -> Node {
        Node((mapping ?? [:]).filter { $0.key.string != key }.map { ($0.key, $0.value) })
    }

    /// A configuration whose relative paths start at a folder.
    fileprivate func withPaths(from folder: String) -> Node {
        guard !folder.isEmpty, var cases = self["cases"] else { return self }
        func moved(_ keys: [String], of node: Node) -> Node {
            keys.reduce(node) { node, key in
                guard let path = node[key]?.scalar?.string else { return node }
                return node.setting(key, to: Node(resolve(path, relativeTo: folder)))
            }
        }
        cases = moved(["directory", "labels"], of: cases)
        if let files = cases["files"]?.sequence {
            let nodes = files.map { moved(["scan", "labels"], of: $0) }
            cases = cases.setting("files", to: Node(nodes))
        }
        return setting("cases", to: cases)
    }

    /// Returns whether the place that names lead to is there.
    fileprivate func holds(_ names: [String]) -> Bool {
        var node = self
        for name in names {
            if let sequence = node.sequence {
                guard let index = Int(name), sequence.indices.contains(index) else { return false }
                node = sequence[index]
            } else {
                guard let next = node[name] else { return false }
                node = next
            }
        }
        return true
    }
}

/// The text of a file.
func readText(_ path: String) throws -> String {
    guard let data = FileManager.default.contents(atPath: path) else {
        throw TrainingRunError(
            description: "'\(path)' cannot be read; check the path and its permissions")
    }
    guard let text = String(data: data, encoding: .utf8) else {
        throw TrainingRunError(description: "'\(path)' is not UTF-8 text; save it as UTF-8")
    }
    return text
}

/// A path that is relative to a folder.
func resolve(_ path: String, relativeTo folder: String) -> String {
    if path.hasPrefix("/") || folder.isEmpty { return path }
    return path.isEmpty ? folder : folder + "/" + path
}
