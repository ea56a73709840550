import Foundation
import VolumeIO
import Volumes

/// The content of a volume file that is not an anatomical scan.
enum NonScan: String, CaseIterable {
    case mask
    case labelMap = "label map"
    case probabilityMap = "probability map"
    case phaseImage = "phase image"
    case otherImage = "image of another kind"

    /// Tells it from a file's name without folder and ending; `nil` for what may be a scan.
    ///
    /// Names are those of BIDS 1.10 (suffixes, and the entity `part`), of FreeSurfer's volumes and of
    /// dcm2niix.
    init?(named name: String) {
        let words = name.lowercased().split(separator: "_").map(String.init)
        guard let suffix = words.last else { return nil }
        let parts = words.filter { $0.hasPrefix("part-") }
        if parts.contains(where: { $0 != "part-mag" }) {
            self = .phaseImage
            return
        }
        // FreeSurfer's brainmask alone is a stripped scan, and so "mask" must follow something.
        let whole = words.joined(separator: "_")
        if whole.hasPrefix("aparc") || whole.hasPrefix("aseg") || whole.hasPrefix("wmparc")
            || whole.hasSuffix("ribbon")
        {
            self = .labelMap
            return
        }
        switch suffix {
        case "mask", "defacemask", "roi", "lesion": self = .mask
        case "brainmask" where words.count > 1: self = .mask
        case "dseg", "seg", "aseg", "glm", "label", "labels", "parc", "parcellation",
            "segmentation":
            self = .labelMap
        case "probseg": self = .probabilityMap
        case "phase", "ph", "phase1", "phase2", "phasediff", "real", "imaginary":
            self = .phaseImage
        case "mp2rage", "t1map", "t2map", "r1map", "r2map", "t2starmap", "r2starmap", "pdmap",
            "mtrmap", "mtsat", "bold", "sbref", "cbv", "dwi", "asl", "m0scan", "epi", "fieldmap",
            "magnitude", "magnitude1", "magnitude2", "tb1map", "rb1map", "pet":
            self = .otherImage
        default: return nil
        }
    }

    /// Tells it from a file's content: a header that says that it holds labels, or integers of which
    /// most equal their neighbours.
    ///
    /// Compressed files are read only where they are as small as label maps become.
    init?(contentAt path: String) {
        guard let header = try? readVolumeHeader(at: path, volume: 0) else { return nil }
        if header.isLabelMap {
            self = .labelMap
            return
        }
        let size = (try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? Int
        let fileSize = size ?? .max
        let integers: [StoredType] = [.uint8, .int8, .int16, .uint16, .int32, .uint32]
        guard integers.contains(header.storedType), header.slope == 1,
            !["gz", "mgz"].contains((path.lowercased() as NSString).pathExtension)
                || fileSize < header.grid.size.count * header.storedType.byteCount / 16,
            let volume = try? readVolume(at: path, volume: 0).volume,
            let fraction = volume.patchFraction, fraction > 0.75
        else { return nil }
        self = Set(volume.voxels).count <= 2 ? .mask : .labelMap
    }

    /// The name for several.
    var plural: String { self == .otherImage ? "images of another kind" : rawValue + "s" }
}

/// Files of one input that are no scans, to be told in one sentence.
struct LeftOutFiles {
    private var files: [NonScan: [String]] = [:]

    /// A Boolean value indicating whether there is none.
    var isEmpty: Bool { files.isEmpty }

    /// Adds a file.
    mutating func add(_ name: String, _ kind: NonScan) { files[kind, default: []].append(name) }

    /// Their counts and names by kind: `2 masks (a_mask.nii, b_mask.nii)`.
    var text: String {
        NonScan.allCases.compactMap { kind in
            guard let names = files[kind] else { return nil }
            let count = names.count == 1 ? "1 \(kind.rawValue)" : "\(names.count) \(kind.plural)"
            return "\(count) (\(listed(names, atMost: 5)))"
        }.joined(separator: ", ")
    }
}
