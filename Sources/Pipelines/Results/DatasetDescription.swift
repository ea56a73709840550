import Files
import Foundation

/// `dataset_description.json`, by which BIDS tools know what a folder holds.
struct DatasetDescription: Sendable, Codable {
    struct Generator: Sendable, Codable {
        var name: String
        var version: String?

        enum CodingKeys: String, CodingKey {
            case name = "Name"
            case version = "Version"
        }
    }

    /// A dataset from which this one was made.
    struct Source: Sendable, Codable {
        var url: String
        var identifier: String?

        enum CodingKeys: String, CodingKey {
            case url = "URL"
            case identifier = "DOI"
        }
    }

    static let fileName = "dataset_description.json"

    var name: String
    var bidsVersion: String?
    var datasetType: String?
    var generatedBy: [Generator]?
    var sourceDatasets: [Source]?
    var datasetLinks: [String: String]?
    var datasetIdentifier: String?

    enum CodingKeys: String, CodingKey {
        case name = "Name"
        case bidsVersion = "BIDSVersion"
        case datasetType = "DatasetType"
        case generatedBy = "GeneratedBy"
        case sourceDatasets = "SourceDatasets"
        case datasetLinks = "DatasetLinks"
        case datasetIdentifier = "DatasetDOI"
    }

    /// A Boolean value indicating whether this program wrote it.
    var isOurs: Bool { generatedBy?.contains { $0.name == "SliceSeg" } == true }

    /// The description in a folder, or `nil` where there is none that can be read.
    static func read(in folder: String) -> DatasetDescription? {
        decodeJSON(DatasetDescription.self, at: joined(folder, fileName))
    }
}

/// Returns whether a folder holds results of this program.
func holdsOurResults(_ folder: String) -> Bool {
    DatasetDescription.read(in: folder)?.isOurs == true
}
