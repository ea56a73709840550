import Foundation
import Pipelines
import TestSupport
import Testing

/// How DICOM files are recognised and series named.
@Suite struct `DICOM series` {
    private let image = Data(repeating: 0, count: 128) + Data("DICM".utf8)

    @Test func `are recognised by content, whatever the files are called`() throws {
        let cases: [(files: [String: Data], limit: Int, first: String?)] = [
            (["IM0001": image], 100, "IM0001"),
            (["1.2.840.113619": image, "a.json": Data()], 100, "1.2.840.113619"),
            (["x.dcm": Data()], 100, "x.dcm"),
            (["short": Data("DICM".utf8), "text": Data(count: 200)], 100, nil),
            // The index of a disc is no image, and a scan is not looked into.
            (["DICOMDIR": image, "s.nii": image, "p.png": image], 100, nil),
            (["a": Data(), "b": Data(), "c": image], 2, nil),
            (["a": Data(), "b": Data(), "c": image], 3, "c"),
        ]
        for (files, limit, expected) in cases {
            try withTemporaryDirectory { folder in
                for (name, data) in files {
                    try data.write(to: URL(filePath: folder + "/" + name))
                }
                let names = files.keys.sorted()
                #expect(firstDICOMFile(among: names, in: folder, limit: limit) == expected)
            }
        }
    }

    @Test(
        arguments: [
            ("3_T1_MPRAGE", "3_T1_MPRAGE"), ("0_CT Body 3.0", "0_CT_Body_3.0"),
            ("../../etc/passwd", "etc_passwd"), (".hidden", "hidden"),
            ("5_Sch\u{e4}del", "5_Sch_del"),
            ("a\nb\tc", "a_b_c"), ("...", "series"), ("", "series"), ("-rf", "rf"),
            ("3_\u{661}", "3"),
        ])
    func `get names that are safe for files`(name: String, safe: String) {
        #expect(safeFileName(name) == safe)
    }

    @Test func `become one volume: the corrected one where slices are uneven`() {
        func file(_ names: String...) -> String? { DICOMSeries.choose(names.sorted())?.file }
        #expect(file("scan.nii") == "scan.nii")
        #expect(file("scan_e1.nii") == "scan_e1.nii")
        #expect(file("scan.nii", "scan_Eq_1.nii") == "scan_Eq_1.nii")
        #expect(file("scan.nii", "scan_Tilt_1.nii") == "scan_Tilt_1.nii")
        #expect(file("scan.nii", "scan_Tilt_1.nii", "scan_Tilt_Eq_1.nii") == "scan_Tilt_Eq_1.nii")
        #expect(file("scan_e1.nii", "scan_e2.nii") == nil)
        #expect(file("scan.nii", "scan_ph.nii") == nil)
        #expect(DICOMSeries.choose(["scan.nii", "scan_Eq_1.nii"])?.note != nil)
        #expect(DICOMSeries.choose(["scan.nii"])?.note == nil)
    }
}
