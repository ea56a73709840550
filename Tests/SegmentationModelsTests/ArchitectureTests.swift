import Foundation
import SegmentationModels
import Testing

private func decode(_ text: String) throws -> Architecture {
    try JSONDecoder().decode(Architecture.self, from: Data(text.utf8))
}

@Suite struct `An architecture` {
    @Test func `defaults to the papers' reference`() throws {
        let architecture = try decode(#"{"family": "denseNet", "classes": 28}"#)
        #expect(
            architecture
                == Architecture(
                    family: .denseNet, classes: 28, channels: 64, kernel: 5, depth: 4,
                    contextSlices: 1,
                    recalibration: .channelAndSpatial(reductionRatio: 2, combination: .addition),
                    placement: .endOfBlock, dropout: 0))
        #expect(architecture.problem == nil)
    }

    @Test func `comes back from JSON as it was`() throws {
        let architecture = Architecture(
            family: .uNet(normalization: .batch, upsampling: .transposedConvolution), classes: 5,
            channels: 16, kernel: 3, depth: 3, contextSlices: 7,
            recalibration: .channel(reductionRatio: 4), placement: .beforePooling, dropout: 0.25)
        let data = try JSONEncoder().encode(architecture)
        #expect(try JSONDecoder().decode(Architecture.self, from: data) == architecture)
    }

    @Test(arguments: [
        (#"{"classes": 2}"#, "family"),
        (#"{"family": "vNet"}"#, "vNet"),
        (#"{"family": "uNet", "recalibration": "scse"}"#, "scse"),
        (#"{"family": "uNet", "kernel": 4}"#, "kernel must be odd, 1 to 31, not 4"),
        (#"{"family": "uNet", "classes": 1}"#, "classes must be 2 to 65536, not 1"),
        (#"{"family": "uNet", "channels": 0}"#, "channels must be 1 to 4096, not 0"),
        (#"{"family": "uNet", "depth": 9}"#, "depth must be 1 to 8, not 9"),
        (#"{"family": "uNet", "contextSlices": 2}"#, "contextSlices must be odd, 1 to 31, not 2"),
        (#"{"family": "uNet", "reductionRatio": 65}"#, "reductionRatio must be 1 to 64, not 65"),
        (#"{"family": "uNet", "reductionRatio": 0}"#, "reductionRatio must be 1 to 64, not 0"),
        (#"{"family": "uNet", "dropout": 1}"#, "dropout must be in 0..<1, not 1.0"),
        (#"{"family": "uNet", "dropout": -0.1}"#, "dropout must be in 0..<1, not -0.1"),
    ])
    func `refuses what cannot be built and says what`(text: String, reason: String) throws {
        let error = #expect(throws: DecodingError.self) { try decode(text) }
        #expect("\(try #require(error))".contains(reason))
    }
}
