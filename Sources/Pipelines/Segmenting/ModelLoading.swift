import Files
import ModelBundles

/// Loads a model, and calls an unknown name wrong usage.
func loadModel(_ name: String) throws -> ModelBundle {
    do {
        return try ModelBundle.find(name)
    } catch {
        let isUnknown =
            error.code == .unknownModel || (error.code == .unreadable && !isDirectory(name))
        guard isUnknown else { throw error }
        throw UsageError("\(error)", code: .model)
    }
}
