import Foundation
import Inference
import Pipelines
import SegmentationModels
import TestSupport
import Testing

/// `sliceseg benchmark` on networks that take milliseconds.
@Suite struct `sliceseg benchmark` {
    private let tiny = [
        "benchmark", "--network", "unet", "--channels", "4", "--kernel", "3", "--classes", "3",
        "--size", "40x24", "--repetitions", "3",
    ]

    @Test func `measures each precision on each number of threads`() throws {
        let result = try run(
            "sliceseg", tiny + ["--precision", "fp32,bf16", "--threads", "2,1", "--json"])
        #expect(result.status == 0, "\(result.errors)")
        let report = try JSONDecoder().decode(
            BenchmarkReport.self, from: Data(result.output.utf8))
        #expect(report.subject == "random weights")
        #expect(report.architecture.widths.allSatisfy { $0 == 4 })
        #expect(report.architecture.recalibration == .channelAndSpatial())
        #expect(report.slicesPerScan == 3 * 256)
        #expect(report.notes.isEmpty)
        #expect(
            report.measurements.map { "\($0.precision.rawValue) \($0.threads)" } == [
                "fp32 2", "fp32 1", "bf16 2", "bf16 1",
            ])
        #expect(try #require(report.reference).repetitions.count == 3)
        #expect(try #require(report.reference).teraflops > 0)
        for entry in report.measurements {
            #expect(entry.repetitions.count == 3)
            #expect(entry.slicesPerSecond == entry.repetitions.sorted()[1])
            #expect(
                entry.teraflops == entry.slicesPerSecond * Double(report.operationsPerSlice) / 1e12)
            #expect(entry.secondsPerScan == 768 / entry.slicesPerSecond)
            // LibTorch alone takes more than this.
            #expect(entry.peakMemoryBytes > 50_000_000)
            #expect(entry.computation.hasPrefix("compiled plan (\(entry.precision.rawValue);"))
        }
    }

    @Test func `calls the layers one after another where it is told to`() throws {
        let result = try run(
            "sliceseg", tiny + ["--precision", "fp32,int8", "--threads", "1", "--layers"])
        #expect(result.status == 0, "\(result.errors)")
        let lines = result.output.split(separator: "\n").map(String.init)
        #expect(
            lines.first
                == "uNet, 4 channels, 3x3, channelAndSpatial recalibration, 3 classes "
                + "(random weights)")
        #expect(lines.contains("layer by layer (fp32)"))
        #expect(lines.filter { $0.hasPrefix("fp32 ") }.count == 1)
        #expect(
            lines.contains("int8: left out, as it is for compiled networks on the processor"))
        #expect(lines.contains { $0.contains("LibTorch 2.") })
    }

    @Test func `measures a shipped model, all its planes a scan`() throws {
        let result = try run(
            "sliceseg",
            [
                "benchmark", "--model", "phantom", "--size", "32x32", "--threads", "1",
                "--repetitions", "1", "--json",
            ])
        #expect(result.status == 0, "\(result.errors)")
        let report = try JSONDecoder().decode(
            BenchmarkReport.self, from: Data(result.output.utf8))
        #expect(report.subject == "phantom, coronal plane")
        #expect(report.planes == 3)
        #expect(report.measurements.contains { $0.precision == .fp32 })
        let integers = try #require(report.measurements.first { $0.precision == .int8 })
        #expect(integers.computation.contains(" 17 int8, "))
    }

    @Test(
        arguments: [
            (["--model", "nothing"], "nothing"),
            (["--network", "vnet"], "'vnet' is unknown to --network; choose from uNet, sdNet"),
            (
                ["--channels", "8"],
                "--channels, --kernel, --recalibration and --classes need --network"
            ),
            (["--network", "unet", "--kernel", "4"], "kernel must be odd"),
            (["--network", "unet", "--recalibration", "x"], "'x' is unknown to --recalibration"),
            (["--size", "256"], "--size must be rows and columns, such as 256x192, not '256'"),
            (["--precision", "fp32,fp32"], "named twice"),
            (["--threads", "0"], "--threads must be 1 to 1024, not 0"),
            (["--repetitions", "0"], "--repetitions must be 1 to 1024, not 0"),
            (["--device", "tpu"], "'tpu' is not a device"),
        ])
    func `a wrong command line gets one sentence and status 2`(
        arguments: [String], says: String
    ) throws {
        let result = try run("sliceseg", ["benchmark"] + arguments)
        #expect(result.status == 2)
        #expect(result.output.isEmpty)
        #expect(result.errorLines.count == 1, "\(result.errors)")
        #expect(result.errors.contains(says), "\(result.errors)")
    }
}
