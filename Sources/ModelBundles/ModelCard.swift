public import Preprocessing
public import SegmentationModels
public import Volumes

/// Everything about a model but its weights: `model.json` in a bundle.
public struct ModelCard: Sendable, Equatable, Codable {
    /// The format that this program writes and reads.
    public static let currentFormatVersion = 1

    /// The first version of SliceSeg that reads this format.
    public static let currentFirstReader = "0.1.0"

    /// The format of the card.
    public var formatVersion: Int
    /// The first version of SliceSeg that reads the card's format, which an older one names; `nil` in
    /// cards that were written before 0.2.0.
    public var firstReader: String?
    /// The model's name, as it is given to `--model`.
    public var name: String
    /// The purpose of the model in a sentence or two.
    public var summary: String
    /// The network of every plane; `classes` counts background and each label.
    public var architecture: Architecture
    /// The space and intensities that scans are brought to first.
    public var conform: ConformSpecification
    /// The model that finds the brain first, or `nil` where scans are taken as they are.
    public var brainExtraction: BrainExtraction?
    /// The answers of a model that classifies scans as a whole; `nil` where it labels voxels.
    public var classification: ScanClasses?
    /// The structures it finds, in the order of the classes 1, 2, …; of a classifier its answers.
    public var labels: LabelTable
    /// The planes it has a network for; of a classifier one, whose network sees slices along all axes.
    public var planes: [PlaneModel]
    /// The terms it may be used under.
    public var licence: Licence
    /// The training record.
    public var training: TrainingRecord
    /// The accuracy by data set and metric.
    public var accuracy: [AccuracyRecord]
    /// Thresholds of quality control that suit it, or `nil` for the standard ones.
    public var qualityLimits: QualityLimits?

    /// Makes a card of the current format.
    public init(
        name: String, summary: String, architecture: Architecture, conform: ConformSpecification,
        brainExtraction: BrainExtraction? = nil, classification: ScanClasses? = nil,
        labels: LabelTable, planes: [PlaneModel],
        licence: Licence, training: TrainingRecord, accuracy: [AccuracyRecord] = []
    ) {
        formatVersion = Self.currentFormatVersion
        firstReader = Self.currentFirstReader
        self.name = name
        self.summary = summary
        self.architecture = architecture
        self.conform = conform
        self.brainExtraction = brainExtraction
        self.classification = classification
        self.labels = labels
        self.planes = planes
        self.licence = licence
        self.training = training
        self.accuracy = accuracy
    }

    /// The entry of a plane, if the model has a network for it.
    public subscript(plane: Plane) -> PlaneModel? { planes.first { $0.plane == plane } }

    /// The first of some planes whose network was not calibrated for 8-bit integers, if there is one.
    public func uncalibratedPlane(among planes: [Plane]) -> Plane? {
        planes.first { self[$0]?.inputRanges == nil }
    }

    /// The architecture of a plane's network: that of the card with as many classes as the plane
    /// tells apart.
    ///
    /// - Parameter plane: The plane.
    /// - Returns: The architecture, or `nil` where the model has no network for the plane.
    public func architecture(of plane: Plane) -> Architecture? {
        guard let entry = self[plane] else { return nil }
        var architecture = architecture
        architecture.classes = entry.outputClasses?.count ?? labels.classCount
        return architecture
    }

    /// The contradiction in the card as part of a sentence, or `nil` if it is consistent.
    ///
    /// The names and hashes of weights files are left to reading.
    public var problem: String? {
        if formatVersion != Self.currentFormatVersion {
            return "has format version \(formatVersion), not \(Self.currentFormatVersion)"
        }
        if name.isEmpty { return "has an empty 'name'" }
        if let problem = architecture.problem { return "has a wrong architecture: \(problem)" }
        let count = labels.structures.count
        if !(1...255).contains(count) { return "lists \(count) labels; 1 to 255 can be" }
        if architecture.classes != count + 1 {
            return "lists \(count) labels and \(architecture.classes) classes; there must be one "
                + "class for each label and one for background"
        }
        if let problem = brainExtraction?.problem { return problem }
        if let problem = classification?.problem { return "has wrong classes: \(problem)" }
        if architecture.classifiesSlices != (classification != nil) {
            return "must have 'classification' with the decoder 'average', and only then"
        }
        if let classification, classification.labelTable != labels || planes.count != 1 {
            return "is of a classifier, whose labels are its classes and which has one network"
        }
        if planes.isEmpty { return "lists no planes" }
        if let problem = qualityLimits?.problem { return "has wrong quality limits: \(problem)" }
        if Set(planes.map(\.plane)).count != planes.count { return "lists a plane twice" }
        for entry in planes {
            if let problem = entry.problem(classCount: count + 1) {
                return "has a wrong \(entry.plane.rawValue) plane: \(problem)"
            }
        }
        return nil
    }
}

