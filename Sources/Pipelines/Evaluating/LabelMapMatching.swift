import Files
import Foundation
import VolumeIO

/// A label map in a file, with the names under which it may be matched to another one.
package struct LabelMapFile: Sendable, Hashable {
    /// The file.
    package var path: String
    /// The case below the folder that was searched, such as `sub-01/t1`; without `_dseg`.
    package var relativeName: String

    /// Makes a label map's entry.
    package init(path: String, relativeName: String) {
        self.path = path
        self.relativeName = relativeName
    }

    /// The case's name alone.
    package var name: String { String(relativeName.split(separator: "/").last ?? "") }

    /// The suffixes of label map names, in order of preference.
    static let suffixes = ["_dseg", "_seg", "_glm"]

    /// A name without the suffix of a label map, and that suffix's rank; `nil` without one.
    static func withoutSuffix(_ name: String) -> (name: String, rank: Int)? {
        for (rank, suffix) in suffixes.enumerated()
        where name.hasSuffix(suffix) && name.count > suffix.count {
            return (String(name.dropLast(suffix.count)), rank)
        }
        return nil
    }

    /// Finds the label maps at a path.
    ///
    /// In a folder where files end in `_dseg` (or `_seg`, `_glm`) only those are label maps, as
    /// their scans may lie beside them; in other folders every volume is one. A case that has
    /// several is taken with the first of the three endings.
    ///
    /// - Parameter path: A file, or a folder that is searched with its subfolders.
    /// - Returns: The label maps, by name.
    /// - Throws: ``UsageError`` where there is none.
    package static func find(at path: String) throws(UsageError) -> [LabelMapFile] {
        guard pathExists(path) else {
            throw UsageError("'\(path)' does not exist; check the path")
        }
        guard isDirectory(path) else {
            guard let name = volumeName(ofPath: path) else {
                throw UsageError("'\(path)' is not a label map; name a .nii, .nii.gz or .mgz file")
            }
            return [LabelMapFile(path: path, relativeName: withoutSuffix(name)?.name ?? name)]
        }
        var files: [(path: String, folder: String, name: String)] = []
        var visited: Set<[UInt8]> = []
        try collect(path, relative: "", into: &files, visited: &visited)
        var best: [String: (rank: Int, path: String)] = [:]
        for file in files {
            guard let (name, rank) = withoutSuffix(file.name) else { continue }
            let key = joined(file.folder, name)
            if let known = best[key], known.rank <= rank { continue }
            best[key] = (rank, file.path)
        }
        let found =
            best.isEmpty
            ? files.map { LabelMapFile(path: $0.path, relativeName: joined($0.folder, $0.name)) }
            : best.map { LabelMapFile(path: $0.value.path, relativeName: $0.key) }
        guard !found.isEmpty else {
            throw UsageError(
                "no label map was found in '\(path)'; name a folder with files such as "
                    + "NAME_dseg.nii.gz")
        }
        return found.sorted { $0.relativeName < $1.relativeName }
    }

    private static func collect(
        _ path: String, relative: String,
        into files: inout [(path: String, folder: String, name: String)],
        visited: inout Set<[UInt8]>
    ) throws(UsageError) {
        guard visited.insert(identity(ofPath: path)).inserted else { return }
        guard let entries = try? FileManager.default.contentsOfDirectory(atPath: path) else {
            throw UsageError("the folder '\(path)' cannot be read; check its permissions")
        }
        for entry in entries.sorted() where !entry.hasPrefix(".") {
            let full = joined(path, entry)
            if isDirectory(full) {
                try collect(
                    full, relative: joined(relative, entry), into: &files, visited: &visited)
            } else if volumeFileExtensions.contains(where: {
                entry.lowercased().hasSuffix("." + $0)
            }), let name = volumeName(ofPath: entry), !isSetAside(name) {
                files.append((full, relative, name))
            }
        }
    }
}

/// Predictions and references of the same cases, and what is left over.
package struct LabelMapMatches {
    /// The pairs, in the order of the predictions.
    package var pairs: [(prediction: LabelMapFile, reference: LabelMapFile)] = []
    /// Predictions without a reference.
    package var unmatchedPredictions: [LabelMapFile] = []
    /// References without a prediction.
    package var unmatchedReferences: [LabelMapFile] = []

    /// Matches by name: first with the folders, then without, then without what scans' names end in,
    /// and at last names of BIDS by what tells scans apart and by participant and session.
    ///
    /// After the first step a pair counts only where neither of the two has another candidate.
    /// One prediction and one reference match whatever they are called, where `isSinglePair`.
    package init(
        predictions: [LabelMapFile], references: [LabelMapFile], isSinglePair: Bool = false
    ) {
        var open = predictions
        var free = references
        var found: [LabelMapFile: LabelMapFile] = [:]
        func match(
            _ key: (LabelMapFile) -> String, references keyOfReference: (LabelMapFile) -> String
        ) {
            let candidates = Dictionary(grouping: free, by: keyOfReference)
            let claims = Dictionary(grouping: open, by: key)
            for (name, claimants) in claims {
                guard claimants.count == 1, let prediction = claimants.first,
                    let matching = candidates[name], matching.count == 1,
                    let reference = matching.first
                else { continue }
                found[prediction] = reference
            }
            let taken = Set(found.values)
            open.removeAll { found[$0] != nil }
            free.removeAll { taken.contains($0) }
        }
        if isSinglePair, let prediction = predictions.first, let reference = references.first {
            found[prediction] = reference
            open = []
            free = []
        }
        func match(_ key: (LabelMapFile) -> String) { match(key, references: key) }
        match(\.relativeName)
        match(\.name)
        match { Self.withoutKind($0.name) }
        match { Self.bidsKey($0.name, \.sourceEntities) }
        // What is named for a participant alone stands for any one scan of it.
        match(
            { Self.bidsKey($0.name, \.subjectAndSession) },
            references: { Self.bidsKey($0.name, \.sourceEntities) })
        pairs = predictions.compactMap { prediction in
            found[prediction].map { (prediction, $0) }
        }
        unmatchedPredictions = open
        unmatchedReferences = free
    }

    /// Entities of a BIDS name as a key, or a key that only this name has.
    private static func bidsKey(
        _ name: String, _ entities: (BIDSName) -> [BIDSName.Entity]
    ) -> String {
        guard let parsed = BIDSName(name) else { return "=" + name }
        return entities(parsed).map { "\($0.key)-\($0.value)" }.joined(separator: "_")
    }

    /// The suffixes of scan names after the case: modality, skull stripping, channel.
    private static let kinds = [
        "_SS", "_T1w", "_T2w", "_FLAIR", "_T1", "_T2", "_t1w", "_t1", "_t2", "_brain", "_ct",
        "_CT", "_0000",
    ]

    /// A scan's name without what says which kind of image it is.
    static func withoutKind(_ name: String) -> String {
        for kind in kinds where name.hasSuffix(kind) && name.count > kind.count {
            return String(name.dropLast(kind.count))
        }
        return name
    }
}
