import Datasets
import Inference
import ModelBundles
import Preprocessing
import TestSupport
import Tensors
import Testing
import Volumes

/// A small synthetic head.
private func makeHead(orientation: Orientation = .ras, seed: UInt64 = 3) -> Volume {
    makePhantom(
        seed: seed,
        options: PhantomOptions(
            size: GridSize(26, 32, 27), spacingMillimeters: SIMD3(6, 6, 6),
            orientation: orientation, contrasts: [.t1Weighted], skullProbability: 0)
    ).scan
}

/// The labels as they would be stored right, front, up, worked out voxel by voxel.
private func labelsInRAS(_ map: LabelMap, orientation: Orientation) -> [UInt16] {
    var size = SIMD3<Int>.zero
    for axis in 0..<3 { size[orientation.axes[axis].worldAxis] = map.grid.size[axis] }
    var result = [UInt16](repeating: 0, count: map.labels.count)
    for k in 0..<map.grid.size.z {
        for j in 0..<map.grid.size.y {
            for i in 0..<map.grid.size.x {
                let index = SIMD3(i, j, k)
                var target = SIMD3<Int>.zero
                for axis in 0..<3 {
                    let direction = orientation.axes[axis]
                    target[direction.worldAxis] =
                        direction.isPositive
                        ? index[axis] : map.grid.size[axis] - 1 - index[axis]
                }
                result[target.x + size.x * (target.y + size.y * target.z)] = map[i, j, k]
            }
        }
    }
    return result
}

private let options = SegmenterOptions(precision: .fp32)

/// Stops a segmentation.
private struct Stop: Error, Equatable {
    var call: Int
}

