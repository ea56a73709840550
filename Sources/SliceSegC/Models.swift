public import CSliceSeg
import Foundation
import Inference
import ModelBundles
import Pipelines
import Tensors
import Volumes

/// A loaded model, which segments one scan at a time.
final class LoadedModel {
    let bundle: ModelBundle
    let name: CText
    let licence: CText
    let structures: StructureList
    private let segmenter: Segmenter
    private let lock = NSLock()

    init(_ name: String, options: SegmenterOptions) throws {
        bundle = try ModelBundle.find(name)
        segmenter = try Segmenter(bundle: bundle, options: options)
        self.name = CText(bundle.card.name)
        licence = CText(bundle.card.licence.weights)
        structures = StructureList(of: bundle.card.labels)
    }

    /// Segments a scan as soon as no other call does.
    func segment(
        _ scan: Volume, progress: (String, Double) throws -> Void
    ) throws -> Segmentation {
        while !lock.lock(before: Date(timeIntervalSinceNow: 0.05)) { try progress("waiting", 0) }
        defer { lock.unlock() }
        return try segmenter.segment(scan) { stage, fraction in
            try progress(stage.description, fraction)
        }
    }
}

/// The structures of a model, with names that C reads.
final class StructureList {
    let table: LabelTable
    private let names: [CText]

    init(of table: LabelTable) {
        self.table = table
        names = table.structures.map { CText($0.name) }
    }

    /// A structure as C has it, not measured.
    func structure(_ index: Int) -> SliceSegStructure {
        precondition(
            table.structures.indices.contains(index),
            "structure \(index) of \(table.structures.count)")
        let structure = table.structures[index]
        return unsafe SliceSegStructure(
            label: Int32(structure.index), name: names[index].pointer, red: structure.color.red,
            green: structure.color.green, blue: structure.color.blue, voxel_count: -1,
            volume_cubic_millimeters: .nan, mean_probability: .nan)
    }
}

extension SegmenterOptions {
    /// Reads options as texts `NAME=VALUE`.
    init(parsing texts: [String]) throws {
        self.init(device: try resolveDevice("auto"))
        for text in texts {
            guard let equals = text.firstIndex(of: "=") else {
                throw UsageError("the option '\(text)' is not of the form NAME=VALUE; correct it")
            }
            let value = String(text[text.index(after: equals)...])
            switch text[..<equals] {
            case "planes": planes = try parsePlanes(value)
            case "device": device = try resolveDevice(value)
            case "precision": precision = try parsePrecision(value)
            case "batch-size":
                guard let number = Int(value) else {
                    throw UsageError("batch-size must be a number, not '\(value)'")
                }
                batchSize = try parseCount(number, option: "batch-size")
            case "interpolation":
                interpolation = try parseChoice(value, option: "interpolation")
            case "tta": mirrors = try parseTestTimeAugmentation(value)
            case "probabilities":
                guard let flag = Bool(value) else {
                    throw UsageError("probabilities must be true or false, not '\(value)'")
                }
                keepsProbabilities = flag
            default:
                throw UsageError(
                    "'\(text[..<equals])' is not an option of a model; choose from planes, device, "
                        + "precision, batch-size, interpolation, tta and probabilities")
            }
        }
    }
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_set_thread_count(
    _ count: Int32, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> SliceSegStatus {
    unsafe status(error) {
        guard let count = try parseCount(Int(count), option: "the number of threads") else {
            return
        }
        try Engine.setThreadCount(count)
    }
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_model_load(
    _ name: UnsafePointer<CChar>, _ options: UnsafePointer<UnsafePointer<CChar>?>?,
    _ model: UnsafeMutablePointer<OpaquePointer?>, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> SliceSegStatus {
    unsafe status(error) {
        var texts: [String] = []
        while let options = unsafe options, let text = unsafe options[texts.count] {
            texts.append(unsafe String(cString: text))
        }
        let loaded = try LoadedModel(
            unsafe String(cString: name), options: SegmenterOptions(parsing: texts))
        unsafe model.pointee = passed(loaded)
    }
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_model_free(_ model: OpaquePointer?) {
    unsafe free(model, as: LoadedModel.self)
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_model_name(_ model: OpaquePointer) -> UnsafePointer<CChar> {
    unsafe object(model, as: LoadedModel.self).name.pointer
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_model_licence(_ model: OpaquePointer) -> UnsafePointer<CChar> {
    unsafe object(model, as: LoadedModel.self).licence.pointer
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_model_structure_count(_ model: OpaquePointer) -> Int32 {
    Int32(unsafe object(model, as: LoadedModel.self).structures.table.structures.count)
}

/// Implements the declaration of the same name in SliceSeg.h.
@c @implementation
public func sliceseg_model_structure(_ model: OpaquePointer, _ index: Int32) -> SliceSegStructure {
    unsafe object(model, as: LoadedModel.self).structures.structure(Int(index))
}
