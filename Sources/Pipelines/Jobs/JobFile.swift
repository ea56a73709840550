import Files
import Foundation
import Inference
import Preprocessing
import Volumes

/// A job file: phantoms, a segmentation and an evaluation, done in this order.
public struct JobFile: Sendable {
    /// The section `phantom`.
    struct Phantoms: Sendable {
        var output: String
        var references: String?
        var count: Int
        var seed: UInt64
    }

    private var phantoms: Phantoms?
    /// The section `segment`.
    public var segmentation: SegmentationRequest?
    private var evaluation: EvaluationRequest?

    /// Reads a file and lays settings over it.
    ///
    /// Paths count from the file's folder, those of settings from the current one.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - settings: Such as `segment.model=phantom`.
    /// - Throws: ``UsageError`` that names the file and the line of what is wrong.
    public init(at path: String, settings: [String] = []) throws(UsageError) {
        let job = try JobReader(path: path, settings: settings)
        if job.has("phantom"), let output = job.text("phantom.output") {
            phantoms = Phantoms(
                output: output, references: job.text("phantom.references"),
                count: job.integer("phantom.count") ?? 4,
                seed: UInt64(job.integer("phantom.seed") ?? 1))
        }
        if let inputs = job.list("segment.input"), let output = job.text("segment.output") {
            segmentation = try Self.segmentation(job, inputs: inputs, output: output)
        }
        if let prediction = job.text("evaluate.prediction"),
            let reference = job.text("evaluate.reference"), let output = job.text("evaluate.output")
        {
            var request = EvaluationRequest(
                prediction: prediction, reference: reference, output: output)
            request.labels = job.text("evaluate.labels")
            request.against = job.text("evaluate.against")
            request.participants = job.text("evaluate.participants")
            request.group = job.text("evaluate.group")
            request.resamples = job.boolean("evaluate.resample") ?? false
            request.writesPage = job.boolean("evaluate.report") ?? true
            try request.choose(
                convention: job.text("evaluate.convention") ?? EvaluationRequest.conventions[0],
                toleranceMillimeters: job.number("evaluate.toleranceMillimeters") ?? 1)
            evaluation = request
        }
    }

    private static func segmentation(
        _ job: JobReader, inputs: [String], output: String
    ) throws(UsageError) -> SegmentationRequest {
        var request = try SegmentationRequest(paths: inputs + [output])
        if let model = job.text("segment.model") { request.model = model }
        if let planes = job.list("segment.planes") {
            request.planes = try parsePlanes(planes.joined(separator: ","))
        }
        if let precision = job.text("segment.precision") {
            request.precision = try parsePrecision(precision)
        }
        if let name = job.text("segment.interpolation") {
            request.interpolation = try parseChoice(name, option: "segment.interpolation")
        }
        if let space = job.text("segment.outputs.space") {
            request.space = try parseChoice(space, option: "segment.outputs.space")
        }
        request.volume = job.integer("segment.volume")
        request.selection.participants = job.list("segment.participants") ?? []
        request.reference = job.text("segment.references")
        request.overwrites = job.boolean("segment.overwrite") ?? false
        request.verifies = job.boolean("segment.verify") ?? false
        request.checksScans = job.boolean("segment.check")
        request.writesProbabilities = job.boolean("segment.outputs.probabilities") ?? false
        request.device = job.text("segment.resources.device") ?? "auto"
        request.threads = job.integer("segment.resources.threads")
        request.batchSize = job.integer("segment.resources.batchSize")
        if let memory = job.text("segment.resources.maxMemory") {
            request.memory = try MemoryAllowance(
                parsing: memory, option: "segment.resources.maxMemory")
        }
        return request
    }

    /// The JSON Schema of job files.
    public static var jsonSchema: String { JobSchema.json }

    /// Runs the job.
    ///
    /// - Parameters:
    ///   - note: Called with each line for the user.
    ///   - output: Called with each table for the standard output.
    /// - Returns: Success where everything is done.
    /// - Throws: What the parts of the job throw.
    public func run(
        note: (String) -> Void, output: (String) throws -> Void
    ) throws -> ExitStatus {
        var status = ExitStatus.success
        if let phantoms {
            if try makePhantoms(phantoms) {
                note("\(phantoms.count) synthetic heads are in '\(phantoms.output)'.")
            }
        }
        if let segmentation {
            let report = try segmentScans(segmentation)
            if report.status != .success { status = report.status }
            if let evaluation = report.evaluation {
                if segmentation.shows == .progress { try output("\n" + evaluation.table) }
                for problem in evaluation.problems { printError(problem) }
            }
        }
        // A shard's results are compared when all are there.
        if let evaluation, segmentation?.shard == nil {
            let report = try evaluate(evaluation)
            try output(report.table)
            for table in [report.groups, report.comparison] where !table.isEmpty {
                try output("\n" + table)
            }
            for line in report.notes { note(line) }
            for problem in report.problems { printError(problem) }
            if report.status != .success { status = report.status }
        }
        return status
    }

    /// Makes heads, unless they are all there.
    private func makePhantoms(_ phantoms: Phantoms) throws -> Bool {
        let digits = max(3, String(phantoms.count).count)
        let isThere = (1...phantoms.count).allSatisfy { number in
            let text = String(number)
            let name = "phantom-" + String(repeating: "0", count: digits - text.count) + text
            return isRegularFile(joined(phantoms.output, name + ".nii.gz"))
        }
        guard !isThere else { return false }
        _ = try writePhantoms(
            to: phantoms.output, references: phantoms.references, count: phantoms.count,
            seed: phantoms.seed, overwrites: true)
        return true
    }

    /// The list of what the job would do and of what is done.
    ///
    /// - Parameter note: Called with what takes a while and with what is left out.
    /// - Returns: A line for each scan, then time and space as far as earlier scans tell them.
    /// - Throws: ``UsageError`` where the job cannot be run.
    public func dryRun(note: (String) -> Void) throws -> String {
        var lines: [String] = []
        if let phantoms {
            lines.append("phantom: \(phantoms.count) heads to '\(phantoms.output)'")
            if segmentation != nil, !isDirectory(phantoms.output) {
                lines.append("segment: the heads, when they are there")
                return lines.joined(separator: "\n") + "\n"
            }
        }
        if let segmentation { lines += try SegmentationForecast(segmentation, note: note).lines }
        if let evaluation {
            lines.append(
                "evaluate: '\(evaluation.prediction)' against '\(evaluation.reference)' to "
                    + "'\(evaluation.output)'")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
