package import Tensors

/// Turns a name of the command line into a device.
///
/// - Parameter name: `auto` (CUDA where there is one), `cpu`, `cuda`, or `cuda:1`.
/// - Returns: The device.
/// - Throws: ``UsageError`` where the name is unknown.
package func resolveDevice(_ name: String) throws -> Device {
    switch name {
    case "cpu": return .cpu
    case "auto":
        // Without LibTorch the processor serves.
        return ((try? Engine.cudaDeviceCount()) ?? 0) > 0 ? .cuda(0) : .cpu
    default:
        let parts = name.split(separator: ":", omittingEmptySubsequences: false)
        let index = parts.count == 1 ? 0 : parts.count == 2 ? Int(parts[1]) : nil
        guard parts.first == "cuda", let index, index >= 0 else {
            throw UsageError(
                "'\(name)' is not a device; write auto, cpu, cuda or cuda:1")
        }
        return .cuda(index)
    }
}
