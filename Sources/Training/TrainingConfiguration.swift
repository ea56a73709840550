public import Datasets
public import Inference
public import ModelBundles
import NeuralNetworks
public import Preprocessing
public import SegmentationModels
public import Volumes

/// The task of a training.
public enum TrainingTask: String, Sendable, Hashable, Codable {
    /// A class for each voxel.
    case segmentation
    /// A class for each scan.
    case classification
}

/// A source of training cases: a folder of scans and label maps, a list of them, synthetic heads, or scans
/// with a class each.
public struct CaseSource: Sendable, Hashable, Codable {
    /// Synthetic heads, made on the fly.
    public struct Phantoms: Sendable, Hashable, Codable {
        /// The number of heads that are made in all.
        public var count: Int
        /// The seed of the first; the others follow.
        public var seed: UInt64
        /// The number of heads held out, the last ones.
        public var validation: Int
    }

    /// Scans that are synthesised from label maps of whole heads while the training runs.
    public struct Synthesis: Sendable, Hashable, Codable {
        /// The folder of label maps, relative to the configuration's own folder: 1 mm, FreeSurfer's
        /// `aseg` ids, 502 to 530 for tissue outside the brain.
        public var directory: String
        /// The names of the maps held out.
        public var validation: [String]
        /// The number of scans synthesised from each held-out map.
        public var scansPerHeldOutMap: Int
        /// The mean number of slices taken from a scan before another replaces it.
        public var slicesPerScan: Int
        /// The number of scans that a batch draws from.
        public var poolSize: Int
        /// The seed of the scans.
        public var seed: UInt64
        /// The random choices.
        public var options: SynthesisOptions
        /// The fraction of each batch that is synthetic, where the scans of a folder or list are
        /// trained on as well; held-out maps then only stay unused.
        public var fraction: Double
        /// The label table of the maps, where its `source` column is another than that of the scans;
        /// relative to the configuration's own folder, of the same structures.
        public var labels: String?

        fileprivate enum CodingKeys: String, CodingKey, CaseIterable {
            case directory, validation, scansPerHeldOutMap, slicesPerScan, poolSize, seed, options
            case fraction, labels
        }

        /// Decodes a source; all but the folder may be left out.
        public init(from decoder: any Decoder) throws {
            try rejectUnknownKeys(in: decoder, known: CodingKeys.allCases.map(\.rawValue))
            let container = try decoder.container(keyedBy: CodingKeys.self)
            func value<Value: Decodable>(_ key: CodingKeys, default known: Value) throws -> Value {
                try container.decodeIfPresent(Value.self, forKey: key) ?? known
            }
            directory = try container.decode(String.self, forKey: .directory)
            validation = try value(.validation, default: [])
            scansPerHeldOutMap = try value(.scansPerHeldOutMap, default: 2)
            slicesPerScan = try value(.slicesPerScan, default: 64)
            poolSize = try value(.poolSize, default: 12)
            seed = try value(.seed, default: 1)
            options = try value(.options, default: SynthesisOptions())
            fraction = try value(.fraction, default: 0.25)
            labels = try container.decodeIfPresent(String.self, forKey: .labels)
            if container.contains(.options) {
                try rejectUnknownKeys(
                    in: container.superDecoder(forKey: .options),
                    known: SynthesisOptions.optionNames)
            }
            guard scansPerHeldOutMap > 0, slicesPerScan > 0, (1...256).contains(poolSize),
                fraction > 0, fraction < 1
            else {
                throw DecodingError.dataCorrupted(
                    .init(
                        codingPath: decoder.codingPath,
                        debugDescription: "scansPerHeldOutMap and slicesPerScan are above 0, "
                            + "poolSize is from 1 to 256, fraction between 0 and 1"))
            }
        }
    }

