import Foundation
import ModelBundles
import NeuralNetworks
import SegmentationModels
import TestSupport
import Tensors
import Testing

private func fixture(_ name: String) -> String {
    fixturePath("networks/\(name).safetensors")
}

@Suite struct `Weights of other programs` {
    @Test(arguments: ForeignFormat.allCases)
    func `give PyTorch's logits and labels`(format: ForeignFormat) throws {
        let network = try importedNetwork(format, at: fixture(format.rawValue))
        let known = try readSafeTensors(at: fixture(format.rawValue + "-logits"))
        let logits = try withoutGradients {
            try network(known.tensor(named: "image"), mode: .inference)
        }
        let expected = try known.tensor(named: "logits")
        #expect(logits.shape == expected.shape)
        let (found, right) = (
            try logits.elements(as: Double.self), try expected.elements(as: Double.self)
        )
        let scale = right.map(abs).max() ?? 1
        let error = zip(found, right).map { abs($0 - $1) / scale }.max() ?? 1
        print("\(format.rawValue): largest error \(error)")
        #expect(error < 1e-4)
        let labels: [Int64] = try logits.argmax(dimension: 1).elements()
        let others: [Int64] = try expected.argmax(dimension: 1).elements()
        let same = zip(labels, others).count { $0 == $1 }
        #expect(Double(same) >= 0.9999 * Double(labels.count))
    }

    @Test func `tell their architecture by names and shapes`() throws {
        let quickNAT = try importedNetwork(.quickNAT, at: fixture("quicknat")).architecture
        #expect(
            quickNAT
                == Architecture(
                    family: .denseNet, classes: 5, channels: 6, kernel: 5, depth: 4,
                    recalibration: .channelAndSpatial(reductionRatio: 2, combination: .maximum),
                    dropout: 0.2))
        let reLayNet = try importedNetwork(.reLayNet, at: fixture("relaynet")).architecture
        #expect(
            reLayNet
                == Architecture(
                    family: .sdNet, classes: 4, channels: 6, kernel: 7, depth: 3,
                    recalibration: .none))
    }

    @Test func `are refused where they are of another program`() throws {
        let error = #expect(throws: ModelBundleError.self) {
            _ = try importedNetwork(.reLayNet, at: fixture("quicknat"))
        }
        #expect("\(try #require(error))".contains("holds no 'encode1.conv.weight'"))
    }

    @Test func `are refused where a tensor is missing or left over`() throws {
        try withTemporaryDirectory { folder in
            let stored = try readSafeTensors(at: fixture("relaynet"))
            let all = try stored.tensors.keys.map { ($0, try stored.tensor(named: $0)) }
            let path = folder + "/changed.safetensors"
            try writeSafeTensors(all.filter { $0.0 != "decode2.prelu.weight" }, to: path)
            let missing = #expect(throws: ModelBundleError.self) {
                _ = try importedNetwork(.reLayNet, at: path)
            }
            #expect("\(try #require(missing))".contains("'decode2.prelu.weight'"))
            try writeSafeTensors(all + [("extra.weight", try Tensor.zeros([1]))], to: path)
            let extra = #expect(throws: ModelBundleError.self) {
                _ = try importedNetwork(.reLayNet, at: path)
            }
            #expect("\(try #require(extra))".contains("'extra.weight'"))
        }
    }
}
