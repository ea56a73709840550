import TestSupport
import Testing
import VolumeIO
import Volumes

/// What nibabel says of a file with one volume or several.
struct ExpectedInformation: Decodable, Sendable, CustomTestStringConvertible {
    let file: String
    let affine: [Double]
    let minima: [Double]
    let maxima: [Double]
    let means: [Double]

    var testDescription: String { file }

    private struct Document: Decodable { let volumes: [ExpectedInformation] }

    static func series() throws -> [ExpectedInformation] {
        try decodeFixture("volumes/information.json", as: Document.self).volumes
            .filter { $0.means.count > 1 }
    }
}

struct SeriesTests {
    @Test func `there are four of them`() throws {
        #expect(try ExpectedInformation.series().count == 4)
    }

    @Test(arguments: try ExpectedInformation.series())
    func `a volume is read by its number, as nibabel has it`(file: ExpectedInformation) throws {
        let path = fixturePath("volumes/" + file.file)
        for number in file.means.indices {
            let loaded = try readVolume(at: path, volume: number)
            #expect(loaded.header.volumeCount == file.means.count)
            #expect(loaded.volume.grid.size == GridSize(5, 4, 3))
            let affine = Affine(rowMajor: file.affine)
            #expect(loaded.volume.grid.affine.largestDifference(from: affine) < 1e-6)
            let values = loaded.volume.voxels.filter(\.isFinite).map(Double.init)
            // Voxels are single precision.
            let scale = max(abs(file.minima[number]), abs(file.maxima[number]))
            let smallest = try #require(values.min())
            let largest = try #require(values.max())
            #expect(abs(smallest - file.minima[number]) <= 1e-7 * scale)
            #expect(abs(largest - file.maxima[number]) <= 1e-7 * scale)
            let mean = values.reduce(0, +) / Double(values.count)
            #expect(abs(mean - file.means[number]) <= 1e-7 * scale)
        }
    }

    @Test(arguments: try ExpectedInformation.series())
    func `without a number it is refused, and so is a number that it lacks`(
        file: ExpectedInformation
    ) throws {
        let path = fixturePath("volumes/" + file.file)
        let count = file.means.count
        let none = try #require(throws: VolumeIOError.self) { try readVolume(at: path) }
        #expect(none.code == .series)
        expectSentence(none, names: path, contains: "a 4-D series of \(count) volumes")
        for number in [-1, count, Int.max] {
            let error = try #require(throws: VolumeIOError.self) {
                try readVolume(at: path, volume: number)
            }
            #expect(error.code == .noSuchVolume)
            expectSentence(error, names: path, contains: "has no volume \(number)")
            expectSentence(error, names: path, contains: "from 0 to \(count - 1)")
        }
        #expect(throws: VolumeIOError.self) { try readLabelMap(at: path) }
    }

    @Test func `the only volume has the number 0`() throws {
        let path = fixturePath("volumes/int16-little.nii")
        #expect(
            try readVolume(at: path, volume: 0).volume.voxels == readVolume(at: path).volume.voxels)
        let error = try #require(throws: VolumeIOError.self) {
            try readVolume(at: path, volume: 1)
        }
        #expect(error.code == .noSuchVolume)
    }

    @Test func `labels take a series' geometry and are one volume`() throws {
        let header = try readVolumeHeader(
            at: fixturePath("volumes/series-int16.nii.gz"), volume: 1)
        let map = LabelMap(grid: header.grid, labels: [UInt16](repeating: 2, count: 60))
        try withTemporaryDirectory { folder in
            try writeLabelMap(map, to: folder + "/a.nii", like: header)
            let (copy, copyHeader) = try readLabelMap(at: folder + "/a.nii")
            #expect(copy == map)
            #expect(copyHeader.volumeCount == 1)
            #expect(copyHeader.bytes[252..<328] == header.bytes[252..<328])
        }
    }

    @Test(arguments: [0, 1, 2])
    func `a series that is cut short says so for every volume`(number: Int) throws {
        let content = try fileBytes(fixturePath("volumes/series-scaled.nii"))
        try withTemporaryDirectory { folder in
            let path = folder + "/a.nii"
            try write(content.dropLast(), to: path)
            let error = try #require(throws: VolumeIOError.self) {
                try readVolume(at: path, volume: number)
            }
            #expect(error.code == .truncated)
            expectSentence(
                error, names: path,
                contains: "promises 3 volumes of 5x4x3 voxels in 360 bytes and 359 are there")
        }
    }
}