    /// Copies of training cases as scanners with coarser voxels would have them.
    public struct CoarserCopies: Sendable, Hashable, Codable {
        /// The number of copies for each case, on average.
        public var perCase: Double
        /// The fraction of copies that are coarser along all axes; the rest have one thick axis.
        public var isotropicFraction: Double
        /// Coarsest spacing along all axes, in mm.
        public var largestIsotropicMillimeters: Double
        /// Coarsest spacing of one thick axis, in mm.
        public var largestThicknessMillimeters: Double

        private enum CodingKeys: String, CodingKey, CaseIterable {
            case perCase, isotropicFraction, largestIsotropicMillimeters
            case largestThicknessMillimeters
        }

        /// Decodes a number of copies; their voxel sizes may be left out.
        public init(from decoder: any Decoder) throws {
            try rejectUnknownKeys(in: decoder, known: CodingKeys.allCases.map(\.rawValue))
            let container = try decoder.container(keyedBy: CodingKeys.self)
            func value(_ key: CodingKeys, default known: Double) throws -> Double {
                try container.decodeIfPresent(Double.self, forKey: key) ?? known
            }
            perCase = try container.decode(Double.self, forKey: .perCase)
            isotropicFraction = try value(.isotropicFraction, default: 0.5)
            largestIsotropicMillimeters = try value(.largestIsotropicMillimeters, default: 3)
            largestThicknessMillimeters = try value(.largestThicknessMillimeters, default: 6)
            guard (0...8).contains(perCase), (0...1).contains(isotropicFraction),
                (0.5...20).contains(largestIsotropicMillimeters),
                (0.5...20).contains(largestThicknessMillimeters)
            else {
                throw DecodingError.dataCorrupted(
                    .init(
                        codingPath: decoder.codingPath,
                        debugDescription: "perCase is from 0 to 8, isotropicFraction from 0 to 1, "
                            + "the coarsest spacings from 0.5 to 20 mm"))
            }
        }

        /// The range of voxel sizes of a model whose voxels have an edge.
        package func resolution(finest: Double) -> CoarseResolution {
            CoarseResolution(
                isotropicFraction: isotropicFraction,
                largestIsotropicMillimeters: max(finest, largestIsotropicMillimeters),
                largestThicknessMillimeters: max(finest, largestThicknessMillimeters))
        }
    }

    /// A case whose two files have names of their own.
    public struct Files: Sendable, Hashable, Codable {
        /// The name of the case.
        public var name: String
        /// The scan, relative to the configuration's own folder.
        public var scan: String
        /// Its label map, likewise.
        public var labels: String
    }

    /// The name of the data set, as in the model card.
    public var name: String?
    /// The folder, relative to the configuration's own folder.
    public var directory: String?
    /// The suffix of scan names after the case's name.
    public var scanSuffix: String?
    /// The suffix of label map names after the case's name.
    public var labelSuffix: String?
    /// The cases one by one, in place of a folder.
    public var files: [Files]?
    /// The label table, relative to the configuration's own folder.
    ///
    /// Its `source` column turns the data set's labels into the model's. Scans with a class each have
    /// none.
    public var labels: String
    /// The names of the cases held out.
    public var validation: [String]?
    /// Synthetic heads in place of a folder.
    public var phantoms: Phantoms?
    /// Scans synthesised from label maps, in place of a folder or beside it.
    public var synthesis: Synthesis?
    /// Copies of the training cases at coarser resolutions; `nil` for none.
    public var coarserCopies: CoarserCopies?
    /// The classes of whole scans, of a training for classification.
    public var classes: ClassSource?

    fileprivate enum CodingKeys: String, CodingKey, CaseIterable {
        case name, directory, scanSuffix, labelSuffix, files, labels, validation, phantoms
        case synthesis, coarserCopies, classes
    }

