import Foundation
import Pipelines
import TestSupport
import Testing

/// How predictions find their references.
@Suite struct `Matching label maps` {
    private func matches(
        _ predictions: [String], _ references: [String]
    ) -> (pairs: [[String]], unmatchedPredictions: [String], unmatchedReferences: [String]) {
        func files(_ names: [String]) -> [LabelMapFile] {
            names.map { LabelMapFile(path: "/" + $0, relativeName: $0) }
        }
        let found = LabelMapMatches(
            predictions: files(predictions), references: files(references))
        return (
            found.pairs.map { [$0.prediction.relativeName, $0.reference.relativeName] },
            found.unmatchedPredictions.map(\.relativeName),
            found.unmatchedReferences.map(\.relativeName)
        )
    }

    @Test func `the same name comes before a similar one`() {
        let found = matches(["1015", "1015_SS"], ["1015_SS", "1015"])
        #expect(found.pairs == [["1015", "1015"], ["1015_SS", "1015_SS"]])
    }

    @Test func `a scan's kind is no part of the case where that is unambiguous`() {
        let found = matches(["1015_SS", "sub-01_T1w", "b"], ["1015", "sub-01", "a"])
        #expect(found.pairs == [["1015_SS", "1015"], ["sub-01_T1w", "sub-01"]])
        #expect(found.unmatchedPredictions == ["b"])
        #expect(found.unmatchedReferences == ["a"])
        let ambiguous = matches(["x_T1w", "x_T2w"], ["x"])
        #expect(ambiguous.pairs.isEmpty)
        #expect(ambiguous.unmatchedReferences == ["x"])
    }

    @Test func `folders tell cases of one name apart, and are no matter otherwise`() {
        let found = matches(["s1/t1", "s2/t1", "a"], ["s2/t1", "s1/t1", "manual/a"])
        #expect(found.pairs == [["s1/t1", "s1/t1"], ["s2/t1", "s2/t1"], ["a", "manual/a"]])
        #expect(matches(["s1/t1", "s2/t1"], ["t1"]).pairs.isEmpty)
    }

    @Test func `label maps are told from the scans beside them`() throws {
        try withTemporaryDirectory { folder in
            for name in ["1_SS.nii.gz", "1_glm.nii.gz", "1_dseg.nii.gz", "2_SS.nii", "2_glm.nii"] {
                try Data().write(to: URL(filePath: folder + "/" + name))
            }
            let found = try LabelMapFile.find(at: folder)
            #expect(found.map(\.relativeName) == ["1", "2"])
            #expect(
                found.map { ($0.path as NSString).lastPathComponent } == [
                    "1_dseg.nii.gz", "2_glm.nii",
                ])
        }
    }
}
