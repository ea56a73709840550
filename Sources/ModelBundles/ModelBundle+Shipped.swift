import Foundation
import Tensors

extension ModelBundle {
    /// The models shipped with the package, or those of the folder in `SLICESEG_MODELS`, by name.
    public static func shippedNames() -> [String] { names(in: shippedFolder()) }

    /// Loads a shipped model.
    ///
    /// - Parameter name: The model's name, which is that of its folder.
    /// - Returns: The bundle.
    /// - Throws: ``ModelBundleError``.
    public static func shipped(named name: String) throws(ModelBundleError) -> ModelBundle {
        let folder = shippedFolder()
        let names = names(in: folder)
        guard let folder, names.contains(name) else {
            throw ModelBundleError(.unknownModel, name, "is not a shipped model; " + choice(names))
        }
        return try load(at: path(of: name, in: folder))
    }

    /// Loads a shipped model by its name or any other by its folder.
    ///
    /// A shipped name comes before a folder of that name; write `./name` for the folder.
    ///
    /// - Parameter nameOrDirectory: What stands after `--model`.
    /// - Returns: The bundle.
    /// - Throws: ``ModelBundleError``.
    public static func find(_ nameOrDirectory: String) throws(ModelBundleError) -> ModelBundle {
        try find(nameOrDirectory, shippedIn: shippedFolder())
    }

    /// Loads a model as ``find(_:)`` does, the shipped ones from a folder.
    package static func find(
        _ nameOrDirectory: String, shippedIn folder: String?
    ) throws(ModelBundleError) -> ModelBundle {
        let names = names(in: folder)
        if let folder, names.contains(nameOrDirectory) {
            return try load(at: path(of: nameOrDirectory, in: folder))
        }
        if nameOrDirectory.contains("/") || FileManager.default.fileExists(atPath: nameOrDirectory)
        {
            return try load(at: nameOrDirectory)
        }
        throw ModelBundleError(
            .unknownModel, nameOrDirectory,
            "is neither a shipped model nor a folder; " + choice(names))
    }

    private static func names(in folder: String?) -> [String] {
        guard let folder else { return [] }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { holdsCard(path(of: $0, in: folder)) }.sorted()
    }

    private static func choice(_ names: [String]) -> String {
        if !names.isEmpty {
            return "choose from \(names.joined(separator: ", ")), or give a model's folder"
        }
        if let folder = ProcessInfo.processInfo.environment["SLICESEG_MODELS"] {
            return "SLICESEG_MODELS is '\(folder)', where no models lie, so correct it or give a "
                + "model's folder"
        }
        return "no models are shipped with this program, so give a model's folder"
    }

    private static func holdsCard(_ directory: String) -> Bool {
        FileManager.default.fileExists(atPath: path(of: ModelCard.fileName, in: directory))
    }

    /// The folder of the shipped models: as it is set, or beside the program or library as it was
    /// built or installed.
    private static func shippedFolder() -> String? {
        if let folder = ProcessInfo.processInfo.environment["SLICESEG_MODELS"] { return folder }
        return installedFile([
            "SliceSeg_ModelBundles.resources/Bundles", "../share/sliceseg/models",
        ])
    }
}
