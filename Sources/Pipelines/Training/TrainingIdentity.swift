import Datasets
import Files
import Foundation
import ModelBundles
import Training
import VolumeIO
import Volumes

/// All that the weights of a plane and their meaning rest on, which a checkpoint must agree with to be
/// gone on from: the configuration, the structures in their order, and the cases by their bytes.
///
/// The other planes do not count, so that one can be added to a model that is trained already.
///
/// - Parameters:
///   - configuration: The training's configuration.
///   - data: What ``trainingData(of:mapping:folder:)`` gives.
///   - pretrained: The weights that are begun with.
/// - Returns: A SHA-256.
/// - Throws: What encoding the configuration throws.
func trainingIdentity(
    of configuration: TrainingConfiguration, data: String, pretrained: PretrainedWeights? = nil
) throws -> String {
    var relevant = configuration
    relevant.planes = []
    // Which model finds the brain is the card's matter, not the weights'.
    relevant.brainExtraction = nil
    relevant.cases.name = nil
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let beginning = pretrained?.identity ?? ""
    return sha256(try encoder.encode(relevant) + Data((data + beginning).utf8))
}

/// The structures that are learnt, the labels that become each of them, and the bytes of all cases'
/// files, as one SHA-256.
///
/// - Parameters:
///   - source: Where the cases come from. Synthetic ones follow from the configuration itself.
///   - mapping: The table of labels.
///   - folder: The configuration's folder.
/// - Returns: The SHA-256.
/// - Throws: ``TrainingRunError`` and `DatasetError` where the cases cannot be told.
func trainingData(
    of source: CaseSource, mapping: LabelMapping, folder: String
) throws -> String {
    let real = [source.directory != nil, source.files != nil, source.phantoms != nil]
        .count(where: \.self)
    guard real == 1 || (real == 0 && source.synthesis != nil) else {
        throw TrainingRunError(
            description: "the configuration must name one of 'cases.directory', 'cases.files' and "
                + "'cases.phantoms', or 'cases.synthesis', alone or beside one of them")
    }
    var lines = mapping.table.structures.map { "\($0.index)\t\($0.name)" }
    lines += (0...UInt16.max).compactMap { label in
        mapping[label] == 0 ? nil : "\(label) \(mapping[label])"
    }
    if let synthesis = source.synthesis {
        if let table = synthesis.labels {
            lines.append(contentHash(ofFileAt: resolve(table, relativeTo: folder)) ?? "none")
        }
        lines += mapHashes(of: synthesis, folder: folder)
    }
    if source.directory != nil || source.files != nil {
        for files in try caseFiles(of: source, relativeTo: folder) {
            // A file that cannot be read is told when the cases are read.
            let hashes = [files.scanPath, files.labelPath].map { path in
                contentHash(ofFilesAt: filesOfScan(at: path)) ?? "none"
            }
            lines.append(files.name + "\t" + hashes.joined(separator: "\t"))
        }
    }
    return sha256(Data(lines.joined(separator: "\n").utf8))
}

/// The names of the label maps that scans are synthesised from, with the hashes of their bytes.
func mapHashes(of synthesis: CaseSource.Synthesis, folder: String) -> [String] {
    let directory = resolve(synthesis.directory, relativeTo: folder)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    return names.sorted().filter { volumeName(ofPath: $0) != nil && !$0.hasPrefix(".") }
        .map { $0 + "\t" + (contentHash(ofFileAt: joined(directory, $0)) ?? "none") }
}

/// The folder of a training, as an earlier one may have left it.
struct TrainingFolder {
    private let path: String
    private let planes: [TrainingConfiguration.PlaneOptions]

    /// Names a training's folder.
    init(_ path: String, planes: [TrainingConfiguration.PlaneOptions]) {
        self.path = path
        self.planes = planes
    }

    /// Checks that a training may begin in the folder, or go on in it, and changes nothing.
    ///
    /// - Throws: ``TrainingRunError`` where another training is there and may not be replaced; what
    ///   is wrong with a checkpoint that should be gone on from.
    func check(identity: String, resume: Bool, overwrites: Bool) throws {
        if resume {
            for plane in planes {
                try PlaneTrainer.checkCheckpoint(
                    in: joined(path, plane.plane.rawValue), identity: identity, plane: plane)
            }
            return
        }
        guard !overwrites, let state else { return }
        throw TrainingRunError(
            description: "'\(path)' holds a training that is \(state); go on with it by --resume, "
                + "choose another --output, or replace it with --overwrite")
    }

    /// Takes the folder, which exists, for as long as a training writes to it.
    ///
    /// - Throws: ``TrainingRunError`` where another process trains in it; `FileWriteError`.
    private func lock() throws -> FileLock {
        do {
            return try FileLock(
                at: joined(path, "training.lock"),
                command: CommandLine.arguments.joined(separator: " "))
        } catch let held as FileLock.Held {
            let holder = held.holder.map {
                "process \($0.process) on \($0.host) since \($0.since): \($0.command)"
            }
            throw TrainingRunError(
                description: "another training writes to '\(path)' (\(holder ?? "unknown")); wait "
                    + "until it ends, or choose another --output")
        }
    }

    /// Makes the folder, takes it, and leaves nothing in it of a training that is not gone on with.
    ///
    /// - Returns: The lock, to be released at the end.
    /// - Throws: What ``check(identity:resume:overwrites:)`` and ``lock()`` throw; errors of files.
    func begin(
        identity: String, text: String, resume: Bool, overwrites: Bool
    ) throws -> FileLock {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
        let lock = try lock()
        do {
            try check(identity: identity, resume: resume, overwrites: overwrites)
            if !resume { try clear() }
            try writeAtomically(text, to: joined(path, "configuration.yaml"))
        } catch {
            lock.release()
            throw error
        }
        return lock
    }

    /// Removes what an earlier training has written, and nothing else.
    private func clear() throws {
        guard state != nil else { return }
        let names = ["training.json", "training.html", "accuracy.tsv", "network.json", "bundle"]
        let networks = Plane.allCases.flatMap { plane in
            ["checkpoint.safetensors", "best.safetensors", "log.tsv"].map {
                joined(plane.rawValue, $0)
            }
        }
        for name in names + networks where pathExists(joined(path, name)) {
            try FileManager.default.removeItem(atPath: joined(path, name))
        }
    }

    /// The progress of a training in the folder, or `nil` if there is none.
    private var state: String? {
        if let record = decodeJSON(State.self, at: joined(path, "training.json")) {
            return record.isFinished ? "finished" : "not finished"
        }
        let checkpoints = Plane.allCases.map {
            joined(path, joined($0.rawValue, "checkpoint.safetensors"))
        }
        return checkpoints.contains(where: pathExists) ? "not finished" : nil
    }

    private struct State: Decodable { var isFinished: Bool }
}
