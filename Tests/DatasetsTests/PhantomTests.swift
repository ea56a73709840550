import Datasets
import Foundation
import Testing
import Volumes

struct PhantomTests {
    private let small = PhantomOptions(
        size: GridSize(40, 48, 40), spacingMillimeters: SIMD3(4, 4, 4))

    @Test func `the same seed gives the same bytes, another seed another head`() {
        let first = makePhantom(seed: 5, options: small)
        let second = makePhantom(seed: 5, options: small)
        let other = makePhantom(seed: 6, options: small)
        #expect(checksum(of: first) == checksum(of: second))
        #expect(first.scan.grid == second.scan.grid)
        #expect(checksum(of: first) != checksum(of: other))
    }

    /// Pinned here once: it must not depend on the machine, the compiler or its optimisation.
    @Test func `seed 1 gives these bytes on any machine`() {
        let options = PhantomOptions(contrasts: PhantomContrast.allCases)
        #expect(
            checksum(of: makePhantom(seed: 1, options: options)) == 10_786_011_330_699_484_707)
    }

    @Test func `every structure is there and no other label is`() {
        let indices = Set(phantomLabelTable.structures.map(\.index))
        for seed in UInt64(100)..<112 {
            let labels = makePhantom(seed: seed).labels
            let counts = labels.voxelCounts()
            for structure in phantomLabelTable.structures {
                #expect(
                    counts[Int(structure.index)] >= 100, "\(structure.name) in head \(seed)")
            }
            let present = Set(counts.indices.filter { counts[$0] > 0 }.map { UInt16($0) })
            #expect(present.subtracting(indices) == [0])
        }
    }

    @Test func `the label table is the one among the pipelines`() throws {
        let path = projectRoot + "/pipelines/labels/phantom.tsv"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(try labelTable(fromBIDS: text, path: path) == phantomLabelTable)
        let mapping = try LabelMapping.parse(text, path: path)
        #expect(mapping == LabelMapping(identity: phantomLabelTable))
    }

    @Test(arguments: [(2, 41), (3, 42), (4, 43), (8, 47), (10, 49), (12, 51), (17, 53)])
    func `left lies to the left of right`(left: UInt16, right: UInt16) {
        for seed in UInt64(0)..<4 {
            let labels = makePhantom(seed: seed, options: small).labels
            #expect(meanX(of: left, in: labels) < meanX(of: right, in: labels) - 10)
        }
    }

    @Test func `the same head lies in the world in all 48 orientations`() throws {
        var options = PhantomOptions(
            size: GridSize(16, 20, 18), spacingMillimeters: SIMD3(10, 9, 8))
        let ras = makePhantom(seed: 3, options: options)
        let toRAS = ras.scan.grid.affine.inverse
        #expect(ras.labels.labels.count { $0 != 0 } > 500)
        for orientation in Orientation.allCases {
            options.orientation = orientation
            let head = makePhantom(seed: 3, options: options)
            let grid = head.scan.grid
            #expect(grid.orientation == orientation)
            #expect(head.labels.grid == grid)
            var differences = 0
            for k in 0..<grid.size.z {
                for j in 0..<grid.size.y {
                    for i in 0..<grid.size.x {
                        let world = grid.affine(SIMD3(Double(i), Double(j), Double(k)))
                        let index = toRAS(world)
                        let (x, y, z) = (
                            Int(index.x.rounded()), Int(index.y.rounded()), Int(index.z.rounded())
                        )
                        if head.scan[i, j, k] != ras.scan[x, y, z] { differences += 1 }
                        if head.labels[i, j, k] != ras.labels[x, y, z] { differences += 1 }
                    }
                }
            }
            #expect(differences == 0, "\(orientation)")
        }
    }

    @Test func `a stripped head is 0 outside of the brain and nowhere inside`() {
        var options = small
        options.skullProbability = 0
        let stripped = makePhantom(seed: 8, options: options)
        options.skullProbability = 1
        let whole = makePhantom(seed: 8, options: options)
        let sameLabels = stripped.labels == whole.labels
        #expect(sameLabels)
        let brain = stripped.scan.voxels.count { $0 > 0 }
        let labelled = stripped.labels.labels.count { $0 != 0 }
        #expect(brain > labelled && brain < labelled * 3 / 2)
        #expect(whole.scan.voxels.count { $0 > 0 } > brain * 3 / 2)
        let dark = zip(stripped.scan.voxels, stripped.labels.labels).count { $0 == 0 && $1 != 0 }
        #expect(dark == 0)
    }

    @Test func `values are whole numbers that fit 16 signed bits`() {
        for seed in UInt64(0)..<6 {
            let voxels = makePhantom(seed: seed, options: small).scan.voxels
            let others = voxels.count { $0 < 0 || $0 > 32767 || $0 != $0.rounded() }
            #expect(others == 0)
            #expect(voxels.count { $0 > 100 } > 1000)
        }
    }

    @Test func `the affine is exact in single precision and not trivial`() {
        let affine = makePhantom(seed: 4).scan.grid.affine
        for row in 0..<3 {
            for column in 0..<4 {
                #expect(Double(Float(affine[row, column])) == affine[row, column])
            }
        }
        #expect(affine.spacing == SIMD3(2, 2, 2))
        #expect(affine.translation.x < -60 && affine.translation.x > -100)
    }

    @Test(
        arguments: [
            (PhantomContrast.t1Weighted, [UInt16(4), 3, 2]), (.t2Weighted, [2, 3, 4]),
            (.protonDensity, [2, 3, 4]),
        ])
    func `a contrast orders the tissues from dark to bright`(
        contrast: PhantomContrast, order: [UInt16]
    ) {
        let options = PhantomOptions(contrasts: [contrast], biasAmplitude: 0...0)
        for seed in UInt64(20)..<23 {
            let head = makePhantom(seed: seed, options: options)
            let means = order.map { meanBrightness(of: $0, in: head) }
            #expect(means == means.sorted(), "\(contrast) \(seed)")
        }
    }

    @Test func `left and right are equally bright`() {
        let options = PhantomOptions(biasAmplitude: 0...0)
        for seed in UInt64(30)..<34 {
            let head = makePhantom(seed: seed, options: options)
            for (left, right) in [(UInt16(2), UInt16(41)), (8, 47)] {
                let ratio =
                    meanBrightness(of: left, in: head) / meanBrightness(of: right, in: head)
                // Borders with other tissue differ a little from side to side.
                #expect(abs(ratio - 1) < 0.03, "\(left) \(seed)")
            }
        }
    }

    @Test func `no contrast to choose from ends the process`() async {
        await #expect(processExitsWith: .failure) {
            _ = makePhantom(seed: 1, options: PhantomOptions(contrasts: []))
        }
    }

    private func meanX(of label: UInt16, in map: LabelMap) -> Double {
        var sum = 0.0
        var count = 0.0
        for (position, value) in map.labels.enumerated() where value == label {
            sum += map.grid.affine(SIMD3(Double(position % map.grid.size.x), 0, 0)).x
            count += 1
        }
        return sum / count
    }

    private func meanBrightness(
        of label: UInt16, in head: (scan: Volume, labels: LabelMap)
    ) -> Double {
        var sum = 0.0
        var count = 0.0
        for (value, voxelLabel) in zip(head.scan.voxels, head.labels.labels)
        where voxelLabel == label {
            sum += Double(value)
            count += 1
        }
        return sum / count
    }

    /// FNV-1a over the bits of all values and labels.
    private func checksum(of head: (scan: Volume, labels: LabelMap)) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for (value, label) in zip(head.scan.voxels, head.labels.labels) {
            hash = (hash ^ UInt64(value.bitPattern)) &* 0x0000_0100_0000_01B3
            hash = (hash ^ UInt64(label)) &* 0x0000_0100_0000_01B3
        }
        return hash
    }
}

/// The folder that holds `Package.swift`.
let projectRoot = String(#filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 })