/// The network of one plane.
public struct PlaneModel: Sendable, Equatable, Codable {
    /// The plane whose slices it labels.
    public var plane: Plane
    /// Its weight in view aggregation, relative to those of the other planes.
    public var aggregationWeight: Double
    /// The file of its weights in the bundle's folder.
    public var weightsFile: String
    /// The SHA-256 of that file, in hexadecimal.
    public var sha256: String
    /// For each output of the network the classes (0 = background, 1… = labels in the table's
    /// order) that it stands for; `nil` where output and class are the same.
    ///
    /// A sagittal slice does not tell left from right, so one output stands for both sides.
    public var outputClasses: [[Int]]?
    /// For computing in 8-bit integers, by the names of convolutions, what their inputs are rounded
    /// between; `nil` where the network was not calibrated.
    public var inputRanges: [String: ClosedRange<Double>]?

    /// Makes an entry; file and hash are filled in when the bundle is written.
    public init(
        plane: Plane, aggregationWeight: Double = 1, weightsFile: String = "", sha256: String = "",
        outputClasses: [[Int]]? = nil, inputRanges: [String: ClosedRange<Double>]? = nil
    ) {
        self.plane = plane
        self.aggregationWeight = aggregationWeight
        self.weightsFile = weightsFile
        self.sha256 = sha256
        self.outputClasses = outputClasses
        self.inputRanges = inputRanges
    }

    fileprivate func problem(classCount: Int) -> String? {
        if !(aggregationWeight > 0 && aggregationWeight.isFinite) {
            return "the aggregation weight \(aggregationWeight) is not a positive number"
        }
        let ranges = (inputRanges ?? [:]).sorted { $0.key < $1.key }
        if let (name, range) = ranges.first(where: { !$0.value.contains(0) }) {
            return "the input range of '\(name)', \(range.lowerBound) to \(range.upperBound), "
                + "must hold 0"
        }
        guard let outputClasses else { return nil }
        if outputClasses.count < 2 { return "it has fewer than two outputs" }
        if outputClasses.contains([]) { return "an output stands for no class" }
        let members = outputClasses.joined()
        if let outside = members.first(where: { !(0..<classCount).contains($0) }) {
            return "an output stands for class \(outside), and the classes are 0 to "
                + "\(classCount - 1)"
        }
        if Set(members).count != members.count { return "two outputs stand for one class" }
        if members.count != classCount {
            let missing = (0..<classCount).filter { !members.contains($0) }
            return "no output stands for \(missing.count == 1 ? "class" : "the classes") "
                + missing.map(String.init).joined(separator: ", ")
        }
        return nil
    }

    /// The problem with the file's name or hash as read.
    var fileProblem: String? {
        if weightsFile.isEmpty || weightsFile.contains("/") || weightsFile.hasPrefix(".") {
            return "names the weights file '\(weightsFile)', which is not a plain file name"
        }
        let digits = Set("0123456789abcdef")
        if sha256.count != 64 || !sha256.allSatisfy(digits.contains) {
            return "has a SHA-256 for '\(weightsFile)' that is not 64 hexadecimal digits"
        }
        return nil
    }
}

/// The terms that a model may be used under.
public struct Licence: Sendable, Equatable, Codable {
    /// The licence of the weights, as an SPDX name where there is one.
    public var weights: String
    /// The licence of the data that they were trained on.
    public var data: String
    /// Whom to name, and what to cite.
    public var credit: String

    /// Makes the terms.
    public init(weights: String, data: String, credit: String) {
        self.weights = weights
        self.data = data
        self.credit = credit
    }
}

/// A record of a model's training.
public struct TrainingRecord: Sendable, Equatable, Codable {
    /// The cases it learned from.
    public var cases: [String]
    /// The cases that chose between states of it; never those of the accuracy on a test.
    public var validationCases: [String]
    /// Steps of the optimiser for each network.
    public var steps: Int
    /// Slices a step.
    public var batchSize: Int
    /// The seed of everything random.
    public var seed: UInt64
    /// Seconds of work, all networks together.
    public var seconds: Double
    /// Program and engine with their versions.
    public var software: String
    /// Anything else that a reader should know.
    public var notes: String

    /// Makes a record.
    public init(
        cases: [String], validationCases: [String], steps: Int, batchSize: Int, seed: UInt64,
        seconds: Double, software: String, notes: String
    ) {
        self.cases = cases
        self.validationCases = validationCases
        self.steps = steps
        self.batchSize = batchSize
        self.seed = seed
        self.seconds = seconds
        self.software = software
        self.notes = notes
    }
}

/// A model's accuracy on a set of cases.
public struct AccuracyRecord: Sendable, Equatable, Codable {
    /// The data set.
    public var dataset: String
    /// The cases it was measured on.
    public var cases: [String]
    /// The metric, such as `Dice`.
    public var metric: String
    /// The mean over structures and cases.
    public var mean: Double
    /// The mean over cases for each structure, by its name.
    public var perStructure: [String: Double]
    /// The method of measurement.
    public var notes: String

    /// Makes a record.
    public init(
        dataset: String, cases: [String], metric: String, mean: Double,
        perStructure: [String: Double], notes: String
    ) {
        self.dataset = dataset
        self.cases = cases
        self.metric = metric
        self.mean = mean
        self.perStructure = perStructure
        self.notes = notes
    }
}
