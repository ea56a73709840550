import Datasets
import ModelBundles
import NeuralNetworks
import Preprocessing
import SegmentationModels
import Tensors
import Testing
import Volumes

/// A small network with random weights whose logits spread well, so that many classes win somewhere.
func makeTinyNetwork(
    classes: Int, channels: Int = 4, depth: Int = 2, context: Int = 3,
    normalization: Normalization = .batch, dropout: Double = 0, seed: UInt64
) throws -> SegmentationNetwork {
    let network = try SegmentationNetwork(
        Architecture(
            family: .uNet(normalization: normalization), classes: classes, channels: channels,
            kernel: 3, depth: depth, contextSlices: context, dropout: dropout))
    // From a generator of our own: the engine's is shared with all tests that run meanwhile.
    var generator = SeededGenerator(seed: seed)
    try withoutGradients {
        for (name, parameter) in network.namedParameters where parameter.isTrainable {
            let shape = parameter.value.shape
            let inputs = shape.dropFirst().reduce(1, *)
            let bound: Float =
                name == "classifier.weight"
                ? 4 : shape.count == 1 ? 0.3 : (6 / Float(inputs)).squareRoot()
            let offset: Float =
                name.hasSuffix("weight") && shape.count == 1 ? 1 : 0
            let values = (0..<parameter.value.count).map { _ in
                offset + Float.random(in: -bound...bound, using: &generator)
            }
            try parameter.value.copyInPlace(from: Tensor(values, shape: shape))
        }
        // Biases that make every class as likely as the others on a pattern like those of the tests.
        let size = GridSize(16, 16, context)
        let logits = try network(
            Tensor(makeSmoothVolume(size, seed: seed).voxels, shape: [1, context, 16, 16]),
            mode: .inference)
        let means: [Float] = try logits.mean(over: [0, 2, 3]).elements()
        for (name, parameter) in network.namedParameters where name == "classifier.bias" {
            let biases: [Float] = try parameter.value.elements()
            try parameter.value.copyInPlace(
                from: Tensor(zip(biases, means).map { $0 - $1 }, shape: [classes]))
        }
    }
    return network
}

/// Smooth random intensities in 0...1.
func makeSmoothVolume(
    _ size: GridSize, orientation: Orientation = .ras, seed: UInt64 = 1
) -> Volume {
    var generator = SeededGenerator(seed: seed)
    let phases = (0..<12).map { _ in Float.random(in: 0..<6.3, using: &generator) }
    let columns = orientation.axes.map { direction in
        var column = SIMD3<Double>.zero
        column[direction.worldAxis] = direction.isPositive ? 1 : -1
        return column
    }
    var voxels: [Float] = []
    for k in 0..<size.z {
        for j in 0..<size.y {
            for i in 0..<size.x {
                var value: Float = 0
                for wave in 0..<4 {
                    let (x, y, z) = (Float(i), Float(j), Float(k))
                    value += sine(
                        x * 0.31 * Float(wave + 1) * 0.5 + phases[wave]
                            + y * 0.23 * phases[wave + 4] * 0.4
                            + z * 0.17 * phases[wave + 8] * 0.4)
                }
                voxels.append(0.5 + value / 8 + Float.random(in: -0.05...0.05, using: &generator))
            }
        }
    }
    return Volume(
        grid: Grid(size: size, affine: Affine(columns: columns, translation: .zero)),
        voxels: voxels)
}

/// A sine by its rounded argument: enough for a pattern, and the same on every machine.
private func sine(_ angle: Float) -> Float {
    let turn = angle / 6.283_185
    let part = turn - turn.rounded(.down)
    return part < 0.5 ? 16 * part * (0.5 - part) : -16 * (part - 0.5) * (1 - part)
}

/// A table of left and right structures: classes 1 and 2 are a pair, 3 is alone.
func makeTable() throws -> LabelTable {
    let color = LabelColor(red: 1, green: 2, blue: 3)
    return try #require(
        LabelTable([
            Structure(index: 17, name: "Left-Hippocampus", color: color),
            Structure(index: 53, name: "Right-Hippocampus", color: color),
            Structure(index: 16, name: "Brain-Stem", color: color),
        ]))
}

/// Writes a bundle of tiny random networks.
func writeTinyBundle(
    to directory: String, planes: [Plane] = [.coronal, .axial, .sagittal],
    spacing: Double = 6
) throws -> ModelBundle {
    let table = try makeTable()
    let sagittalOutputs = [[0], [1, 2], [3]]
    let networks = try planes.enumerated().map { number, plane in
        (plane, try makeTinyNetwork(classes: plane == .sagittal ? 3 : 4, seed: UInt64(number + 1)))
    }
    var architecture = try #require(networks.first).1.architecture
    architecture.classes = 4
    let card = ModelCard(
        name: "tiny", summary: "Random weights.", architecture: architecture,
        conform: ConformSpecification(
            orientation: .ras, spacingMillimeters: SIMD3(repeating: spacing),
            intensity: .robustPercentile(lower: 0.5, upper: 99.5), marginVoxels: 1),
        labels: table,
        planes: planes.map {
            PlaneModel(
                plane: $0, aggregationWeight: $0 == .sagittal ? 0.2 : 0.4,
                outputClasses: $0 == .sagittal ? sagittalOutputs : nil)
        },
        licence: Licence(weights: "MIT", data: "none", credit: "nobody"),
        training: TrainingRecord(
            cases: [], validationCases: [], steps: 0, batchSize: 1, seed: 1, seconds: 0,
            software: "", notes: ""))
    return try ModelBundle.write(card: card, networks: networks, to: directory + "/tiny")
}
