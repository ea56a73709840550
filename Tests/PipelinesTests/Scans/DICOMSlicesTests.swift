import Foundation
import Pipelines
import TestSupport
import Testing

/// Headers of one series with slices at some places, in mm.
private func series(
    at places: [Double], numbers: [Int]? = nil, type: [String] = ["ORIGINAL", "PRIMARY"]
) -> DICOMSlices {
    DICOMSlices(
        places.enumerated().map { index, place in
            var header = DICOMHeader()
            header.series = "1"
            header.imageType = type
            header.orientation = [SIMD3(1, 0, 0), SIMD3(0, 1, 0)]
            header.position = SIMD3(0, 0, place)
            header.instanceNumber = numbers?[index] ?? index + 1
            return header
        })
}

@Suite struct `Slices of a DICOM series` {
    private let whole = (0..<20).map { Double($0) * 3 }

    @Test func `that are all there have no faults, whatever their order`() {
        #expect(series(at: whole).faults == [])
        #expect(series(at: whole.reversed()).faults == [])
        #expect(series(at: whole.map { -$0 + 7.25 }).faults == [])
        // Each place twice: two volumes, as of two echoes.
        #expect(series(at: whole + whole).faults == [])
    }

    @Test func `that are missing are counted at their place`() {
        // 20 mm without slices in steps of 1 mm: 19 are missing.
        let places = (0..<40).map(Double.init) + (59..<80).map(Double.init)
        #expect(
            series(at: places).faults == [
                "19 slices are missing between slices 40 and 41 of 61, which lie 20.0 mm apart where "
                    + "others lie 1.0 mm"
            ])
        var one = whole
        one.remove(at: 7)
        #expect(
            series(at: one).faults == [
                "1 slice is missing between slices 7 and 8 of 19, which lie 6.0 mm apart where others "
                    + "lie 3.0 mm"
            ])
    }

    @Test func `that are there twice are told`() {
        #expect(
            series(at: whole + [9]).faults == [
                "1 slice is there more than once, the first at slice 4 of 20 (9.0 mm)"
            ])
        // Of two volumes one lacks a slice.
        #expect(
            series(at: whole + whole.filter { $0 != 12 }).faults == [
                "1 slice is missing in one of 2 volumes, the first at slice 5 of 20 (12.0 mm)"
            ])
    }

    @Test func `in two planned spacings are whole, unless their numbers jump`() {
        // Sections of 5 mm below and of 10 mm above, as for heads in CT.
        let places = (0..<12).map { Double($0) * 5 } + (1...8).map { 55 + Double($0) * 10 }
        #expect(series(at: places).faults == [])
        let numbers = Array(1...12) + (1...8).map { 12 + 2 * $0 }
        #expect(series(at: places, numbers: numbers).faults.count == 6)
    }

    @Test func `across several axes, or called so, are a localizer`() {
        #expect(!series(at: whole).isLocalizer)
        #expect(series(at: whole, type: ["ORIGINAL", "PRIMARY", "LOCALIZER"]).isLocalizer)
        var headers: [DICOMHeader] = []
        for orientation in [
            [SIMD3(1.0, 0, 0), SIMD3(0, 1, 0)], [SIMD3(0, 1, 0), SIMD3(0, 0, -1)],
        ] {
            var header = DICOMHeader()
            header.orientation = orientation
            headers.append(header)
        }
        #expect(DICOMSlices(headers).isLocalizer)
    }

    @Test(arguments: [
        ("AAHead_Scout_64ch", true), ("localizer", true), ("3-plane LOC", true),
        ("Survey_32ch", true),
        ("t1_mprage_sag", false), ("Local shim T1", false), ("velocity", false),
    ])
    func `are a localizer by their description`(description: String, isLocalizer: Bool) {
        var header = DICOMHeader()
        header.seriesDescription = description
        #expect(DICOMSlices([header]).isLocalizer == isLocalizer)
    }
}

struct DICOMHeaderTests {
    @Test(arguments: DICOMImage.Syntax.allCases)
    func `is read in any byte order, past sequences`(syntax: DICOMImage.Syntax) throws {
        var image = DICOMImage()
        image.syntax = syntax
        image.position = [-1.5, 2, 30.25]
        image.number = 17
        let header = try #require(DICOMHeader(Data(image.bytes)))
        #expect(header.imageType == ["ORIGINAL", "PRIMARY", "M", "ND"])
        #expect(header.series == "1.2.3")
        #expect(header.seriesNumber == 3)
        #expect(header.seriesDescription == "T1 MPRAGE")
        #expect(header.instanceNumber == 17)
        #expect(header.position == SIMD3(-1.5, 2, 30.25))
        #expect(header.orientation == [SIMD3(1, 0, 0), SIMD3(0, 1, 0)])
        #expect(header.frameOfReference == "1.2.9")
    }

    @Test func `cut off or damaged anywhere is read or refused`() throws {
        let bytes = DICOMImage().bytes
        for count in 0..<bytes.count { _ = DICOMHeader(Data(bytes.prefix(count))) }
        var state: UInt64 = 7
        for _ in 0..<3000 {
            var damaged = bytes
            for _ in 0..<3 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                damaged[132 + Int(state >> 33) % (bytes.count - 132)] = UInt8(state >> 56)
            }
            _ = DICOMHeader(Data(damaged))
        }
    }

    /// pydicom reads places 2 mm apart.
    @Test(
        .enabled(
            if: sharedDataPath("ct/dicom") != nil, "needs ../shared/data/ct/dicom"))
    func `tells the places of a real series`() throws {
        let folder = try #require(sharedDataPath("ct/dicom"))
        let headers = try directoryListing(folder).compactMap {
            DICOMHeader(path: folder + "/" + $0)
        }
        try #require(headers.count == 20)
        #expect(Set(headers.map(\.series)).count == 1)
        let slices = DICOMSlices(headers)
        #expect(slices.faults == [])
        #expect(!slices.isLocalizer)
        let sorted = headers.compactMap { $0.position?.z }.sorted()
        #expect(zip(sorted.dropFirst(), sorted).allSatisfy { abs($0 - $1 - 2) < 1e-6 })
        // The eighth to the twelfth slice are lost.
        let byPlace = headers.sorted { ($0.position?.z ?? 0) < ($1.position?.z ?? 0) }
        let faults = DICOMSlices(Array(byPlace[..<7] + byPlace[12...])).faults
        #expect(faults.count == 1)
        #expect(
            faults.first?.hasPrefix("5 slices are missing between slices 7 and 8 of 15") == true)
    }
}
