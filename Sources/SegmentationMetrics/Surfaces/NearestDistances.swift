import Volumes

/// Finds, for each point of one set, the exact Euclidean distance to the nearest of another.
///
/// Both sets are bits on the same lattice. Most points of two similar surfaces lie close together,
/// so the rows around a point are looked through first, nearest rows first, until no further row
/// can be nearer. Points that are farther away than the ``reach`` get their distance from the
/// separable distance transform, one plane across x at a time: linear in the lattice's size and
/// with the memory of a plane.
///
/// Source: Felzenszwalb and Huttenlocher, Theory of Computing 8(19), 2012,
/// <https://doi.org/10.4086/toc.2012.v008a019>.
struct NearestDistances {
    /// A neighbouring row, and the squares of the distance to it along y and z.
    private struct NearbyRow {
        var y: Int
        var z: Int
        var ySquared: Double
        var zSquared: Double
        var squared: Double { ySquared + zSquared }
    }

    private let spacing: SIMD3<Double>
    /// All rows within the reach, nearest first.
    private let nearbyRows: [NearbyRow]
    /// The square of how far ``nearbyRows`` goes, in mm².
    private let reachSquared: Double

    /// Prepares the search on lattices of a spacing.
    ///
    /// - Parameters:
    ///   - spacing: Of the lattice, in millimetres.
    ///   - nearbyRowCount: About how many rows to look through before the distance transform.
    init(spacing: SIMD3<Double>, nearbyRowCount: Int = 400) {
        self.spacing = spacing
        // A disc of this radius holds the rows.
        let reachSquared = Double(nearbyRowCount) * spacing.y * spacing.z / Double.pi
        let reach = reachSquared.squareRoot()
        var rows: [NearbyRow] = []
        let (yReach, zReach) = (Int(reach / spacing.y), Int(reach / spacing.z))
        for z in -zReach...zReach {
            for y in -yReach...yReach {
                let (dy, dz) = (Double(y) * spacing.y, Double(z) * spacing.z)
                let row = NearbyRow(y: y, z: z, ySquared: dy * dy, zSquared: dz * dz)
                if row.squared <= reachSquared { rows.append(row) }
            }
        }
        rows.sort { ($0.squared, $0.z, $0.y) < ($1.squared, $1.z, $1.y) }
        self.reachSquared = reachSquared
        nearbyRows = rows
    }

    /// Measures the distances from each point to the nearest target, in millimetres.
    ///
    /// - Parameters:
    ///   - points: Where to measure.
    ///   - targets: What to measure to, on a lattice of the same size; not empty.
    /// - Returns: One distance for each point, by ascending row, then x.
    func distances(from points: StructureMask, to targets: StructureMask) -> [Double] {
        precondition(points.size == targets.size, "sizes: \(points.size) and \(targets.size)")
        let (size, rowWords) = (points.size, points.rowWords)
        let xSquared = (0..<size.x).map { index in
            let distance = Double(index) * spacing.x
            return distance * distance
        }
        var result: [Double] = []
        result.reserveCapacity(points.voxelCount)
        var far: [FarPoint] = []
        targets.words.withUnsafeBufferPointer { words in
            xSquared.withUnsafeBufferPointer { xSquared in
                nearbyRows.withUnsafeBufferPointer { nearbyRows in
                    points.forEachVoxel { x, row in
                        let squared = nearestSquared(
                            x: x, row: row, words: words, rowWords: rowWords, size: size,
                            xSquared: xSquared, nearbyRows: nearbyRows)
                        if squared > reachSquared {
                            far.append(FarPoint(x: x, row: row, index: result.count))
                        }
                        result.append(squared.squareRoot())
                    }
                    measureFarPoints(
                        far, words: words, rowWords: rowWords, size: size, xSquared: xSquared,
                        result: &result)
                }
            }
        }
        return result
    }

    // MARK: - Near points

    /// The least squared distance among the nearby rows; infinity where these hold no target.
    @inline(__always)
    private func nearestSquared(
        x: Int, row: Int, words: UnsafeBufferPointer<UInt64>, rowWords: Int, size: GridSize,
        xSquared: UnsafeBufferPointer<Double>, nearbyRows: UnsafeBufferPointer<NearbyRow>
    ) -> Double {
        if words[row &* rowWords &+ x &>> 6] &>> UInt64(x & 63) & 1 == 1 { return 0 }
        let (z, y) = row.quotientAndRemainder(dividingBy: size.y)
        var best = Double.infinity
        var reach = size.x
        for nearby in nearbyRows {
            if nearby.squared >= best { break }
            let (otherY, otherZ) = (y &+ nearby.y, z &+ nearby.z)
            guard otherY >= 0, otherY < size.y, otherZ >= 0, otherZ < size.z else { continue }
            let start = (otherY &+ size.y &* otherZ) &* rowWords
            let steps = Self.stepsToNearest(
                x: x, words: words, start: start, rowWords: rowWords, within: reach)
            guard steps < size.x else { continue }
            // Summed in the order of scipy's distance transform.
            let squared = (xSquared[steps] + nearby.ySquared) + nearby.zSquared
            if squared < best {
                best = squared
                // A farther row can be nearer only with fewer steps along x.
                reach = min(reach, steps)
            }
        }
        return best
    }

