import SegmentationModels
import TestSupport
import Testing

/// A row of fixtures/networks/operations.json, which PyTorch's counter made.
private struct CountedNetwork: Decodable {
    var architecture: Architecture
    var height: Int
    var width: Int
    var operations: Int
}

@Suite struct `An operation count` {
    @Test func `is what PyTorch counts of a network's convolutions`() throws {
        let networks: [CountedNetwork] = try decodeFixture("networks/operations.json")
        #expect(networks.count >= 9)
        for network in networks {
            let count = try SegmentationNetwork(network.architecture).operationCount(
                height: network.height, width: network.width)
            #expect(count == network.operations, "\(network.architecture)")
        }
    }

    @Test func `follows the layers of a small U-Net worked out by hand`() throws {
        // One pooling, no recalibration, 2 channels, 3x3: weights 9 (1*2 + 2*2), at the coarse level
        // 9 (2*2 + 2*2), up again 9 (4*2 + 2*2), classifier 2*3.
        let network = try SegmentationNetwork(
            Architecture(
                family: .uNet(), classes: 3, channels: 2, kernel: 3, depth: 1,
                recalibration: .none))
        let fine = 9 * 6 + 9 * 12 + 6
        #expect(try network.operationCount(height: 8, width: 4) == 2 * (32 * fine + 8 * 9 * 8))
        #expect(
            try network.operationCount(height: 7, width: 3)
                == network.operationCount(height: 8, width: 4))
    }
}
