import Foundation

/// The share of a structure in the labelled volume of adult brains.
///
/// Shares spread by factors, so their logarithms are summarised. What a model's labels add up to
/// stands for the intracranial volume, which label maps without cerebrospinal fluid do not hold.
public struct AdultVolume: Sendable, Hashable {
    /// The structure's name.
    public let name: String
    /// The mean of the natural logarithms of the shares.
    public let meanLogarithm: Double
    /// Their standard deviation.
    public let standardDeviation: Double
    /// The smallest and the largest share.
    public let shareRange: ClosedRange<Double>

    /// The distance of a share from the adults' mean, in standard deviations of the logarithm: below
    /// 0 where the structure is small.
    ///
    /// The deviation counts as ``leastDeviation`` at least: labelling protocols differ by more than
    /// the adults of some structures do.
    public func deviation(ofShare share: Double) -> Double {
        (log(share) - meanLogarithm) / max(standardDeviation, Self.leastDeviation)
    }

    /// 0.1: a tenth of the volume, by which labelling protocols differ.
    public static let leastDeviation = 0.1

    /// The entry of a structure, if there is one.
    public static func named(_ name: String) -> AdultVolume? { entryOfName[name] }

    /// Returns whether a table names every structure, so that shares mean the same as in this
    /// table.
    static func isJudged(by names: some Sequence<String>) -> Bool {
        Set(entryOfName.keys).isSubset(of: Set(names))
    }

    private static let entryOfName = Dictionary(
        all.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
}
