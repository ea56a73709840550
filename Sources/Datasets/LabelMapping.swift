public import Volumes

/// Why a table of labels could not be read.
public struct LabelMappingError: Error, Hashable, CustomStringConvertible {
    /// The table's file.
    public let path: String
    /// The line that is wrong, counted from 1.
    public let line: Int
    /// The problem, and what to write instead.
    public let problem: String

    /// Makes an error about a line of a file.
    public init(path: String, line: Int, problem: String) {
        self.path = path
        self.line = line
        self.problem = problem
    }

    /// One sentence with the file, the line and the next step.
    public var description: String { "'\(path)', line \(line): \(problem)." }
}

/// The structures that a model learns, and which labels of a data set become each of them.
///
/// The file is a table with a header line, of tab-separated (`.tsv`) or comma-separated fields;
/// a field with the separator in it stands in double quotes in the latter:
///
///     index	name	color	source
///     2	Left-Cerebral-White-Matter	#f5f5f5	45
///     3	Left-Cerebral-Cortex	#cd3e4e	odd 101-207
///     16	Brain-Stem	#779fb0	35,61-62
///
/// - `index` is the label that we write, 1 to 65535. A row of index 0 may say what is background.
/// - `color` is `#rrggbb` or `r,g,b`.
/// - `source` lists the data set's labels: numbers and ranges (both ends included) with commas
///   between them; `odd` or `even` before a range keeps every second one; `n/a` is none. Without
///   the column each label stays as it is.
///
/// Labels that no row names become background. Other columns are left unread.
///
/// A `dseg.tsv` of BIDS, such as ``bidsTable(of:)`` writes, is taken as it is meant: its column
/// `mapping` is the class in BIDS's own short list, so that each label stays as it is. Where that
/// column could as well list labels of the data set, the table is refused.
public struct LabelMapping: Sendable, Hashable {
    /// The structures, in the order of the rows.
    public let table: LabelTable
    /// Our label for each of the 65,536 labels of the data set.
    private let target: [UInt16]

    /// The mapping that keeps the labels of a table and makes all others background.
    public init(identity table: LabelTable) {
        self.table = table
        var target = [UInt16](repeating: 0, count: Int(UInt16.max) + 1)
        for structure in table.structures { target[Int(structure.index)] = structure.index }
        self.target = target
    }

    private init(table: LabelTable, target: [UInt16]) {
        self.table = table
        self.target = target
    }

    /// Our label for a label of the data set; 0 where no row names it.
    public subscript(source: UInt16) -> UInt16 { target[Int(source)] }

    /// The label map with our labels in place of the data set's.
    public func apply(to map: LabelMap) -> LabelMap {
        LabelMap(grid: map.grid, labels: map.labels.map { target[Int($0)] })
    }

    /// Reads a table.
    ///
    /// - Parameters:
    ///   - text: The table's text.
    ///   - path: Its file, for the error.
    /// - Returns: The mapping.
    /// - Throws: ``LabelMappingError`` with the first line that is wrong.
    public static func parse(
        _ text: String, path: String
    ) throws(LabelMappingError) -> LabelMapping {
        let rows = try StructureRows(text, path: path, readsSources: true)
        guard rows.hasSources else { return LabelMapping(identity: rows.table) }
        var target = [UInt16](repeating: 0, count: Int(UInt16.max) + 1)
        var lineOfSource: [UInt16: Int] = [:]
        for row in rows.rows {
            for source in row.sources {
                if let earlier = lineOfSource.updateValue(row.line, forKey: source) {
                    throw LabelMappingError(
                        path: path, line: row.line,
                        problem: "label \(source) is mapped in line \(earlier) already; "
                            + "each label of the data set may become only one structure")
                }
                target[Int(source)] = row.index
            }
        }
        return LabelMapping(table: rows.table, target: target)
    }
}

/// Reads the structures of a `dseg.tsv` as BIDS has it; a `mapping` column is left unread.
///
/// - Parameters:
///   - text: The table's text: a header with at least `index` and `name`, `color` if there is one.
///   - path: Its file, for the error.
/// - Returns: The structures; a row of index 0 is background and not among them.
/// - Throws: ``LabelMappingError`` with the first line that is wrong.
public func labelTable(
    fromBIDS text: String, path: String
) throws(LabelMappingError) -> LabelTable {
    try StructureRows(text, path: path, readsSources: false).table
}

