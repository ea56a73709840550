// Trains a small network on the coronal slices of a synthetic head with a loop of its own. Trainings
// with validation, checkpoints and a bundle at the end go through `sliceseg train`.
import Datasets
import NeuralNetworks
import Preprocessing
import SegmentationModels
import Tensors
import Volumes

let (scan, labels) = makePhantom(seed: 1)
guard let orientation = Orientation("RAS") else { fatalError("RAS is an orientation") }
let head = try TrainingCase(
    name: "phantom", scan: scan, labels: labels, table: phantomLabelTable,
    conform: ConformSpecification(
        orientation: orientation, spacingMillimeters: scan.grid.spacing,
        intensity: .zScoreInForeground, marginVoxels: 4))
let classes = UInt8(phantomLabelTable.structures.count + 1)
let architecture = Architecture(
    family: .uNet(), classes: Int(classes), channels: 8, kernel: 3, depth: 3)
let slices = SliceDataset(
    cases: [head], plane: .coronal, context: 1, outputOfClass: Array(0..<classes),
    multiple: architecture.sizeMultiple)

let network = try SegmentationNetwork(architecture)
let optimizer = try AdamW(network.trainableParameters, learningRate: 1e-3)
let loss = SegmentationLoss(classWeights: nil)
let augmenter = SliceAugmenter(AugmentationOptions())
for step in 0..<20 {
    let batch = slices.batch(
        number: step, size: 4, seed: 1, balancedFraction: 0.5, augmenter: augmenter)
    let shape = [batch.count, batch.height, batch.width]
    let images = try Tensor(batch.images, shape: [shape[0], batch.context, shape[1], shape[2]])
    let target = try Tensor(batch.classes, shape: shape).converted(to: .int64)
    let value = try loss(logits: network(images, mode: .training), target: target)
    try value.backward()
    try optimizer.step()
    try network.clearGradients()
    print("step \(step): loss \(try value.item())")
}
