internal import CInterpolation
internal import Dispatch
package import Volumes

/// The scores of every class in the voxels of a conformed scan, as networks have given them.
///
/// It looks into memory that belongs to another and does not outlive the closure it is made in.
package struct ClassScores {
    private let scores: UnsafeBufferPointer<UInt16>
    private let places: [Int32]?
    private let classes: [UInt8]
    private let classCount: Int
    private let size: GridSize
    private let threadCount: Int

    /// Takes scores as they lie in memory.
    ///
    /// - Parameters:
    ///   - scores: `[place, class]` in half precision, finite and not negative.
    ///   - places: The place of each voxel's scores, and -1 where class 0 is certain; `nil` where all voxels
    ///     have scores, in storage order.
    ///   - classes: The argmax of the scores in each voxel; ties go to the lowest class.
    ///   - classCount: How many classes there are, 256 at most.
    ///   - size: The voxels.
    ///   - threadCount: On how many threads to interpolate.
    /// - Precondition: There are scores for each place and class.
    package init(
        scores: UnsafeBufferPointer<UInt16>, places: [Int32]? = nil, classes: [UInt8],
        classCount: Int, size: GridSize, threadCount: Int
    ) {
        precondition((1...256).contains(classCount), "\(classCount) classes")
        let placeCount = places.map { Int($0.max() ?? -1) + 1 } ?? size.count
        precondition(
            scores.count >= placeCount * classCount && classes.count == size.count
                && places?.count ?? size.count == size.count,
            "\(scores.count) scores and \(classes.count) classes for \(classCount) in \(size)")
        self.scores = scores
        self.places = places
        self.classes = classes
        self.classCount = classCount
        self.size = size
        self.threadCount = max(1, threadCount)
    }

    /// The class of the highest score, interpolated linearly at each voxel of another grid.
    ///
    /// Beyond the outer faces of the voxels it is 0.
    ///
    /// - Parameters:
    ///   - target: The voxels wanted.
    ///   - map: From their indices to those of these voxels.
    /// - Returns: The classes in storage order.
    func classes(in target: GridSize, map: Affine) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: target.count) { result, count in
            guard let base = result.baseAddress else { return }
            let output = Output(base: base)
            forEachPart(of: target, map: map) { source, target, slices in
                cinterpolation_classes(
                    &source, &target, Int64(slices.lowerBound), Int64(slices.upperBound),
                    output.base)
            }
            count = target.count
        }
    }

    /// The scores of some classes, interpolated linearly, as parts of the sum over all classes.
    ///
    /// - Parameters:
    ///   - range: The classes wanted.
    ///   - target: The voxels wanted.
    ///   - map: From their indices to those of these voxels.
    ///   - scale: What a score of 1 becomes.
    /// - Returns: `[class, z, y, x]`, rounded to the nearest.
    func scores(
        ofClasses range: Range<Int>, in target: GridSize, map: Affine, scale: Float
    ) -> [UInt16] {
        precondition(range.upperBound <= classCount, "classes \(range) of \(classCount)")
        let total = target.count * range.count
        return [UInt16](unsafeUninitializedCapacity: total) { result, count in
            guard let base = result.baseAddress else { return }
            let output = Output(base: base)
            forEachPart(of: target, map: map) { source, target, slices in
                cinterpolation_scores(
                    &source, &target, Int64(slices.lowerBound), Int64(slices.upperBound),
                    Int32(range.lowerBound), Int32(range.upperBound), scale, output.base)
            }
            count = total
        }
    }

    /// For each class the mean probability that its own voxels give it, `nil` where it has none and for
    /// class 0: its score as a part of the sum over all classes.
    package func meanProbabilities() -> [Double?] {
        let parts = max(1, min(size.z, threadCount))
        let slice = size.x * size.y
        var sums = [(sum: Double, count: Int)](repeating: (0, 0), count: parts * classCount)
        guard let base = scores.baseAddress else { return [] }
        withPlaces { places in
            classes.withUnsafeBufferPointer { classes in
                halves.withUnsafeBufferPointer { halves in
                    sums.withUnsafeMutableBufferPointer { sums in
                        guard let labels = classes.baseAddress, let numbers = halves.baseAddress,
                            let result = sums.baseAddress
                        else { return }
                        let input = Input(scores: base, places: places, classes: labels)
                        let table = Table(halves: numbers)
                        let output = Output(base: result)
                        let (count, depth) = (classCount, size.z)
                        DispatchQueue.concurrentPerform(iterations: parts) { part in
                            let range =
                                depth * part / parts * slice..<depth * (part + 1) / parts * slice
                            for voxel in range where input.classes[voxel] != 0 {
                                let own = input.scores + input.place(of: voxel) * count
                                var total: Float = 0
                                for member in 0..<count { total += table.halves[Int(own[member])] }
                                let winner = Int(input.classes[voxel])
                                let entry = part * count + winner
                                if total > 0 {
                                    output.base[entry].sum += Double(
                                        table.halves[Int(own[winner])] / total)
                                }
                                output.base[entry].count += 1
                            }
                        }
                    }
                }
            }
        }
        return (0..<classCount).map { member in
            var (sum, count) = (0.0, 0)
            for part in 0..<parts {
                sum += sums[part * classCount + member].sum
                count += sums[part * classCount + member].count
            }
            return count > 0 ? sum / Double(count) : nil
        }
    }

    /// Half precision numbers by their bits; only read while the caller waits.
    private struct Table: @unchecked Sendable {
        let halves: UnsafePointer<Float>
    }

    /// The output buffer.
    ///
    /// Each thread writes slices of its own, so sharing it is safe.
    private struct Output<Value>: @unchecked Sendable {
        let base: UnsafeMutablePointer<Value>
    }

    /// The input buffer.
    ///
    /// It is only read while the caller waits, so sharing it is safe.
    private struct Input: @unchecked Sendable {
        let scores: UnsafePointer<UInt16>
        let places: UnsafePointer<Int32>?
        let classes: UnsafePointer<UInt8>

        func place(of voxel: Int) -> Int { places.map { Int($0[voxel]) } ?? voxel }
    }

    private func withPlaces(_ body: (UnsafePointer<Int32>?) -> Void) {
        guard let places else { return body(nil) }
        places.withUnsafeBufferPointer { body($0.baseAddress) }
    }

    private func forEachPart(
        of size: GridSize, map: Affine,
        _ body:
            @Sendable (
                inout CInterpolationSource, inout CInterpolationTarget, Range<Int>
            ) -> Void
    ) {
        guard let scores = scores.baseAddress else { return }
        withPlaces { places in
            classes.withUnsafeBufferPointer { classes in
                guard let classes = classes.baseAddress else { return }
                let input = Input(scores: scores, places: places, classes: classes)
                let (sourceSize, classCount) = (self.size, Int32(classCount))
                // Some parts more than threads, as slices without borders take no time.
                let parts = min(size.z, threadCount == 1 ? 1 : 8 * threadCount)
                let threads = min(threadCount, parts)
                DispatchQueue.concurrentPerform(iterations: threads) { thread in
                    var source = CInterpolationSource(
                        scores: input.scores, places: input.places, classes: input.classes,
                        size: (Int64(sourceSize.x), Int64(sourceSize.y), Int64(sourceSize.z)),
                        class_count: classCount)
                    var target = CInterpolationTarget(
                        size: (Int64(size.x), Int64(size.y), Int64(size.z)),
                        map: (
                            map[0, 0], map[0, 1], map[0, 2], map[0, 3],
                            map[1, 0], map[1, 1], map[1, 2], map[1, 3],
                            map[2, 0], map[2, 1], map[2, 2], map[2, 3]
                        ))
                    for part in stride(from: thread, to: parts, by: threads) {
                        body(
                            &source, &target, size.z * part / parts..<size.z * (part + 1) / parts)
                    }
                }
            }
        }
    }
}

