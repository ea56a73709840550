import Foundation

/// The processor's name as the system tells it, or its architecture.
func processorName() -> String {
    let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    return processorName(inSystemDescription: text)
}

/// The first `model name` of `/proc/cpuinfo`, or the architecture where there is none, as on Arm.
package func processorName(inSystemDescription text: String) -> String {
    for line in text.split(separator: "\n") {
        let parts = line.split(separator: ":", maxSplits: 1)
        let words = parts.map { $0.trimmingCharacters(in: .whitespaces) }
        if words.count == 2, words[0] == "model name", !words[1].isEmpty { return words[1] }
    }
    #if arch(arm64)
        return "Arm (aarch64)"
    #else
        return "x86-64"
    #endif
}

/// An instruction set as people write it.
///
/// - Parameter capability: What the engine calls it; empty where it knows none, as on Arm.
/// - Returns: The name.
package func instructionSetName(_ capability: String) -> String {
    switch capability {
    case "AVX512_BF16": return "AVX512-BF16"
    case "AVX512": return "AVX-512"
    case "":
        #if arch(arm64)
            return "NEON"
        #else
            return "no vector instructions beyond the architecture's"
        #endif
    default: return capability
    }
}

/// Runs a body and tells the most memory that the process had at once meanwhile.
///
/// Where the system does not let the mark be taken back, it is the most since the process began.
///
/// - Parameter body: What is run.
/// - Returns: Bytes.
/// - Throws: What the body throws.
package func peakMemory(during body: () throws -> Void) throws -> Int {
    try? Data("5".utf8).write(to: URL(filePath: "/proc/self/clear_refs"))
    try body()
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    for line in status.split(separator: "\n") where line.hasPrefix("VmHWM:") {
        let words = line.split(whereSeparator: \.isWhitespace)
        if words.count >= 2, let kilobytes = Int(words[1]) { return kilobytes * 1024 }
    }
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
}
