internal import COpenSSL
public import Foundation

/// Computes the SHA-256 of bytes that come in pieces (FIPS 180-4), through OpenSSL.
///
/// Inputs, models and outputs are known by this hash of their content.
@safe public final class SHA256 {
    private let context: OpaquePointer

    /// Starts with no bytes.
    public init() {
        guard let context = unsafe EVP_MD_CTX_new(),
            unsafe EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1
        else { preconditionFailure("OpenSSL offers no SHA-256") }
        unsafe self.context = context
    }

    deinit { unsafe EVP_MD_CTX_free(context) }

    /// Adds bytes.
    public func update(_ bytes: some ContiguousBytes) {
        let status = unsafe bytes.withUnsafeBytes { buffer in
            unsafe EVP_DigestUpdate(context, buffer.baseAddress, buffer.count)
        }
        precondition(status == 1, "OpenSSL failed to hash")
    }

    /// The hash of all bytes so far as 64 hexadecimal digits; nothing can be added after it.
    public func finalize() -> String {
        var digest = [UInt8](repeating: 0, count: 32)
        let status = unsafe EVP_DigestFinal_ex(context, &digest, nil)
        precondition(status == 1, "OpenSSL failed to hash")
        return digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

/// The SHA-256 of some bytes as 64 hexadecimal digits.
public func sha256(_ bytes: some ContiguousBytes) -> String {
    let hash = SHA256()
    hash.update(bytes)
    return hash.finalize()
}
