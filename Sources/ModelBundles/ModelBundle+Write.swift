import Files
import Foundation
import NeuralNetworks
public import SegmentationModels
import Synchronization
import Tensors
public import Volumes

extension ModelBundle {
    /// Writes a bundle: the card and each plane's weights in half precision.
    ///
    /// The folder appears with all its files in one step. A bundle that is there already makes way
    /// only when the new one is complete; a folder that holds anything else is left alone. Running
    /// means and variances, which are few and may lie beyond the range of half precision, stay
    /// single.
    ///
    /// - Parameters:
    ///   - card: The card; the names of the weights files and their hashes are filled in.
    ///   - networks: A network for each plane of the card.
    ///   - directory: The bundle's folder; folders above it are made where they are missing.
    ///   - keepsSinglePrecision: Whether weights are stored as they are, twice as large.
    /// - Returns: The bundle as loading it again gives it.
    /// - Throws: ``ModelBundleError``, `FileWriteError` or `TensorError`.
    public static func write(
        card: ModelCard, networks: [(Plane, SegmentationNetwork)], to directory: String,
        keepsSinglePrecision: Bool = false
    ) throws -> ModelBundle {
        let directory = withoutTrailingSlashes(directory)
        try check(card, networks, directory)
        var card = card
        var files: [(name: String, bytes: [UInt8])] = []
        for (plane, network) in networks {
            let name = "weights-\(plane.rawValue).safetensors"
            let path = path(of: name, in: directory)
            let tensors = try network.namedParameters.map { name, parameter in
                (
                    name: name,
                    tensor: try compact(
                        parameter, keepsSinglePrecision, name: name, path: path)
                )
            }
            let bytes = try encodedSafeTensors(tensors, metadata: ["format": "pt"], as: nil)
            for index in card.planes.indices where card.planes[index].plane == plane {
                card.planes[index].weightsFile = name
                card.planes[index].sha256 = sha256(bytes)
            }
            files.append((name, bytes))
        }
        let cardBytes = try card.encoded(for: path(of: ModelCard.fileName, in: directory))
        files.append((ModelCard.fileName, [UInt8](cardBytes)))

        try replaceDirectory(directory) { temporaryDirectory in
            for file in files {
                try writeAtomically(file.bytes, to: path(of: file.name, in: temporaryDirectory))
            }
        }
        return try load(at: directory)
    }

    /// Throws where card, networks and folder do not go together.
    private static func check(
        _ card: ModelCard, _ networks: [(Plane, SegmentationNetwork)], _ directory: String
    ) throws(ModelBundleError) {
        let cardPath = path(of: ModelCard.fileName, in: directory)
        if let problem = card.problem {
            throw ModelBundleError(.invalidCard, cardPath, "cannot be written: it " + problem)
        }
        let given = networks.map(\.0.rawValue).sorted()
        let listed = card.planes.map(\.plane.rawValue).sorted()
        guard given == listed else {
            throw ModelBundleError(
                .missingPlane, cardPath,
                "cannot be written: it lists the planes \(listed.joined(separator: ", ")) and "
                    + "there are networks for \(given.joined(separator: ", "))")
        }
        for (plane, network) in networks where card.architecture(of: plane) != network.architecture
        {
            throw ModelBundleError(
                .invalidCard, cardPath,
                "cannot be written: the \(plane.rawValue) network was built otherwise than its "
                    + "architecture says, with \(network.architecture.classes) classes")
        }
    }

    /// A weight in half precision; a buffer as it is.
    private static func compact(
        _ parameter: Parameter, _ keepsSinglePrecision: Bool, name: String, path: String
    ) throws -> Tensor {
        let single = try parameter.value.detached().converted(to: .float32, on: .cpu)
        guard try single.allFinite() else {
            throw ModelBundleError(
                .notFinite, path,
                "cannot be written: '\(name)' holds numbers that are not finite; the training has "
                    + "diverged, so lower its learning rate")
        }
        guard parameter.isTrainable, !keepsSinglePrecision else { return single }
        let half = try single.converted(to: .float16)
        guard try half.allFinite() else {
            throw ModelBundleError(
                .notFinite, path,
                "cannot be written: '\(name)' holds a weight beyond 65504, the largest number of "
                    + "half precision; the training has diverged, so lower its learning rate")
        }
        return half
    }

