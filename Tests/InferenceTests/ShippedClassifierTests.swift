import Datasets
import Foundation
import Inference
import ModelBundles
import Preprocessing
import TestSupport
import Testing
import VolumeIO
import Volumes

/// A volume stored in another orientation, with a header that claims right, anterior, superior.
private func mislabelled(_ volume: Volume, as orientation: Orientation) -> Volume {
    let stored = AxisPermutation(from: volume.grid.orientation, to: orientation)
        .applied(to: volume)
    let spacing = stored.grid.spacing
    let affine = Affine(
        columns: [SIMD3(spacing.x, 0, 0), SIMD3(0, spacing.y, 0), SIMD3(0, 0, spacing.z)],
        translation: .zero)
    return Volume(grid: Grid(size: stored.grid.size, affine: affine), voxels: stored.voxels)
}

/// The classifier that is shipped, on heads that it has not learnt from.
struct ShippedClassifierTests {
    private static let orientations = Orientation.allCases.enumerated()
        .filter { $0.offset % 8 == 3 }.map(\.element)

    private static func classifier() throws -> ScanClassifier {
        try ScanClassifier(bundle: .shipped(named: "scan-check"))
    }

    @Test(arguments: [UInt64(1), 4, 8])
    func `the way a synthetic head lies is told, however it is stored`(seed: UInt64) throws {
        let head = makePhantom(seed: seed, options: PhantomOptions(skullProbability: 1)).scan
        let classifier = try Self.classifier()
        var right = 0
        for orientation in Self.orientations {
            let told = try classifier.classification(
                of: mislabelled(head, as: orientation)
            ).orientation?.directions
            right += told == orientation || told?.mirrored == orientation ? 1 : 0
        }
        #expect(right >= 5, "\(right) of \(Self.orientations.count)")
    }

    private static let heads =
        ["malc/train", "nichart", "heads"].flatMap { folder -> [String] in
            let path = sharedDataPath(folder) ?? ""
            let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
            return names.sorted().filter { name in
                ["_SS.nii.gz", "_T1.nii.gz", "_FLAIR.nii.gz", "crop.nii.gz", "_t1.nii.gz", ".mgz"]
                    .contains { name.hasSuffix($0) }
            }.map { path + "/" + $0 }
        }

    @Test(
        .enabled(
            if: sharedDataPath("nichart/Subj02_T1.nii.gz") != nil,
            "needs ../shared/data with real heads"))
    func `of real heads 95 of 100 orientations are told, and no right header is doubted`() throws {
        let classifier = try Self.classifier()
        #expect(Self.heads.count == 26)
        var (right, count, kinds) = (0, 0, 0)
        for path in Self.heads {
            let head = try readVolume(at: path).volume
            let answer = try classifier.classification(of: head)
            #expect(answer.orientation?.agreesWithHeader == true, "\(path)")
            let kind = answer.kind.map { classifier.classes.kinds[$0] }
            kinds += kind == (path.contains("FLAIR") ? "FLAIR" : "T1") ? 1 : 0
            for orientation in Self.orientations {
                let told = try classifier.classification(
                    of: mislabelled(head, as: orientation)
                ).orientation?.directions
                right += told == orientation || told?.mirrored == orientation ? 1 : 0
                count += 1
            }
        }
        print("orientations: \(right) of \(count), kinds: \(kinds) of \(Self.heads.count)")
        #expect(Double(right) >= 0.95 * Double(count))
        #expect(kinds >= 25)
    }

    @Test(
        .enabled(
            if: sharedDataPath("ct/example_ct.nii.gz") != nil,
            "needs ../shared/data/ct/example_ct.nii.gz"))
    func `a trunk is no head`() throws {
        let path = try #require(sharedDataPath("ct/example_ct.nii.gz"))
        let answer = try Self.classifier().classification(of: readVolume(at: path).volume)
        #expect(answer.kind == nil)
        #expect(answer.noneProbability > 0.9)
    }

    @Test func `models are used for what they were made`() throws {
        let voxels = try ModelBundle.shipped(named: "phantom")
        let scans = try ModelBundle.shipped(named: "scan-check")
        #expect(throws: SegmenterError.self) { try ScanClassifier(bundle: voxels) }
        #expect(throws: SegmenterError.self) { try Segmenter(bundle: scans) }
        #expect(throws: SegmenterError.self) { try BrainExtractor(bundle: scans) }
    }
}
