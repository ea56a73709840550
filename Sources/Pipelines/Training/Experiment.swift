import Datasets
import Foundation
import Training
import Yams

/// Several networks that one configuration trains alike, to compare them: families by
/// recalibrations.
///
/// Only the architecture differs. Cases, space, planes, optimization, augmentation and seed are the
/// configuration's own, so that all networks have the same budget and, where they take as many
/// neighbouring slices, the same batches.
struct Experiment {
    /// A family of networks, or a recalibration.
    struct Variant: Decodable {
        /// The name in folders, tables and `--only`.
        var name: String
        /// The name on the page.
        var title: String
        /// The architecture options that differ.
        var architecture: Node
        /// The published figures of a family by recalibration, if any.
        var published: [String: Double]?

        private enum Key: String, CodingKey, CaseIterable {
            case name, title, architecture, published
        }

        init(from decoder: any Decoder) throws {
            try rejectUnknownKeys(in: decoder, known: Key.allCases.map(\.rawValue))
            let container = try decoder.container(keyedBy: Key.self)
            name = try container.decode(String.self, forKey: .name)
            title = try container.decodeIfPresent(String.self, forKey: .title) ?? name
            architecture = Node.mapping([:])
            published = try container.decodeIfPresent([String: Double].self, forKey: .published)
            let isPlain = name.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x61...0x7a).contains($0 | 0x20)
            }
            guard !name.isEmpty, isPlain else {
                throw DecodingError.dataCorruptedError(
                    forKey: .name, in: container,
                    debugDescription: "'\(name)' is to name a folder; use letters and digits only")
            }
        }
    }

    /// The `experiment` section of a configuration.
    struct Description: Decodable {
        /// The page's title.
        var title: String
        /// The common setup of the networks, in sentences.
        var summary: String
        /// The rows of the table.
        var families: [Variant]
        /// The columns of the table; the others are compared with the first.
        var recalibrations: [Variant]
        /// The source of the published figures, and their reliability.
        var publishedSource: String?
        /// A Boolean value indicating whether they were read in the publication itself; the page
        /// says where not.
        var arePublishedChecked: Bool?
        /// The deviations from the publication, one sentence each.
        var deviations: [String]

        private enum Key: String, CodingKey, CaseIterable {
            case title, summary, families, recalibrations, publishedSource, arePublishedChecked
            case deviations
        }

        init(from decoder: any Decoder) throws {
            try rejectUnknownKeys(in: decoder, known: Key.allCases.map(\.rawValue))
            let container = try decoder.container(keyedBy: Key.self)
            title = try container.decode(String.self, forKey: .title)
            summary = try container.decodeIfPresent(String.self, forKey: .summary) ?? ""
            families = try container.decode([Variant].self, forKey: .families)
            recalibrations = try container.decode([Variant].self, forKey: .recalibrations)
            publishedSource = try container.decodeIfPresent(String.self, forKey: .publishedSource)
            arePublishedChecked = try container.decodeIfPresent(
                Bool.self, forKey: .arePublishedChecked)
            deviations = try container.decodeIfPresent([String].self, forKey: .deviations) ?? []
            for (key, variants) in [(Key.families, families), (.recalibrations, recalibrations)]
            where variants.isEmpty || Set(variants.map(\.name)).count != variants.count {
                throw DecodingError.dataCorruptedError(
                    forKey: key, in: container,
                    debugDescription: "name at least one, and none twice")
            }
            let known = Set(recalibrations.map(\.name))
            for name in families.flatMap({ ($0.published ?? [:]).keys }) where !known.contains(name)
            {
                throw DecodingError.dataCorruptedError(
                    forKey: .families, in: container,
                    debugDescription: "a figure is published for '\(name)', which is no "
                        + "recalibration here")
            }
        }
    }

    /// One of the networks.
    struct Network {
        /// Its name: family and recalibration.
        var name: String
        /// The row of the table.
        var family: Int
        /// The column of the table.
        var recalibration: Int
        /// The training configuration.
        var configuration: TrainingConfiguration
        /// The same as a file.
        var text: String
    }

    /// Its description in the configuration.
    let description: Description
    /// The networks, row by row.
    let networks: [Network]
    /// The configuration's path.
    let path: String

    /// Finds the experiment of a configuration; `nil` where it holds none.
    ///
    /// - Throws: ``TrainingRunError`` where a part of it cannot be read.
    init?(_ layers: ConfigurationLayers, path: String) throws {
        guard let part = layers.content["experiment"] else { return nil }
        let common = layers.content.removing("experiment")
        let whole = Node([(Node("experiment"), part)])
        var description = try layers.decode(Holder.self, from: whole).experiment
        for (position, node) in (part["families"]?.sequence ?? []).enumerated() {
            description.families[position].architecture = node["architecture"] ?? Node.mapping([:])
        }
        for (position, node) in (part["recalibrations"]?.sequence ?? []).enumerated() {
            description.recalibrations[position].architecture =
                node["architecture"] ?? Node.mapping([:])
        }
        var networks: [Network] = []
        let baseName = common["name"]?.scalar?.string ?? ""
        for (row, family) in description.families.enumerated() {
            for (column, recalibration) in description.recalibrations.enumerated() {
                let name = "\(family.name)-\(recalibration.name)"
                let content = common.setting("name", to: Node("\(baseName)-\(name)"))
                    .overlaid(with: Node([(Node("architecture"), family.architecture)]))
                    .overlaid(with: Node([(Node("architecture"), recalibration.architecture)]))
                networks.append(
                    Network(
                        name: name, family: row, recalibration: column,
                        configuration: try layers.decode(TrainingConfiguration.self, from: content),
                        text: try Yams.serialize(node: content)))
            }
        }
        self.description = description
        self.networks = networks
        self.path = path
    }

    private struct Holder: Decodable {
        var experiment: Description
    }

    /// Throws where a name is none of a network.
    func check(_ names: [String]) throws {
        let known = networks.map(\.name)
        if let unknown = names.first(where: { !known.contains($0) }) {
            throw TrainingRunError(
                description: "'\(path)' holds no network '\(unknown)'; --only takes "
                    + known.joined(separator: ", "))
        }
    }
}
