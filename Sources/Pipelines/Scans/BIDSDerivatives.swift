import Files
import Foundation

/// The sources of a derivative's scans: the names of raw datasets in BIDS URIs.
///
/// `bids:raw:sub-01/…` is a path in the dataset whose place `DatasetLinks` of the
/// `dataset_description.json` gives under `raw`.
struct BIDSSources: Sendable {
    /// Names and places as `DatasetLinks` has them.
    private(set) var links: [String: String]
    private var nameOfRoot: [String: String] = [:]
    private var descriptions: [String: DatasetDescription] = [:]

    /// Gives the datasets of some scans names.
    ///
    /// Those that an earlier run into the same folder has given stay, as its files use them.
    ///
    /// - Parameters:
    ///   - scans: The scans.
    ///   - output: The derivative's folder.
    init(of scans: [ScanFile], output: String) {
        links = DatasetDescription.read(in: output)?.datasetLinks ?? [:]
        for case .bids(let scan) in scans.map(\.origin) where nameOfRoot[scan.dataset] == nil {
            let place = Self.place(of: scan.dataset, from: output)
            if let known = links.first(where: { $0.value == place }) {
                nameOfRoot[scan.dataset] = known.key
            } else {
                var name = "raw"
                var number = 2
                while links[name] != nil {
                    name = "raw\(number)"
                    number += 1
                }
                links[name] = place
                nameOfRoot[scan.dataset] = name
            }
            descriptions[scan.dataset] = DatasetDescription.read(in: scan.dataset)
        }
    }

    /// A Boolean value indicating whether no file of the folder is made from a BIDS dataset.
    var isEmpty: Bool { links.isEmpty }

    /// The BIDS URI of a scan.
    func address(of scan: BIDSScan) -> String {
        let path = scan.relativePath.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed)
        return "bids:\(nameOfRoot[scan.dataset] ?? "raw"):\(path ?? scan.relativePath)"
    }

    /// The datasets as `SourceDatasets` has them.
    var sourceDatasets: [DatasetDescription.Source] {
        let identifierOfPlace = Dictionary(
            nameOfRoot.compactMap { root, name in
                links[name].flatMap { place in
                    descriptions[root]?.datasetIdentifier.map { (place, $0) }
                }
            }, uniquingKeysWith: { first, _ in first })
        return links.sorted { $0.key < $1.key }.map {
            DatasetDescription.Source(url: $0.value, identifier: identifierOfPlace[$0.value])
        }
    }

    /// A folder's place: relative where the output lies in it, so that both can move together.
    private static func place(of root: String, from output: String) -> String {
        let (root, output) = (resolvedPath(root), resolvedPath(output))
        let (parts, ownParts) = (root.split(separator: "/"), output.split(separator: "/"))
        if ownParts.starts(with: parts), ownParts.count > parts.count {
            return Array(repeating: "..", count: ownParts.count - parts.count)
                .joined(separator: "/")
        }
        let path = root.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? root
        return "file://" + path
    }
}

/// The name prefix of a BIDS scan's outputs: its own entities, its space and the model.
///
/// `sub-01/anat/sub-01_acq-fast` becomes `sub-01/anat/sub-01_acq-fast_space-orig_seg-brainmri`;
/// `orig` is the space of the scan itself.
///
/// Source: BIDS 1.10, "Derivatives", "Imaging data types", "Discrete segmentations".
///
/// - Parameters:
///   - outputName: The scan's name without its suffix, with its folders.
///   - model: The model's name, of which the letters and digits count, as in every label of BIDS.
/// - Returns: The name; what is not composed as BIDS wants it stays as it is.
package func derivativeName(of outputName: String, model: String) -> String {
    let parts = outputName.split(separator: "/", omittingEmptySubsequences: false)
    guard let last = parts.last, var name = BIDSName(String(last)), name.suffix == nil else {
        return outputName
    }
    if name["space"] == nil { name["space"] = "orig" }
    if name["seg"] == nil {
        let label = model.filter { $0.isASCII && ($0.isLetter || $0.isNumber) }
        name["seg"] = label.isEmpty ? "model" : label
    }
    return joined(parts.dropLast().joined(separator: "/"), name.text)
}

/// The text of `.bidsignore`: the files of a run that BIDS has no place for.
let bidsIgnoredFiles = """
    *_volumes.tsv
    *.stats
    *_qc.png
    /*.tsv
    /*.csv
    /*.html
    /*-files
    /run.json
    /ledger*
    /summary.json

    """

/// Gives scans of BIDS datasets the names that derivatives have there.
///
/// - Parameters:
///   - scans: The scans.
///   - model: The model's name, which becomes a part of theirs.
/// - Returns: The scans with ``ScanFile/fileName`` set.
/// - Throws: ``UsageError`` where two scans would write the same files.
package func namedAsDerivatives(
    _ scans: [ScanFile], model: String
) throws(UsageError) -> [ScanFile] {
    var pathOfName: [String: String] = [:]
    var named: [ScanFile] = []
    for var scan in scans {
        if case .bids = scan.origin {
            scan.fileName = derivativeName(of: scan.outputName, model: model)
        }
        if let earlier = pathOfName.updateValue(scan.path, forKey: scan.fileName) {
            throw sameOutput(earlier, scan.path, name: scan.fileName)
        }
        named.append(scan)
    }
    return named
}

extension DatasetDescription {
    /// The description of a folder of segmentations.
    static func segmentations(of sources: BIDSSources) -> DatasetDescription {
        DatasetDescription(
            name: "SliceSeg segmentations", bidsVersion: "1.10.0", datasetType: "derivative",
            generatedBy: [Generator(name: "SliceSeg", version: softwareVersion)],
            sourceDatasets: sources.isEmpty ? nil : sources.sourceDatasets,
            datasetLinks: sources.isEmpty ? nil : sources.links)
    }
}
