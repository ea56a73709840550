import Foundation
import ModelBundles
import SegmentationModels
import TestSupport
import Testing
import Volumes

@Suite struct `Model cards` {
    /// The tiny bundle's card with one text replaced.
    private func errorAfterReplacing(
        _ text: String, with replacement: String
    ) throws -> ModelBundleError? {
        try withTemporaryDirectory { folder in
            let path = folder + "/model.json"
            try fixtureData("safetensors/bundle/model.json").write(to: URL(filePath: path))
            try replace(text, with: replacement, inFileAt: path)
            let error = try bundleError { _ = try ModelCard.read(at: path) }
            #expect(error?.path == path)
            return error
        }
    }

    @Test func `a card written by hand is read, and what it leaves out takes its default`() throws {
        let card = try ModelCard.read(at: fixturePath("safetensors/bundle/model.json"))
        #expect(card.name == "tiny")
        #expect(card.architecture.encoder == .sdNet && card.architecture.dropout == 0)
        #expect(card.labels.structures.map(\.index) == [17, 53, 16])
        #expect(card.training.seed == .max)
        #expect(card[.axial] == nil && card.architecture(of: .axial) == nil)
        #expect(card.architecture(of: .coronal)?.classes == 4)
        #expect(card.architecture(of: .sagittal)?.classes == 3)
    }

