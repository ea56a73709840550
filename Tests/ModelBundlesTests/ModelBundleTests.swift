import Files
import Foundation
import ModelBundles
import NeuralNetworks
import SegmentationModels
import Tensors
import TestSupport
import Testing
import Volumes

/// Copies the bundle that Python wrote, lets a body change it, and returns what loading it and
/// building its coronal network throws.
private func errorAfterChanging(
    _ body: (_ bundle: String) throws -> Void
) throws -> ModelBundleError? {
    try withTemporaryDirectory { folder in
        let bundle = folder + "/bundle"
        try FileManager.default.copyItem(
            atPath: fixturePath("safetensors/bundle"), toPath: bundle)
        try body(bundle)
        return try bundleError {
            _ = try ModelBundle.load(at: bundle).makeNetwork(for: .coronal, device: .cpu)
        }
    }
}

/// As `errorAfterChanging`, with the coronal tensors changed and the hash in the card corrected, as
/// in a bundle that was put together wrongly.
private func errorAfterChangingTensors(
    _ body: (_ tensors: inout [String: Tensor]) throws -> Void
) throws -> ModelBundleError? {
    try errorAfterChanging { bundle in
        let path = bundle + "/weights-coronal.safetensors"
        let file = try readSafeTensors(at: path)
        var tensors = [String: Tensor](
            uniqueKeysWithValues: try file.names.map { ($0, try file.tensor(named: $0)) })
        try body(&tensors)
        let old = sha256(try Data(contentsOf: URL(filePath: path)))
        try writeSafeTensors(tensors.map { (name: $0, tensor: $1) }, to: path)
        let new = sha256(try Data(contentsOf: URL(filePath: path)))
        try replace(old, with: new, inFileAt: bundle + "/model.json")
    }
}

private struct Run: Decodable {
    var plane: Plane
    var input: [Float]
    var inputShape: [Int]
    var output: [Float]
    var outputShape: [Int]
    var shapes: [String: [Int]]
}

