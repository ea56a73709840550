import Datasets
import Files
import Foundation
import Inference
import ModelBundles
import Parallel
import Preprocessing
import Reports
import Training
import VolumeIO
import Volumes

/// The scans that a classifier is trained and measured on.
struct ClassifiedScans {
    /// The classes that are told apart.
    var classes: ScanClasses
    /// The names of what is trained on.
    var names: [String]
    /// All that is read, by its bytes.
    var data: String
    /// The scans held out.
    var validation: [ClassifiedScan]
    /// The scan of a number, for training.
    var scan: @Sendable (Int) -> ClassifiedScan

    /// Reads the scans of a configuration.
    ///
    /// - Parameters:
    ///   - configuration: A training for classification.
    ///   - folder: The configuration's folder.
    ///   - report: Is told what was found.
    /// - Throws: ``TrainingRunError`` and errors of files.
    init(
        _ configuration: TrainingConfiguration, folder: String, report: (String) -> Void
    ) throws {
        guard let source = configuration.cases.classes else {
            throw TrainingRunError(description: "the configuration has no 'cases.classes'")
        }
        guard configuration.conform.orientation == .ras else {
            throw TrainingRunError(
                description: "a classifier sees scans in the orientation RAS, not "
                    + "\(configuration.conform.orientation); correct 'conform.orientation'")
        }
        let files = try classifiedFiles(of: source, folder: folder)
        var kinds = source.synthetic.map(\.name)
        for file in files where file.kind != ClassSource.noneName && !kinds.contains(file.kind) {
            kinds.append(file.kind)
        }
        classes = ScanClasses(
            kinds: kinds, tellsOrientation: source.tellsOrientation,
            windowVoxels: source.windowVoxels, slicesPerAxis: source.slicesPerAxis)
        if let problem = classes.problem { throw TrainingRunError(description: problem) }
        let heldOut = Set(configuration.cases.validation ?? [])
        if let unknown = heldOut.subtracting(files.map(\.name)).sorted().first {
            throw TrainingRunError(
                description: "the held-out scan '\(unknown)' is not there; correct "
                    + "'cases.validation' in the configuration")
        }
        let scans = try concurrentMap(count: files.count) { [kinds] index in
            Result {
                let scan = try readVolume(at: files[index].path).volume
                return ClassifiedScan(
                    name: files[index].name,
                    volume: try conform(scan, to: configuration.conform).volume,
                    kind: kinds.firstIndex(of: files[index].kind))
            }
        }.map { try $0.get() }
        let real = scans.filter { !heldOut.contains($0.name) }
        validation = scans.filter { heldOut.contains($0.name) }
        names = real.map(\.name)
        let synthetic = try SyntheticKinds(configuration, source, folder: folder)
        if let synthetic {
            names += synthetic.names
            validation += synthetic.validation
        }
        let lines = files.map { file in
            let hash = contentHash(ofFilesAt: filesOfScan(at: file.path)) ?? "none"
            return "\(file.name)\t\(file.kind)\t\(hash)"
        }
        let maps = configuration.cases.synthesis.map { mapHashes(of: $0, folder: folder) } ?? []
        data = sha256(Data((lines + maps).joined(separator: "\n").utf8))
        guard !names.isEmpty else {
            throw TrainingRunError(
                description: "no scan is left to train on; correct 'cases' in the configuration")
        }
        // Of real scans each class has its turn.
        let groups = ([nil] + kinds.indices.map(Optional.some))
            .map { kind in real.filter { $0.kind == kind } }.filter { !$0.isEmpty }
        let fraction = synthetic == nil ? 0 : groups.isEmpty ? 1 : synthetic?.fraction ?? 1
        scan = { number in
            var generator = SeededGenerator(seed: UInt64(number))
            if let synthetic, generator.happens(fraction) { return synthetic.scan(number) }
            let group = groups[number % groups.count]
            return group[Int(generator.next() % UInt64(group.count))]
        }
        report(
            "Classes: \(([ClassSource.noneName] + kinds).joined(separator: ", ")); scans and label "
                + "maps to train on: \(names.count), scans held out: \(validation.count).")
    }
}

/// A scan with its class, as a file.
private struct ClassifiedFile {
    var name: String
    var path: String
    var kind: String
}

