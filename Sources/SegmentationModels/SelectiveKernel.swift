/// The options of a selective kernel (Li et al., arXiv:1903.06586, section 3.1).
public struct SelectiveKernel: Sendable, Hashable, Codable {
    /// A way in which branches see more of the image.
    public enum Reach: String, Sendable, Hashable, Codable, CaseIterable {
        /// 3x3 kernels, dilated by 1, 2, ….
        case dilation
        /// Kernels of 3x3, 5x5, ….
        case kernel
    }

    /// M: how many kernels there are to select from.
    public var branches: Int
    /// A branch's difference from the one before it.
    public var reach: Reach
    /// G: groups of channels that are convolved apart.
    public var groups: Int
    /// r: how much narrower the hidden layer is than the features.
    public var reductionRatio: Int
    /// L: the least width of the hidden layer, `d = max(C / r, L)`.
    public var minimumWidth: Int

    /// Makes options; the defaults are those of SKNet-50: `SK[2, 32, 16]` by dilation, L = 32.
    public init(
        branches: Int = 2, reach: Reach = .dilation, groups: Int = 32, reductionRatio: Int = 16,
        minimumWidth: Int = 32
    ) {
        self.branches = branches
        self.reach = reach
        self.groups = groups
        self.reductionRatio = reductionRatio
        self.minimumWidth = minimumWidth
    }

    /// The width of the hidden layer for features of some channels.
    public func hiddenWidth(channels: Int) -> Int { max(channels / reductionRatio, minimumWidth) }

    /// The problem as a sentence, or `nil` if it can be built.
    var problem: String? {
        if !(2...8).contains(branches) { return "branches must be 2 to 8, not \(branches)" }
        if !(1...4096).contains(groups) { return "groups must be 1 to 4096, not \(groups)" }
        if !(1...4096).contains(reductionRatio) {
            return "reductionRatio must be 1 to 4096, not \(reductionRatio)"
        }
        if !(1...4096).contains(minimumWidth) {
            return "minimumWidth must be 1 to 4096, not \(minimumWidth)"
        }
        return nil
    }
}
