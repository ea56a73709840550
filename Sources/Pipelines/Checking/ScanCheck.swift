package import Inference
package import ModelBundles
public import Volumes

/// The content of a scan's picture beside the claims of its header.
public struct ScanCheck: Sendable, Codable {
    /// The scan's name.
    public var name: String
    /// Its file.
    public var scan: String
    /// The kind of scan that the picture shows, `none` for no head; `nil` where it failed.
    public var kind: String?
    /// The probability of that kind, 0 to 1.
    public var kindProbability: Double?
    /// The directions of the storage axes by the header, such as `LIA`.
    public var header: Orientation?
    /// The same by the picture, of which its mirror image looks alike; `nil` where no head is seen.
    public var picture: Orientation?
    /// The probability of the picture's directions, 0 to 1.
    public var orientationProbability: Double?
    /// The problems as clauses: of the file, and where picture and header certainly differ.
    public var warnings: [String] = []
    /// The reason why the scan could not be checked; `nil` where it was.
    public var failure: String?

    /// The kind where no head is seen.
    public static let noHead = "none"
    /// A contradiction is told from this probability of the picture's directions on.
    static let leastProbability = 0.98
    /// A head is seen for certain up to this probability of none, and none from the other on.
    static let mostDoubt = 0.2
    static let leastCertaintyOfNone = 0.9

    /// Judges a classifier's answer.
    ///
    /// - Parameters:
    ///   - answer: The answer.
    ///   - name: The scan's name.
    ///   - path: Its file.
    ///   - header: The directions of its storage axes by the header.
    ///   - classes: What the classifier tells apart.
    package init(
        _ answer: ScanClassification, name: String, path: String, header: Orientation,
        classes: ScanClasses
    ) {
        self.name = name
        scan = path
        self.header = header
        let isHead = answer.kind != nil
        kind = answer.kind.map { classes.kinds[$0] } ?? Self.noHead
        kindProbability =
            answer.kind.map { answer.kindProbabilities[$0] } ?? answer.noneProbability
        guard isHead else {
            if classes.tellsOrientation, answer.noneProbability >= Self.leastCertaintyOfNone {
                warnings = ["the picture shows no head; check that it is the right scan"]
            }
            return
        }
        guard let told = answer.orientation else { return }
        let picture = header.turned(by: told.directions)
        self.picture = picture.nearer(to: header)
        orientationProbability = told.probability
        if !told.agreesWithHeader, told.probability >= Self.leastProbability,
            answer.noneProbability <= Self.mostDoubt
        {
            warnings = [
                "the header says that the axes go \(header), and the head in the picture lies as if "
                    + "they went \(picture) or, its mirror image, \(picture.mirrored); check the "
                    + "header with 'sliceseg info'"
            ]
        }
    }

    /// Notes a scan that cannot be checked.
    init(name: String, path: String, failure: String) {
        self.name = name
        scan = path
        self.failure = failure
    }
}

extension Orientation {
    /// The directions of the axes where right, anterior and superior truly are three others.
    fileprivate func turned(by directions: Orientation) -> Orientation {
        let turned = axes.map { axis in
            let told = directions.axes[axis.worldAxis]
            return AnatomicalDirection(
                worldAxis: told.worldAxis, isPositive: told.isPositive == axis.isPositive)
        }
        guard let result = Orientation(turned) else { preconditionFailure("three axes") }
        return result
    }

    /// The orientation or its mirror image, which looks alike: the other one's if either is.
    fileprivate func nearer(to other: Orientation) -> Orientation {
        mirrored == other ? other : self
    }
}
