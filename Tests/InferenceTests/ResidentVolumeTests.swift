import Inference
import SegmentationModels
import Tensors
import Testing
import Volumes

/// Three planes, the sagittal one with an output for two classes, and neighbours as context.
private func makeNetworks() throws -> [PlaneNetwork] {
    try [
        (Plane.coronal, 4, 2.0, [0, 1, 2, 3]), (.axial, 4, 1, [0, 1, 2, 3]),
        (.sagittal, 3, 0.5, [0, 1, 1, 2]),
    ].enumerated().map { number, entry in
        let (plane, outputs, weight, outputOfClass) = entry
        return PlaneNetwork(
            plane: plane,
            network: try makeTinyNetwork(
                classes: outputs, context: [1, 3, 5][number], seed: UInt64(number + 1)),
            weight: weight, outputOfClass: outputOfClass)
    }
}

/// A predictor on the processor, whose memory holds no more than `mostSlices` at once.
private func makePredictor(
    _ networks: [PlaneNetwork], batchSize: Int?, isResident: Bool, mostSlices: Int = .max,
    seen: @escaping (Int) -> Void = { _ in }
) -> VolumePredictor {
    VolumePredictor(
        networks: networks, classCount: 4, device: .cpu, precision: .fp32, batchSize: batchSize,
        compiles: !isResident, isResident: isResident
    ) { count in
        seen(count)
        guard count <= mostSlices else {
            throw TensorError(code: .outOfMemory, operation: "aten::conv2d", message: "full")
        }
    }
}

private func differences(_ a: [UInt8], _ b: [UInt8]) -> Int { zip(a, b).count { $0 != $1 } }

struct ResidentVolumeTests {
    @Test(arguments: ["RAS", "LIA", "PSR"])
    func `a volume that lies on the device gets the labels that the machine's memory gives`(
        orientation: String
    ) throws {
        let volume = makeSmoothVolume(
            GridSize(18, 21, 13), orientation: try #require(Orientation(orientation)))
        let networks = try makeNetworks()
        // All planes; one that needs sums; one that is decided slice by slice.
        for chosen in [networks, [networks[2]], [networks[1]]] {
            let expected = try makePredictor(chosen, batchSize: 4, isResident: false)
                .prediction(of: volume)
            let found = try makePredictor(chosen, batchSize: 4, isResident: true)
                .prediction(of: volume)
            // A plan and the layers round differently: near ties may fall to the other side.
            let differing = differences(found.classes, expected.classes)
            #expect(differing <= volume.voxels.count / 500)
            #expect(Set(found.classes).count > 2)
            #expect(found.planeDisagreement.count == expected.planeDisagreement.count)
            for (a, b) in zip(found.planeDisagreement, expected.planeDisagreement) {
                let (first, second) = (a ?? -1, b ?? -1)
                #expect(abs(first - second) < 0.01)
            }
        }
    }

    @Test(arguments: [false, true])
    func `where memory runs out, batches are halved and no slice is lost`(
        isResident: Bool
    ) throws {
        let volume = makeSmoothVolume(GridSize(18, 21, 13), seed: 6)
        let networks = try makeNetworks()
        let expected = try makePredictor(networks, batchSize: 8, isResident: isResident)
            .prediction(of: volume)
        for mostSlices in [1, 2, 3, 7] {
            var tried: [Int] = []
            let found = try makePredictor(
                networks, batchSize: 8, isResident: isResident, mostSlices: mostSlices
            ) { tried.append($0) }.prediction(of: volume)
            let differing = differences(found.classes, expected.classes)
            // Layers round otherwise in other batches; a plan does not.
            #expect(differing <= (isResident ? volume.voxels.count / 500 : 0))
            // Nothing that memory ran out for is tried again, also not for the next plane.
            #expect(tried.filter { $0 > mostSlices } == [8, 4, 2].filter { $0 > mostSlices })
            // Each slice of the three planes once.
            let computed = tried.filter { $0 <= mostSlices }.reduce(0, +)
            #expect(computed == 18 + 21 + 13)
        }
    }

    @Test func `memory that one slice exceeds is an error that says so`() throws {
        let volume = makeSmoothVolume(GridSize(18, 21, 13), seed: 6)
        let networks = try makeNetworks()
        var tried: [Int] = []
        let error = #expect(throws: TensorError.self) {
            try makePredictor(networks, batchSize: 8, isResident: true, mostSlices: 0) {
                tried.append($0)
            }.prediction(of: volume)
        }
        #expect(tried == [8, 4, 2, 1])
        #expect(error?.code == .outOfMemory)
        #expect(error?.description.contains("memory ran out") == true)
    }

    @Test func `batches grow with free memory, from one slice to 64`() throws {
        let network = try makeNetworks()[0].network
        let sizes = try [1, 1 << 20, 1 << 24, 1 << 26, 1 << 34].map {
            try SliceBatches(freeMemory: $0, network: network, height: 64, width: 64).size
        }
        #expect(sizes == sizes.sorted())
        #expect(sizes.first == 1)
        #expect(sizes.last == 64)
        #expect(Set(sizes).count > 3)
    }

    @Test func `a processor tells no free memory and gets a slice for each thread`() throws {
        #expect(try Engine.freeMemory(of: .cpu) == nil)
        var tried: Set<Int> = []
        _ = try makePredictor(try makeNetworks(), batchSize: nil, isResident: false) {
            tried.insert($0)
        }.prediction(of: makeSmoothVolume(GridSize(18, 21, 13), seed: 6))
        #expect(tried.max() == (try Engine.threadCount()))
    }
}
