import Files
import Foundation
import Reports
public import Inference
public import SegmentationModels

/// The results of `sliceseg benchmark`.
public struct BenchmarkReport: Sendable, Hashable, Codable {
    /// The measurement of one precision with one thread count.
    public struct Measurement: Sendable, Hashable, Codable {
        /// The number format.
        public var precision: Precision
        /// Threads that slices were dealt to.
        public var threads: Int
        /// The rates of the repetitions, in order.
        public var repetitions: [Double]
        /// The median of ``repetitions``.
        public var slicesPerSecond: Double
        /// The multiplications and additions of ``BenchmarkReport/operationsPerSlice`` that this
        /// stands for, 10¹² a second.
        public var teraflops: Double
        /// Seconds for ``BenchmarkReport/slicesPerScan`` slices.
        public var secondsPerScan: Double
        /// The most memory that the process had at once, in bytes.
        public var peakMemoryBytes: Int
        /// The execution path: a compiled plan and its instruction sets, or layer by layer and the
        /// reason.
        public var computation: String
    }

    /// The machine and the engine.
    public struct Machine: Sendable, Hashable, Codable {
        /// The processor's name.
        public var processor: String
        /// The threads that are used by default.
        public var cores: Int
        /// The instruction set that convolutions find: AMX, AVX512-BF16, AVX-512, AVX2 or NEON.
        public var instructions: String
        /// The device of the network: `cpu` or `cuda:0`.
        public var device: String
        /// The engine and its version.
        public var engine: String
        /// This program's version.
        public var version: String
    }

    /// The rate of LibTorch's own convolution of 64 channels to 64 by 5x5 kernels in bf16.
    public struct ReferenceConvolution: Sendable, Hashable, Codable {
        /// Threads that it ran on.
        public var threads: Int
        /// The rates of the repetitions, in order.
        public var repetitions: [Double]
        /// Their median, 10¹² operations a second.
        public var teraflops: Double

        fileprivate var text: String {
            "LibTorch's convolution of 64 channels to 64, 5x5, 256x256, bf16, \(threads) "
                + (threads == 1 ? "thread" : "threads") + ": \(decimals(teraflops, 3)) TFLOP/s"
        }
    }

    /// The model and its plane, or `random weights`.
    public var subject: String
    /// The network.
    public var architecture: Architecture
    /// The size of the slices.
    public var slices: SliceSize
    /// Multiplications and additions of the convolutions for one slice.
    public var operationsPerSlice: Int
    /// The planes of a scan.
    public var planes: Int
    /// The slices of a scan: 256 in each plane.
    public var slicesPerScan: Int
    /// The machine of the measurement.
    public var machine: Machine
    /// The machine's convolution speed; `nil` where there is no LibTorch.
    public var reference: ReferenceConvolution?
    /// The measurements.
    public var measurements: [Measurement]
    /// Notes on omitted measurements, with reasons.
    public var notes: [String]

    /// The report as a table for the terminal.
    public var text: String {
        var rows = [
            [
                "precision", "threads", "slices/s", "slowest", "fastest", "TFLOP/s", "s/scan",
                "peak MB",
            ]
        ]
        for entry in measurements {
            rows.append([
                entry.precision.rawValue, String(entry.threads), significant(entry.slicesPerSecond),
                significant(entry.repetitions.min() ?? 0),
                significant(entry.repetitions.max() ?? 0),
                decimals(entry.teraflops, 3), significant(entry.secondsPerScan),
                decimals(Double(entry.peakMemoryBytes) / 1e6, 0),
            ])
        }
        var paths: [String] = []
        for entry in measurements where !paths.contains(entry.computation) {
            paths.append(entry.computation)
        }
        let repetitions = measurements.first?.repetitions.count ?? 0
        return """
            \(architecture.summary) (\(subject))
            \(slices) slices, \(decimals(Double(operationsPerSlice) / 1e9, 1)) GFLOP each; medians of \
            \(repetitions)
            s/scan: \(slicesPerScan) slices, \(planes == 1 ? "one plane" : "\(planes) planes") of a \
            head of 256x256x256 voxels, networks alone

            \(aligned(rows))
            \((paths + notes).joined(separator: "\n"))
            \(machine.processor), \(machine.cores) \(machine.cores == 1 ? "core" : "cores"), \
            \(machine.instructions); \(machine.device); \(machine.engine); \
            SliceSeg \(machine.version)
            \(reference.map { $0.text + "\n" } ?? "")
            """
    }

    /// The report as a JSON object.
    ///
    /// - Returns: Text that ends with a line feed.
    /// - Throws: Where a rate is not a finite number.
    public func json() throws -> String { try jsonText(self) }
}

extension Architecture {
    /// The network in a line, such as `uNet, 64 channels, 5x5, channelAndSpatial, 28 classes`.
    var summary: String {
        let context = contextSlices == 1 ? "" : "\(contextSlices) slices as channels, "
        let channels =
            Set(widths).count == 1
            ? "\(widths[0])" : widths.map(String.init).joined(separator: ", ")
        return "\(encoder.name), \(channels) channels, \(kernel)x\(kernel), "
            + "\(recalibration.name) recalibration, \(context)\(classes) classes"
    }
}

/// A number in four digits.
private func significant(_ value: Double) -> String {
    decimals(value, value >= 1000 ? 0 : value >= 100 ? 1 : value >= 10 ? 2 : 3)
}

/// Rows of words in columns, all but the first flush right.
func aligned(_ rows: [[String]]) -> String {
    let columns = rows.map(\.count).max() ?? 0
    var table = TerminalTable(
        (0..<columns).map { TerminalTable.Column("", $0 == 0 ? .left : .right) })
    for row in rows { table.append(row) }
    return table.rendered()
}
