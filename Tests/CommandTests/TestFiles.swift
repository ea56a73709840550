import Datasets
import Foundation
import ModelBundles
import Preprocessing
import SegmentationModels
import Tensors
import Testing
import VolumeIO
import Volumes

/// A NIfTI-1 file made byte by byte, so that it can be as wrong as a test wants it.
struct NIfTIFile {
    var dimensions: [Int16] = [3, 8, 9, 10, 1, 1, 1, 1]
    var datatype: Int16 = 4
    var bitsPerVoxel: Int16 = 16
    var rows: [[Float]] = [[2, 0, 0, -8], [0, 2, 0, -9], [0, 0, 2, -10]]
    var spacing: Float = 2
    var voxels = NIfTIFile.ramp

    /// Voxels that grow towards the middle.
    static let ramp: [UInt8] = (0..<720).flatMap { index -> [UInt8] in
        let value = UInt16(index % 97 + 1)
        return [UInt8(value & 255), UInt8(value >> 8)]
    }

    var bytes: [UInt8] {
        var header = [UInt8](repeating: 0, count: 352)
        func put<Value>(_ value: Value, at offset: Int) {
            withUnsafeBytes(of: value) {
                header.replaceSubrange(offset..<offset + $0.count, with: $0)
            }
        }
        put(Int32(348), at: 0)
        for (axis, size) in dimensions.enumerated() { put(size, at: 40 + 2 * axis) }
        put(datatype, at: 70)
        put(bitsPerVoxel, at: 72)
        for axis in 0..<8 { put(axis == 0 ? 1 : spacing, at: 76 + 4 * axis) }
        put(Float(352), at: 108)
        put(UInt8(10), at: 123)
        put(Int16(1), at: 254)
        for (row, values) in rows.enumerated() {
            for (column, value) in values.enumerated() {
                put(value, at: 280 + 16 * row + 4 * column)
            }
        }
        header.replaceSubrange(344..<348, with: Array("n+1".utf8) + [0])
        return header + voxels
    }

    /// Voxels in single precision.
    static func floats(_ values: [Float]) -> NIfTIFile {
        var file = NIfTIFile()
        file.datatype = 16
        file.bitsPerVoxel = 32
        file.voxels = values.flatMap { value in withUnsafeBytes(of: value) { Array($0) } }
        return file
    }
}

/// Writes bytes to a file.
func write(_ bytes: [UInt8], to path: String) throws {
    try Data(bytes).write(to: URL(filePath: path))
}

/// Makes a folder.
func makeFolder(_ path: String) throws {
    try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true)
}

/// Writes a small synthetic head, and its labels where a path is given.
func writeHead(
    to path: String, labels: String? = nil, seed: UInt64 = 1, orientation: String = "RAS"
) throws {
    let orientation = try #require(Orientation(orientation))
    let head = makePhantom(
        seed: seed,
        options: PhantomOptions(
            size: GridSize(40, 48, 40), spacingMillimeters: SIMD3(4, 4, 4),
            orientation: orientation))
    try writeVolume(head.scan, to: path, like: nil, storedAs: .int16)
    if let labels { try writeLabelMap(head.labels, to: labels, like: nil) }
}

/// Writes a model of random weights with a coronal and an axial network.
func writeTinyModel(to folder: String, seed: UInt64 = 1) throws {
    let architecture = Architecture(
        family: .uNet(), classes: phantomLabelTable.structures.count + 1, channels: 4, kernel: 3,
        depth: 1)
    let card = ModelCard(
        name: "tiny", summary: "Random weights for tests.", architecture: architecture,
        conform: ConformSpecification(
            orientation: .ras, spacingMillimeters: SIMD3(4, 4, 4), intensity: .minMax,
            marginVoxels: 1),
        labels: phantomLabelTable,
        planes: [PlaneModel(plane: .coronal), PlaneModel(plane: .axial)],
        licence: Licence(weights: "MIT", data: "none", credit: "nobody"),
        training: TrainingRecord(
            cases: [], validationCases: [], steps: 0, batchSize: 1, seed: seed, seconds: 0,
            software: "tests", notes: ""))
    try Engine.setSeed(seed)
    _ = try ModelBundle.write(
        card: card,
        networks: [
            (.coronal, try SegmentationNetwork(architecture)),
            (.axial, try SegmentationNetwork(architecture)),
        ], to: folder)
}