@Suite struct `Loading bundles` {
    @Test func `the networks of a bundle from Python compute what PyTorch does`() throws {
        let bundle = try ModelBundle.load(at: fixturePath("safetensors/bundle"))
        let runs: [Run] = try decodeFixture("safetensors/run.json")
        #expect(runs.map(\.plane) == bundle.card.planes.map(\.plane))
        for run in runs {
            let network = try bundle.makeNetwork(for: run.plane, device: .cpu)
            let shapes = network.namedParameters.map { ($0.name, $0.parameter.value.shape) }
            #expect(Dictionary(uniqueKeysWithValues: shapes) == run.shapes)
            #expect(
                network.namedParameters.allSatisfy { $0.parameter.value.elementType == .float32 })
            let output = try withoutGradients {
                try network(Tensor(run.input, shape: run.inputShape), mode: .inference)
            }
            #expect(output.shape == run.outputShape)
            let values = try output.elements(as: Float.self)
            let difference = zip(values, run.output).map { abs($0 - $1) }.max() ?? 1
            #expect(difference < 1e-5)
        }
    }

    @Test func `a corrupted byte is found`() throws {
        let error = try errorAfterChanging { bundle in
            let url = URL(filePath: bundle + "/weights-sagittal.safetensors")
            var data = try Data(contentsOf: url)
            data[data.count / 2] ^= 1
            try data.write(to: url)
        }
        #expect(error?.code == .checksumMismatch)
        #expect(error?.description.contains("weights-sagittal.safetensors") == true)
    }

    @Test(arguments: ["model.json", "weights-coronal.safetensors", "weights-sagittal.safetensors"])
    func `a missing file is named`(name: String) throws {
        let error = try errorAfterChanging {
            try FileManager.default.removeItem(atPath: $0 + "/" + name)
        }
        #expect(error?.code == .unreadable)
        #expect(error?.description.contains(name) == true)
        #expect(error?.description.contains("there is no such file") == true)
    }

    @Test func `a missing folder is named`() throws {
        let error = try bundleError { _ = try ModelBundle.load(at: "/no/such/bundle") }
        #expect(error?.code == .unreadable)
        #expect(error?.description.contains("'/no/such/bundle'") == true)
    }

    @Test func `a plane that the model lacks is refused with those it has`() throws {
        let bundle = try ModelBundle.load(at: fixturePath("safetensors/bundle"))
        let error = try bundleError { _ = try bundle.makeNetwork(for: .axial, device: .cpu) }
        #expect(error?.code == .missingPlane)
        #expect(error?.description.contains("choose from coronal, sagittal") == true)
    }

    @Test func `unchanged tensors fit`() throws {
        #expect(try errorAfterChangingTensors { _ in } == nil)
    }

    @Test func `a missing weight is named`() throws {
        let error = try errorAfterChangingTensors { $0["classifier.bias"] = nil }
        #expect(error?.code == .mismatchedTensors)
        #expect(error?.description.contains("missing 'classifier.bias'") == true)
        #expect(error?.description.contains("unexpected") == false)
    }

    @Test func `a renamed weight is missing under one name and unexpected under the other`() throws
    {
        let error = try errorAfterChangingTensors {
            $0["classifier.offset"] = $0.removeValue(forKey: "classifier.bias")
        }
        #expect(error?.code == .mismatchedTensors)
        #expect(
            error?.description.contains(
                "missing 'classifier.bias'; unexpected 'classifier.offset'") == true)
    }

    @Test func `of many missing weights a few are named and the others counted`() throws {
        let error = try errorAfterChangingTensors { tensors in
            for name in tensors.keys where name.hasPrefix("encoders.") { tensors[name] = nil }
        }
        #expect(error?.description.contains("'encoders.0.block.convolution.weight'") == true)
        #expect(error?.description.contains(" more") == true)
    }

    @Test func `a misshapen weight is named with both shapes`() throws {
        let error = try errorAfterChangingTensors {
            $0["classifier.bias"] = try Tensor([Float](repeating: 0, count: 5), shape: [5])
        }
        #expect(error?.code == .mismatchedTensors)
        #expect(
            error?.description.contains("'classifier.bias' has shape [5] instead of [4]") == true)
    }

    @Test func `a weight of one element does not spread over a larger one`() throws {
        let error = try errorAfterChangingTensors {
            $0["classifier.bias"] = try Tensor([Float(0)], shape: [1])
        }
        #expect(error?.code == .mismatchedTensors)
    }

    @Test func `weights that are whole numbers are refused`() throws {
        let error = try errorAfterChangingTensors {
            $0["classifier.bias"] = try Tensor([Int64](repeating: 0, count: 4), shape: [4])
        }
        #expect(error?.code == .mismatchedTensors)
        #expect(error?.description.contains("int64 instead of floating-point") == true)
    }

    @Test(arguments: [Float.nan, .infinity])
    func `a weight that is not finite is refused`(value: Float) throws {
        let error = try errorAfterChangingTensors {
            $0["classifier.bias"] = try Tensor([0, value, 0, 0], shape: [4])
        }
        #expect(error?.code == .notFinite)
        #expect(error?.description.contains("'classifier.bias'") == true)
    }

    @Test func `a wrong number of classes is refused, in the card and in the weights`() throws {
        let inCard = try errorAfterChanging {
            try replace(#""classes": 4"#, with: #""classes": 3"#, inFileAt: $0 + "/model.json")
        }
        #expect(inCard?.code == .invalidCard)
        let inWeights = try errorAfterChangingTensors {
            $0["classifier.bias"] = try Tensor([Float](repeating: 0, count: 3), shape: [3])
            $0["classifier.weight"] = try Tensor(
                [Float](repeating: 0, count: 12), shape: [3, 4, 1, 1])
        }
        #expect(inWeights?.code == .mismatchedTensors)
        #expect(inWeights?.description.contains("[3, 4, 1, 1] instead of [4, 4, 1, 1]") == true)
    }

    @Test func `the identity is that of the content, not of the folder or the layout of the card`()
        throws
    {
        let original = try ModelBundle.load(at: fixturePath("safetensors/bundle"))
        try withTemporaryDirectory { folder in
            let copy = folder + "/copy"
            try FileManager.default.copyItem(atPath: original.directory, toPath: copy)
            try replace("\n", with: "\n ", inFileAt: copy + "/model.json")
            #expect(try ModelBundle.load(at: copy + "/").identity == original.identity)
            try replace("for tests", with: "for others", inFileAt: copy + "/model.json")
            #expect(try ModelBundle.load(at: copy).identity != original.identity)
        }
    }
}

