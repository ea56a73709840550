import Foundation
import Pipelines
import TestSupport
import Testing
import VolumeIO
import Volumes

/// Stands for dcm2niix.
///
/// It knows the series of a folder by the lines `ID NAME` of its hidden file `.series` and their
/// volumes by hidden files `.ID.nii`, and the first image of a series by `.ID.first`; it speaks and
/// fails as the real one does.
private let fakeConverter = """
    #!/bin/sh
    if [ "$1" = -v ]; then
        echo "Chris Rorden's dcm2niiX version v1.0.20990101  GCC12.2.0 x86-64 (64-bit Linux)"
        echo v1.0.20990101
        exit 3
    fi
    while [ $# -gt 1 ]; do
        case "$1" in -n) id=$2 ;; -f) name=$2 ;; -o) out=$2 ;; esac
        shift 2
    done
    echo "Chris Rorden's dcm2niiX version v1.0.20990101"
    if [ ! -f "$1/.series" ]; then
        echo "Error: Unable to find any DICOM images in $1" >&2
        exit 2
    fi
    if [ "$id" = -1 ]; then
        while read -r key title; do
            first=IM1
            [ -f "$1/.$key.first" ] && first=$(cat "$1/.$key.first")
            printf '\\t%s\\t%s/%s\\n %s/%s\\n' "$key" "$out" "$title" "$1" "$first"
        done < "$1/.series"
        if [ -f "$1/.partial" ]; then
            echo "Error: Converted 4 of 23 files" >&2
            echo "Warning: File not large enough to store image data: $1/IM2"
            exit 8
        fi
        exit 0
    fi
    [ -f "$1/.$id.slow" ] && sleep 60
    [ -f "$1/.$id.warning" ] && echo "Warning: Missing images? Expected 20 images"
    if [ -f "$1/.$id.nii" ]; then cp "$1/.$id.nii" "$out/$name.nii"; exit 0; fi
    echo "Error: Transfer syntax is not supported" >&2
    exit 1

    """

