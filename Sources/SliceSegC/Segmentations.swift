public import CSliceSeg
import Foundation
import Inference
import Pipelines
import SegmentationMetrics
import VolumeIO
import Volumes

/// A scan, with its file's header where it was read from one.
final class Scan {
    let volume: Volume
    let header: VolumeHeader?
    let path: String?

    init(volume: Volume, header: VolumeHeader? = nil, path: String? = nil) {
        self.volume = volume
        self.header = header
        self.path = path
    }
}

/// The labels of a scan, in memory that does not move.
@safe final class ScanSegmentation {
    let scan: (grid: Grid, header: VolumeHeader?)
    let labels: UnsafeMutableBufferPointer<UInt16>
    let structures: StructureList
    let volumes: [StructureVolume]
    let meanProbability: [UInt16: Double]
    let computation: CText
    private let probabilities: ClassProbabilities?
    private let lock = NSLock()

    init(_ segmentation: Segmentation, of scan: Scan, structures: StructureList) {
        self.scan = (scan.volume.grid, scan.header)
        self.structures = structures
        unsafe labels = .allocate(capacity: segmentation.labels.labels.count)
        _ = unsafe labels.initialize(from: segmentation.labels.labels)
        volumes = structureVolumes(
            of: segmentation.labels, labels: structures.table.structures.map(\.index))
        meanProbability = segmentation.meanProbability
        computation = CText("\(segmentation.precision.rawValue), \(segmentation.computation)")
        probabilities = segmentation.probabilities
    }

    deinit { unsafe labels.deallocate() }

    var map: LabelMap { unsafe LabelMap(grid: scan.grid, labels: Array(labels)) }

    /// A structure with its volume.
    func structure(_ index: Int) -> SliceSegStructure {
        var structure = unsafe structures.structure(index)
        unsafe structure.voxel_count = Int64(volumes[index].voxelCount)
        unsafe structure.volume_cubic_millimeters = volumes[index].volumeCubicMillimeters
        unsafe structure.mean_probability = meanProbability[volumes[index].label] ?? .nan
        return unsafe structure
    }

    /// The probabilities of a class on the scan's grid.
    func probabilities(ofClass number: Int) throws -> [UInt16] {
        guard let probabilities else {
            throw UsageError(
                "the model was loaded without probabilities; load it with probabilities=true")
        }
        guard (0..<probabilities.classCount).contains(number) else {
            throw UsageError(
                "there is no class \(number); choose from 0 to \(probabilities.classCount - 1)")
        }
        lock.lock()
        defer { lock.unlock() }
        return try probabilities.volumes(ofClasses: number..<number + 1, in: .native).first ?? []
    }
}

