import Files
import Foundation

/// A folder that is laid out by the Brain Imaging Data Structure.
///
/// Source: <https://bids-specification.readthedocs.io/en/v1.10.0/>.
struct BIDSDataset {
    /// The dataset's folder.
    let root: String
    /// The names of its participants' folders, `sub-01`.
    private let folders: [String]
    private let isDescribed: Bool

    /// Looks at a folder.
    ///
    /// It is a dataset where it has folders `sub-…` and either a `dataset_description.json` that is
    /// not ours or T1-weighted scans where BIDS wants them.
    ///
    /// `nil` where it is no dataset.
    ///
    /// - Parameter root: The folder.
    init?(at root: String) {
        self.root = root
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: root) else {
            return nil
        }
        folders = names.filter { name in
            name.hasPrefix("sub-") && name.count > 4 && isDirectory(joined(root, name))
        }.sorted()
        isDescribed = names.contains(DatasetDescription.fileName)
        guard !folders.isEmpty, !holdsOurResults(root) else { return nil }
        if !isDescribed, scans(of: folders).isEmpty { return nil }
    }

    /// The participants' labels, `01`.
    var participants: [String] { folders.map { String($0.dropFirst(4)) } }

    /// The T1-weighted scans of participants, with the names of outputs that keep BIDS folders.
    ///
    /// - Parameter labels: The labels without `sub-`; empty for all.
    /// - Returns: The scans in the order of their paths.
    /// - Throws: ``UsageError`` where all are wanted and there are none.
    func scans(ofParticipants labels: [String]) throws(UsageError) -> [ScanFile] {
        let wanted = folders(ofParticipants: labels)
        let found = scans(of: wanted)
        guard !found.isEmpty || !labels.isEmpty || wanted.isEmpty else {
            throw UsageError(
                "the BIDS dataset '\(root)' holds no T1-weighted scan of any participant; there should be files such as '\(wanted[0])/anat/\(wanted[0])_T1w.nii.gz' "
                    + "or, with sessions, '\(wanted[0])/ses-…/anat/…_T1w.nii.gz'; name other "
                    + "scans themselves")
        }
        return found
    }

    /// The participants that are there and have no T1-weighted scan.
    ///
    /// - Parameter labels: The labels without `sub-`; empty for all.
    /// - Returns: Their folders' names, `sub-01`.
    func withoutScan(ofParticipants labels: [String]) -> [String] {
        folders(ofParticipants: labels).filter { scans(of: [$0]).isEmpty }
    }

    /// The T1-weighted files of participants that are no anatomical scans: phase, real and imaginary
    /// parts, and single inversions.
    ///
    /// - Parameter labels: The labels without `sub-`; empty for all.
    /// - Returns: Their paths in the dataset.
    func leftOutFiles(ofParticipants labels: [String]) -> [String] {
        weightedFiles(of: folders(ofParticipants: labels)).filter { !$0.isAnatomy }.map(\.path)
    }

    private func folders(ofParticipants labels: [String]) -> [String] {
        labels.isEmpty ? folders : folders.filter { labels.contains(String($0.dropFirst(4))) }
    }

    private func scans(of folders: [String]) -> [ScanFile] {
        weightedFiles(of: folders).filter(\.isAnatomy).map { file in
            ScanFile(
                path: joined(root, file.path), outputName: file.outputName,
                origin: .bids(BIDSScan(dataset: root, relativePath: file.path)))
        }
    }

    /// A file with the suffix `T1w`.
    private struct WeightedFile {
        /// In the dataset.
        var path: String
        /// The path without suffix and ending.
        var outputName: String

        /// A Boolean value indicating whether it shows the whole signal of an anatomy: no part of
        /// it but the magnitude, and no single inversion of an MP2RAGE.
        var isAnatomy: Bool {
            guard let name = outputName.split(separator: "/").last.flatMap({ BIDSName(String($0)) })
            else { return true }
            return [nil, "mag"].contains(name["part"]) && name["inv"] == nil
        }
    }

    private func weightedFiles(of folders: [String]) -> [WeightedFile] {
        var found: [WeightedFile] = []
        for participant in folders {
            let sessions = listing(participant).filter { name in
                name.hasPrefix("ses-") && isDirectory(joined(root, joined(participant, name)))
            }
            for place in [participant] + sessions.map({ joined(participant, $0) }) {
                let anatomy = joined(place, "anat")
                for name in listing(anatomy) {
                    guard let ending = ["_T1w.nii.gz", "_T1w.nii"].first(where: name.hasSuffix),
                        !name.hasPrefix(".")
                    else { continue }
                    let path = joined(anatomy, name)
                    found.append(
                        WeightedFile(path: path, outputName: String(path.dropLast(ending.count))))
                }
            }
        }
        return found
    }

    private func listing(_ folder: String) -> [String] {
        let names = try? FileManager.default.contentsOfDirectory(atPath: joined(root, folder))
        return (names ?? []).sorted()
    }
}

