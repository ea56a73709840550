// Builds a network of a residual encoder and a U-Net decoder, with a width for each level, and
// computes the logits of a slice.
import NeuralNetworks
import SegmentationModels
import Tensors

let architecture = Architecture(
    encoder: .residual(), decoder: .uNet(normalization: .batch), classes: 4,
    widths: [16, 24, 32, 48], kernel: 3, recalibration: .squeezeAndExcitation())
if let problem = architecture.problem { fatalError(problem) }
let network = try SegmentationNetwork(architecture)
let logits = try network(Tensor.zeros([1, 1, 96, 80]), mode: .inference)
print(logits.shape)
