import Datasets
import Foundation
import Parallel
import Preprocessing
import SegmentationModels
import Training
import VolumeIO
import Volumes

/// The data of a training.
struct TrainingMaterial {
    /// The source of the slices.
    enum Source {
        /// Scans with labels.
        case scans([TrainingCase])
        /// Scans synthesised while the training runs.
        case synthesis(HeadSynthesizer, CaseSource.Synthesis)
        /// Both, in each batch.
        case mixed([TrainingCase], HeadSynthesizer, CaseSource.Synthesis)
    }

    var source: Source
    /// Copies of the training cases at coarser resolutions.
    var coarserCopies: [TrainingCase] = []
    /// The cases held out.
    var validation: [TrainingCase]

    /// The cases or label maps that are trained on.
    var names: [String] {
        switch source {
        case .scans(let cases): cases.map(\.name)
        case .synthesis(let synthesizer, _): synthesizer.anatomies.map(\.name)
        case .mixed(let cases, let synthesizer, _):
            cases.map(\.name) + synthesizer.anatomies.map(\.name)
        }
    }

    /// The slices of a plane.
    func slices(
        plane: Plane, architecture: Architecture, outputOfClass: [Int], threadCount: Int
    ) -> any SliceSource {
        let outputs = outputOfClass.map(UInt8.init)
        func real(_ cases: [TrainingCase]) -> SliceDataset {
            SliceDataset(
                cases: cases + coarserCopies, plane: plane, context: architecture.contextSlices,
                outputOfClass: outputs, multiple: architecture.sizeMultiple)
        }
        func synthetic(
            _ synthesizer: HeadSynthesizer, _ options: CaseSource.Synthesis
        ) -> SyntheticSlices {
            SyntheticSlices(
                synthesizer, plane: plane, context: architecture.contextSlices,
                outputOfClass: outputs, slicesPerScan: options.slicesPerScan,
                poolSize: options.poolSize, threadCount: threadCount)
        }
        switch source {
        case .scans(let cases): return real(cases)
        case .synthesis(let synthesizer, let options): return synthetic(synthesizer, options)
        case .mixed(let cases, let synthesizer, let options):
            return MixedSlices(
                real(cases), synthetic(synthesizer, options), syntheticFraction: options.fraction)
        }
    }

    /// Representative volumes in the model's space.
    func volumes(count: Int) -> [Volume] {
        switch source {
        case .scans(let cases), .mixed(let cases, _, _):
            cases.prefix(count).map(\.conformed.volume)
        case .synthesis(let synthesizer, _): (0..<count).map { synthesizer.scan($0).volume }
        }
    }
}

/// Cases that are read when they are first asked for, and once.
final class LazyCases {
    private let load: () throws -> TrainingMaterial
    private var loaded: TrainingMaterial?

    init(_ load: @escaping () throws -> TrainingMaterial) {
        self.load = load
    }

    /// The cases to train on, and those held out.
    func callAsFunction() throws -> TrainingMaterial {
        if let loaded { return loaded }
        let cases = try load()
        loaded = cases
        return cases
    }
}

func readMapping(_ path: String, relativeTo folder: String) throws -> LabelMapping {
    let path = resolve(path, relativeTo: folder)
    return try LabelMapping.parse(try readText(path), path: path)
}

