public import Files
public import Inference
public import ModelBundles
public import Preprocessing
public import Tensors
public import VolumeIO

/// An error that a person reads and a program acts on.
public protocol UserFacingError: Error, CustomStringConvertible {
    /// Its kind, such as `volume.truncated`: stable from version to version.
    var errorCode: String { get }
    /// The file that it is about, or `nil` where it has none.
    var errorPath: String? { get }
    /// The exit status that it ends a command with.
    var exitStatus: ExitStatus { get }
}

extension UserFacingError {
    /// None.
    public var errorPath: String? { nil }
    /// A failure.
    public var exitStatus: ExitStatus { .failure }
}

extension ExitStatus {
    /// The status that an error ends a command with.
    public init(for error: any Error) {
        self = (error as? any UserFacingError)?.exitStatus ?? .failure
    }
}

/// Tells that a command was called with something that cannot be done.
public struct UsageError: UserFacingError, Hashable {
    /// The part of a command line that is wrong.
    public enum Code: String, Sendable, Hashable {
        /// An option or argument.
        case argument
        /// A scan, folder or list that is named.
        case input
        /// The output folder.
        case output
        /// The model or what is asked of it.
        case model
        /// A job file or configuration.
        case configuration
    }

    /// The part that is wrong.
    public var code: Code
    /// One sentence with a next step.
    public var description: String

    /// Makes an error of its sentence.
    public init(_ description: String, code: Code = .argument) {
        self.description = description
        self.code = code
    }

    /// Such as `usage.input`.
    public var errorCode: String { "usage." + code.rawValue }
    /// Wrong usage.
    public var exitStatus: ExitStatus { .wrongUsage }
}

extension VolumeIOError: UserFacingError {
    /// Such as `volume.truncated`.
    public var errorCode: String { "volume." + code.rawValue }
    /// The volume's file.
    public var errorPath: String? { path }
}

extension FileWriteError: UserFacingError {
    /// Such as `write.diskFull`.
    public var errorCode: String {
        switch errorNumber {
        case 28: "write.diskFull"  // ENOSPC
        case 122: "write.quota"  // EDQUOT
        case 27: "write.fileTooLarge"  // EFBIG
        case 1, 13: "write.noPermission"  // EPERM, EACCES
        case 30: "write.readOnly"  // EROFS
        default: "write.failed"
        }
    }
    /// The file that was to be written.
    public var errorPath: String? { path }
}

extension ModelBundleError: UserFacingError {
    /// Such as `model.checksumMismatch`.
    public var errorCode: String { "model.\(code)" }
    /// The model's file or folder.
    public var errorPath: String? { path }
}

extension PreprocessingError: UserFacingError {
    /// Such as `scan.noContrast`.
    public var errorCode: String {
        switch self {
        case .noContrast: "scan.noContrast"
        case .noFiniteVoxel: "scan.noFiniteVoxel"
        case .unusableAffine: "scan.unusableAffine"
        case .conformedGridTooLarge: "scan.tooLarge"
        case .voxelsTooSmall: "scan.tooSmall"
        case .noBrain: "scan.noBrain"
        }
    }
}

extension TensorError: UserFacingError {
    /// Such as `engine.outOfMemory`.
    public var errorCode: String { "engine.\(code)" }
}

extension SegmenterError: UserFacingError {
    /// Such as `segmenter.missingPlane`.
    public var errorCode: String { "segmenter." + code.rawValue }
    /// Wrong usage: each of them is about an option.
    public var exitStatus: ExitStatus { .wrongUsage }
}

extension MemoryLimitError: UserFacingError {
    /// `memory.limit`.
    public var errorCode: String { "memory.limit" }
}

extension TrainingRunError: UserFacingError {
    /// `training.run`.
    public var errorCode: String { "training.run" }
}
