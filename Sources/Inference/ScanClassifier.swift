import Foundation
public import ModelBundles
import NeuralNetworks
import Preprocessing
import SegmentationModels
package import Tensors
public import Volumes

/// A classifier's answer for a scan.
public struct ScanClassification: Sendable, Hashable, Codable {
    /// The probability of each kind, in the order of `ScanClasses.kinds`.
    public var kindProbabilities: [Double]
    /// The probability that the scan is of none of them.
    public var noneProbability: Double
    /// The way the head lies by the picture, where the classifier tells it.
    public var orientation: HeadOrientation?

    /// Makes an answer of its parts.
    package init(kindProbabilities: [Double], noneProbability: Double) {
        self.kindProbabilities = kindProbabilities
        self.noneProbability = noneProbability
    }

    /// The position of the likeliest kind; `nil` where none is likelier.
    public var kind: Int? {
        let best = kindProbabilities.indices.max { kindProbabilities[$0] < kindProbabilities[$1] }
        guard let best, kindProbabilities[best] >= noneProbability else { return nil }
        return best
    }
}

/// The way a head lies by its picture.
public struct HeadOrientation: Sendable, Hashable, Codable {
    /// The true directions of what the header calls right, anterior and superior.
    ///
    /// They are `RAS` where the header is right. The mirror image, with left for right, looks the same.
    public var directions: Orientation
    /// The probability, among all that can be told apart.
    public var probability: Double

    /// Makes an answer of its parts.
    package init(directions: Orientation, probability: Double) {
        self.directions = directions
        self.probability = probability
    }

    /// A Boolean value indicating whether the picture agrees with the header.
    public var agreesWithHeader: Bool { directions == .ras }
}

/// Tells what kind of scan a scan is, and which way up the head lies, by a few of its slices.
public final class ScanClassifier {
    /// The model.
    public let bundle: ModelBundle
    /// The classes that it tells apart.
    public let classes: ScanClasses
    private let computation: SliceComputation

    /// Loads the network.
    ///
    /// - Parameters:
    ///   - bundle: A model that classifies scans.
    ///   - precision: How it is computed.
    /// - Throws: ``SegmenterError`` where the model labels voxels; errors of the bundle's weights
    ///   and of the engine.
    public init(bundle: ModelBundle, precision: Precision = .auto) throws {
        guard let classes = bundle.card.classification else {
            throw SegmenterError(
                code: .otherTask,
                description: "the model '\(bundle.card.name)' labels voxels and classifies no "
                    + "scans; choose one such as scan-check")
        }
        self.bundle = bundle
        self.classes = classes
        let network = try bundle.makeNetwork(for: bundle.card.planes[0].plane)
        computation = SliceComputation(
            of: network, precision: precision == .int8 ? .auto : precision, device: .cpu,
            compiles: true, height: classes.windowVoxels, width: classes.windowVoxels)
    }

    /// Classifies a scan.
    ///
    /// - Parameter scan: The scan.
    /// - Returns: Its kind and the way the head lies.
    /// - Throws: `PreprocessingError` where the scan shows nothing; `TensorError`.
    public func classification(of scan: Volume) throws -> ScanClassification {
        let conformed = try conform(scan, to: bundle.card.conform)
        return try Self.classification(
            of: conformed.volume, classes: classes,
            context: bundle.card.architecture.contextSlices, logits: { try computation($0) })
    }

    /// Classifies a conformed scan by a network's logits `[N, classes, 1, 1]` of slices.
    package static func classification(
        of volume: Volume, classes: ScanClasses, context: Int, as stored: Orientation = .ras,
        logits: (Tensor) throws -> Tensor
    ) throws -> ScanClassification {
        let slices = ContentSlices(window: classes.windowVoxels, context: context)
        let content = ContentSlices.content(of: volume)
        let permutation = AxisPermutation(from: .ras, to: stored)
        let count = classes.slicesPerAxis
        var images: [Float] = []
        for axis in 0..<3 {
            for slice in 0..<count {
                images += slices.picture(
                    of: volume, content: content, permutation: permutation, stackAxis: axis,
                    fraction: count > 1 ? 0.3 + 0.4 * Double(slice) / Double(count - 1) : 0.5)
            }
        }
        let window = classes.windowVoxels
        let result = try logits(
            try Tensor(images, shape: [3 * count, context, window, window]))
        let numbers = try result.contiguous().converted(to: .float32, on: .cpu)
            .elements(as: Float.self)
        let classCount = numbers.count / (3 * count)
        let probabilities = (0..<3 * count).map { slice in
            softmax(numbers[slice * classCount..<(slice + 1) * classCount])
        }
        return classification(ofSlices: probabilities, classes: classes)
    }

    /// Joins the probabilities of slices, those of each axis together.
    package static func classification(
        ofSlices slices: [[Double]], classes: ScanClasses
    ) -> ScanClassification {
        let orientations = classes.orientationCount
        let ofKinds = likelihoods(
            (-1..<classes.kinds.count).map { kind in
                slices.map { slice in
                    kind < 0
                        ? slice[0]
                        : slice[1 + kind * orientations..<1 + (kind + 1) * orientations]
                            .reduce(0, +)
                }
            })
        var result = ScanClassification(
            kindProbabilities: Array(ofKinds.dropFirst()), noneProbability: ofKinds[0])
        guard classes.tellsOrientation else { return result }
        // Of a slice that is none of the kinds every way to lie is as likely.
        let perAxis = slices.count / 3
        let ofSlices = slices.map { slice in
            (0..<orientations).map { way in
                classes.kinds.indices.reduce(slice[0] / Double(orientations)) {
                    $0 + slice[1 + $1 * orientations + way]
                }
            }
        }
        let likely = likelihoods(
            Orientation.distinguishable.map { candidate in
                (0..<3).flatMap { axis in
                    let way = SliceOrientation(of: candidate, stackAxis: axis).index
                    return (0..<perAxis).map { ofSlices[axis * perAxis + $0][way] }
                }
            })
        if let best = likely.indices.max(by: { likely[$0] < likely[$1] }) {
            result.orientation = HeadOrientation(
                directions: Orientation.distinguishable[best], probability: likely[best])
        }
        return result
    }

    /// The probability of each answer by those that each slice gives it.
    private static func likelihoods(_ answers: [[Double]]) -> [Double] {
        softmax(
            answers.map { slices in
                Float(
                    evidenceOfSlices
                        * slices.reduce(0) { $0 + log(leastProbability + $1) })
            }[...])
    }

    /// The error that a slice may have without deciding against the others.
    private static let leastProbability = 0.02
    /// Slices of a scan are alike: each counts as a part of an independent one.
    private static let evidenceOfSlices = 0.5
}

private func softmax(_ logits: ArraySlice<Float>) -> [Double] {
    let largest = Double(logits.max() ?? 0)
    let powers = logits.map { exp(Double($0) - largest) }
    let sum = powers.reduce(0, +)
    return powers.map { $0 / sum }
}