/// Every number of half precision by its bits: looking one up takes less time than widening it where
/// the compiler may not use the processor's instruction.
private let halves: [Float] = (0..<1 << 16).map { Float(Float16(bitPattern: UInt16($0))) }

extension ConformedScan {
    /// Carries classes from the box back to the scan's own grid by interpolating their scores.
    ///
    /// Between voxels of different classes the border runs where the interpolated scores are equal,
    /// not along the faces of voxels. Scan voxels outside the box become background, class 0.
    ///
    /// - Parameter scores: The scores of the voxels of ``volume``.
    /// - Returns: Classes on ``scanGrid``, in storage order.
    package func classesOnScanGrid(_ scores: ClassScores) -> [UInt8] {
        let toModel = AxisPermutation(from: scanGrid.orientation, to: conformedGrid.orientation)
        let permutedGrid = toModel.applied(to: scanGrid)
        let map = conformedGrid.cropped(to: box).affine.inverse * permutedGrid.affine
        return toModel.inverse.applied(
            to: scores.classes(in: permutedGrid.size, map: map), of: permutedGrid.size)
    }

    /// The probabilities of some classes on the scan's own grid, or on that of the box.
    ///
    /// They are the scores as parts of their sum over all classes; outside the box background,
    /// class 0, is certain.
    ///
    /// - Parameters:
    ///   - range: The classes wanted.
    ///   - scores: The scores of the voxels of ``volume``.
    ///   - isNative: Whether the scan's own grid is meant.
    ///   - scale: What certainty becomes.
    /// - Returns: A volume for each class, rounded to the nearest.
    package func probabilities(
        ofClasses range: Range<Int>, _ scores: ClassScores, onScanGrid isNative: Bool, scale: Float
    ) -> [[UInt16]] {
        let toModel = AxisPermutation(from: scanGrid.orientation, to: conformedGrid.orientation)
        let permutedGrid = toModel.applied(to: scanGrid)
        let boxGrid = conformedGrid.cropped(to: box)
        let grid = isNative ? permutedGrid : boxGrid
        let values = scores.scores(
            ofClasses: range, in: grid.size, map: boxGrid.affine.inverse * grid.affine,
            scale: scale)
        return range.indices.map { member in
            let start = (member - range.lowerBound) * grid.size.count
            let volume = Array(values[start..<start + grid.size.count])
            return isNative ? toModel.inverse.applied(to: volume, of: grid.size) : volume
        }
    }
}