/// Writes a label table as a `dseg.tsv` of BIDS.
///
/// The columns are `index`, `name`, `color` (`#rrggbb`) and `mapping`: the structure's class in the
/// BIDS standard lookup, told from FreeSurfer's names (2 white matter, 3 fluid, 8 cortical and
/// 9 subcortical grey matter, 10 brain stem, 11 cerebellum), or `n/a` for other names.
///
/// Source: <https://bids-specification.readthedocs.io/en/stable/derivatives/imaging.html>.
public func bidsTable(of table: LabelTable) -> String {
    var text = "index\tname\tcolor\tmapping\n"
    for structure in table.structures {
        let mapping = bidsClass(ofKind: structure.nameWithoutSide).map(String.init) ?? "n/a"
        text +=
            "\(structure.index)\t\(structure.name)\t\(structure.color.hexadecimal)\t\(mapping)\n"
    }
    return text
}

/// The class of a structure of FreeSurfer's, named without its side, in the BIDS standard lookup.
private func bidsClass(ofKind kind: String) -> Int? {
    switch kind {
    case "Cerebral-White-Matter", "CC_Posterior", "CC_Mid_Posterior", "CC_Central",
        "CC_Mid_Anterior", "CC_Anterior", "Corpus_Callosum":
        return 2
    case "Lateral-Ventricle", "Inf-Lat-Vent", "3rd-Ventricle", "4th-Ventricle", "5th-Ventricle",
        "CSF":
        return 3
    case "Cerebral-Cortex":
        return 8
    case "Thalamus", "Thalamus-Proper", "Caudate", "Putamen", "Pallidum", "Hippocampus", "Amygdala",
        "Accumbens-area", "VentralDC":
        return 9
    case "Brain-Stem":
        return 10
    case "Cerebellum-White-Matter", "Cerebellum-Cortex":
        return 11
    default:
        return nil
    }
}

/// The column `mapping` of a table of BIDS: classes of its standard list.
private struct StandardClasses {
    /// The largest of the standard list: 0 background to 11 cerebellum.
    private static let largest = 11

    private var classes: [(class: Int, index: UInt16)] = []

    /// Adds a row's class.
    ///
    /// - Returns: What is wrong with it, or `nil`.
    mutating func add(_ text: String, index: UInt16) -> String? {
        if text == "n/a" || text.isEmpty { return nil }
        guard let value = Int(text), (0...Self.largest).contains(value) else {
            return "the column 'mapping' holds BIDS's standard classes, 0 to \(Self.largest), and "
                + "'\(text)' is none; name the column 'source' if it lists labels of the data set"
        }
        classes.append((value, index))
        return nil
    }

    /// A Boolean value indicating whether the column may as well list labels of the data set: each
    /// only once, and some not that of the row itself.
    var areAmbiguous: Bool {
        Set(classes.map(\.class)).count == classes.count
            && classes.contains { $0.class != Int($0.index) }
    }
}

/// The rows of a table of structures.
private struct StructureRows {
    struct Row {
        let line: Int
        let index: UInt16
        let sources: [UInt16]
    }

    private(set) var rows: [Row] = []
    let table: LabelTable
    let hasSources: Bool

