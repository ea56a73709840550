public import CSliceSeg
import Foundation
import Pipelines
import Reports
import SegmentationMetrics
import VolumeIO
import Volumes

/// A label map, with the names of its structures where they are known.
final class Labels {
    let map: LabelMap
    let table: LabelTable?
    let path: String?

    init(map: LabelMap, table: LabelTable? = nil, path: String? = nil) {
        self.map = map
        self.table = table
        self.path = path
    }
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_labels_read(
    _ path: UnsafePointer<CChar>, _ labels: UnsafeMutablePointer<OpaquePointer?>,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> SliceSegStatus {
    let path = unsafe String(cString: path)
    return unsafe status(about: path, error) {
        let loaded = try LoadedLabelMap(readingFrom: path)
        unsafe labels.pointee = passed(
            Labels(map: loaded.map, table: labelTable(ofLabelMapAt: path), path: path))
    }
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_labels_make(
    _ voxels: UnsafePointer<UInt16>, _ size: UnsafePointer<Int64>, _ affine: UnsafePointer<Double>,
    _ labels: UnsafeMutablePointer<OpaquePointer?>, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> SliceSegStatus {
    unsafe status(error) {
        let grid = try unsafe grid(size, affine)
        let copy = unsafe Array(UnsafeBufferPointer(start: voxels, count: grid.size.count))
        unsafe labels.pointee = passed(Labels(map: LabelMap(grid: grid, labels: copy)))
    }
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_labels_free(_ labels: OpaquePointer?) {
    unsafe free(labels, as: Labels.self)
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_evaluate(
    _ prediction: OpaquePointer, _ reference: OpaquePointer, _ convention: UnsafePointer<CChar>,
    _ tolerance_millimeters: Double, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> SliceSegStatus {
    let prediction = unsafe object(prediction, as: Labels.self)
    let reference = unsafe object(reference, as: Labels.self)
    let convention = unsafe String(cString: convention)
    return unsafe status(error) {
        guard tolerance_millimeters.isFinite, tolerance_millimeters >= 0 else {
            throw UsageError(
                "the tolerance must be a number of millimetres from 0 on, not "
                    + "\(tolerance_millimeters)")
        }
        let evaluation = try caseEvaluation(
            of: prediction.map, at: prediction.path, table: prediction.table,
            against: reference.map, at: reference.path,
            options: MetricOptions(
                convention: parseChoice(convention, option: "the convention"),
                toleranceMillimeters: tolerance_millimeters))
        unsafe json.pointee = strdup(evaluation.summaryJSON)
    }
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_text_free(_ text: UnsafeMutablePointer<CChar>?) { unsafe free(text) }
