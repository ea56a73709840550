import Inference
import ModelBundles
import Pipelines
import Testing
import Volumes

private let classes = ScanClasses(
    kinds: ["T1", "CT"], tellsOrientation: true, windowVoxels: 32, slicesPerAxis: 4)

/// The answer of a classifier to a file whose axes truly go some way while its header says another.
private func answer(
    truth: Orientation, header: Orientation, probability: Double = 0.995, none: Double = 0.02
) throws -> ScanClassification {
    var answer = ScanClassification(kindProbabilities: [0.9 - none, 0.1], noneProbability: none)
    let directions = (0..<3).map { worldAxis in
        let axis = header.storageAxis(ofWorldAxis: worldAxis)
        let (claimed, real) = (header.axes[axis], truth.axes[axis])
        return AnatomicalDirection(
            worldAxis: real.worldAxis, isPositive: real.isPositive == claimed.isPositive)
    }
    let told = try #require(Orientation(directions))
    answer.orientation = HeadOrientation(
        directions: told.axes.contains(.right) ? told : told.mirrored, probability: probability)
    return answer
}

private func check(_ answer: ScanClassification, header: Orientation) -> ScanCheck {
    ScanCheck(answer, name: "a", path: "a.nii", header: header, classes: classes)
}

struct ScanCheckTests {
    @Test(arguments: Orientation.allCases)
    func `a header that is right up to mirroring gives no warning`(header: Orientation) throws {
        for truth in [header, header.mirrored] {
            let check = check(try answer(truth: truth, header: header), header: header)
            #expect(check.warnings == [])
            #expect(check.picture == header)
            #expect(check.kind == "T1")
        }
    }

    @Test(arguments: Orientation.allCases)
    func `a wrong header is told, with the axes that the picture shows`(
        header: Orientation
    ) throws {
        for truth in Orientation.allCases where truth != header && truth.mirrored != header {
            let check = check(try answer(truth: truth, header: header), header: header)
            let picture = try #require(check.picture)
            #expect(picture == truth || picture.mirrored == truth)
            let warning = try #require(check.warnings.first)
            #expect(warning.contains("\(header)") && warning.contains("\(truth)"))
        }
    }

    @Test func `what is not certain gives no warning`() throws {
        let (truth, header) = (Orientation.ras, try #require(Orientation("LIA")))
        for doubtful in [
            try answer(truth: truth, header: header, probability: 0.9),
            try answer(truth: truth, header: header, none: 0.3),
        ] {
            #expect(check(doubtful, header: header).warnings == [])
        }
    }

    @Test func `no head is told only where it is certain`() throws {
        var none = try answer(truth: .ras, header: .ras)
        none.kindProbabilities = [0.02, 0.02]
        none.noneProbability = 0.96
        #expect(check(none, header: .ras).warnings.first?.contains("no head") == true)
        #expect(check(none, header: .ras).kind == ScanCheck.noHead)
        none.kindProbabilities = [0.2, 0.2]
        none.noneProbability = 0.6
        #expect(check(none, header: .ras).warnings == [])
        #expect(check(none, header: .ras).picture == nil)
    }
}