/// A file's name as BIDS composes it: `sub-01_acq-fast_T1w`.
struct BIDSName {
    /// A key and its value, such as `sub` and `01`.
    struct Entity: Equatable {
        var key: String
        var value: String
    }

    /// The entities in their order.
    var entities: [Entity]
    /// The suffix after the entities, or `nil` if the name ends with an entity.
    var suffix: String?

    /// Takes a name without ending apart; `nil` where it does not begin with a participant or is not
    /// composed so.
    ///
    /// - Parameter name: Such as `sub-01_acq-fast_T1w`.
    init?(_ name: String) {
        var parts = name.split(separator: "_", omittingEmptySubsequences: false).map(String.init)
        if let last = parts.last, !last.contains("-") { suffix = parts.removeLast() }
        entities = []
        for part in parts {
            guard let dash = part.firstIndex(of: "-"), dash != part.startIndex,
                part.index(after: dash) != part.endIndex
            else { return nil }
            entities.append(
                Entity(key: String(part[..<dash]), value: String(part[part.index(after: dash)...])))
        }
        guard entities.first?.key == "sub" else { return nil }
    }

    /// The name.
    var text: String {
        (entities.map { $0.key + "-" + $0.value } + [suffix].compactMap(\.self))
            .joined(separator: "_")
    }

    /// An entity's value; a new one goes to the place that BIDS gives it.
    subscript(key: String) -> String? {
        get { entities.first { $0.key == key }?.value }
        set {
            let place = entities.firstIndex { $0.key == key }
            if let place { entities.remove(at: place) }
            guard let newValue else { return }
            let rank = Self.rank(of: key)
            let later = entities.firstIndex { Self.rank(of: $0.key) > rank }
            entities.insert(
                Entity(key: key, value: newValue), at: place ?? later ?? entities.count)
        }
    }

    /// The entities that tell scans apart, without those that tell what was made of a scan.
    var sourceEntities: [Entity] {
        entities.filter { Self.rank(of: $0.key) < Self.rank(of: "hemi") }
    }

    /// The participant and, where there are some, the session.
    var subjectAndSession: [Entity] { entities.filter { ["sub", "ses"].contains($0.key) } }

    /// The keys in the order of BIDS 1.10 (`rules/entities.yaml` of its schema).
    private static let order = [
        "sub", "tpl", "ses", "cohort", "sample", "task", "tracksys", "acq", "nuc", "voi", "ce",
        "trc", "stain", "rec", "dir", "run", "mod", "echo", "flip", "inv", "mt", "part", "proc",
        "hemi", "space", "split", "recording", "chunk", "atlas", "seg", "scale", "res", "den",
        "label", "desc",
    ]

    /// A key's place in that order; an unknown one stays where it is, before all that are added.
    private static func rank(of key: String) -> Int { order.firstIndex(of: key) ?? 0 }
}