    /// Decodes a source.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        name = try container.decodeIfPresent(String.self, forKey: .name)
        directory = try container.decodeIfPresent(String.self, forKey: .directory)
        scanSuffix = try container.decodeIfPresent(String.self, forKey: .scanSuffix)
        labelSuffix = try container.decodeIfPresent(String.self, forKey: .labelSuffix)
        files = try container.decodeIfPresent([Files].self, forKey: .files)
        validation = try container.decodeIfPresent([String].self, forKey: .validation)
        phantoms = try container.decodeIfPresent(Phantoms.self, forKey: .phantoms)
        synthesis = try container.decodeIfPresent(Synthesis.self, forKey: .synthesis)
        coarserCopies = try container.decodeIfPresent(CoarserCopies.self, forKey: .coarserCopies)
        classes = try container.decodeIfPresent(ClassSource.self, forKey: .classes)
        labels =
            classes == nil
            ? try container.decode(String.self, forKey: .labels)
            : try container.decodeIfPresent(String.self, forKey: .labels) ?? ""
    }
}

/// The rule by which the learning rate changes.
public enum ScheduleName: String, Sendable, Hashable, Codable {
    /// Half a cosine down to 0.
    case cosine
    /// `(1 - t)^0.9`.
    case polynomial
    /// A tenth after every third of the steps.
    case step
    /// Always the same.
    case constant
}

/// The optimizer.
public enum OptimizerName: String, Sendable, Hashable, Codable {
    /// AdamW; biases and normalisation do not decay.
    case adamW
    /// Stochastic gradient descent with momentum 0.95.
    case sgd
}

/// Options of training a network.
public struct OptimizationOptions: Sendable, Hashable, Codable {
    /// Batches in all.
    public var steps = 1000
    /// Slices a batch.
    public var batchSize = 8
    /// The optimizer.
    public var optimizer = OptimizerName.adamW
    /// The largest learning rate.
    public var learningRate = 0.004
    /// Weight decay.
    public var weightDecay = 0.01
    /// The learning rate schedule.
    public var schedule = ScheduleName.cosine
    /// The part of the steps over which the learning rate first grows.
    public var warmUp = 0.05
    /// Gradients are scaled down to this common norm.
    public var gradientNorm = 5.0
    /// Decay of the moving average of weights, which is what is kept; 0 for none.
    public var averaging = 0.995
    /// Bounds of the median-frequency class weights.
    public var classWeights: [Double] = [0.1, 10]
    /// The strength of logit adjustment, 0 to 1: the class weights' effect removed from the
    /// finished network's logits.
    public var logitAdjustment = 1.0
    /// The weight added to pixels at a boundary between classes, in the cross-entropy.
    public var boundaryWeight = 0.0
    /// Factor of the Dice term beside the cross-entropy.
    public var diceFactor = 1.0
    /// The part of slices drawn by structure.
    public var balancedFraction = 0.5
    /// The precision of the training.
    public var precision = Precision.auto
    /// Seed of weights, batches and variations.
    public var seed: UInt64 = 1
    /// Steps between checkpoints.
    public var checkpointEvery = 100
    /// Steps between validations on whole volumes; 0 for only at the end.
    public var validateEvery = 0

    /// Makes the default options.
    public init() {}

    private enum Key: String, CodingKey, CaseIterable {
        case steps, batchSize, optimizer, learningRate, weightDecay, schedule, warmUp, gradientNorm
        case averaging, classWeights, boundaryWeight, logitAdjustment, diceFactor, balancedFraction,
            precision
        case seed, checkpointEvery, validateEvery
    }