    @Test(arguments: [
        (#""formatVersion": 1"#, #""formatVersion": 2"#, "use a newer SliceSeg"),
        (
            #""formatVersion": 1"#, #""formatVersion": 2, "firstReader": "0.9.0""#,
            "reads version 1; use SliceSeg 0.9.0 or newer."
        ),
        (#""formatVersion": 1"#, #""formatVersion": 0"#, "train or fetch the model again"),
    ])
    func `another format is refused with what to do`(
        text: String, replacement: String, nextStep: String
    ) throws {
        let error = try errorAfterReplacing(text, with: replacement)
        #expect(error?.code == .unknownFormat)
        #expect(error?.description.contains(nextStep) == true)
    }

    @Test func `a card tells the first version that reads it; one that does not is read`() throws {
        #expect(try tinyCard().firstReader == ModelCard.currentFirstReader)
        let old = try ModelCard.read(at: fixturePath("safetensors/bundle/model.json"))
        #expect(old.firstReader == nil && old.formatVersion == 1)
        for name in ModelBundle.shippedNames() {
            #expect(try ModelBundle.shipped(named: name).card.formatVersion == 1)
        }
    }

    @Test(arguments: [
        (#""name": "tiny","#, "", "field 'name' is missing"),
        (#""formatVersion": 1,"#, "", "field 'formatVersion' is missing"),
        (#""formatVersion": 1"#, #""formatVersion": "1""#, "'formatVersion' should be a whole"),
        (#""name": "tiny""#, #""name": 3"#, "field 'name' should be a text"),
        (#""name": "tiny""#, #""name": null"#, "field 'name' is empty"),
        (
            #""marginVoxels": 4"#, #""marginVoxels": "4""#,
            "'conform.marginVoxels' should be a whole"
        ),
        (#""marginVoxels": 4"#, #""marginVoxels": -4"#, "a margin of -4 voxels is negative"),
        (#""index": 53"#, #""index": 70000"#, "a number is too large"),
        (#""index": 53"#, #""index": "53""#, "field 'labels[1].index' should be"),
        (#""marginVoxels": 4"#, #""marginVoxels": 4.5"#, "not whole for its field"),
        (#""name": "tiny""#, #""name": "tiny", "name": "other""#, "'name' stands twice"),
        (#""index": 53"#, #""index": 17"#, "stands twice in the label table"),
        (#""aggregationWeight": 0.5,"#, "", "field 'planes[1].aggregationWeight' is missing"),
        (#""aggregationWeight": 0.5"#, #""aggregationWeight": "x""#, "should be a number"),
        (#""orientation": "LIA""#, #""orientation": "LIB""#, "'LIB' is not an orientation"),
        (#""kernel": 3"#, #""kernel": 4"#, "field 'architecture' is wrong: kernel must be odd"),
        (#""family": "sdNet""#, #""family": "vgg""#, "field 'architecture.family' is wrong"),
        (#""name": "tiny","#, #""name": "tiny""#, "the text is not JSON at line 4, byte 3"),
        (#""name": "tiny""#, #""name": """#, "has an empty 'name'"),
        (#""classes": 4"#, #""classes": 5"#, "lists 3 labels and 5 classes"),
        (#""plane": "sagittal""#, #""plane": "coronal""#, "lists a plane twice"),
        (#""aggregationWeight": 0.5"#, #""aggregationWeight": 0"#, "wrong sagittal plane: the agg"),
        (#""weights-coronal.saf"#, #""../weights-coronal.saf"#, "is not a plain file name"),
        (#""weights-coronal.safetensors""#, #""""#, "is not a plain file name"),
        (#""sha256": ""#, #""sha256": "G"#, "is not 64 hexadecimal digits"),
    ])
    func `what is wrong is said in a sentence with file and field`(
        text: String, replacement: String, reason: String
    ) throws {
        let error = try errorAfterReplacing(text, with: replacement)
        #expect(error?.code == .invalidCard)
        let description = error?.description ?? ""
        #expect(description.contains(reason), "\(description)")
        #expect(description.hasSuffix("."))
        #expect(description.hasPrefix("'"))
        #expect(!description.contains("\n") && !description.contains("CodingKeys"))
        #expect(!description.contains("..") || replacement.contains(".."), "\(description)")
    }

    @Test(arguments: [
        ([[0]], "fewer than two outputs"), ([[0], [1, 2], [3], []], "stands for no class"),
        ([[0], [1, 2], [4]], "class 4"), ([[0], [1, 2], [-1]], "class -1"),
        ([[0], [1, 2], [2, 3]], "two outputs stand for one class"),
        ([[0], [1]], "no output stands for the classes 2, 3"),
        ([[0, 1], [3]], "no output stands for class 2"),
    ])
    func `every class stands for exactly one output`(outputs: [[Int]], reason: String) throws {
        var card = try tinyCard()
        #expect(card.problem == nil)
        card.planes[1].outputClasses = outputs
        #expect(card.problem?.contains(reason) == true, "\(card.problem ?? "")")
    }

    @Test(arguments: [0.5...2, -3...(-1)])
    func `what is rounded between must hold zero, which fills the borders`(
        range: ClosedRange<Double>
    ) throws {
        var card = try tinyCard()
        card.planes[0].inputRanges = ["a": 0...1, "b": range]
        #expect(card.problem?.contains("the input range of 'b'") == true, "\(card.problem ?? "")")
        card.planes[0].inputRanges = ["a": 0...1, "b": -1...0]
        #expect(card.problem == nil)
    }

    @Test func `a card is written with one field a line, sorted, and comes back equal`() throws {
        let card = try tinyCard()
        try withTemporaryDirectory { folder in
            let bundle = try ModelBundle.write(
                card: card, networks: randomNetworks(of: card), to: folder + "/tiny")
            let path = folder + "/tiny/model.json"
            let text = try String(contentsOf: URL(filePath: path), encoding: .utf8)
            #expect(try ModelCard.read(at: path) == bundle.card)
            #expect(text.hasPrefix("{\n  \"accuracy\" : ["))
            #expect(text.hasSuffix("}\n"))
            #expect(text.contains("Random weights / for tests."))
            #expect(text.contains("\"seed\" : 18446744073709551615"))
            #expect(text.contains("\"mean\" : 0.5"))
        }
    }

    @Test func `a number that JSON cannot hold is refused by its field`() throws {
        var card = try tinyCard()
        card.accuracy[0].mean = .nan
        try withTemporaryDirectory { folder in
            let error = try bundleError {
                _ = try ModelBundle.write(
                    card: card, networks: randomNetworks(of: card), to: folder + "/tiny")
            }
            #expect(error?.code == .invalidCard)
            #expect(error?.description.contains("mean") == true)
            #expect(try directoryListing(folder) == [])
        }
    }
}
