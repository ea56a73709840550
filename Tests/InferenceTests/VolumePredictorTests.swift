import Inference
import NeuralNetworks
import SegmentationModels
import Tensors
import Testing
import Volumes

/// Where a plane's slices lie in storage: the axes they are stacked along, down, and across.
private struct Cut: Sendable {
    var stack: Int
    var down: Int
    var across: Int
}

/// How volumes stored RAS and volumes stored LIA are cut, worked out by hand.
///
/// In LIA the first axis runs from right to left, the second downward and the third to the front.
/// Across a slice runs the faster of the two axes that are left.
private let cuts: [String: [Plane: Cut]] = [
    "RAS": [
        .sagittal: Cut(stack: 0, down: 2, across: 1),
        .coronal: Cut(stack: 1, down: 2, across: 0),
        .axial: Cut(stack: 2, down: 1, across: 0),
    ],
    "LIA": [
        .sagittal: Cut(stack: 0, down: 2, across: 1),
        .coronal: Cut(stack: 2, down: 1, across: 0),
        .axial: Cut(stack: 1, down: 2, across: 0),
    ],
]

/// The probabilities of each voxel's outputs, from one batch of all slices of a plane.
private func probabilities(
    of volume: Volume, _ network: SegmentationNetwork, _ cut: Cut
) throws -> [[Double]] {
    let size = volume.grid.size
    let (count, height, width) = (size[cut.stack], size[cut.down], size[cut.across])
    let context = network.architecture.contextSlices
    func position(_ slice: Int, _ row: Int, _ column: Int) -> Int {
        var index = SIMD3<Int>.zero
        index[cut.stack] = min(max(slice, 0), count - 1)
        index[cut.down] = row
        index[cut.across] = column
        return size.offset(index.x, index.y, index.z)
    }
    var input: [Float] = []
    for slice in 0..<count {
        for offset in -(context / 2)...context / 2 {
            for row in 0..<height {
                for column in 0..<width {
                    input.append(volume.voxels[position(slice + offset, row, column)])
                }
            }
        }
    }
    let logits: [Float] = try withoutGradients {
        try network(
            Tensor(input, shape: [count, context, height, width]), mode: .inference
        ).softmax(dimension: 1).elements()
    }
    let outputs = network.architecture.classes
    var result = [[Double]](repeating: [], count: size.count)
    for slice in 0..<count {
        for row in 0..<height {
            for column in 0..<width {
                result[position(slice, row, column)] = (0..<outputs).map {
                    Double(logits[((slice * outputs + $0) * height + row) * width + column])
                }
            }
        }
    }
    return result
}

/// How many voxels differ from the most probable class, apart from those where it is a near tie.
private func mismatches(
    _ classes: [UInt8], _ probabilities: [[Double]], tie: Double
) -> (clear: Int, ties: Int) {
    var (clear, ties) = (0, 0)
    for (found, row) in zip(classes, probabilities) {
        let sorted = row.sorted(by: >)
        if row[Int(found)] == sorted[0] { continue }
        if sorted[0] - sorted[1] < tie { ties += 1 } else { clear += 1 }
    }
    return (clear, ties)
}

struct VolumePredictorTests {
    private static let size = GridSize(18, 21, 13)

    private static func predictor(
        _ networks: [PlaneNetwork], classCount: Int = 4, batchSize: Int = 4,
        precision: Precision = .fp32
    ) -> VolumePredictor {
        VolumePredictor(
            networks: networks, classCount: classCount, device: .cpu, precision: precision,
            batchSize: batchSize)
    }

    private static func threePlanes() throws -> [PlaneNetwork] {
        [
            PlaneNetwork(
                plane: .coronal, network: try makeTinyNetwork(classes: 4, seed: 1), weight: 2,
                outputOfClass: [0, 1, 2, 3]),
            PlaneNetwork(
                plane: .axial, network: try makeTinyNetwork(classes: 4, seed: 2), weight: 1,
                outputOfClass: [0, 1, 2, 3]),
            PlaneNetwork(
                plane: .sagittal, network: try makeTinyNetwork(classes: 3, seed: 3), weight: 0.5,
                outputOfClass: [0, 1, 1, 2]),
        ]
    }