    /// Decodes options; what is left out takes its default, and an unknown name is an error.
    public init(from decoder: any Decoder) throws {
        try rejectUnknownKeys(in: decoder, known: Key.allCases.map(\.rawValue))
        let container = try decoder.container(keyedBy: Key.self)
        func value<Value: Decodable>(_ key: Key, default standard: Value) throws -> Value {
            try container.decodeIfPresent(Value.self, forKey: key) ?? standard
        }
        steps = try value(.steps, default: steps)
        batchSize = try value(.batchSize, default: batchSize)
        optimizer = try value(.optimizer, default: optimizer)
        learningRate = try value(.learningRate, default: learningRate)
        weightDecay = try value(.weightDecay, default: weightDecay)
        schedule = try value(.schedule, default: schedule)
        warmUp = try value(.warmUp, default: warmUp)
        gradientNorm = try value(.gradientNorm, default: gradientNorm)
        averaging = try value(.averaging, default: averaging)
        classWeights = try value(.classWeights, default: classWeights)
        boundaryWeight = try value(.boundaryWeight, default: boundaryWeight)
        logitAdjustment = try value(.logitAdjustment, default: logitAdjustment)
        diceFactor = try value(.diceFactor, default: diceFactor)
        balancedFraction = try value(.balancedFraction, default: balancedFraction)
        precision = try value(.precision, default: precision)
        seed = try value(.seed, default: seed)
        checkpointEvery = try value(.checkpointEvery, default: checkpointEvery)
        validateEvery = try value(.validateEvery, default: validateEvery)
        if precision == .int8 {
            throw DecodingError.dataCorruptedError(
                forKey: .precision, in: container,
                debugDescription: "nothing is trained in int8; write auto, bf16 or fp32")
        }
        let isSound =
            steps > 0 && batchSize > 0 && learningRate > 0 && weightDecay >= 0 && diceFactor >= 0
            && boundaryWeight >= 0
            && (0..<1).contains(averaging)
            && (0..<1).contains(warmUp) && gradientNorm > 0 && checkpointEvery > 0
            && validateEvery >= 0 && (0...1).contains(logitAdjustment)
            && (0...1).contains(balancedFraction)
            && classWeights.count == 2 && classWeights[0] >= 0 && classWeights[1] > 0
            && classWeights[0] <= classWeights[1]
        if !isSound {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: decoder.codingPath,
                    debugDescription: "a number is out of range: steps, batchSize, learningRate, "
                        + "gradientNorm and checkpointEvery are above 0, weightDecay, diceFactor, "
                        + "boundaryWeight and validateEvery not below, warmUp and averaging in 0..<1, "
                        + "logitAdjustment and balancedFraction in 0...1, classWeights are "
                        + "[least, most]"))
        }
    }

    var learningRateSchedule: LearningRateSchedule {
        switch schedule {
        case .cosine: .cosine(floor: 0)
        case .polynomial: .polynomial(power: 0.9)
        case .step: .step(every: max(1, steps / 3), factor: 0.1)
        case .constant: .constant
        }
    }
}

/// Everything that a training is made of: the contents of a configuration file.
public struct TrainingConfiguration: Sendable, Codable {
    /// The model's name.
    public var name: String
    /// The purpose of the model in a sentence.
    public var summary: String
    /// The task; `nil` for segmentation.
    public var task: TrainingTask?
    /// The cases.
    public var cases: CaseSource
    /// The model's space and intensities.
    public var conform: ConformSpecification
    /// The model that is to find the brain before this one segments a scan; `nil` for none.
    public var brainExtraction: BrainExtraction?
    /// The network; its classes follow from the label table.
    public var architecture: Architecture
    /// The planes, each with a network of its own, and their weights in view aggregation.
    public var planes: [PlaneOptions]
    /// The training options of the networks.
    public var optimization: OptimizationOptions
    /// The augmentation of the slices.
    public var augmentation: AugmentationOptions
    /// The licence of the result.
    public var licence: Licence

    /// A plane to train a network for.
    public struct PlaneOptions: Sendable, Hashable, Codable {
        /// The plane.
        public var plane: Plane
        /// Its weight in view aggregation.
        public var weight: Double
        /// Batches in all; `nil` for as many as `optimization` says.
        public var steps: Int?
        /// The plane, earlier in the list, whose trained weights its network begins with; `nil` for
        /// random weights.
        public var beginsWith: Plane?

        /// The part of a checkpoint's identity that is this plane's alone.
        package var identity: String {
            plane.rawValue + (steps.map { "/\($0) steps" } ?? "")
                + (beginsWith.map { "/from \($0.rawValue)" } ?? "")
        }
    }