@Suite struct `Writing bundles` {
    @Test func `weights come back within half precision, buffers exactly`() throws {
        let card = try tinyCard()
        let networks = try randomNetworks(of: card)
        let values = [Float(7e4), 1e-8, 3.3, 0.125]
        for (_, network) in networks {
            for (name, parameter) in network.namedParameters where name.hasSuffix("running_var") {
                parameter.value = try Tensor(values, shape: [4])
            }
        }
        try withTemporaryDirectory { folder in
            let bundle = try ModelBundle.write(
                card: card, networks: networks, to: folder + "/new/tiny")
            #expect(
                try directoryListing(folder + "/new/tiny") == [
                    "model.json", "weights-coronal.safetensors", "weights-sagittal.safetensors",
                ])
            #expect(try directoryListing(folder + "/new") == ["tiny"])
            #expect(bundle.card.planes.map(\.outputClasses) == card.planes.map(\.outputClasses))
            #expect(bundle.card.planes.map(\.inputRanges) == card.planes.map(\.inputRanges))
            #expect(bundle.card.conform == card.conform && bundle.card.labels == card.labels)
            var trainable = 0
            for (plane, network) in networks {
                let loaded = try bundle.makeNetwork(for: plane, device: .cpu)
                #expect(loaded.architecture == network.architecture)
                for (original, copy) in zip(network.namedParameters, loaded.namedParameters) {
                    #expect(original.name == copy.name)
                    let written = try original.parameter.value.elements(as: Float.self)
                    let read = try copy.parameter.value.elements(as: Float.self)
                    guard original.parameter.isTrainable else {
                        #expect(written == read, "\(original.name)")
                        continue
                    }
                    trainable += written.count
                    // Half a unit in the last of 11 binary places, or of the subnormal numbers.
                    #expect(
                        zip(written, read).allSatisfy {
                            abs($0 - $1) <= max(abs($0) * 0x1p-11, 0x1p-25)
                        }, "\(original.name)")
                }
            }
            #expect(trainable > 1000)
        }
    }

    @Test func `writing the same networks twice gives the same bytes and identity`() throws {
        let card = try tinyCard()
        let networks = try randomNetworks(of: card)
        try withTemporaryDirectory { folder in
            let first = try ModelBundle.write(card: card, networks: networks, to: folder + "/a")
            let second = try ModelBundle.write(
                card: first.card, networks: networks.reversed(), to: folder + "/b/")
            #expect(first.card == second.card)
            #expect(first.identity == second.identity)
            #expect(first.identity.count == 64)
        }
    }

    @Test func `an earlier bundle is replaced as a whole`() throws {
        try withTemporaryDirectory { folder in
            let path = folder + "/model"
            let card = try tinyCard()
            let first = try ModelBundle.write(
                card: card, networks: randomNetworks(of: card), to: path)
            var smaller = card
            smaller.planes.removeLast()
            let second = try ModelBundle.write(
                card: smaller, networks: randomNetworks(of: smaller), to: path)
            #expect(first.identity != second.identity)
            #expect(try directoryListing(path) == ["model.json", "weights-coronal.safetensors"])
            #expect(try directoryListing(folder) == ["model"])
            #expect(try ModelBundle.load(at: path).card == second.card)
        }
    }

    @Test func `a link to a bundle stays one`() throws {
        try withTemporaryDirectory { folder in
            let card = try tinyCard()
            _ = try ModelBundle.write(
                card: card, networks: randomNetworks(of: card), to: folder + "/real")
            try FileManager.default.createSymbolicLink(
                atPath: folder + "/link", withDestinationPath: "real")
            let bundle = try ModelBundle.write(
                card: card, networks: randomNetworks(of: card), to: folder + "/link")
            #expect(
                try FileManager.default.destinationOfSymbolicLink(atPath: folder + "/link")
                    == "real")
            #expect(try ModelBundle.load(at: folder + "/real").identity == bundle.identity)
        }
    }

    @Test func `a folder that holds anything else is left alone`() throws {
        try withTemporaryDirectory { folder in
            try Data("mine".utf8).write(to: URL(filePath: folder + "/thesis.txt"))
            let card = try tinyCard()
            let error = try bundleError {
                _ = try ModelBundle.write(
                    card: card, networks: randomNetworks(of: card), to: folder)
            }
            #expect(error?.code == .occupied)
            #expect(error?.description.contains("'thesis.txt'") == true)
            #expect(try directoryListing(folder) == ["thesis.txt"])
        }
    }

    @Test func `an empty folder takes the bundle`() throws {
        try withTemporaryDirectory { folder in
            let card = try tinyCard()
            let bundle = try ModelBundle.write(
                card: card, networks: randomNetworks(of: card), to: folder)
            #expect(bundle.card.planes.count == 2)
        }
    }

    @Test func `a file in the way is an error and stays`() throws {
        try withTemporaryDirectory { folder in
            let file = folder + "/file"
            try Data("mine".utf8).write(to: URL(filePath: file))
            let card = try tinyCard()
            for path in [file, file + "/model", file + "/deep/model"] {
                let error = #expect(throws: FileWriteError.self) {
                    _ = try ModelBundle.write(
                        card: card, networks: randomNetworks(of: card), to: path)
                }
                #expect(error?.path == path)
                #expect(error?.errorNumber == ENOTDIR)
            }
            #expect(try Data(contentsOf: URL(filePath: file)) == Data("mine".utf8))
        }
    }

    @Test(.enabled(if: geteuid() != 0, "the superuser may write anywhere"))
    func `a folder without permission is an error that says so`() throws {
        try withTemporaryDirectory { folder in
            let locked = folder + "/locked"
            try FileManager.default.createDirectory(
                atPath: locked, withIntermediateDirectories: false,
                attributes: [.posixPermissions: 0o555])
            let card = try tinyCard()
            for path in [locked + "/model", locked + "/deep/model"] {
                let error = #expect(throws: FileWriteError.self) {
                    _ = try ModelBundle.write(
                        card: card, networks: randomNetworks(of: card), to: path)
                }
                #expect(error?.description.contains("no permission") == true)
            }
            #expect(try directoryListing(locked) == [])
        }
    }

    @Test(arguments: [
        (Float.nan, "not finite"), (-Float.infinity, "not finite"), (Float(7e4), "beyond 65504"),
    ])
    func `a weight that half precision cannot hold is refused and nothing is written`(
        value: Float, reason: String
    ) throws {
        let card = try tinyCard()
        let networks = try randomNetworks(of: card)
        let bias = networks[1].1.namedParameters.first { $0.name == "classifier.bias" }
        bias?.parameter.value = try Tensor([0, 0, value], shape: [3])
        try withTemporaryDirectory { folder in
            let error = try bundleError {
                _ = try ModelBundle.write(card: card, networks: networks, to: folder + "/tiny")
            }
            #expect(error?.code == .notFinite)
            #expect(error?.description.contains("'classifier.bias'") == true)
            #expect(error?.description.contains(reason) == true)
            #expect(try directoryListing(folder) == [])
        }
    }

    @Test func `networks that are not those of the card are refused`() throws {
        let card = try tinyCard()
        let networks = try randomNetworks(of: card)
        var fewerClasses = card
        fewerClasses.architecture.classes = 3
        var widerKernel = card
        widerKernel.architecture.kernel = 5
        let swapped = [(Plane.coronal, networks[1].1), (Plane.sagittal, networks[0].1)]
        let cases: [(ModelCard, [(Plane, SegmentationNetwork)], ModelBundleError.Code)] = [
            (card, Array(networks.dropLast()), .missingPlane),
            (card, networks + networks, .missingPlane),
            (card, swapped, .invalidCard),
            (fewerClasses, networks, .invalidCard),
            (widerKernel, networks, .invalidCard),
        ]
        try withTemporaryDirectory { folder in
            for (card, networks, code) in cases {
                let error = try bundleError {
                    _ = try ModelBundle.write(card: card, networks: networks, to: folder + "/x")
                }
                #expect(error?.code == code)
            }
            #expect(try directoryListing(folder) == [])
        }
    }
}

