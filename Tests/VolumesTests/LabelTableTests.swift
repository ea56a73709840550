import Foundation
import Testing
import Volumes

struct LabelTableTests {
    let structures = [
        Structure(
            index: 17, name: "Left-Hippocampus",
            color: LabelColor(red: 220, green: 216, blue: 20)),
        Structure(
            index: 2, name: "Left-Cerebral-White-Matter",
            color: LabelColor(red: 245, green: 245, blue: 245)),
    ]

    @Test func `classes are background and then the structures in order`() throws {
        let table = try #require(LabelTable(structures))
        #expect(table.labelOfClass == [0, 17, 2])
        let classes = table.classOfLabel()
        #expect(classes.count == 65536)
        #expect(classes[17] == 1 && classes[2] == 2)
        #expect(classes.count { $0 != 0 } == 2)
        #expect(table[17]?.name == "Left-Hippocampus")
        #expect(table[18] == nil)
    }

    @Test func `an index that stands twice or is background's is refused`() {
        #expect(LabelTable([structures[0], structures[0]]) == nil)
        let background = Structure(
            index: 0, name: "Unknown", color: LabelColor(red: 0, green: 0, blue: 0))
        #expect(LabelTable([background]) == nil)
    }

    @Test func `JSON holds the table and is checked`() throws {
        let table = try #require(LabelTable(structures))
        let encoded = try JSONEncoder().encode(table)
        #expect(try JSONDecoder().decode(LabelTable.self, from: encoded) == table)
        let twice = try JSONEncoder().encode([structures[1], structures[1]])
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(LabelTable.self, from: twice)
        }
    }

    @Test(arguments: [
        ("#dcd814", 220, 216, 20), ("220,216,20", 220, 216, 20), ("#000000", 0, 0, 0),
        ("255,0,7", 255, 0, 7),
    ])
    func `colors are read`(text: String, red: UInt8, green: UInt8, blue: UInt8) {
        #expect(LabelColor(text) == LabelColor(red: red, green: green, blue: blue))
    }

    @Test(arguments: ["", "#12345", "#gggggg", "1,2", "1,2,3,4", "256,0,0", "red"])
    func `what is no color is refused`(text: String) {
        #expect(LabelColor(text) == nil)
    }

    @Test func `colors are written as BIDS does`() {
        #expect(LabelColor(red: 5, green: 62, blue: 255).hexadecimal == "#053eff")
    }
}

struct BodySideTests {
    private static let color = LabelColor(red: 0, green: 0, blue: 0)

    @Test(arguments: [
        ("Left-Thalamus", BodySide.left, "Thalamus"), ("Right-Thalamus", .right, "Thalamus"),
        ("ctx-lh-cuneus", .left, "ctx-cuneus"), ("ctx-rh-cuneus", .right, "ctx-cuneus"),
        ("Brain-Stem", nil, "Brain-Stem"), ("Leftover", nil, "Leftover"),
    ])
    func `a name begins with its side`(name: String, side: BodySide?, rest: String) {
        let structure = Structure(index: 1, name: name, color: Self.color)
        #expect(structure.side == side)
        #expect(structure.nameWithoutSide == rest)
    }

    @Test func `left and right of one name are a pair, in any order`() throws {
        let names = ["Right-A", "Left-B", "Left-A", "C", "ctx-lh-B", "ctx-rh-B"]
        let table = try #require(
            LabelTable(
                names.enumerated().map {
                    Structure(index: UInt16($0 + 1), name: $1, color: Self.color)
                }))
        #expect(
            table.sidePairs == [
                .init(name: "A", left: 2, right: 0), .init(name: "ctx-B", left: 4, right: 5),
            ])
        #expect(table.classCount == 7)
    }
}