    /// The number of steps along its row from x to the nearest target; `Int.max` if there is none
    /// within a number of steps.
    @inline(__always)
    private static func stepsToNearest(
        x: Int, words: UnsafeBufferPointer<UInt64>, start: Int, rowWords: Int, within limit: Int
    ) -> Int {
        let (word, bit) = (x &>> 6, UInt64(x & 63))
        var nearest = Int.max
        let bits = words[start &+ word]
        let left = bits &<< (63 &- bit)
        if left != 0 {
            nearest = left.leadingZeroBitCount
        } else {
            var other = word &- 1
            // The nearest bit of the word before is `bit + 1` steps away.
            while other >= 0, x &- (other &<< 6 &+ 63) <= limit {
                let bits = words[start &+ other]
                if bits != 0 {
                    nearest = x &- (other &<< 6 &+ 63 &- bits.leadingZeroBitCount)
                    break
                }
                other &-= 1
            }
        }
        let right = bits &>> bit
        if right != 0 {
            nearest = min(nearest, right.trailingZeroBitCount)
        } else {
            var other = word &+ 1
            while other < rowWords, other &<< 6 &- x <= limit {
                let bits = words[start &+ other]
                if bits != 0 {
                    nearest = min(nearest, other &<< 6 &+ bits.trailingZeroBitCount &- x)
                    break
                }
                other &+= 1
            }
        }
        return nearest
    }

    // MARK: - Far points

    private struct FarPoint {
        var x: Int
        var row: Int
        /// The index of its distance in the result.
        var index: Int
    }

    /// Measures points whose nearest target lies beyond the nearby rows, plane by plane.
    private func measureFarPoints(
        _ points: [FarPoint], words: UnsafeBufferPointer<UInt64>, rowWords: Int, size: GridSize,
        xSquared: UnsafeBufferPointer<Double>, result: inout [Double]
    ) {
        guard !points.isEmpty else { return }
        let planes = Dictionary(grouping: points, by: \.x)
        // Squared distances on the plane, z fastest: first along x alone, then along x and y.
        var plane = [Double](repeating: 0, count: size.y * size.z)
        var column = [Double](repeating: 0, count: max(size.y, size.z))
        var alongY = LowerEnvelope(length: size.y, spacing: spacing.y)
        var alongZ = LowerEnvelope(length: size.z, spacing: spacing.z)
        for (x, points) in planes {
            for z in 0..<size.z {
                for y in 0..<size.y {
                    let steps = Self.stepsToNearest(
                        x: x, words: words, start: (y + size.y * z) * rowWords,
                        rowWords: rowWords, within: size.x)
                    column[y] = steps < size.x ? xSquared[steps] : .infinity
                }
                alongY.transform(&column)
                for y in 0..<size.y { plane[z + size.z * y] = column[y] }
            }
            var transformed: Set<Int> = []
            for point in points {
                let (z, y) = point.row.quotientAndRemainder(dividingBy: size.y)
                if transformed.insert(y).inserted {
                    for z in 0..<size.z { column[z] = plane[z + size.z * y] }
                    alongZ.transform(&column)
                    for z in 0..<size.z { plane[z + size.z * y] = column[z] }
                }
                result[point.index] = plane[z + size.z * y].squareRoot()
            }
        }
    }
}

/// The squared distance transform along one line: `g[p] = min over q of f[q] + (s (p - q))²`.
///
/// The minimum of parabolas with the same width is their lower envelope, which is found and
/// evaluated in linear time.
struct LowerEnvelope {
    private let squares: [Double]
    private let spacingSquared: Double
    private let length: Int
    private var vertices: [Int]
    private var starts: [Double]
    private var values: [Double]

    /// Prepares lines of a length.
    init(length: Int, spacing: Double) {
        self.length = length
        spacingSquared = spacing * spacing
        squares = (0..<length).map { step in
            let distance = Double(step) * spacing
            return distance * distance
        }
        vertices = [Int](repeating: 0, count: length)
        starts = [Double](repeating: 0, count: length)
        values = [Double](repeating: 0, count: length)
    }

    /// Replaces `f`, the first `length` values of a line, by `g`; infinity stands for no target.
    mutating func transform(_ line: inout [Double]) {
        var count = 0
        for position in 0..<length where line[position] < .infinity {
            // Where this parabola falls below the last one, in steps.
            var start = -Double.infinity
            while count > 0 {
                let vertex = vertices[count - 1]
                let rise = (line[position] - values[count - 1]) / spacingSquared
                start = (rise / Double(position - vertex) + Double(position + vertex)) / 2
                if start > starts[count - 1] { break }
                count -= 1
                start = -.infinity
            }
            vertices[count] = position
            starts[count] = start
            values[count] = line[position]
            count += 1
        }
        guard count > 0 else { return }
        var current = 0
        for position in 0..<length {
            while current + 1 < count, starts[current + 1] < Double(position) { current += 1 }
            line[position] = values[current] + squares[abs(position - vertices[current])]
        }
    }
}
