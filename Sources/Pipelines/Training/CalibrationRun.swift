import Inference
import ModelBundles
import NeuralNetworks
import Preprocessing
import SegmentationModels
import Tensors
import VolumeIO
import Volumes

/// The largest number of scans that a model is calibrated on.
let calibrationScanCount = 4

/// Calibrates a model for 8-bit integers on a few scans and writes it as a new bundle.
///
/// Weights and everything else stay as they are; the card gets the range of each convolution's input.
/// The scans should be such as the model will be used on; references are not needed.
///
/// - Parameters:
///   - model: A shipped model's name or a bundle's folder.
///   - inputs: Scans, folders or lists, as for segmenting; the first four scans count.
///   - output: The folder of the new bundle; the model's own folder may be given.
///   - threads: Threads that prepare the scans, or `nil` for all cores.
///   - report: Called with each progress line.
/// - Throws: ``UsageError`` where an input holds no scan; errors of the model, the scans and the
///   engine.
public func calibrate(
    model: String, inputs: [String], output: String, threads: Int?, report: (String) -> Void
) throws {
    let found = try findScans(in: inputs, output: output, note: report)
    let scans = found.scans
    for warning in found.warnings { report(warning) }
    var bundle = try loadModel(model)
    try bundle.card.checkLabelsVoxels()
    try Engine.load()
    if let threads { try Engine.setThreadCount(threads) }
    var card = bundle.card
    let networks = try card.planes.map { ($0.plane, try bundle.makeNetwork(for: $0.plane)) }
    let extractor = try bundle.brainModel().map { try BrainExtractor(bundle: $0) }
    var calibrations = networks.map { Calibration(of: $0.1) }
    for scan in scans.prefix(calibrationScanCount) {
        let content: ScanContent
        do {
            content = try ScanContent(of: scan)
        } catch {
            throw UsageError(userMessage(for: error, about: scan.path))
        }
        let volume = content.loaded.volume
        let conformed: ConformedScan
        if let extractor, let extraction = card.brainExtraction {
            conformed = try conform(
                volume, to: card.conform,
                within: BrainRegion(
                    mask: try extractor.brain(of: volume).mask,
                    dilationMillimeters: extraction.dilationMillimeters))
        } else {
            conformed = try conform(volume, to: card.conform)
        }
        for (position, (plane, _)) in networks.enumerated() {
            try calibrations[position].observe(conformed.volume, plane: plane)
        }
        report("Looked at '\(scan.path)'.")
    }
    for (position, calibration) in calibrations.enumerated() {
        card.planes[position].inputRanges = calibration.inputRanges()
    }
    bundle = try ModelBundle.write(card: card, networks: networks, to: output)
    report("Wrote the model '\(card.name)', calibrated for int8, to '\(bundle.directory)'.")
}
