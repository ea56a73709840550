import Volumes

/// A tissue of the brain as fMRIPrep numbers them.
enum Tissue: UInt16, CaseIterable {
    case greyMatter = 1
    case whiteMatter = 2
    case cerebrospinalFluid = 3

    /// The label in BIDS names.
    var label: String {
        switch self {
        case .greyMatter: "GM"
        case .whiteMatter: "WM"
        case .cerebrospinalFluid: "CSF"
        }
    }

    /// The tissue of a structure by FreeSurfer's index, or `nil` where it is none of the three.
    ///
    /// Source: the table by which smriprep makes tissues of FreeSurfer's aseg.
    init?(structure index: UInt16) {
        switch index {
        case 2, 7, 16, 28, 41, 46, 60, 77...79, 250...255: self = .whiteMatter
        case 4, 5, 14, 15, 24, 43, 44, 72: self = .cerebrospinalFluid
        case 3, 8...13, 17...20, 26...39, 42, 47...71: self = .greyMatter
        default: return nil
        }
    }

    /// The meaning of a tissue map's values.
    static let table: LabelTable = {
        let structures = [
            Structure(index: 1, name: "GM", color: LabelColor(red: 205, green: 62, blue: 78)),
            Structure(index: 2, name: "WM", color: LabelColor(red: 245, green: 245, blue: 245)),
            Structure(index: 3, name: "CSF", color: LabelColor(red: 60, green: 60, blue: 60)),
        ]
        guard let table = LabelTable(structures) else { preconditionFailure("three tissues") }
        return table
    }()
}
