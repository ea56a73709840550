/// Tells why a volume could not be read or written.
public struct VolumeIOError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of error.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// There is no such file.
        case fileMissing
        /// The file is there and cannot be read: permissions, a folder, a disk error.
        case unreadable
        /// The content is neither NIfTI nor MGH.
        case notAVolume
        /// The file ends before its last voxel.
        case truncated
        /// The compressed data is corrupt.
        case damaged
        /// The header contradicts itself or claims the impossible.
        case invalidHeader
        /// The header does not say where the voxels lie.
        case invalidGeometry
        /// The voxels are colors, complex numbers or bits.
        case unsupportedDatatype
        /// The image is flat.
        case twoDimensional
        /// There are several volumes in the file and none is chosen, or more axes than four.
        case series
        /// The volume that is asked for is not in the file.
        case noSuchVolume
        /// The file is CIFTI: surfaces or connectivity.
        case cifti
        /// One file of a `.hdr`/`.img` pair is missing.
        case pairIncomplete
        /// A voxel of a label map is not an integer in `0...65535`.
        case notALabel
        /// The file's name does not say in which format to write.
        case unknownExtension
        /// The format or type to be written cannot hold the values.
        case notRepresentable
        /// Memory is exhausted.
        case memory
    }

    /// The kind of error.
    public let code: Code
    /// The file, as the caller named it.
    public let path: String
    /// The problem, phrased to follow the file's name in a sentence.
    public let problem: String
    /// The next step for the user.
    public let nextStep: String

    /// One sentence: the file, what is wrong, what to do.
    public var description: String { "'\(path)' \(problem); \(nextStep)." }

    init(_ code: Code, _ path: String, _ problem: String, _ nextStep: String) {
        self.code = code
        self.path = path
        self.problem = problem
        self.nextStep = nextStep
    }
}