/// Scans as DICOM series.
@Suite struct `segment-brain on DICOM` {
    /// Makes a converter in `bin` and returns the environment that finds it.
    private func environment(in folder: String) throws -> [String: String] {
        try makeFolder(folder + "/bin")
        try makeFolder(folder + "/tmp")
        try write(Array(fakeConverter.utf8), to: folder + "/bin/dcm2niix")
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755], ofItemAtPath: folder + "/bin/dcm2niix")
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return ["PATH": folder + "/bin:" + path, "TMPDIR": folder + "/tmp"]
    }

    /// Makes a folder of a DICOM image and the series that the converter is to find.
    private func makeSeries(_ path: String, _ series: [String]) throws {
        try makeFolder(path)
        try write([UInt8](repeating: 0, count: 128) + Array("DICM".utf8), to: path + "/IM1")
        try write(Array(series.map { $0 + "\n" }.joined().utf8), to: path + "/.series")
    }

    @Test func `each series is a scan, and a broken one does not stop the others`() throws {
        try withTemporaryDirectory { folder in
            let environment = try environment(in: folder)
            try writeTinyModel(to: folder + "/model")
            let patient = folder + "/in/pat 1/study"
            try makeSeries(
                patient,
                [
                    "11 3_T1 MPRAGE", "12 4_broken", "13 4_twice", "14 4_twice", "15.1 5_flash_e2",
                    "14 4_twice_ph",
                ])
            for key in ["11", "13", "14", "15.1"] { try writeHead(to: patient + "/.\(key).nii") }
            try write([], to: patient + "/.11.warning")
            try write([], to: patient + "/.partial")
            try makeSeries(folder + "/in/empty", [])
            try FileManager.default.removeItem(atPath: folder + "/in/empty/.series")
            try writeHead(to: folder + "/in/volume.nii.gz")
            func segment() throws -> CommandResult {
                try RunningCommand(
                    "segment-brain",
                    [folder + "/in", folder + "/out", "--model", folder + "/model"],
                    environment: environment
                ).wait()
            }
            let result = try segment()
            #expect(result.status == 1, "\(result.errors)")
            #expect(result.errors.contains("dcm2niix looks for series in 2 DICOM folders"))
            let done = [
                "pat 1/study/3_T1_MPRAGE", "pat 1/study/4_twice_13", "pat 1/study/4_twice_14",
                "pat 1/study/5_flash_e2",
                "volume",
            ]
            let label = files(below: folder + "/out").filter { $0.hasSuffix("_dseg.nii.gz") }
            #expect(label.map { String($0.dropLast("_dseg.nii.gz".count)) } == done)
            let failures = try rows(of: folder + "/out/failures.tsv")
            #expect(
                failures.map(\.first) == [
                    "empty/DICOM", "pat 1/study/4_broken", "pat 1/study/DICOM",
                ])
            let reasons = failures.map { $0[3] }
            #expect(reasons.last?.contains("cannot read every series in '\(patient)'") == true)
            #expect(reasons.last?.contains("'Warning: File not large enough") == true)
            #expect(reasons.first?.contains("finds no series in '\(folder)/in/empty'") == true)
            #expect(
                reasons.dropFirst().first?.contains("'Error: Transfer syntax is not supported'")
                    == true)
            // Nothing stays where the volumes were made.
            #expect(try directoryListing(folder + "/tmp").filter { $0.contains("sliceseg-") } == [])

            let provenance = try object(folder + "/out/\(done[0])_dseg.json")
            let scan = try #require(provenance["scan"] as? [String: String])
            #expect(scan["path"] == patient)
            #expect(scan["series"] == "3_T1_MPRAGE")
            #expect(scan["converter"] == "dcm2niix v1.0.20990101")
            let warnings = provenance["warnings"] as? [String]
            #expect(warnings?.first == "dcm2niix: Missing images? Expected 20 images")
            let labels = try readVolumeHeader(at: folder + "/out/\(done[0])_dseg.nii.gz")
            #expect(labels.grid == (try readVolumeHeader(at: patient + "/.11.nii")).grid)

            // Done series are left out by the content of the folder's images.
            #expect(try segment().errors.contains("5 done before"))
            try write(
                [UInt8](repeating: 1, count: 128) + Array("DICM".utf8), to: patient + "/IM1")
            #expect(try segment().errors.contains("4 segmented, 1 done before, 3 failed"))
        }
    }

    @Test func `a volume that cannot be segmented is named by its series`() throws {
        try withTemporaryDirectory { folder in
            let environment = try environment(in: folder)
            try writeTinyModel(to: folder + "/model")
            try makeSeries(folder + "/in", ["7 2_bold"])
            var file = NIfTIFile()
            file.dimensions = [4, 8, 9, 10, 2, 1, 1, 1]
            file.voxels += file.voxels
            try write(file.bytes, to: folder + "/in/.7.nii")
            let result = try RunningCommand(
                "segment-brain", [folder + "/in", folder + "/out", "--model", folder + "/model"],
                environment: environment
            ).wait()
            #expect(result.status == 1)
            let failure = try #require(try rows(of: folder + "/out/failures.tsv").first)
            #expect(failure[0] == "2_bold")
            #expect((failure[3] + failure[4]).contains("the series '2_bold' in '\(folder)/in'"))
            #expect(!(failure[3] + failure[4]).contains("scan.nii"))
        }
    }

    /// Makes a study of a localizer, a scan that lacks 4 of 20 slices, a whole one and its reformat.
    private func makeStudy(_ path: String) throws {
        try makeSeries(
            path, ["11 1_localizer", "12 2_T1 gap", "13 3_T1 whole", "14 4_T1 reformat"])
        func add(_ key: Int, number: Int, type: String, places: [Double], description: String)
            throws
        {
            try write(Array("\(key)-0".utf8), to: path + "/.\(key).first")
            try writeHead(to: path + "/.\(key).nii")
            for (index, place) in places.enumerated() {
                var image = DICOMImage()
                image.series = "1.\(key)"
                image.seriesNumber = number
                image.imageType = type
                image.description = description
                image.number = index + 1
                image.position = [0, 0, place]
                try write(image.bytes, to: path + "/\(key)-\(index)")
            }
        }
        let places = (0..<20).map { Double($0) * 5 }
        try add(
            11, number: 1, type: #"ORIGINAL\PRIMARY\LOCALIZER"#, places: [0, 10, 20],
            description: "localizer")
        try add(
            12, number: 2, type: #"ORIGINAL\PRIMARY\M"#,
            places: Array(places[..<9] + places[13...]),
            description: "T1 gap")
        try add(
            13, number: 3, type: #"ORIGINAL\PRIMARY\M"#, places: places, description: "T1 whole")
        try add(
            14, number: 4, type: #"DERIVED\SECONDARY\MPR"#, places: places,
            description: "T1 reformat")
    }

    @Test func `localizers and reformats are left out, and a series with a hole fails`() throws {
        try withTemporaryDirectory { folder in
            let environment = try environment(in: folder)
            try writeTinyModel(to: folder + "/model")
            try makeStudy(folder + "/in")
            func segment(_ options: [String], to out: String) throws -> CommandResult {
                try RunningCommand(
                    "segment-brain",
                    [folder + "/in", folder + "/" + out, "--model", folder + "/model"] + options,
                    environment: environment
                ).wait()
            }
            func labels(_ out: String) -> [String] {
                files(below: folder + "/" + out).filter { $0.hasSuffix("_dseg.nii.gz") }
                    .map { String($0.dropLast("_dseg.nii.gz".count)) }
            }
            let plain = try segment([], to: "plain")
            #expect(plain.status == 1, "\(plain.errors)")
            #expect(labels("plain") == ["3_T1_whole"])
            #expect(plain.errors.contains("Left out as localizers: 1_localizer;"))
            #expect(plain.errors.contains("(DERIVED): 4_T1_reformat;"))
            let failures = try rows(of: folder + "/plain/failures.tsv")
            #expect(failures.map(\.first) == ["2_T1_gap"])
            let reason = try #require(failures.first?[3])
            #expect(reason.contains("4 slices are missing between slices 9 and 10 of 16"))
            #expect(failures.first?.last?.contains("--allow-gaps") == true)

            let allowed = try segment(["--allow-gaps"], to: "allowed")
            #expect(allowed.status == 0, "\(allowed.errors)")
            #expect(labels("allowed") == ["2_T1_gap", "3_T1_whole"])
            let provenance = try object(folder + "/allowed/2_T1_gap_dseg.json")
            let warnings = try #require(provenance["warnings"] as? [String])
            #expect(warnings.contains { $0.contains("4 slices are missing between slices 9") })

            #expect(try segment(["--series", "1"], to: "first").status == 0)
            #expect(labels("first") == ["1_localizer"])
            #expect(
                try segment(["--series", "REFORMAT", "--series", "3"], to: "two").status == 0)
            #expect(labels("two") == ["3_T1_whole", "4_T1_reformat"])
            let unknown = try segment(["--series", "FLAIR"], to: "none")
            #expect(unknown.status == 2)
            #expect(
                unknown.errors.contains("no DICOM series 'FLAIR'; there are 1_localizer, 2_T1_gap"))
        }
    }

    @Test func `Ctrl-C ends the converter and leaves no temporary folder`() throws {
        try withTemporaryDirectory { folder in
            let environment = try environment(in: folder)
            try writeTinyModel(to: folder + "/model")
            try makeSeries(folder + "/in", ["7 2_slow"])
            try write([], to: folder + "/in/.7.slow")
            let running = try RunningCommand(
                "segment-brain", [folder + "/in", folder + "/out", "--model", folder + "/model"],
                environment: environment)
            func scratch() throws -> [String] {
                try directoryListing(folder + "/tmp").filter { $0.contains("sliceseg-") }
            }
            // The description is written when the handler of signals is there.
            let description = folder + "/out/dataset_description.json"
            while running.process.isRunning,
                try scratch().isEmpty || !FileManager.default.fileExists(atPath: description)
            {
                usleep(5_000)
            }
            let start = ContinuousClock.now
            running.process.interrupt()
            #expect(try running.wait().status == 130)
            #expect(ContinuousClock.now - start < .seconds(30))
            #expect(try scratch().isEmpty)
        }
    }

    @Test func `without dcm2niix the DICOM folders of a mixed tree fail by name`() throws {
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            try makeSeries(folder + "/in/dicom", ["7 2_x"])
            try writeHead(to: folder + "/in/a.nii.gz")
            let result = try RunningCommand(
                "segment-brain", [folder + "/in", folder + "/out", "--model", folder + "/model"],
                environment: ["PATH": "/nowhere"]
            ).wait()
            #expect(result.status == 1)
            #expect(result.errors.contains("1 segmented, 0 done before, 1 failed"))
            let failure = try #require(try rows(of: folder + "/out/failures.tsv").first)
            #expect(failure[0] == "dicom/DICOM")
            #expect((failure[3] + failure[4]).contains("(apt install dcm2niix)"))
        }
    }

    @Test(
        .enabled(
            if: DICOMConverter.find() != nil && sharedDataPath("ct/dicom") != nil,
            "needs dcm2niix and ../shared/data/ct/dicom"))
    func `a real series lies on the grid of its reference`() throws {
        let dicom = try #require(sharedDataPath("ct/dicom"))
        let reference = try #require(sharedDataPath("ct/example_seg_dicom.nii.gz"))
        try withTemporaryDirectory { folder in
            try writeTinyModel(to: folder + "/model")
            let result = try run(
                "segment-brain", [dicom, folder + "/out", "--model", folder + "/model"])
            #expect(result.status == 0, "\(result.errors)")
            let labels = folder + "/out/0_CT_Body_3.0_dseg.nii.gz"
            let grids = try GridComparison(labels, reference)
            #expect(grids.isSameGrid)
        }
    }
}
