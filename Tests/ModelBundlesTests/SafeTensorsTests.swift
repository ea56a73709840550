import Foundation
import ModelBundles
import Tensors
import TestSupport
import Testing

private struct Expected: Decodable {
    struct Stored: Decodable {
        var type: String
        var shape: [Int]
        var values: [String]
    }
    var metadata: [String: String]
    var tensors: [String: Stored]
}

@Suite struct `Reading safetensors` {
    @Test func `every type holds what Python's library wrote`() throws {
        let expected: Expected = try decodeFixture("safetensors/expected.json")
        let file = try readSafeTensors(at: fixturePath("safetensors/types.safetensors"))
        #expect(file.metadata == expected.metadata)
        #expect(file.names == expected.tensors.keys.sorted())
        for (name, stored) in expected.tensors {
            let tensor = try file.tensor(named: name)
            #expect(tensor.elementType.rawValue == stored.type, "\(name)")
            #expect(tensor.shape == stored.shape, "\(name)")
            #expect(file.tensors[name]?.count == stored.values.count, "\(name)")
            switch tensor.elementType {
            case .float16, .bfloat16, .float32, .float64:
                #expect(try tensor.elements() == stored.values.map(Double.init), "\(name)")
            case .bool:
                let flags = try tensor.elements(as: UInt8.self).map { $0 == 1 ? "True" : "False" }
                #expect(flags == stored.values, "\(name)")
            case .uint8, .int8, .int16, .int32, .int64:
                #expect(try tensor.elements() == stored.values.map(Int64.init), "\(name)")
            }
        }
    }

    @Test func `the networks' fixtures can be read in full`() throws {
        let folder = fixturePath("networks")
        let names = try directoryListing(folder).filter { $0.hasSuffix(".safetensors") }
        #expect(names.count > 10)
        for name in names {
            let file = try readSafeTensors(at: folder + "/" + name)
            for tensor in file.names { _ = try file.tensor(named: tensor) }
        }
    }

    @Test func `an error about a name with line ends is one line`() throws {
        let header = #"{"a\nb\r\n":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}"#
        let length = (0..<8).map { UInt8(truncatingIfNeeded: header.utf8.count >> (8 * $0)) }
        try withTemporaryDirectory { folder in
            let path = folder + "/a.safetensors"
            try Data(length + Array(header.utf8) + [0, 0, 0, 0]).write(to: URL(filePath: path))
            let error = try bundleError { _ = try readSafeTensors(at: path) }
            #expect(error?.description.contains("\n") == false)
            #expect(error?.description.contains("tensor 'a b ' is of type 'F99'") == true)
        }
    }

    @Test func `a tensor that is not there is an error that names it and the file`() throws {
        let path = fixturePath("safetensors/types.safetensors")
        let file = try readSafeTensors(at: path)
        let error = try bundleError { _ = try file.tensor(named: "f23") }
        #expect(error?.code == .mismatchedTensors)
        #expect(error?.description.contains("f23") == true)
        #expect(error?.description.contains(path) == true)
    }

    @Test func `a type that is not known is an error that names it`() throws {
        let error = try bundleError {
            _ = try readSafeTensors(at: fixturePath("safetensors/unsupported.safetensors"))
        }
        #expect(error?.code == .malformedTensors)
        #expect(error?.description.contains("'x' is of type 'U16'") == true)
    }

    @Test func `a missing file and a folder are errors that say so`() throws {
        let missing = try bundleError { _ = try readSafeTensors(at: "/no/such.safetensors") }
        #expect(missing?.code == .unreadable)
        #expect(missing?.description.contains("there is no such file") == true)
        let folder = try bundleError { _ = try readSafeTensors(at: fixturePath("safetensors")) }
        #expect(folder?.code == .unreadable)
    }