    private static func withoutTrailingSlashes(_ path: String) -> String {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path
    }
}

/// A number for the next temporary folder of this process.
private let nextNumber = Mutex(0)

/// Fills a new folder beside `directory` and gives it the name, in place of what had it before.
private func replaceDirectory(
    _ directory: String, fill: (_ temporaryDirectory: String) throws -> Void
) throws {
    let destination = URL(filePath: directory, directoryHint: .notDirectory)
        .resolvingSymlinksInPath()
    let final = destination.path(percentEncoded: false)
    try checkReplaceable(final, namedInErrors: directory)
    let parent = destination.deletingLastPathComponent()
    do {
        try FileManager.default.createDirectory(at: parent, withIntermediateDirectories: true)
    } catch {
        let number = errorNumber(of: error)
        throw FileWriteError(path: directory, errorNumber: number == EEXIST ? ENOTDIR : number)
    }
    let number = nextNumber.withLock { number in
        number += 1
        return number
    }
    let temporaryPath = parent.appending(
        path: ".\(destination.lastPathComponent).\(getpid())-\(number).tmp",
        directoryHint: .notDirectory
    ).path(percentEncoded: false)
    guard mkdir(temporaryPath, 0o777) == 0 else {
        throw FileWriteError(path: directory, errorNumber: errno)
    }
    // Where all goes well nothing has this name any more.
    defer { try? FileManager.default.removeItem(atPath: temporaryPath) }
    try fill(temporaryPath)
    try moveDirectory(temporaryPath, to: final, named: directory)
}

/// Gives a folder its final name; what had the name before is removed once the new one stands.
private func moveDirectory(_ temporary: String, to final: String, named directory: String) throws {
    // A folder takes the place of nothing and of an empty folder in one step.
    if rename(temporary, final) == 0 { return }
    guard errno == ENOTEMPTY || errno == EEXIST else {
        throw FileWriteError(path: directory, errorNumber: errno)
    }
    let old = temporary + ".old"
    guard rename(final, old) == 0 else {
        throw FileWriteError(path: directory, errorNumber: errno)
    }
    guard rename(temporary, final) == 0 else {
        let failure = errno
        _ = rename(old, final)
        throw FileWriteError(path: directory, errorNumber: failure)
    }
    // The new bundle stands; what cannot be removed of the old one is hidden and does no harm.
    try? FileManager.default.removeItem(atPath: old)
}

/// Throws where something other than a bundle would be lost.
private func checkReplaceable(_ path: String, namedInErrors directory: String) throws {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else { return }
    guard isDirectory.boolValue else { throw FileWriteError(path: directory, errorNumber: ENOTDIR) }
    let names: [String]
    do {
        names = try FileManager.default.contentsOfDirectory(atPath: path)
    } catch {
        throw FileWriteError(path: directory, errorNumber: errorNumber(of: error))
    }
    let foreign = names.sorted().first {
        $0 != ModelCard.fileName && !($0.hasPrefix("weights-") && $0.hasSuffix(".safetensors"))
    }
    if let foreign {
        throw ModelBundleError(
            .occupied, directory,
            "cannot be replaced by a model: it holds '\(foreign)', which belongs to none; move that "
                + "away or choose another folder")
    }
}

/// The operating system's number in a Foundation error.
private func errorNumber(of error: any Error) -> Int32 {
    if let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? any Error {
        return errorNumber(of: underlying)
    }
    if let posix = error as? POSIXError { return posix.code.rawValue }
    let error = error as NSError
    if error.domain == NSPOSIXErrorDomain { return Int32(error.code) }
    switch CocoaError.Code(rawValue: error.code) {
    case .fileWriteNoPermission, .fileReadNoPermission: return EACCES
    case .fileWriteOutOfSpace: return ENOSPC
    case .fileWriteVolumeReadOnly: return EROFS
    case .fileWriteFileExists: return EEXIST
    default: return EIO
    }
}