/// Reads a grid from C.
///
/// - Parameters:
///   - size: Three numbers of voxels.
///   - affine: Twelve numbers, row by row.
/// - Returns: The grid.
/// - Throws: `UsageError` where there is no voxel, or more than a volume can have.
func grid(
    _ size: UnsafePointer<Int64>, _ affine: UnsafePointer<Double>
) throws(UsageError) -> Grid {
    let sizes = (0..<3).map { unsafe Int(size[$0]) }
    guard sizes.allSatisfy({ 1...32767 ~= $0 }) else {
        throw UsageError(
            "a volume of \(sizes[0])x\(sizes[1])x\(sizes[2]) voxels is not one; give a 3-D volume of "
                + "1 to 32767 voxels along each axis")
    }
    let elements = (0..<12).map { unsafe affine[$0] }
    guard elements.allSatisfy(\.isFinite) else {
        throw UsageError("the affine holds numbers that are not finite; give the scan's affine")
    }
    return Grid(
        size: GridSize(sizes[0], sizes[1], sizes[2]), affine: Affine(rowMajor: elements))
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_volume_read(
    _ path: UnsafePointer<CChar>, _ number: Int32, _ volume: UnsafeMutablePointer<OpaquePointer?>,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> SliceSegStatus {
    let path = unsafe String(cString: path)
    return unsafe status(about: path, error) {
        let loaded = try readVolume(at: path, volume: number < 0 ? nil : Int(number))
        unsafe volume.pointee = passed(
            Scan(volume: loaded.volume, header: loaded.header, path: path))
    }
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_volume_make(
    _ voxels: UnsafePointer<Float>, _ size: UnsafePointer<Int64>, _ affine: UnsafePointer<Double>,
    _ volume: UnsafeMutablePointer<OpaquePointer?>, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> SliceSegStatus {
    unsafe status(error) {
        let grid = try unsafe grid(size, affine)
        let copy = unsafe Array(UnsafeBufferPointer(start: voxels, count: grid.size.count))
        unsafe volume.pointee = passed(Scan(volume: Volume(grid: grid, voxels: copy)))
    }
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_volume_free(_ volume: OpaquePointer?) {
    unsafe free(volume, as: Scan.self)
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_segment(
    _ model: OpaquePointer, _ scan: OpaquePointer, _ progress: SliceSegProgress?,
    _ context: UnsafeMutableRawPointer?, _ segmentation: UnsafeMutablePointer<OpaquePointer?>,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> SliceSegStatus {
    let model = unsafe object(model, as: LoadedModel.self)
    let scan = unsafe object(scan, as: Scan.self)
    return unsafe status(about: scan.path, error) {
        let result = try model.segment(scan.volume) { stage, fraction in
            guard let progress = unsafe progress else { return }
            let reply = unsafe stage.withCString { unsafe progress($0, fraction, context) }
            if reply != 0 { throw StoppedError() }
        }
        unsafe segmentation.pointee = passed(
            ScanSegmentation(result, of: scan, structures: model.structures))
    }
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_segmentation_free(_ segmentation: OpaquePointer?) {
    unsafe free(segmentation, as: ScanSegmentation.self)
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_segmentation_grid(
    _ segmentation: OpaquePointer, _ size: UnsafeMutablePointer<Int64>,
    _ affine: UnsafeMutablePointer<Double>
) {
    let grid = unsafe object(segmentation, as: ScanSegmentation.self).scan.grid
    for axis in 0..<3 { unsafe size[axis] = Int64(grid.size[axis]) }
    for row in 0..<3 {
        for column in 0..<4 { unsafe affine[4 * row + column] = grid.affine[row, column] }
    }
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_segmentation_labels(_ segmentation: OpaquePointer) -> UnsafePointer<UInt16> {
    let labels = unsafe object(segmentation, as: ScanSegmentation.self).labels
    // A grid has a voxel at least.
    guard let start = labels.baseAddress else { preconditionFailure("no labels") }
    return unsafe UnsafePointer(start)
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_segmentation_structure_count(_ segmentation: OpaquePointer) -> Int32 {
    Int32(unsafe object(segmentation, as: ScanSegmentation.self).volumes.count)
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_segmentation_structure(
    _ segmentation: OpaquePointer, _ index: Int32
) -> SliceSegStructure {
    unsafe object(segmentation, as: ScanSegmentation.self).structure(Int(index))
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_segmentation_computation(
    _ segmentation: OpaquePointer
) -> UnsafePointer<CChar> {
    unsafe object(segmentation, as: ScanSegmentation.self).computation.pointer
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_segmentation_probabilities(
    _ segmentation: OpaquePointer, _ class_number: Int32, _ voxels: UnsafeMutablePointer<UInt16>,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> SliceSegStatus {
    let segmentation = unsafe object(segmentation, as: ScanSegmentation.self)
    return unsafe status(error) {
        let values = try segmentation.probabilities(ofClass: Int(class_number))
        let target = unsafe UnsafeMutableBufferPointer(start: voxels, count: values.count)
        _ = unsafe target.update(from: values)
    }
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_segmentation_write(
    _ segmentation: OpaquePointer, _ path: UnsafePointer<CChar>,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> SliceSegStatus {
    let segmentation = unsafe object(segmentation, as: ScanSegmentation.self)
    let path = unsafe String(cString: path)
    return unsafe status(about: path, error) {
        try writeLabelMap(
            segmentation.map, to: path, like: segmentation.scan.header,
            table: segmentation.structures.table)
    }
}