@Suite struct `Finding bundles` {
    @Test func `a shipped model is found by its name, any other by its folder`() throws {
        let fixtures = fixturePath("safetensors")
        let byName = try ModelBundle.find("bundle", shippedIn: fixtures)
        let byFolder = try ModelBundle.find(fixtures + "/bundle", shippedIn: nil)
        #expect(byName.identity == byFolder.identity)
        #expect(byName.card.name == "tiny")
    }

    @Test func `an unknown name is refused with the names that are there`() throws {
        let error = try bundleError {
            _ = try ModelBundle.find("brains", shippedIn: fixturePath("safetensors"))
        }
        #expect(error?.code == .unknownModel)
        #expect(error?.description.contains("'brains'") == true)
        #expect(error?.description.contains("choose from bundle") == true)
        let none = try bundleError { _ = try ModelBundle.find("brains", shippedIn: nil) }
        #expect(none?.description.contains("give a model's folder") == true)
        let shipped = try bundleError { _ = try ModelBundle.shipped(named: "no such model") }
        #expect(shipped?.code == .unknownModel)
    }

    @Test(
        .enabled(
            if: ProcessInfo.processInfo.environment["SLICESEG_MODELS"] == nil,
            "SLICESEG_MODELS says which models are shipped"))
    func `every model in the source folder is shipped, loads, and is below 15 MB`() throws {
        let source = URL(filePath: fixturePath("../Sources/ModelBundles/Bundles"))
            .standardizedFileURL.path(percentEncoded: false)
        let names = try directoryListing(source).filter {
            FileManager.default.fileExists(atPath: source + "/" + $0 + "/model.json")
        }
        #expect(ModelBundle.shippedNames() == names)
        for name in names {
            let bundle = try ModelBundle.shipped(named: name)
            #expect(bundle.card.name == name)
            for entry in bundle.card.planes {
                _ = try bundle.makeNetwork(for: entry.plane, device: .cpu)
            }
            let sizes = try directoryListing(bundle.directory).map {
                try Data(contentsOf: URL(filePath: bundle.directory + "/" + $0)).count
            }
            #expect(sizes.reduce(0, +) < 15_000_000)
        }
    }
}