    @Test func `a header may have spaces, escapes and fields that are not known`() throws {
        let header = #"""
             { "\u0061\ud83e\udde0\/" : { "dtype" : "U8", "shape" : [ 2 , 1 ],
              "data_offsets":[0,2], "more": [true, null, -1.5e3, {"x": "y"}] } }  
            """#
        try withTemporaryDirectory { folder in
            let path = folder + "/a.safetensors"
            try Data(safeTensorsBytes(header: header, dataCount: 2)).write(to: URL(filePath: path))
            let file = try readSafeTensors(at: path)
            #expect(file.names == ["a🧠/"])
            #expect(file.tensors["a🧠/"]?.shape == [2, 1])
        }
    }

    @Test func `every cut through a file is an error, and so is every byte more`() throws {
        let whole = try fixtureData("safetensors/types.safetensors")
        try withTemporaryDirectory { folder in
            let path = folder + "/cut.safetensors"
            for count in 0..<whole.count {
                try whole.prefix(count).write(to: URL(filePath: path))
                let error = try bundleError { _ = try readSafeTensors(at: path) }
                #expect(error?.code == .malformedTensors, "\(count) bytes")
            }
            try (whole + [0]).write(to: URL(filePath: path))
            let error = try bundleError { _ = try readSafeTensors(at: path) }
            #expect(error?.description.contains("1 bytes follow its last tensor") == true)
        }
    }

    @Test func `no single byte of a header can be changed so that reading crashes`() throws {
        let whole = try fixtureData("safetensors/types.safetensors")
        let headerLength = Int(whole[0]) + 256 * Int(whole[1])
        try withTemporaryDirectory { folder in
            let path = folder + "/changed.safetensors"
            let values = [0, UInt8(ascii: "9"), UInt8(ascii: "["), UInt8(ascii: "\""), 255]
            for position in 0..<8 + headerLength {
                var changed = whole
                changed[position] = values[position % values.count]
                try changed.write(to: URL(filePath: path))
                // Changing a name or a digit may give another valid file.
                _ = try bundleError { _ = try readSafeTensors(at: path) }
            }
        }
    }

    @Test(arguments: malformedHeaders)
    func `a malformed header is an error that says what is wrong`(_ broken: Malformed) throws {
        try withTemporaryDirectory { folder in
            let path = folder + "/broken.safetensors"
            let bytes = safeTensorsBytes(
                header: broken.header, dataCount: broken.dataCount,
                headerLength: broken.headerLength)
            try Data(bytes).write(to: URL(filePath: path))
            let error = try bundleError { _ = try readSafeTensors(at: path) }
            #expect(error?.code == .malformedTensors)
            let description = error?.description ?? ""
            #expect(description.contains(broken.reason), "\(description)")
            #expect(description.contains(path))
        }
    }
}

struct Malformed: Sendable, CustomTestStringConvertible {
    var header: String
    var reason: String
    var dataCount = 8
    var headerLength: UInt64?

    var testDescription: String { reason }
}

private func one(
    _ fields: String, _ reason: String, dataCount: Int = 8
) -> Malformed {
    Malformed(header: #"{"a":{\#(fields)}}"#, reason: reason, dataCount: dataCount)
}

private func two(_ first: String, _ second: String, _ reason: String) -> Malformed {
    Malformed(
        header: #"{"a":{"dtype":"U8","shape":[4],"data_offsets":\#(first)},"#
            + #""b":{"dtype":"U8","shape":[4],"data_offsets":\#(second)}}"#,
        reason: reason)
}

private let deep = String(repeating: "[", count: 200_000)

private let malformedHeaders: [Malformed] = [
    Malformed(header: "{}", reason: "should be 100 bytes long", headerLength: 100),
    Malformed(header: "{}", reason: "would be 18446744073709551615 bytes", headerLength: .max),
    Malformed(
        header: "{}", reason: "would be 9223372036854775807 bytes", headerLength: 1 << 63 - 1),
    Malformed(header: "{}", reason: "should be 99999999 bytes", headerLength: 99_999_999),
    Malformed(header: "", reason: "not JSON at line 1, byte 1"),
    Malformed(header: "{}x", reason: "not JSON at line 1, byte 3"),
    Malformed(header: "{", reason: "not JSON"),
    Malformed(header: "[]", reason: "not a JSON object"),
    Malformed(header: "{}", reason: "8 bytes follow its last tensor"),
    Malformed(header: deep, reason: "not JSON"),
    Malformed(header: #"{"a":"# + deep, reason: "not JSON"),
    Malformed(header: #"{"a\q":{}}"#, reason: "not JSON"),
    Malformed(header: #"{"\ud800":{}}"#, reason: "not JSON"),
    Malformed(header: #"{"\ud800 \udc00":{}}"#, reason: "not JSON"),
    Malformed(header: "{\"a\nb\":{}}", reason: "not JSON"),
    Malformed(header: #"{"a":{},}"#, reason: "not JSON"),
    Malformed(header: "{\"a\":\n tru}", reason: "not JSON at line 2, byte 2"),
    Malformed(header: #"{"a":+1}"#, reason: "not JSON"),
    Malformed(header: #"{"a":1.}"#, reason: "not JSON"),
    Malformed(header: #"{"a":1e}"#, reason: "not JSON"),
    Malformed(header: #"{"a":"\u00g0"}"#, reason: "not JSON"),
    Malformed(header: #"{"a":{},"a":{}}"#, reason: "'a' stands twice"),
    Malformed(header: #"{"a":{},"\u0061":{}}"#, reason: "'a' stands twice"),
    Malformed(header: #"{"__metadata__":{"k":"v","k":"w"}}"#, reason: "'k' stands twice"),
    Malformed(header: #"{"__metadata__":3}"#, reason: "metadata is not an object"),
    Malformed(header: #"{"__metadata__":{"k":3}}"#, reason: "metadata 'k' is not a text"),
    Malformed(header: #"{"a":3}"#, reason: "'a' is not described"),
    one(#""shape":[8],"data_offsets":[0,8]"#, "'a' has no dtype"),
    one(#""dtype":3,"shape":[8],"data_offsets":[0,8]"#, "'a' has no dtype"),
    one(#""dtype":"F31","shape":[8],"data_offsets":[0,8]"#, "type 'F31'"),
    one(#""dtype":"U8","data_offsets":[0,8]"#, "no shape"),
    one(#""dtype":"U8","shape":8,"data_offsets":[0,8]"#, "no shape"),
    one(#""dtype":"U8","shape":["8"],"data_offsets":[0,8]"#, "not of sizes"),
    one(#""dtype":"U8","shape":[8.0],"data_offsets":[0,8]"#, "not of sizes"),
    one(#""dtype":"U8","shape":[08],"data_offsets":[0,8]"#, "not JSON"),
    one(#""dtype":"U8","shape":[-8],"data_offsets":[0,8]"#, "not of sizes"),
    one(#""dtype":"U8","shape":[8]"#, "no data_offsets"),
    one(#""dtype":"U8","shape":[8],"shape":[8],"data_offsets":[0,8]"#, "'shape' stands twice"),
    one(#""dtype":"U8","shape":[8],"data_offsets":[0]"#, "data_offsets [0]"),
    one(#""dtype":"U8","shape":[8],"data_offsets":[0,4,8]"#, "data_offsets [0, 4, 8]"),
    one(#""dtype":"U8","shape":[8],"data_offsets":[-8,0]"#, "not of sizes"),
    one(#""dtype":"U8","shape":[8],"data_offsets":[8,0]"#, "data_offsets [8, 0]"),
    one(#""dtype":"U8","shape":[9],"data_offsets":[0,9]"#, "ends at byte 9"),
    one(#""dtype":"U8","shape":[8],"data_offsets":[8,16]"#, "ends at byte 16"),
    one(#""dtype":"U8","shape":[4],"data_offsets":[4,8]"#, "no tensor holds the bytes 0 to 4"),
    one(#""dtype":"U8","shape":[4],"data_offsets":[0,4]"#, "4 bytes follow"),
    one(#""dtype":"U8","shape":[3,2],"data_offsets":[0,8]"#, "needs 6 bytes and has 8"),
    one(#""dtype":"F32","shape":[8],"data_offsets":[0,8]"#, "needs 32 bytes and has 8"),
    one(
        #""dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,8]"#,
        "larger than any memory"),
    one(
        #""dtype":"F64","shape":[2305843009213693953],"data_offsets":[0,8]"#,
        "larger than any memory"),
    one(
        #""dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,8]"#, "not of sizes"),
    two("[0,4]", "[0,4]", "'b' overlaps"),
    two("[0,4]", "[2,6]", "'b' overlaps"),
    two("[4,8]", "[2,6]", "no tensor holds the bytes 0 to 2"),
]

@Suite struct `Writing safetensors` {
    @Test func `the bytes are those of Python's library`() throws {
        let path = fixturePath("safetensors/types.safetensors")
        let file = try readSafeTensors(at: path)
        let tensors = try file.names.reversed().map {
            (name: $0, tensor: try file.tensor(named: $0))
        }
        try withTemporaryDirectory { folder in
            let copy = folder + "/copy.safetensors"
            try writeSafeTensors(tensors, metadata: file.metadata, to: copy)
            #expect(
                try Data(contentsOf: URL(filePath: copy))
                    == fixtureData("safetensors/types.safetensors"))
            #expect(try directoryListing(folder) == ["copy.safetensors"])
        }
    }

    @Test func `a file of no tensors can be written and read`() throws {
        try withTemporaryDirectory { folder in
            let path = folder + "/none.safetensors"
            try writeSafeTensors([], to: path)
            let file = try readSafeTensors(at: path)
            #expect(file.names.isEmpty && file.metadata.isEmpty)
        }
    }

    @Test func `another type is for floating-point numbers only`() throws {
        try withTemporaryDirectory { folder in
            let path = folder + "/half.safetensors"
            try writeSafeTensors(
                [
                    (name: "x", tensor: try Tensor([Float(0.1), 2], shape: [2])),
                    (name: "state", tensor: try Tensor([UInt8(1), 255], shape: [2])),
                ], as: .float16, to: path)
            let file = try readSafeTensors(at: path)
            #expect(file.tensors["x"]?.type == .float16)
            #expect(try file.tensor(named: "x").elements(as: Float.self) == [0.099975586, 2])
            #expect(try file.tensor(named: "state").elements(as: UInt8.self) == [1, 255])
        }
    }

    @Test func `tensors that are cut out, turned around or trained are written as they look`()
        throws
    {
        let whole = try Tensor((0..<12).map(Float.init), shape: [3, 4]).requiresGradient()
        let turned = try whole.permuted([1, 0]).narrowed(dimension: 0, start: 1, length: 2)
        try withTemporaryDirectory { folder in
            let path = folder + "/view.safetensors"
            try writeSafeTensors([(name: "turned", tensor: turned)], to: path)
            let tensor = try readSafeTensors(at: path).tensor(named: "turned")
            #expect(tensor.shape == [2, 3])
            #expect(try tensor.elements(as: Float.self) == [1, 5, 9, 2, 6, 10])
        }
    }
}
