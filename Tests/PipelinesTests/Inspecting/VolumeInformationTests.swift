import Pipelines
import TestSupport
import Testing
import Volumes

/// What nibabel says of a file, its values taken as double precision.
struct ExpectedInformation: Decodable, Sendable, CustomTestStringConvertible {
    let file: String
    let size: [Int]
    let spacing: [Double]
    let affine: [Double]
    let axes: String
    let datatype: String
    let nanVoxels: Int
    let minima: [Double]
    let maxima: [Double]
    let means: [Double]

    var testDescription: String { file }

    private struct Document: Decodable { let volumes: [ExpectedInformation] }

    static func all() throws -> [ExpectedInformation] {
        try decodeFixture("volumes/information.json", as: Document.self).volumes
    }
}

struct VolumeInformationTests {
    @Test(arguments: try ExpectedInformation.all())
    func `a file's grid, range and mean equal nibabel's`(file: ExpectedInformation) throws {
        let information = try VolumeInformation(path: fixturePath("volumes/" + file.file))
        #expect(information.size == file.size)
        #expect(information.volumes == file.means.count)
        #expect(information.orientation == file.axes)
        #expect(information.datatype == file.datatype)
        #expect(information.nanVoxels == file.nanVoxels)
        for (spacing, expected) in zip(information.spacing, file.spacing) {
            #expect(abs(spacing - expected) <= 1e-6 * expected)
        }
        for (element, expected) in zip(information.affine.joined(), file.affine) {
            #expect(abs(element - expected) <= 1e-6 * max(1, abs(expected)))
        }
        // Voxels are single precision; a mean is that far from nibabel's as its largest value.
        let scale = max(abs(file.minima[0]), abs(file.maxima[0]))
        #expect(abs(try #require(information.minimum) - file.minima[0]) <= 1e-7 * scale)
        #expect(abs(try #require(information.maximum) - file.maxima[0]) <= 1e-7 * scale)
        #expect(abs(try #require(information.mean) - file.means[0]) <= 1e-7 * scale)
    }

    @Test func `names in a header are told, as text and as JSON`() throws {
        let information = try VolumeInformation(
            path: fixturePath("volumes/names-code-0.nii.gz"))
        #expect(
            information.text.contains("  labels       1 spleen\n               300 vertebra L1"))
        #expect(try information.json.contains(#""index":300,"name":"vertebra L1 & disc""#))
        let other = try VolumeInformation(path: fixturePath("volumes/uint8-little.nii"))
        #expect(try !other.json.contains("labels"))
    }

    @Test func `both forms of a header, their codes, pixdim and unit are told`() throws {
        let path = fixturePath("volumes/both-forms.nii")
        let information = try VolumeInformation(path: path)
        let header = try #require(information.header)
        #expect((header.sformCode, header.qformCode) == (4, 1))
        #expect(header.sform == information.affine)
        #expect(header.qform != nil && header.qform != header.sform)
        for line in ["  sform  ", "code 4\n", "  qform  ", "code 1\n", "  pixdim  ", "  unit  "] {
            #expect(information.text.contains(line), "\(line)")
        }
        #expect(try information.json.contains(#""sformCode":4"#))
        // The sform of these fixtures is sheared, and no pixdim goes with it.
        #expect(!information.contradictions.isEmpty)
        #expect(information.text.contains("contradiction: its sform makes voxels of"))
        let bare = try VolumeInformation(path: fixturePath("volumes/no-forms.nii"))
        #expect(bare.text.contains("  sform        none, code 0\n"))
    }

    @Test func `a series is told to be one`() throws {
        let information = try VolumeInformation(path: fixturePath("volumes/series-int16.nii.gz"))
        #expect(information.text.contains("  volumes      3, of which"))
    }
}