    private enum Key: String, CodingKey, CaseIterable {
        case name, summary, task, cases, conform, brainExtraction, architecture, planes
        case optimization, augmentation, licence
    }

    /// Decodes a configuration; optimization and augmentation may be left out.
    public init(from decoder: any Decoder) throws {
        try rejectUnknownKeys(in: decoder, known: Key.allCases.map(\.rawValue))
        let container = try decoder.container(keyedBy: Key.self)
        name = try container.decode(String.self, forKey: .name)
        summary = try container.decode(String.self, forKey: .summary)
        task = try container.decodeIfPresent(TrainingTask.self, forKey: .task)
        cases = try container.decode(CaseSource.self, forKey: .cases)
        conform = try container.decode(ConformSpecification.self, forKey: .conform)
        brainExtraction = try container.decodeIfPresent(
            BrainExtraction.self, forKey: .brainExtraction)
        architecture = try container.decode(Architecture.self, forKey: .architecture)
        planes =
            task == .classification && !container.contains(.planes)
            ? [PlaneOptions(plane: .axial, weight: 1)]
            : try container.decode([PlaneOptions].self, forKey: .planes)
        optimization =
            try container.decodeIfPresent(OptimizationOptions.self, forKey: .optimization)
            ?? OptimizationOptions()
        augmentation =
            try container.decodeIfPresent(AugmentationOptions.self, forKey: .augmentation)
            ?? AugmentationOptions()
        licence = try container.decode(Licence.self, forKey: .licence)
        // Elsewhere every part must be there, so that a misspelt one is missing.
        try rejectUnknownKeys(
            in: container.superDecoder(forKey: .cases),
            known: CaseSource.CodingKeys.allCases.map(\.rawValue))
        try rejectUnknownKeys(
            in: container.superDecoder(forKey: .architecture), known: Architecture.optionNames)
        if (task == .classification) != (cases.classes != nil) {
            throw DecodingError.dataCorruptedError(
                forKey: .cases, in: container,
                debugDescription: "the task classification has 'cases.classes', and no other has")
        }
        if task == .classification {
            architecture.decoder = .average
            if let problem = architecture.problem {
                throw DecodingError.dataCorruptedError(
                    forKey: .architecture, in: container, debugDescription: problem)
            }
            guard planes.count == 1 else {
                throw DecodingError.dataCorruptedError(
                    forKey: .planes, in: container,
                    debugDescription: "a classifier sees slices along all axes; leave out 'planes'")
            }
        }
        if planes.isEmpty || Set(planes.map(\.plane)).count != planes.count {
            throw DecodingError.dataCorruptedError(
                forKey: .planes, in: container,
                debugDescription: "name each plane once, and at least one")
        }
        if let plane = planes.first(where: { !($0.weight > 0 && $0.weight.isFinite) }) {
            throw DecodingError.dataCorruptedError(
                forKey: .planes, in: container,
                debugDescription: "the weight \(plane.weight) of the \(plane.plane.rawValue) plane "
                    + "is not a positive number")
        }
        for (position, options) in planes.enumerated() {
            if let other = options.beginsWith,
                !planes.prefix(position).contains(where: { $0.plane == other })
            {
                throw DecodingError.dataCorruptedError(
                    forKey: .planes, in: container,
                    debugDescription: "the \(options.plane.rawValue) plane begins with the "
                        + "\(other.rawValue) plane, which must stand before it")
            }
            if let steps = options.steps, steps < 1 {
                throw DecodingError.dataCorruptedError(
                    forKey: .planes, in: container,
                    debugDescription: "the steps of the \(options.plane.rawValue) plane are "
                        + "\(steps); write a number above 0")
            }
        }
        if let problem = augmentation.problem {
            throw DecodingError.dataCorruptedError(
                forKey: .augmentation, in: container, debugDescription: problem)
        }
    }
}