func loadCases(
    _ configuration: TrainingConfiguration, mapping: LabelMapping, folder: String,
    report: (String) -> Void
) throws -> TrainingMaterial {
    let source = configuration.cases
    var training: [TrainingCase] = []
    var validation: [TrainingCase] = []
    func add(_ name: String, scan: Volume, labels: LabelMap, isHeldOut: Bool) throws {
        let prepared = try TrainingCase(
            name: name, scan: scan, labels: mapping.apply(to: labels), table: mapping.table,
            conform: configuration.conform)
        if isHeldOut { validation.append(prepared) } else { training.append(prepared) }
    }
    let isSyntheticAlone =
        source.directory == nil && source.files == nil && source.phantoms == nil
    if let synthesis = source.synthesis, isSyntheticAlone {
        return try synthesisMaterial(
            synthesis, mapping: mapping, folder: folder, report: report)
    }
    let tablePath = resolve(source.labels, relativeTo: folder)
    var check = CaseCheck(mapping: mapping, tablePath: tablePath)
    if let phantoms = source.phantoms {
        for number in 0..<phantoms.count {
            let seed = phantoms.seed &+ UInt64(number)
            let (scan, labels) = makePhantom(seed: seed)
            try add(
                "phantom-\(seed)", scan: scan, labels: labels,
                isHeldOut: number >= phantoms.count - phantoms.validation)
        }
    } else {
        let files = try caseFiles(of: source, relativeTo: folder)
        let heldOut = Set(source.validation ?? [])
        if let unknown = heldOut.subtracting(files.map(\.name)).sorted().first {
            let place = source.directory.map { "'\($0)'" } ?? "'cases.files'"
            throw TrainingRunError(
                description: "the held-out case '\(unknown)' is not in \(place); correct "
                    + "'cases.validation' in the configuration")
        }
        for file in files {
            let scan = try readVolume(at: file.scanPath)
            let labels = try LoadedLabelMap(readingFrom: file.labelPath)
            let isHeldOut = heldOut.contains(file.name)
            try check.add(file, scan: scan.volume, labels: labels, isHeldOut: isHeldOut)
            try add(file.name, scan: scan.volume, labels: labels.map, isHeldOut: isHeldOut)
        }
    }
    guard !training.isEmpty else {
        throw TrainingRunError(
            description: "every case is held out; leave some for training in 'cases.validation'")
    }
    report("\(training.count) cases to train on, \(validation.count) held out.")
    let census = ClassCensus(of: training, table: mapping.table)
    for line in check.notes + census.lines { report(line) }
    try census.check(tablePath: tablePath)
    var material = TrainingMaterial(source: .scans(training), validation: validation)
    if let copies = source.coarserCopies {
        let resolution = copies.resolution(
            finest: configuration.conform.spacingMillimeters.min())
        let count = Int((copies.perCase * Double(training.count)).rounded())
        material.coarserCopies = concurrentMap(count: count) { [training] number in
            training[number % training.count].coarser(number, resolution)
        }
        report("Copies of them at coarser resolutions: \(count).")
    }
    if let synthesis = source.synthesis {
        let synthesizer = try synthesizerBesideScans(
            synthesis, mapping: mapping, folder: folder)
        report(
            "\((100 * synthesis.fraction).formatted()) % of the slices are synthesised from label "
                + "maps: \(synthesizer.anatomies.count).")
        material.source = .mixed(training, synthesizer, synthesis)
    }
    return material
}

/// A synthesizer whose scans go beside real ones: of the same structures, by labels of its own.
private func synthesizerBesideScans(
    _ source: CaseSource.Synthesis, mapping: LabelMapping, folder: String
) throws -> HeadSynthesizer {
    var ownMapping = mapping
    if let table = source.labels {
        ownMapping = try readMapping(table, relativeTo: folder)
        guard ownMapping.table == mapping.table else {
            throw TrainingRunError(
                description: "'\(resolve(table, relativeTo: folder))' names other structures than "
                    + "'cases.labels'; give it the same rows, and change the column 'source' alone")
        }
    }
    let anatomies = try readAnatomies(source, folder: folder)
        .filter { !source.validation.contains($0.name) }
    guard !anatomies.isEmpty else {
        throw TrainingRunError(
            description: "every label map is held out; leave some for training in "
                + "'cases.synthesis.validation'")
    }
    return HeadSynthesizer(
        anatomies: anatomies, options: source.options, mapping: ownMapping, seed: source.seed)
}