    init(_ text: String, path: String, readsSources: Bool) throws(LabelMappingError) {
        func failure(_ line: Int, _ problem: String) -> LabelMappingError {
            LabelMappingError(path: path, line: line, problem: problem)
        }
        // A byte order mark, as spreadsheets write it, is no part of the first column's name.
        let content =
            text.unicodeScalars.first == "\u{FEFF}"
            ? text.unicodeScalars.dropFirst() : text.unicodeScalars[...]
        let lines = String(content).split(
            omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        let header = lines.first ?? ""
        let separator: Character = header.contains("\t") ? "\t" : ","
        guard let names = Self.fields(of: header, separator: separator) else {
            throw failure(1, "a quotation mark is not closed; close it")
        }
        func column(_ name: String) throws(LabelMappingError) -> Int? {
            let found = names.indices.filter { names[$0].lowercased() == name }
            if found.count > 1 { throw failure(1, "the column '\(name)' stands twice; remove one") }
            return found.first
        }
        guard let indexColumn = try column("index"), let nameColumn = try column("name") else {
            throw failure(
                1,
                "the header lacks 'index' or 'name'; write 'index', 'name', 'color' and 'source' "
                    + "with tabs between them")
        }
        let colorColumn = try column("color")
        let sourceColumn = readsSources ? try column("source") : nil
        hasSources = sourceColumn != nil
        let mappingColumn = readsSources && !hasSources ? try column("mapping") : nil
        var classes = StandardClasses()

        var structures: [Structure] = []
        var lineOfIndex: [UInt16: Int] = [:]
        for (number, content) in zip(1..., lines).dropFirst() {
            if content.allSatisfy(\.isWhitespace) { continue }
            guard let fields = Self.fields(of: content, separator: separator) else {
                throw failure(number, "a quotation mark is not closed; close it")
            }
            guard fields.count == names.count else {
                throw failure(
                    number,
                    "\(fields.count) fields under a header of \(names.count); "
                        + "separate them as the header does")
            }
            guard let index = UInt16(fields[indexColumn]) else {
                throw failure(
                    number,
                    "the index '\(fields[indexColumn])' is not a whole number from 0 to 65535")
            }
            if let earlier = lineOfIndex.updateValue(number, forKey: index) {
                throw failure(
                    number,
                    "the index \(index) stands in line \(earlier) already; give each "
                        + "structure its own")
            }
            let name = fields[nameColumn]
            guard !name.isEmpty else { throw failure(number, "the name is empty; write one") }
            if index != 0 {
                let colorText = colorColumn.map { fields[$0] } ?? "n/a"
                guard
                    let color = colorText == "n/a"
                        ? Self.standInColor(of: index) : LabelColor(colorText)
                else {
                    throw failure(
                        number,
                        "the color '\(colorText)' is neither like #cd3e4e nor like 205,62,78")
                }
                structures.append(Structure(index: index, name: name, color: color))
            }
            var sources: [UInt16] = []
            if let mappingColumn, let problem = classes.add(fields[mappingColumn], index: index) {
                throw failure(number, problem)
            }
            if let sourceColumn {
                guard let listed = Self.sources(in: fields[sourceColumn]) else {
                    throw failure(
                        number,
                        "the source '\(fields[sourceColumn])' is not a list like "
                            + "'45,101-207' or 'odd 101-207'; write n/a for no label")
                }
                sources = listed
            }
            rows.append(Row(line: number, index: index, sources: sources))
        }
        guard !structures.isEmpty, let table = LabelTable(structures) else {
            throw failure(
                max(1, lines.count),
                "the table holds no structure; add a row for each under the "
                    + "header")
        }
        if classes.areAmbiguous {
            throw failure(
                1,
                "the column 'mapping' may hold BIDS's standard classes or labels of the data set; "
                    + "name it 'source' in the latter case, or remove it")
        }
        self.table = table
    }

    /// A color that depends on the index alone, for tables without colors.
    private static func standInColor(of index: UInt16) -> LabelColor {
        var generator = SeededGenerator(seed: UInt64(index))
        let bits = generator.next()
        return LabelColor(
            red: UInt8(64 + bits % 192), green: UInt8(64 + bits >> 16 % 192),
            blue: UInt8(64 + bits >> 32 % 192))
    }

    /// The fields of a line, without spaces around them; `nil` where a quotation is not closed.
    private static func fields(of line: Substring, separator: Character) -> [String]? {
        if separator == "\t" {
            return line.split(separator: separator, omittingEmptySubsequences: false).map(trimmed)
        }
        var fields: [String] = []
        var field = ""
        var isQuoted = false
        for character in line {
            if character == "\"" {
                isQuoted.toggle()
            } else if character == separator, !isQuoted {
                fields.append(trimmed(field[...]))
                field = ""
            } else {
                field.append(character)
            }
        }
        fields.append(trimmed(field[...]))
        return isQuoted ? nil : fields
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }

    /// The labels of a list such as `45,101-207` or `odd 101-207`; `nil` where it is malformed.
    private static func sources(in list: String) -> [UInt16]? {
        if list == "n/a" { return [] }
        var sources: [UInt16] = []
        for part in list.split(separator: ",", omittingEmptySubsequences: false) {
            let words = part.split(whereSeparator: \.isWhitespace)
            guard let last = words.last, words.count <= 2 else { return nil }
            let bounds = last.split(separator: "-", omittingEmptySubsequences: false)
                .map { UInt16($0) }
            guard bounds.count <= 2, let lower = bounds[0], let upper = bounds[bounds.count - 1],
                lower <= upper
            else { return nil }
            let range = lower...upper
            if words.count == 1 {
                sources += range
            } else {
                switch words[0] {
                case "odd": sources += range.filter { $0 % 2 == 1 }
                case "even": sources += range.filter { $0 % 2 == 0 }
                default: return nil
                }
            }
        }
        return sources
    }
}
