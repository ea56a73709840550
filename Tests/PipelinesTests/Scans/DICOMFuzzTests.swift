import Foundation
import Pipelines
import TestSupport
import Testing

struct DICOMFuzzTests {
    @Test func `series are judged or passed over, whatever their headers hold`() throws {
        let words = [
            #"1e300\0\0"#, #"0\0\nan"#, #"-inf\1\2"#, "9223372036854775807", "-9223372036854775808",
            "2147483648", #"1\0\0\0\1e300\0"#, "LOCALIZER", "DERIVED", "\0", " ", "\u{FFFF}",
        ].map { Array($0.utf8) }
        let inputs = DICOMImage.Syntax.allCases.map { syntax in
            var image = DICOMImage()
            image.syntax = syntax
            image.position = [0, 0, 4]
            return FuzzInput(name: "image", bytes: image.bytes)
        }
        try Fuzzer(count: 1500).run(
            "dicom", inputs: inputs,
            damage: { mutator, file, other in mutator.damaged(file, other: other, words: words) },
            read: { path in
                guard let header = DICOMHeader(path: path) else { return }
                // Among sound slices, which lie 1 mm apart.
                let sound = (1...5).compactMap { number -> DICOMHeader? in
                    var image = DICOMImage()
                    image.number = number
                    image.position = [0, 0, Double(number)]
                    return DICOMHeader(Data(image.bytes))
                }
                let slices = DICOMSlices(sound + [header, header])
                _ = (slices.isLocalizer, slices.isDerived)
                for fault in slices.faults where fault.isEmpty || fault.contains("\n") {
                    throw FuzzFinding(description: "says '\(fault)'")
                }
            })
    }

    @Test(arguments: ["1e300", "-1e300", "nan", "inf"])
    func `a place that no scan has is none`(text: String) throws {
        var image = DICOMImage()
        image.position = [0, 0, Double(text) ?? 0]
        let header = try #require(DICOMHeader(Data(image.bytes)))
        #expect(header.position == nil)
        #expect(DICOMSlices([header, header, header, header]).faults == [])
    }
}
