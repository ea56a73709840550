public import Inference
public import Volumes

/// Reads a list of planes as a command line has it.
///
/// - Parameter text: Such as `coronal,axial`.
/// - Returns: The planes.
/// - Throws: ``UsageError`` where one is unknown or named twice.
public func parsePlanes(_ text: String) throws(UsageError) -> [Plane] {
    var planes: [Plane] = []
    for name in text.split(separator: ",", omittingEmptySubsequences: false) {
        guard let plane = Plane(rawValue: String(name)) else {
            throw UsageError(
                "'\(name)' is not a plane; write coronal, axial and sagittal with commas between")
        }
        guard !planes.contains(plane) else {
            throw UsageError("the plane '\(name)' is named twice; name each once")
        }
        planes.append(plane)
    }
    return planes
}

/// Reads a precision as a command line has it.
///
/// - Parameter text: `auto`, `bf16`, `fp32` or `int8`.
/// - Returns: The precision.
/// - Throws: ``UsageError`` where it is another text.
public func parsePrecision(_ text: String) throws(UsageError) -> Precision {
    guard let precision = Precision(rawValue: text) else {
        throw UsageError("'\(text)' is not a precision; write auto, bf16, fp32 or int8")
    }
    return precision
}

/// Reads a choice as a command line has it.
///
/// - Parameters:
///   - text: What was given.
///   - option: The option, for the error.
/// - Returns: The choice.
/// - Throws: ``UsageError`` where it is none of them.
public func parseChoice<Choice: CaseIterable & RawRepresentable<String>>(
    _ text: String, option: String
) throws(UsageError) -> Choice {
    guard let choice = Choice(rawValue: text) else {
        throw UsageError(
            "\(option) must be "
                + Choice.allCases.map(\.rawValue).joined(separator: " or ") + ", not '\(text)'")
    }
    return choice
}

/// Reads a test-time augmentation as a command line has it.
///
/// - Parameter text: `flip`, or `nil` for none.
/// - Returns: Whether mirror images are computed.
/// - Throws: ``UsageError`` where it is another text.
public func parseTestTimeAugmentation(_ text: String?) throws(UsageError) -> Bool {
    guard let text else { return false }
    guard text == "flip" else { throw UsageError("--tta must be flip, not '\(text)'") }
    return true
}

/// Checks the number of a volume in a series.
///
/// - Parameter number: The number, or `nil` where none was given.
/// - Returns: The same number.
/// - Throws: ``UsageError`` where it is negative.
public func parseVolume(_ number: Int?) throws(UsageError) -> Int? {
    if let number, number < 0 {
        throw UsageError("--volume counts from 0, so it cannot be \(number)")
    }
    return number
}

/// Checks a number of threads or slices.
///
/// - Parameters:
///   - number: The number, or `nil` where none was given.
///   - option: The option, for the error.
/// - Returns: The same number.
/// - Throws: ``UsageError`` where it is not in 1...1024.
public func parseCount(_ number: Int?, option: String) throws(UsageError) -> Int? {
    guard let number else { return nil }
    guard (1...1024).contains(number) else {
        throw UsageError("\(option) must be 1 to 1024, not \(number)")
    }
    return number
}