/// Reads the label maps of a configuration that synthesises its scans.
func readSynthesis(
    configurationPath: String, isHeldOut: Bool
) throws -> (synthesizer: HeadSynthesizer, mapping: LabelMapping) {
    let configuration = try ConfigurationLayers(path: configurationPath).configuration()
    let folder = (configurationPath as NSString).deletingLastPathComponent
    guard let source = configuration.cases.synthesis else {
        throw TrainingRunError(
            description: "'\(configurationPath)' synthesises no scans; give one with "
                + "'cases.synthesis', such as pipelines/brain-any.yaml")
    }
    let mapping = try readMapping(configuration.cases.labels, relativeTo: folder)
    let anatomies = try readAnatomies(source, folder: folder)
        .filter { source.validation.contains($0.name) == isHeldOut }
    guard !anatomies.isEmpty else {
        throw TrainingRunError(
            description: "'\(configurationPath)' holds no label map out; leave out --held-out")
    }
    return (
        HeadSynthesizer(
            anatomies: anatomies, options: source.options, mapping: mapping,
            seed: source.seed &+ (isHeldOut ? 1 : 0)),
        mapping
    )
}

/// Reads the label maps that scans are synthesised from.
func readAnatomies(
    _ source: CaseSource.Synthesis, folder: String
) throws -> [HeadAnatomy] {
    let directory = resolve(source.directory, relativeTo: folder)
    let files = ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? [])
        .filter { !$0.hasPrefix(".") }.sorted()
        .compactMap { file in
            volumeName(ofPath: file).map { (name: $0, path: directory + "/" + file) }
        }
    guard !files.isEmpty else {
        throw TrainingRunError(
            description:
                "'\(directory)' holds no label map; correct 'cases.synthesis.directory' in "
                + "the configuration")
    }
    if let unknown = Set(source.validation).subtracting(files.map(\.name)).sorted().first {
        throw TrainingRunError(
            description: "the held-out label map '\(unknown)' is not in '\(directory)'; correct "
                + "'cases.synthesis.validation' in the configuration")
    }
    return try concurrentMap(count: files.count) { index in
        Result {
            try HeadAnatomy(
                name: files[index].name, labels: readLabelMap(at: files[index].path).0)
        }
    }.map { try $0.get() }
}

/// The scans that are synthesised from label maps alone.
private func synthesisMaterial(
    _ source: CaseSource.Synthesis, mapping: LabelMapping, folder: String,
    report: (String) -> Void
) throws -> TrainingMaterial {
    let anatomies = try readAnatomies(source, folder: folder)
    let heldOut = Set(source.validation)
    let training = anatomies.filter { !heldOut.contains($0.name) }
    guard !training.isEmpty else {
        throw TrainingRunError(
            description: "every label map is held out; leave some for training in "
                + "'cases.synthesis.validation'")
    }
    // Validation scans are the same in every run: each map has its own synthesizer and seed.
    let validation = anatomies.filter { heldOut.contains($0.name) }.flatMap { anatomy in
        let synthesizer = HeadSynthesizer(
            anatomies: [anatomy], options: source.options, mapping: mapping,
            seed: source.seed &+ 1)
        return (0..<source.scansPerHeldOutMap).map { number in
            TrainingCase(
                name: "\(anatomy.name)-\(number + 1)", scan: synthesizer.scan(number),
                table: mapping.table)
        }
    }
    report(
        "\(training.count) label maps to synthesise scans from, \(validation.count) scans of "
            + "\(heldOut.count) others held out.")
    return TrainingMaterial(
        source: .synthesis(
            HeadSynthesizer(
                anatomies: training, options: source.options, mapping: mapping, seed: source.seed),
            source),
        validation: validation)
}

/// The scans and label maps of a folder or of a list.
func caseFiles(of source: CaseSource, relativeTo folder: String) throws -> [CaseFiles] {
    guard let listed = source.files else {
        return try CaseFiles.find(
            in: resolve(source.directory ?? "", relativeTo: folder),
            scanSuffix: source.scanSuffix ?? "", labelSuffix: source.labelSuffix ?? "_dseg")
    }
    var names: Set<String> = []
    return try listed.map { files in
        guard names.insert(files.name).inserted else {
            throw TrainingRunError(
                description: "two cases are called '\(files.name)'; correct 'cases.files' in the "
                    + "configuration")
        }
        return CaseFiles(
            name: files.name, scanPath: resolve(files.scan, relativeTo: folder),
            labelPath: resolve(files.labels, relativeTo: folder))
    }
}
