import Datasets
import Foundation
import ModelBundles
import Pipelines
import Preprocessing
import SegmentationModels
import TestSupport
import Testing
import Training
import VolumeIO
import Volumes
import Yams

/// The configurations in `pipelines/` and the models that were trained by them.
struct ShippedConfigurationTests {
    @Test(arguments: ["brain-any": 32, "brain-mask": 1, "brain-mri": 27, "phantom": 15])
    func `the shipped configurations are those of the shipped models`(
        name: String, structures: Int
    ) throws {
        let folder = fixturePath("../pipelines")
        let text = try String(contentsOfFile: "\(folder)/\(name).yaml", encoding: .utf8)
        let configuration = try YAMLDecoder().decode(TrainingConfiguration.self, from: text)
        #expect(configuration.name == name)
        let table = "\(folder)/\(configuration.cases.labels)"
        let mapping = try LabelMapping.parse(
            String(contentsOfFile: table, encoding: .utf8), path: table)
        #expect(mapping.table.structures.count == structures)
        if name == "phantom" { #expect(mapping.table == phantomLabelTable) }

        let card = try ModelBundle.shipped(named: name).card
        #expect(card.planes.map(\.plane) == configuration.planes.map(\.plane))
        #expect(card.planes.map(\.aggregationWeight) == configuration.planes.map(\.weight))
        #expect(card.labels == mapping.table)
        #expect(card.conform == configuration.conform)
        var architecture = configuration.architecture
        architecture.classes = mapping.table.structures.count + 1
        #expect(card.architecture == architecture)
    }

    @Test func `the shipped classifier is that of its configuration`() throws {
        let path = fixturePath("../pipelines/scan-check.yaml")
        let configuration = try YAMLDecoder().decode(
            TrainingConfiguration.self, from: String(contentsOfFile: path, encoding: .utf8))
        let source = try #require(configuration.cases.classes)
        let card = try ModelBundle.shipped(named: checkModel).card
        let classes = try #require(card.classification)
        #expect(classes.kinds == source.synthetic.map(\.name))
        #expect(classes.tellsOrientation == source.tellsOrientation)
        #expect(card.labels.structures.count == classes.kinds.count * 16)
        #expect(card.conform == configuration.conform)
        var architecture = configuration.architecture
        architecture.classes = card.labels.classCount
        #expect(card.architecture == architecture)
    }

    @Test func `the configuration for CT takes Hounsfield units in axial slices`() throws {
        let folder = fixturePath("../pipelines")
        let text = try String(contentsOfFile: "\(folder)/ct-organs.yaml", encoding: .utf8)
        let configuration = try YAMLDecoder().decode(TrainingConfiguration.self, from: text)
        #expect(configuration.conform.intensity == .window(lower: -160, upper: 240))
        #expect(configuration.planes.map(\.plane) == [.axial])
        #expect(configuration.cases.files?.map(\.name) == ["example_ct"])
    }

    @Test(
        .enabled(
            if: sharedDataPath("ct/labels_total.tsv") != nil,
            "needs ../shared/data/ct/labels_total.tsv"))
    func `the organs in CT have the labels of the data set`() throws {
        let table = fixturePath("../pipelines/labels/ct-organs.tsv")
        let organs = try LabelMapping.parse(
            String(contentsOfFile: table, encoding: .utf8), path: table
        ).table.structures
        let path = try #require(sharedDataPath("ct/labels_total.tsv"))
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        let nameOfLabel = Dictionary(
            uniqueKeysWithValues: lines.map { line in
                let fields = line.split(separator: "\t").map(String.init)
                return (UInt16(fields[0]), fields[1])
            })
        #expect(!organs.isEmpty)
        for organ in organs { #expect(nameOfLabel[organ.index] == organ.name) }
    }
}
