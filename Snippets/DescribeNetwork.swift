// Prints the layers of a network with the shapes of their outputs and their multiply-adds.
import NeuralNetworks
import SegmentationModels

let network = try SegmentationNetwork(
    Architecture(family: .denseNet, classes: 28, recalibration: .channelAndSpatial()))
let (graph, _) = try network.graph(height: 256, width: 256)
for node in graph.nodes {
    let shapes = node.outputs.map { graph.shape(of: $0) }
    print("\(node.name) \(node.operation.name): \(shapes), \(graph.multiplyAdds(of: node))")
}
print("\(network.trainableCount) trainable parameters")
