import Foundation
import Tensors

/// The version of this program, as outputs record it; CHANGELOG.md tells what each brought.
public let softwareVersion = "0.2.0"

/// The reply to `--version`: version, build, processor and engine, a line each.
///
/// LibTorch is loaded to tell its version, where it is there.
///
/// - Parameter program: The program's name.
/// - Returns: The lines.
public func versionReport(of program: String) -> String {
    var lines = ["\(program) \(softwareVersion)"]
    lines.append("build: \(softwareBuild() ?? "from source, commit not recorded")")
    do {
        try Engine.loadPlans()
        let instructions = instructionSetName(try Engine.convolutionCapability())
        lines.append("processor: \(processorName()), \(instructions)")
        lines.append("engine: compiled plans")
    } catch {
        lines.append("processor: \(processorName())")
        lines.append("engine: none, as \(error)")
    }
    do {
        lines.append("LibTorch: \(try Engine.versionDescription())")
    } catch {
        lines.append("LibTorch: none; only training, calibration and GPUs need it")
    }
    return lines.map { $0 + "\n" }.joined()
}

/// The commit that the program was built from, with its date, where `make` or an archive recorded it
/// beside the program.
private func softwareBuild() -> String? {
    guard
        let path = installedFile(["sliceseg-build.txt", "../share/sliceseg/build.txt"]),
        let text = try? String(contentsOfFile: path, encoding: .utf8)
    else { return nil }
    let line = text.trimmingCharacters(in: .whitespacesAndNewlines)
    return line.isEmpty ? nil : line
}
