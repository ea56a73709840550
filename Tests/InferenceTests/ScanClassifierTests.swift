import Inference
import ModelBundles
import Preprocessing
import Testing
import Volumes

private let classes = ScanClasses(
    kinds: ["T1", "CT"], tellsOrientation: true, windowVoxels: 32, slicesPerAxis: 4)

/// The answers of a network that knows the truth to the slices of a volume stored in an orientation.
private func slices(_ stored: Orientation, kind: Int, certainty: Double) -> [[Double]] {
    (0..<3).flatMap { axis in
        let way = SliceOrientation(of: stored, stackAxis: axis).index
        var slice = [Double](repeating: (1 - certainty) / 32, count: 33)
        slice[1 + kind * 16 + way] = certainty
        return [[Double]](repeating: slice, count: 4)
    }
}

struct ScanClassifierTests {
    @Test(arguments: Orientation.allCases)
    func `slices together tell kind and orientation up to mirroring`(stored: Orientation) throws {
        let answer = ScanClassifier.classification(
            ofSlices: slices(stored, kind: 1, certainty: 0.6), classes: classes)
        #expect(answer.kind == 1)
        let told = try #require(answer.orientation)
        #expect(told.directions == stored || told.directions.mirrored == stored)
        #expect(told.probability > 0.98)
        #expect(told.agreesWithHeader == (stored == .ras || stored.mirrored == .ras))
    }

    @Test func `slices that know nothing leave every orientation as likely`() throws {
        let answer = ScanClassifier.classification(
            ofSlices: [[Double]](repeating: [Double](repeating: 1.0 / 33, count: 33), count: 12),
            classes: classes)
        #expect(abs(try #require(answer.orientation).probability - 1.0 / 24) < 1e-6)
        #expect(answer.noneProbability < answer.kindProbabilities[0])
        #expect(answer.kindProbabilities[0] == answer.kindProbabilities[1])
    }

    @Test func `a wrong slice does not decide against the others`() throws {
        var all = slices(.ras, kind: 0, certainty: 0.9)
        let turned = try #require(Orientation("PRS"))
        all[8] = slices(turned, kind: 0, certainty: 1)[8]
        let answer = ScanClassifier.classification(ofSlices: all, classes: classes)
        #expect(answer.orientation?.agreesWithHeader == true)
    }

    @Test func `a scan without a head is of no kind`() {
        var slice = [Double](repeating: 0.05 / 32, count: 33)
        slice[0] = 0.95
        let answer = ScanClassifier.classification(
            ofSlices: [[Double]](repeating: slice, count: 12), classes: classes)
        #expect(answer.kind == nil)
        #expect(answer.noneProbability > 0.999)
    }
}
