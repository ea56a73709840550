// Segments a scan with a shipped model and writes its label map beside it.
import Inference
import ModelBundles
import VolumeIO

let bundle = try ModelBundle.find("brain-any")
let segmenter = try Segmenter(bundle: bundle)
let scan = try readVolume(at: CommandLine.arguments[1])
let segmentation = try segmenter.segment(scan.volume) { stage, fraction in
    print("\(stage): \(Int(fraction * 100)) %")
}
try writeLabelMap(
    segmentation.labels, to: CommandLine.arguments[2], like: scan.header, table: bundle.card.labels)
