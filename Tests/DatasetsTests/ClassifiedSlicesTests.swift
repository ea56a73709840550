import Datasets
import Preprocessing
import Testing
import Volumes

private func source(
    kindCount: Int, tellsOrientation: Bool, _ scan: @escaping @Sendable (Int) -> ClassifiedScan
) -> ClassifiedSlices {
    ClassifiedSlices(
        kindCount: kindCount, tellsOrientation: tellsOrientation, window: 20, context: 1,
        slicesPerScan: 4, poolSize: 3, threadCount: 2, scan: scan)
}

extension ClassifiedSlices {
    fileprivate func batch(_ number: Int) -> SliceBatch {
        batch(
            number: number, size: 16, seed: 3, balancedFraction: 0, augmenter: SliceAugmenter(.none)
        )
    }
}

/// A block whose brightness grows to the front and, ten times faster, upward.
private func block(_ number: Int) -> ClassifiedScan {
    let size = GridSize(16, 16, 16)
    var voxels = [Float](repeating: 0, count: size.count)
    for index in voxels.indices {
        voxels[index] = 100 + Float(index / 16 % 16) + 10 * Float(index / 256)
    }
    return ClassifiedScan(
        name: "block", volume: Volume(grid: Grid(size: size, affine: .identity), voxels: voxels),
        kind: number % 3 == 2 ? nil : number % 3)
}

struct ClassifiedSlicesTests {
    @Test func `batches are the same whatever was drawn before`() {
        let one = source(kindCount: 2, tellsOrientation: true, block)
        let other = source(kindCount: 2, tellsOrientation: true, block)
        for number in [5, 0, 9] { _ = other.batch(number) }
        for number in [0, 3, 4] {
            let (a, b) = (one.batch(number), other.batch(number))
            #expect(a.images == b.images)
            #expect(a.classes == b.classes)
            #expect(a.classShape == [16, 1, 1])
        }
    }

    @Test func `classes are the kinds where the way slices lie is not told`() {
        let slices = source(kindCount: 2, tellsOrientation: false, block)
        #expect(slices.classCounts.count == 3)
        #expect(Set((0..<8).flatMap { slices.batch($0).classes }) == [0, 1, 2])
    }

    /// Which way a slice lies is read from its gradient.
    @Test func `the class of a slice says which way it lies`() {
        let slices = source(kindCount: 1, tellsOrientation: true) { number in
            var scan = block(number)
            scan.kind = 0
            return scan
        }
        var seen: Set<UInt8> = []
        for number in 0..<30 {
            let batch = slices.batch(number)
            for slice in 0..<batch.count {
                let start = slice * 400
                func step(_ offset: Int) -> Float {
                    batch.images[start + 10 * 20 + 10 + offset] - batch.images[start + 10 * 20 + 10]
                }
                let steps = ["to the right": step(1), "down": step(20)]
                var expected: [String] = []
                for (direction, step) in steps {
                    let word = abs(step) == 10 ? "top" : abs(step) == 1 ? "front" : ""
                    let opposite = direction == "down" ? "up" : "to the left"
                    if !word.isEmpty {
                        expected.append("\(word) \(step > 0 ? direction : opposite)")
                    }
                }
                let told = Int(batch.classes[slice]) - 1
                seen.insert(batch.classes[slice])
                for part in expected {
                    #expect(SliceOrientation.names[told].contains(part))
                }
            }
        }
        #expect(seen.count == 16)
    }

    @Test func `shapes are reproducible, from 0 to 1, and not all alike`() {
        let shapes = RandomShapes(size: GridSize(24, 20, 22), spacingMillimeters: 5, seed: 4)
        let volumes = (0..<6).map { shapes.volume($0) }
        for (number, volume) in volumes.enumerated() {
            #expect(volume.voxels == shapes.volume(number).voxels)
            #expect(volume.voxels.min() == 0)
            #expect(volume.voxels.max() == 1)
        }
        #expect(Set(volumes.map { $0.voxels.reduce(0, +) }).count == 6)
    }
}
