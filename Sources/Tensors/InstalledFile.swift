internal import CPlan

#if canImport(Glibc)
    internal import Glibc
#endif

/// The first of some files that is there, beside this program or library.
///
/// The library that this code is linked into may be loaded by an interpreter; then the running program is
/// elsewhere.
///
/// - Parameter candidates: Paths from the folder that the library or program lies in.
/// - Returns: The path, or `nil` where none is there.
package func installedFile(_ candidates: [String]) -> String? {
    for candidate in candidates {
        let path = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) {
            buffer -> String? in
            guard let start = buffer.baseAddress,
                unsafe cplan_find_beside(candidate, start, Int32(buffer.count))
            else { return nil }
            return unsafe String(cString: start)
        }
        if let path { return path }
    }
    return nil
}
