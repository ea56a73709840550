public import Volumes

/// Into how many pieces a structure falls.
///
/// Two voxels of a structure belong to the same fragment if a path leads from one to the other
/// through the structure, each step to one of the 26 voxels that share a face, an edge or a corner.
public struct StructureFragments: Sendable, Hashable, Codable {
    /// The structure's value in the label map.
    public var label: UInt16
    /// Voxels that carry it.
    public var voxelCount: Int
    /// The number of fragments; 0 if the map does not contain the structure.
    public var fragmentCount: Int
    /// Voxels of the largest fragment.
    public var largestVoxelCount: Int

    /// Makes an entry.
    public init(label: UInt16, voxelCount: Int, fragmentCount: Int, largestVoxelCount: Int) {
        self.label = label
        self.voxelCount = voxelCount
        self.fragmentCount = fragmentCount
        self.largestVoxelCount = largestVoxelCount
    }

    /// The share of voxels outside of the largest fragment; 0 where there is none.
    public var fractionOutsideLargest: Double {
        voxelCount == 0 ? 0 : Double(voxelCount - largestVoxelCount) / Double(voxelCount)
    }
}

/// Finds the fragments of each structure of a label map.
///
/// - Parameters:
///   - map: The label map.
///   - labels: The structures to look at, in the order of the result; `nil` for all that the map
///     holds, by ascending label, without background (0).
/// - Returns: One entry for each structure.
/// - Precondition: background is not asked for.
/// - Complexity: Linear in the voxels, whatever the number of structures.
public func structureFragments(
    of map: LabelMap, labels: [UInt16]? = nil
) -> [StructureFragments] {
    precondition(labels?.contains(0) != true, "background has no fragments")
    var runs = LabelRuns(of: map)
    runs.joinTouching()
    let all = runs.fragments()
    let wanted = labels ?? all.indices.filter { all[$0].voxelCount > 0 }.map(UInt16.init)
    return wanted.map { all[Int($0)] }
}

/// The runs of equal labels along the rows of a label map, joined to fragments by union-find.
///
/// Source: Rosenfeld and Pfaltz, J ACM 13(4), 1966, <https://doi.org/10.1145/321356.321357>, with
/// runs in the place of voxels; Tarjan, J ACM 22(2), 1975, for the forest of parents.
private struct LabelRuns {
    private struct Run {
        var label: UInt16
        var first: Int32
        var last: Int32
    }

    private let rowsPerSlice: Int
    /// The index of each row's first run, and the end of the last row's.
    private var firstRunOfRow: [Int] = [0]
    private var runs: [Run] = []
    /// Leads from each run to an earlier one of its fragment; the first one leads to itself.
    private var parents: [Int] = []

    init(of map: LabelMap) {
        let width = map.grid.size.x
        rowsPerSlice = map.grid.size.y
        let rowCount = map.grid.size.y * map.grid.size.z
        firstRunOfRow.reserveCapacity(rowCount + 1)
        map.labels.withUnsafeBufferPointer { labels in
            for row in 0..<rowCount {
                let offset = row * width
                var x = 0
                while x < width {
                    let label = labels[offset + x]
                    let first = x
                    repeat { x += 1 } while x < width && labels[offset + x] == label
                    if label != 0 {
                        runs.append(Run(label: label, first: Int32(first), last: Int32(x - 1)))
                    }
                }
                firstRunOfRow.append(runs.count)
            }
        }
        parents = Array(runs.indices)
    }

    /// Joins the runs of each row with those of the four neighbouring rows before it.
    mutating func joinTouching() {
        for row in 0..<firstRunOfRow.count - 1 where firstRunOfRow[row] < firstRunOfRow[row + 1] {
            let y = row % rowsPerSlice
            let isFirstSlice = row < rowsPerSlice
            if y > 0 { join(row, row - 1) }
            guard !isFirstSlice else { continue }
            if y > 0 { join(row, row - rowsPerSlice - 1) }
            join(row, row - rowsPerSlice)
            if y + 1 < rowsPerSlice { join(row, row - rowsPerSlice + 1) }
        }
    }

    /// Joins the runs of two rows that touch, diagonally too.
    private mutating func join(_ row: Int, _ otherRow: Int) {
        var (a, b) = (firstRunOfRow[row], firstRunOfRow[otherRow])
        let (endOfA, endOfB) = (firstRunOfRow[row + 1], firstRunOfRow[otherRow + 1])
        while a < endOfA && b < endOfB {
            joinIfTouching(a, b)
            let (lastA, lastB) = (runs[a].last, runs[b].last)
            if lastA < lastB {
                a += 1
            } else if lastB < lastA {
                b += 1
            } else {
                // Both runs still touch the other row's next one at a corner.
                if b + 1 < endOfB { joinIfTouching(a, b + 1) }
                if a + 1 < endOfA { joinIfTouching(a + 1, b) }
                a += 1
                b += 1
            }
        }
    }

    private mutating func joinIfTouching(_ a: Int, _ b: Int) {
        let (runA, runB) = (runs[a], runs[b])
        guard runA.label == runB.label, runA.first <= runB.last + 1, runB.first <= runA.last + 1
        else { return }
        let (rootA, rootB) = (root(of: a), root(of: b))
        parents[max(rootA, rootB)] = min(rootA, rootB)
    }

    private mutating func root(of run: Int) -> Int {
        var run = run
        while parents[run] != run {
            parents[run] = parents[parents[run]]
            run = parents[run]
        }
        return run
    }

    /// Counts the fragments of every possible label.
    func fragments() -> [StructureFragments] {
        var result = (0...UInt16.max).map {
            StructureFragments(label: $0, voxelCount: 0, fragmentCount: 0, largestVoxelCount: 0)
        }
        // A run's parent stands before it, so one step back finds what was found for the parent.
        var roots = parents
        var sizes = [Int](repeating: 0, count: runs.count)
        for (index, run) in runs.enumerated() {
            roots[index] = roots[roots[index]]
            let length = Int(run.last - run.first) + 1
            sizes[roots[index]] += length
            result[Int(run.label)].voxelCount += length
        }
        for (index, run) in runs.enumerated() where roots[index] == index {
            result[Int(run.label)].fragmentCount += 1
            result[Int(run.label)].largestVoxelCount = max(
                result[Int(run.label)].largestVoxelCount, sizes[index])
        }
        return result
    }
}