/// The scans of a folder of classes or of a table, by name.
private func classifiedFiles(
    of source: ClassSource, folder: String
) throws -> [ClassifiedFile] {
    var files: [ClassifiedFile] = []
    if let directory = source.directory {
        let path = resolve(directory, relativeTo: folder)
        for kind in try contents(of: path, key: "directory") {
            guard isDirectory(joined(path, kind)) else { continue }
            for file in try contents(of: joined(path, kind), key: "directory") {
                guard let name = volumeName(ofPath: file) else { continue }
                files.append(
                    ClassifiedFile(
                        name: "\(kind)/\(name)", path: joined(joined(path, kind), file),
                        kind: kind))
            }
        }
        guard !files.isEmpty else {
            throw TrainingRunError(
                description: "'\(path)' holds no folder with scans; make one for each class, or "
                    + "correct 'cases.classes.directory' in the configuration")
        }
    }
    if let table = source.table {
        let path = resolve(table, relativeTo: folder)
        let reader = TSVReader(try readText(path))
        for row in reader.rows {
            guard let scan = row["scan"], let kind = row["class"] else {
                throw TrainingRunError(
                    description: "row \(row.number) of '\(path)' lacks a scan or a class; the "
                        + "table needs the columns 'scan' and 'class'")
            }
            files.append(
                ClassifiedFile(
                    name: scan,
                    path: resolve(
                        scan, relativeTo: (path as NSString).deletingLastPathComponent),
                    kind: kind))
        }
        guard !files.isEmpty else {
            throw TrainingRunError(description: "'\(path)' lists no scan; add rows to it")
        }
    }
    if let twice = Dictionary(grouping: files, by: \.name).first(where: { $1.count > 1 }) {
        throw TrainingRunError(
            description: "the scan '\(twice.key)' is listed twice; correct 'cases.classes'")
    }
    return files
}

private func contents(of directory: String, key: String) throws -> [String] {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: directory) else {
        throw TrainingRunError(
            description: "the folder '\(directory)' cannot be read; correct 'cases.classes.\(key)' "
                + "in the configuration")
    }
    return names.filter { !$0.hasPrefix(".") }.sorted()
}

/// Scans of each kind that are synthesised from label maps, and shapes that are no heads.
private struct SyntheticKinds: Sendable {
    let names: [String]
    let validation: [ClassifiedScan]
    /// The part of the scans that is synthetic where there are real ones.
    let fraction: Double
    private let synthesizers: [HeadSynthesizer]
    private let shapes: RandomShapes
    private let shapesFraction: Double
    private let kindNames: [String]

    init?(
        _ configuration: TrainingConfiguration, _ source: ClassSource, folder: String
    ) throws {
        if source.synthetic.isEmpty { return nil }
        guard let synthesis = configuration.cases.synthesis else {
            throw TrainingRunError(
                description: "'cases.classes.synthetic' needs the label maps of 'cases.synthesis'")
        }
        let anatomies = try readAnatomies(synthesis, folder: folder)
        let heldOut = anatomies.filter { synthesis.validation.contains($0.name) }
        let training = anatomies.filter { !synthesis.validation.contains($0.name) }
        guard !training.isEmpty else {
            throw TrainingRunError(
                description: "every label map is held out; leave some for training in "
                    + "'cases.synthesis.validation'")
        }
        func synthesizers(_ anatomies: [HeadAnatomy], seed: UInt64) -> [HeadSynthesizer] {
            source.synthetic.enumerated().map { position, kind in
                var options = synthesis.options
                options.target = .brainMask
                options.contrast = kind.contrast
                if kind.contrast == nil { options.priorProbability = 0 }
                return HeadSynthesizer(
                    anatomies: anatomies, options: options,
                    mapping: LabelMapping(identity: ExtractedBrain.labelTable),
                    seed: seed &+ UInt64(position))
            }
        }
        func shapes(seed: UInt64) -> RandomShapes {
            RandomShapes(
                size: synthesis.options.size,
                spacingMillimeters: synthesis.options.spacingMillimeters, seed: seed)
        }
        names = training.map(\.name)
        fraction = synthesis.fraction
        kindNames = source.synthetic.map(\.name)
        self.synthesizers = synthesizers(training, seed: synthesis.seed)
        self.shapes = shapes(seed: synthesis.seed)
        shapesFraction = source.shapesFraction
        // Held-out scans are the same in every run.
        let unseen = heldOut.isEmpty ? [] : synthesizers(heldOut, seed: synthesis.seed &+ 1000)
        let count = heldOut.count * synthesis.scansPerHeldOutMap
        var validation = unseen.enumerated().flatMap { kind, synthesizer in
            concurrentMap(count: count) { number in
                ClassifiedScan(
                    name: "\(source.synthetic[kind].name)-\(number + 1)",
                    volume: synthesizer.scan(number).volume, kind: kind)
            }
        }
        let unseenShapes = shapes(seed: synthesis.seed &+ 1000)
        validation += concurrentMap(count: count) { number in
            ClassifiedScan(
                name: "\(ClassSource.noneName)-\(number + 1)",
                volume: unseenShapes.volume(number), kind: nil)
        }
        self.validation = validation
    }

    func scan(_ number: Int) -> ClassifiedScan {
        var generator = SeededGenerator(seed: UInt64(number) &+ 1)
        if generator.happens(shapesFraction) {
            return ClassifiedScan(
                name: "shapes \(number)", volume: shapes.volume(number), kind: nil)
        }
        let kind = Int(generator.next() % UInt64(synthesizers.count))
        return ClassifiedScan(
            name: "\(kindNames[kind]) \(number)",
            volume: synthesizers[kind].scan(number).volume, kind: kind)
    }
}
