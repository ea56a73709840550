import Foundation

// Handles are references that C holds: `passed` counts one for the caller, `free` gives it back.

/// Hands an object to the caller, who owns it.
func passed(_ object: AnyObject) -> OpaquePointer {
    unsafe OpaquePointer(Unmanaged.passRetained(object).toOpaque())
}

/// The object behind a handle.
func object<Object: AnyObject>(_ handle: OpaquePointer, as _: Object.Type) -> Object {
    unsafe Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
}

/// Takes a handle back from the caller.
func free<Object: AnyObject>(_ handle: OpaquePointer?, as _: Object.Type) {
    guard let handle = unsafe handle else { return }
    unsafe Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle)).release()
}

/// Sole owner of a text that C reads.
///
/// `@unchecked Sendable`: the text is never written to again.
@safe final class CText: @unchecked Sendable {
    let pointer: UnsafePointer<CChar>

    init(_ text: String) {
        let bytes = Array(text.utf8) + [0]
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
        for (index, byte) in bytes.enumerated() { unsafe copy[index] = CChar(bitPattern: byte) }
        unsafe pointer = UnsafePointer(copy)
    }

    deinit { unsafe pointer.deallocate() }
}
