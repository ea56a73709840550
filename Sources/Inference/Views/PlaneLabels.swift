/// The labels of each plane's network alone, for measuring the disagreement between planes.
struct PlaneLabels {
    /// The argmax of each voxel by plane, in storage order; empty if none was kept.
    let outputs: [[UInt8]]
    /// The output of each class, by plane.
    let outputOfClass: [[Int]]

    /// The disagreement of the planes on each class: 1 minus the mean pairwise Dice coefficient of
    /// their labels; `nil` where no plane has the class.
    ///
    /// Classes that share an output of either plane, as left and right do in sagittal slices, are
    /// compared as one.
    func disagreement() -> [Double?] {
        guard !outputs.isEmpty else { return [] }
        let classCount = outputOfClass.first?.count ?? 0
        var sums = [Double](repeating: 0, count: classCount)
        var counts = [Int](repeating: 0, count: classCount)
        for first in outputs.indices {
            for second in outputs.indices.dropFirst(first + 1) {
                let groups = Self.commonGroups(outputOfClass[first], outputOfClass[second])
                let dice = diceOfGroups(first, second, groups: groups)
                for (member, group) in groups.enumerated() {
                    guard let value = dice[group] else { continue }
                    sums[member] += value
                    counts[member] += 1
                }
            }
        }
        return zip(sums, counts).map { $1 > 0 ? 1 - $0 / Double($1) : nil }
    }

    /// For each class the first of those that it cannot be told from in either plane.
    static func commonGroups(_ first: [Int], _ second: [Int]) -> [Int] {
        var groups = Array(first.indices)
        for outputs in [first, second] {
            var representative: [Int: Int] = [:]
            for (member, output) in outputs.enumerated() {
                guard let known = representative[output] else {
                    representative[output] = member
                    continue
                }
                let (kept, joined) = (
                    min(groups[known], groups[member]), max(groups[known], groups[member])
                )
                for other in groups.indices where groups[other] == joined { groups[other] = kept }
            }
        }
        return groups
    }

    private func diceOfGroups(_ first: Int, _ second: Int, groups: [Int]) -> [Double?] {
        func groupOfOutput(_ plane: Int) -> [Int] {
            var result = [Int](repeating: 0, count: 256)
            for (member, output) in outputOfClass[plane].enumerated() {
                result[output] = groups[member]
            }
            return result
        }
        let (groupInFirst, groupInSecond) = (groupOfOutput(first), groupOfOutput(second))
        // The number of voxels for each pair of outputs.
        var meetings = [Int](repeating: 0, count: 256 * 256)
        for (a, b) in zip(outputs[first], outputs[second]) { meetings[Int(a) << 8 | Int(b)] += 1 }
        var shared = [Int](repeating: 0, count: groups.count)
        var either = [Int](repeating: 0, count: groups.count)
        for (pair, count) in meetings.enumerated() where count > 0 {
            let (a, b) = (groupInFirst[pair >> 8], groupInSecond[pair & 255])
            either[a] += count
            either[b] += count
            if a == b { shared[a] += count }
        }
        return zip(shared, either).map { $1 > 0 ? 2 * Double($0) / Double($1) : nil }
    }
}