    /// Sums are kept in half precision: three probabilities below 1, each rounded to 2^-11 of
    /// itself, differ by less than 2e-3 in all.
    @Test(arguments: ["RAS", "LIA"])
    func `view aggregation is the argmax of the weighted mean of the planes' softmax`(
        orientation: String
    ) throws {
        let orientation = try #require(Orientation(orientation))
        let volume = makeSmoothVolume(Self.size, orientation: orientation)
        let networks = try Self.threePlanes()
        let planeCuts = try #require(cuts[orientation.description])
        var means = [[Double]](
            repeating: [Double](repeating: 0, count: 4), count: volume.voxels.count)
        for network in networks {
            let cut = try #require(planeCuts[network.plane])
            for (voxel, row) in try probabilities(of: volume, network.network, cut).enumerated() {
                for (member, output) in network.outputOfClass.enumerated() {
                    means[voxel][member] += row[output] * network.weight / 3.5
                }
            }
        }
        let classes = try Self.predictor(networks).classes(of: volume)
        #expect(classes.count == volume.voxels.count)
        let (clear, ties) = mismatches(classes, means, tie: 2e-3)
        #expect(clear == 0)
        #expect(ties < 20)
        for member: UInt8 in 0...3 {
            #expect(
                classes.filter { $0 == member }.count > 50,
                "the weights of this test should let every class win somewhere")
        }
        // The other planes matter: no single network gives the same.
        for network in networks.prefix(2) {
            #expect(try Self.predictor([network]).classes(of: volume) != classes)
        }
    }

    @Test(arguments: ["RAS", "LIA"], [false, true])
    func `within a mask labels are the same, and nothing is labelled outside it`(
        orientation: String, isResident: Bool
    ) throws {
        let volume = makeSmoothVolume(
            Self.size, orientation: try #require(Orientation(orientation)))
        let size = volume.grid.size
        var mask: [UInt8] = []
        for z in 0..<size.z {
            for y in 0..<size.y {
                for x in 0..<size.x {
                    let place = SIMD3(Double(x), Double(y), Double(z)) + 0.5
                    let edges = SIMD3(Double(size.x), Double(size.y), Double(size.z))
                    mask.append((place / edges - 0.5).length < 0.4 ? 1 : 0)
                }
            }
        }
        func limited(_ labels: [UInt8]) -> [UInt8] { zip(labels, mask).map { $0 * $1 } }
        let networks = try Self.threePlanes()
        // All planes, and one that is decided slice by slice.
        for chosen in [networks, [networks[0]]] {
            let predictor = VolumePredictor(
                networks: chosen, classCount: 4, device: .cpu, precision: .fp32, batchSize: 4,
                compiles: true, isResident: isResident)
            let whole = try predictor.prediction(of: volume)
            let found = try predictor.prediction(of: volume, within: mask)
            #expect(found.classes == limited(whole.classes))
            #expect(found.classes != whole.classes && Set(found.classes).count == 4)
            // Planes cannot disagree where none of them has a say.
            #expect(found.planeDisagreement.count == whole.planeDisagreement.count)
            #expect(chosen.count == 1 || found.planeDisagreement != whole.planeDisagreement)
            let sides = MirroredClasses(
                of: try #require(
                    LabelTable([
                        Structure(
                            index: 2, name: "Left-A", color: LabelColor(red: 1, green: 2, blue: 3)),
                        Structure(
                            index: 41, name: "Right-A", color: LabelColor(red: 1, green: 2, blue: 3)
                        ),
                        Structure(
                            index: 16, name: "B", color: LabelColor(red: 1, green: 2, blue: 3)),
                    ])))
            let mirrored = try predictor.prediction(of: volume, mirrored: sides)
            let mirroredWithin = try predictor.prediction(
                of: volume, mirrored: sides, within: mask)
            #expect(mirroredWithin.classes == limited(mirrored.classes))
            #expect(mirroredWithin.planeDisagreement == found.planeDisagreement)
        }
    }

    @Test func `planes disagree by 1 minus the mean Dice of their labels, two by two`() throws {
        let volume = makeSmoothVolume(Self.size, seed: 4)
        let networks = try Self.threePlanes()
        let planeCuts = try #require(cuts["RAS"])
        let likeliest = try networks.map { network -> [Int] in
            let cut = try #require(planeCuts[network.plane])
            return try probabilities(of: volume, network.network, cut).map { row in
                row.indices.max { row[$0] < row[$1] } ?? 0
            }
        }
        func dice(_ a: [Bool], _ b: [Bool]) -> Double {
            let shared = zip(a, b).count { $0 && $1 }
            return 2 * Double(shared) / Double(a.count { $0 } + b.count { $0 })
        }
        let (coronal, axial, sagittal) = (likeliest[0], likeliest[1], likeliest[2])
        let expected = [(0, [0], 0), (1, [1, 2], 1), (2, [1, 2], 1), (3, [3], 2)].map {
            (member, joined, output) -> Double in
            let inSagittal = sagittal.map { $0 == output }
            // The sagittal network cannot tell 1 from 2: with it both count as one.
            return 1
                - (dice(coronal.map { $0 == member }, axial.map { $0 == member })
                    + dice(coronal.map(joined.contains), inSagittal)
                    + dice(axial.map(joined.contains), inSagittal)) / 3
        }
        let prediction = try Self.predictor(networks).prediction(of: volume)
        #expect(prediction.planeDisagreement.count == 4)
        for (found, expected) in zip(prediction.planeDisagreement, expected) {
            // A near tie may fall to the other side in another batch.
            #expect(abs((found ?? -1) - expected) < 2e-3)
        }
        #expect(prediction.classes == (try Self.predictor(networks).classes(of: volume)))
        #expect(
            try Self.predictor([networks[0], networks[0]]).prediction(of: volume)
                .planeDisagreement == [0, 0, 0, 0])
        #expect(
            try Self.predictor([networks[0]]).prediction(of: volume).planeDisagreement.isEmpty)
    }

    @Test(arguments: Plane.allCases)
    func `a single plane is the argmax of its network`(plane: Plane) throws {
        let volume = makeSmoothVolume(Self.size, seed: 2)
        let network = try makeTinyNetwork(classes: 4, seed: 5)
        let cut = try #require(cuts["RAS"]?[plane])
        let expected = try probabilities(of: volume, network, cut)
        let classes = try Self.predictor([
            PlaneNetwork(
                plane: plane, network: network, weight: 0.2, outputOfClass: [0, 1, 2, 3])
        ]).classes(of: volume)
        // Logits of one batch and of another may round differently.
        #expect(mismatches(classes, expected, tie: 1e-5).clear == 0)
        #expect(Set(classes).count > 2)
    }

    @Test func `an output of left and right counts for both`() throws {
        let volume = makeSmoothVolume(Self.size, seed: 3)
        let sides = [PlaneNetwork]([
            PlaneNetwork(
                plane: .sagittal, network: try makeTinyNetwork(classes: 3, seed: 6), weight: 1,
                outputOfClass: [0, 1, 1, 2])
        ])
        // Alone it cannot tell them apart, and the first of equals wins.
        let cut = try #require(cuts["RAS"]?[.sagittal])
        let expected = try probabilities(of: volume, sides[0].network, cut)
            .map { [$0[0], $0[1], $0[1], $0[2]] }
        let alone = try Self.predictor(sides).classes(of: volume)
        #expect(mismatches(alone, expected, tie: 2e-3).clear == 0)
        #expect(!alone.contains(2))
        #expect(alone.contains(1) && alone.contains(3))

        // Beside a plane that tells them apart by ever so little, that plane decides.
        let coronal = try makeTinyNetwork(classes: 4, seed: 7)
        try withoutGradients {
            for (name, parameter) in coronal.namedParameters where name.hasPrefix("classifier.") {
                try parameter.value.multiplyInPlace(by: 0)
                guard name == "classifier.bias" else { continue }
                try parameter.value.copyInPlace(
                    from: Tensor([0, 0, 0.2, 0] as [Float], shape: [4]))
            }
        }
        let both = try Self.predictor(
            sides + [
                PlaneNetwork(
                    plane: .coronal, network: coronal, weight: 1, outputOfClass: [0, 1, 2, 3])
            ]
        ).classes(of: volume)
        #expect(!both.contains(1))
        #expect(both.contains(2))
    }

    @Test func `outputs in another order than the classes are put in order`() throws {
        let volume = makeSmoothVolume(Self.size, seed: 4)
        let network = try makeTinyNetwork(classes: 3, seed: 8)
        let plain = try Self.predictor(
            [PlaneNetwork(plane: .axial, network: network, weight: 1, outputOfClass: [0, 1, 2])],
            classCount: 3
        ).classes(of: volume)
        let turned = try Self.predictor(
            [PlaneNetwork(plane: .axial, network: network, weight: 1, outputOfClass: [2, 0, 1])],
            classCount: 3
        ).classes(of: volume)
        let classOfOutput: [UInt8] = [1, 2, 0]
        let differing = zip(plain, turned).filter { classOfOutput[Int($0)] != $1 }.count
        #expect(differing < 10, "half-precision ties aside")
        #expect(Set(plain).count == 3)
    }

    @Test func `batch sizes and threads change nothing in single precision`() async {
        // In a process of its own: the number of threads is the engine's, for all.
        await #expect(processExitsWith: .success) {
            let volume = makeSmoothVolume(Self.size, seed: 5)
            let networks = try Self.threePlanes()
            for networks in [networks, [networks[0]]] {
                try Engine.setThreadCount(1)
                let expected = try Self.predictor(networks, batchSize: 1).classes(of: volume)
                for threads in [1, 2] {
                    try Engine.setThreadCount(threads)
                    for batchSize in [1, 3, 4, 16] {
                        let classes = try Self.predictor(networks, batchSize: batchSize)
                            .classes(of: volume)
                        let differing = zip(classes, expected).filter { $0 != $1 }.count
                        #expect(
                            differing == 0,
                            "\(networks.count) planes, batches of \(batchSize), \(threads) threads")
                    }
                }
            }
        }
    }

    @Test func `bfloat16 differs from single precision in few voxels`() throws {
        let volume = makeSmoothVolume(Self.size, seed: 6)
        let networks = try Self.threePlanes()
        let single = try Self.predictor(networks).classes(of: volume)
        let half = try Self.predictor(networks, precision: .bf16).classes(of: volume)
        let differing = zip(single, half).filter { $0 != $1 }.count
        #expect(Double(differing) / Double(single.count) < 0.05)
        #expect(differing > 0, "bf16 seems not to be in use")
    }

    @Test func `progress covers all slices plane by plane`() throws {
        let volume = makeSmoothVolume(Self.size, seed: 7)
        var told: [(plane: Plane, fraction: Double)] = []
        _ = try Self.predictor(try Self.threePlanes()).classes(of: volume) { told.append(($0, $1)) }
        let fractions = told.map(\.fraction)
        #expect(fractions == fractions.sorted())
        #expect(fractions.first == 0 && fractions.last == 1)
        var order: [Plane] = []
        for plane in told.map(\.plane) where order.last != plane { order.append(plane) }
        #expect(order == [.coronal, .axial, .sagittal])
        // 21 coronal slices in batches of 4 are 6 calls and one at the end.
        #expect(told.filter { $0.plane == .coronal }.count == 7)
    }

    @Test func `precision is what the device computes well`() {
        #expect(Precision.auto.resolved(on: .cuda(0)) == .bf16)
        #expect(Precision.fp32.resolved(on: .cuda(0)) == .fp32)
        #expect(Precision.bf16.resolved(on: .cpu) == .bf16)
        #expect(Precision.auto.resolved(on: .cpu) != .auto)
        #expect(Precision.fp32.autocastType == nil)
        #expect(Precision.bf16.autocastType == .bfloat16)
    }

    @Test(
        arguments: [
            (nil, [0, 1, 2, 3]), ([[0], [1, 3], [2]], [0, 1, 2, 1]),
            ([[3], [0], [2, 1]], [1, 2, 2, 0]),
        ] as [([[Int]]?, [Int])])
    func `a card's outputs are turned around`(outputClasses: [[Int]]?, expected: [Int]) {
        #expect(outputOfClass(outputClasses, classCount: 4) == expected)
    }
}