struct SegmenterTests {
    @Test func `the 48 ways to store a scan give one anatomy on the scan's own grid`() throws {
        try withTemporaryDirectory { directory in
            let segmenter = try Segmenter(
                bundle: try writeTinyBundle(to: directory), options: options)
            let expected = try segmenter.segment(makeHead()).labels.labels
            #expect(Set(expected) == [0, 16, 17, 53], "every class should win somewhere")
            #expect(Orientation.allCases.count == 48)
            for orientation in Orientation.allCases {
                let scan = makeHead(orientation: orientation)
                let labels = try segmenter.segment(scan).labels
                #expect(labels.grid == scan.grid, "\(orientation)")
                #expect(
                    labelsInRAS(labels, orientation: orientation) == expected, "\(orientation)")
            }
        }
    }

    @Test(arguments: ["LIA", "PSR", "ARI"])
    func `axis orders give one anatomy where the scan is resampled, too`(code: String) throws {
        let orientation = try #require(Orientation(code))
        try withTemporaryDirectory { directory in
            let segmenter = try Segmenter(
                bundle: try writeTinyBundle(to: directory, spacing: 5.3), options: options)
            let expected = try segmenter.segment(makeHead()).labels.labels
            let scan = makeHead(orientation: orientation)
            let labels = try segmenter.segment(scan).labels
            #expect(labels.grid == scan.grid)
            let found = labelsInRAS(labels, orientation: orientation)
            // Interpolation adds up in another order; a few voxels between two classes may turn.
            let differing = zip(found, expected).filter { $0 != $1 }.count
            #expect(differing <= expected.count / 1000, "\(differing) of \(expected.count)")
        }
    }

    @Test(arguments: [6, 5.3] as [Double])
    func `a scan times 1000, or stored without loss as another type, gives the same labels`(
        spacing: Double
    ) throws {
        try withTemporaryDirectory { directory in
            let segmenter = try Segmenter(
                bundle: try writeTinyBundle(to: directory, spacing: spacing), options: options)
            var scan = makeHead()
            // Whole numbers of 8 bits, so that any type holds them and no product is rounded.
            let largest = scan.voxels.max() ?? 1
            scan.voxels = scan.voxels.map { ($0 / largest * 250).rounded() }
            let expected = try segmenter.segment(scan).labels
            #expect(Set(expected.labels).count > 2)
            for factor: Float in [1000, 4096, 1 / 1024] {
                let other = Volume(grid: scan.grid, voxels: scan.voxels.map { $0 * factor })
                let labels = try segmenter.segment(other).labels
                let differing = zip(labels.labels, expected.labels).count { $0 != $1 }
                #expect(differing == 0, "times \(factor)")
            }
        }
    }

    @Test func `labels come back by scores, by their own voxels, or by the nearest`() throws {
        try withTemporaryDirectory { directory in
            let scan = makeHead()
            let own = try withTemporaryDirectory { directory in
                try Segmenter(bundle: try writeTinyBundle(to: directory), options: options)
                    .segment(scan).restoration
            }
            #expect(own == .ownVoxels)
            let other = try writeTinyBundle(to: directory, spacing: 5.3)
            let several = try Segmenter(bundle: other, options: options).segment(scan)
            #expect(several.restoration == .classScores)
            var single = SegmenterOptions(planes: [.axial], precision: .fp32)
            let byScores = try Segmenter(bundle: other, options: single).segment(scan)
            #expect(byScores.restoration == .classScores)
            single.largestScoreBytes = 1000
            let byNearest = try Segmenter(bundle: other, options: single).segment(scan)
            #expect(byNearest.restoration == .nearestLabels)
            // Both agree away from borders, and the model's own grid is the same.
            let (halves, logits) = (
                byScores.conformedLabels.labels, byNearest.conformedLabels.labels
            )
            // But for near ties, which half precision decides otherwise.
            let turned = zip(halves, logits).count { $0 != $1 }
            #expect(turned <= halves.count / 200, "\(turned) of \(halves.count)")
            #expect(byScores.conformedLabels.grid == byScores.conformedScan.grid)
            let same = zip(byScores.labels.labels, byNearest.labels.labels).count { $0 == $1 }
            #expect(same < scan.voxels.count)
            #expect(same > scan.voxels.count / 2)
        }
    }

    @Test(arguments: OutputSpace.allCases)
    func `probabilities have the labels as their maxima`(space: OutputSpace) throws {
        try withTemporaryDirectory { directory in
            let bundle = try writeTinyBundle(to: directory, spacing: 5.3)
            var wanted = options
            wanted.keepsProbabilities = true
            for planes in [nil, [.coronal]] as [[Plane]?] {
                wanted.planes = planes
                let result = try Segmenter(bundle: bundle, options: wanted).segment(makeHead())
                let probabilities = try #require(result.probabilities)
                #expect(probabilities.classCount == 4)
                let volumes = try probabilities.volumes(ofClasses: 0..<4, in: space)
                let labels = space == .native ? result.labels : result.conformedLabels
                #expect(volumes.allSatisfy { $0.count == labels.labels.count })
                var differing = 0
                for (index, label) in labels.labels.enumerated() {
                    let values = volumes.map { Int($0[index]) }
                    let largest = values.max() ?? 0
                    // Ties, and halves that are equal once they are rounded.
                    let member = [0, 17, 53, 16].firstIndex(of: Int(label)) ?? 0
                    if values[member] < largest - 64 { differing += 1 }
                    #expect(abs(values.reduce(0, +) - ClassProbabilities.scale) <= 4)
                }
                #expect(differing == 0)
            }
            let plain = try Segmenter(bundle: bundle, options: options).segment(makeHead())
            #expect(plain.probabilities == nil)
        }
    }

    @Test(arguments: [1000, 0.001])
    func `a scan in other units gives the same labels`(factor: Float) throws {
        try withTemporaryDirectory { directory in
            let segmenter = try Segmenter(
                bundle: try writeTinyBundle(to: directory), options: options)
            let scan = makeHead()
            let scaled = Volume(grid: scan.grid, voxels: scan.voxels.map { $0 * factor })
            let (labels, others) = (
                try segmenter.segment(scan).labels, try segmenter.segment(scaled).labels
            )
            // Division rounds otherwise for another unit, so that a near tie may turn.
            let differing = zip(labels.labels, others.labels).filter { $0 != $1 }.count
            #expect(differing <= labels.labels.count / 2000, "\(differing) voxels")
        }
    }

    @Test func `an oblique scan is labelled on its own grid`() throws {
        try withTemporaryDirectory { directory in
            let segmenter = try Segmenter(
                bundle: try writeTinyBundle(to: directory), options: options)
            var scan = makeHead()
            // 20 degrees about the front-back axis.
            let (cosine, sine) = (0.939_692_62, 0.342_020_14)
            let affine = Affine(
                columns: [
                    SIMD3(6 * cosine, 0, -6 * sine), SIMD3(0, 6, 0),
                    SIMD3(6 * sine, 0, 6 * cosine),
                ], translation: SIMD3(-70, -90, -60))
            scan = Volume(grid: Grid(size: scan.grid.size, affine: affine), voxels: scan.voxels)
            let labels = try segmenter.segment(scan).labels
            #expect(labels.grid == scan.grid)
            #expect(Set(labels.labels).count > 2)
        }
    }

    @Test func `voxels far from the head are background`() throws {
        try withTemporaryDirectory { directory in
            let segmenter = try Segmenter(
                bundle: try writeTinyBundle(to: directory), options: options)
            // A head in the lower corner of a large, otherwise empty scan.
            let head = makeHead()
            let grid = Grid(size: GridSize(50, 40, 40), affine: head.grid.affine)
            var voxels = [Float](repeating: 0, count: grid.size.count)
            for k in 0..<head.grid.size.z {
                for j in 0..<head.grid.size.y {
                    for i in 0..<head.grid.size.x {
                        voxels[grid.size.offset(i, j, k)] = head[i, j, k]
                    }
                }
            }
            let labels = try segmenter.segment(Volume(grid: grid, voxels: voxels)).labels
            let expected = try segmenter.segment(head).labels
            for k in 0..<40 {
                for j in 0..<40 {
                    for i in 30..<50 { #expect(labels[i, j, k] == 0) }
                }
            }
            #expect(
                labels.voxelCounts()[16] > 0 && expected.voxelCounts()[16] > 0)
        }
    }

    @Test func `planes can be chosen, and the stages are named with their time`() throws {
        try withTemporaryDirectory { directory in
            let bundle = try writeTinyBundle(to: directory)
            let two = try Segmenter(
                bundle: bundle,
                options: SegmenterOptions(planes: [.sagittal, .coronal], precision: .fp32)
            ).segment(makeHead())
            #expect(two.planes == [.coronal, .sagittal], "in the bundle's order")
            #expect(
                two.stageSeconds.map(\.stage)
                    == [.conform, .network(.coronal), .network(.sagittal), .aggregate, .restore])
            #expect(two.stageSeconds.allSatisfy { $0.seconds >= 0 })
            #expect(two.precision == .fp32)
            let all = try Segmenter(bundle: bundle, options: options).segment(makeHead())
            #expect(all.planes == [.coronal, .axial, .sagittal])
            #expect(all.labels != two.labels)
        }
    }

    @Test func `a plane that the model lacks is an error that names those it has`() throws {
        try withTemporaryDirectory { directory in
            let bundle = try writeTinyBundle(to: directory, planes: [.coronal, .axial])
            let error = try #require(throws: SegmenterError.self) {
                try Segmenter(
                    bundle: bundle, options: SegmenterOptions(planes: [.coronal, .sagittal]))
            }
            #expect(
                error.description
                    == "the model 'tiny' has no sagittal network; choose from coronal, axial")
            let empty = try #require(throws: SegmenterError.self) {
                try Segmenter(bundle: bundle, options: SegmenterOptions(planes: []))
            }
            #expect(
                empty.description == "no plane to segment in; choose from coronal, axial")
        }
    }

    @Test(
        .enabled("this machine has no tenth CUDA device") { try Engine.cudaDeviceCount() < 10 })
    func `a CUDA device that is not there is an error with the way out`() throws {
        try withTemporaryDirectory { directory in
            let bundle = try writeTinyBundle(to: directory)
            let error = try #require(throws: SegmenterError.self) {
                try Segmenter(bundle: bundle, options: SegmenterOptions(device: .cuda(9)))
            }
            let count = try Engine.cudaDeviceCount()
            #expect(
                error.description
                    == "there is no CUDA device 9: \(count) found; use --device cpu, or an engine "
                    + "built against a CUDA LibTorch")
        }
    }

    @Test(arguments: [0, 7] as [Float])
    func `a scan that shows nothing is an error`(value: Float) throws {
        try withTemporaryDirectory { directory in
            let segmenter = try Segmenter(
                bundle: try writeTinyBundle(to: directory), options: options)
            let grid = Grid(size: GridSize(9, 9, 9), affine: .identity)
            let scan = Volume(grid: grid, voxels: [Float](repeating: value, count: 729))
            let error = try #require(throws: PreprocessingError.self) {
                try segmenter.segment(scan)
            }
            #expect(
                error.description
                    == "every voxel of the scan is \(value), so it shows nothing; "
                    + "check that the file holds an image.")
        }
    }

    @Test func `progress goes up from 0 to 1 through the stages`() throws {
        try withTemporaryDirectory { directory in
            let segmenter = try Segmenter(
                bundle: try writeTinyBundle(to: directory), options: options)
            var told: [(stage: SegmentationStage, fraction: Double)] = []
            _ = try segmenter.segment(makeHead()) { told.append(($0, $1)) }
            let fractions = told.map(\.fraction)
            #expect(fractions.first == 0)
            #expect(fractions.last == 1)
            for (earlier, later) in zip(fractions, fractions.dropFirst()) {
                #expect(earlier <= later)
            }
            var stages: [SegmentationStage] = []
            for stage in told.map(\.stage) where stages.last != stage { stages.append(stage) }
            #expect(
                stages == [
                    .conform, .network(.coronal), .network(.axial), .network(.sagittal), .restore,
                ])
            #expect(
                stages.map(\.description)
                    == ["conform", "coronal", "axial", "sagittal", "restore"])
        }
    }

    @Test(arguments: [1, 2, 5])
    func `an error of the progress callback stops the work`(call: Int) throws {
        try withTemporaryDirectory { directory in
            let segmenter = try Segmenter(
                bundle: try writeTinyBundle(to: directory), options: options)
            var calls = 0
            #expect(throws: Stop(call: call)) {
                try segmenter.segment(makeHead()) { _, _ in
                    calls += 1
                    if calls == call { throw Stop(call: call) }
                }
            }
            #expect(calls == call)
            // The next scan is none the worse for it.
            #expect(try segmenter.segment(makeHead()).labels.labels.contains(16))
        }
    }
}
