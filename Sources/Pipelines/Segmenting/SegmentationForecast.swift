import Files
import Foundation
import ModelBundles

/// A forecast of a run over scans, which writes nothing.
struct SegmentationForecast {
    /// A line for each scan, then the counts, time and space.
    let lines: [String]

    /// Looks at what is there.
    ///
    /// - Parameters:
    ///   - request: The request.
    ///   - note: Called with what takes a while and with what is left out.
    /// - Throws: ``UsageError`` where the request cannot be met; errors of the model.
    init(_ request: SegmentationRequest, note: (String) -> Void) throws {
        let plan = try SegmentationPlan(request, note: note)
        for warning in plan.warnings { note(warning) }
        let path = joined(request.output, Ledger.fileName(part: request.partSuffix))
        let store: any ResultStore =
            isRegularFile(path)
            ? try Ledger(reading: path, fallback: plan.earlierStore) : plan.earlierStore
        let earlier = EarlierResults(
            output: request.output, store: store, modelIdentity: plan.modelIdentity,
            findsBrain: plan.brainModel != nil,
            options: plan.options, table: plan.bundle.card.labels, verifies: request.verifies)
        var lines: [String] = []
        var toDo = 0
        var done: [(seconds: Double?, bytes: Int64)] = []
        for scan in plan.scans {
            let state: String
            if case .unreadable(let reason) = scan.origin {
                state = "fails: \(reason.sentence)"
            } else {
                let stored = try store.stored(scan)
                let input = earlier.identity(of: scan, stored)
                switch earlier.find(scan, stored, input: input, overwrites: request.overwrites) {
                case .none:
                    state = "to do"
                    toDo += 1
                case .outdated(let reason, _):
                    state = "to do again, as \(reason)"
                    toDo += 1
                case .done(let result, let files):
                    state = "done before"
                    done.append((result.seconds, files.reduce(0) { $0 + ($1.stamp?.bytes ?? 0) }))
                case .edited: state = "edited and kept"
                case .foreign: state = "fails: a label map of another origin is in its place"
                }
            }
            lines.append("\(scan.outputName): \(state)")
        }
        lines.append(
            "segment: \(toDo) of \(plan.scans.count) scans to do, into '\(request.output)'")
        if toDo > 0 { lines.append(Self.estimate(toDo, done)) }
        self.lines = lines
    }

    /// Time and space by the median of the scans that are done.
    private static func estimate(_ count: Int, _ done: [(seconds: Double?, bytes: Int64)]) -> String
    {
        let seconds = done.compactMap(\.seconds).sorted()
        let bytes = done.map(\.bytes).filter { $0 > 0 }.sorted()
        guard !seconds.isEmpty, !bytes.isEmpty else {
            return "time and space: not known before the first scan is done here"
        }
        let time = seconds[seconds.count / 2] * Double(count)
        let space = Double(bytes[bytes.count / 2]) * Double(count) / 1e6
        return "time and space, by the median of \(seconds.count) scans: "
            + "\(decimals(time / 60, 1)) min, \(decimals(space, 1)) MB"
    }
}
