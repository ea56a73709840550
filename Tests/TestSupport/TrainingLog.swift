import Foundation

/// The rows of a training's log, split into columns.
public func logRows(in directory: String) throws -> [[String]] {
    try String(contentsOfFile: directory + "/log.tsv", encoding: .utf8)
        .split(separator: "\n").map { $0.split(separator: "\t").map(String.init) }
}
