import Foundation
import Testing
import VolumeIO
import Volumes

/// The folder with files to time, where `fixtures/benchmarks/benchmark_volumes.py` asks for it.
private let benchmarkFolder = ProcessInfo.processInfo.environment["SLICESEG_BENCHMARK_VOLUMES"]

/// Seconds by the clock and of the processor.
private struct Times: Encodable {
    var clock: [Double] = []
    var processor: [Double] = []

    mutating func measure<Result>(_ body: () throws -> Result) rethrows -> Result {
        let (start, used) = (ContinuousClock.now, Foundation.clock())
        let result = try body()
        clock.append((ContinuousClock.now - start) / .seconds(1))
        processor.append(Double(Foundation.clock() - used) / Double(CLOCKS_PER_SEC))
        return result
    }
}

struct VolumeSpeedTests {
    @Test(.enabled(if: benchmarkFolder != nil, "fixtures/benchmarks/benchmark_volumes.py runs it"))
    func `times of reading a scan and writing labels`() throws {
        let folder = try #require(benchmarkFolder)
        let (map, header) = try readLabelMap(at: folder + "/labels.nii.gz")
        var (reading, writing) = (Times(), Times())
        for _ in 0..<5 {
            let scan = try reading.measure { try readVolume(at: folder + "/scan.nii.gz") }
            #expect(scan.volume.voxels.count == map.labels.count)
            try writing.measure {
                try writeLabelMap(map, to: folder + "/written.nii.gz", like: header)
            }
        }
        let data = try JSONEncoder().encode(["read": reading, "write": writing])
        try data.write(to: URL(filePath: folder + "/times.json"))
    }
}
