import Foundation
import Testing
import Volumes

struct OrientationTests {
    @Test func `there are 48, all different, and letters name them`() {
        let all = Orientation.allCases
        #expect(Set(all).count == 48)
        #expect(Set(all.map(\.description)).count == 48)
        for orientation in all {
            #expect(Orientation(orientation.description) == orientation)
            #expect(Orientation(orientation.description.lowercased()) == orientation)
        }
    }

    @Test(arguments: Orientation.allCases)
    func `an affine along the letters has that orientation`(orientation: Orientation) {
        let columns = orientation.axes.enumerated().map { axis, direction in
            var column = SIMD3<Double>.zero
            column[direction.worldAxis] = (direction.isPositive ? 1 : -1) * Double(axis + 1)
            return column
        }
        let affine = Affine(columns: columns, translation: SIMD3(5, -6, 7))
        #expect(Orientation(of: affine) == orientation)
        for axis in 0..<3 {
            #expect(orientation.storageAxis(ofWorldAxis: orientation.axes[axis].worldAxis) == axis)
        }
    }

    @Test(arguments: ["", "RA", "RASS", "RLS", "RAX", "RSS", "R S"])
    func `is refused where letters are wrong`(code: String) {
        #expect(Orientation(code) == nil)
    }

    @Test func `is written in JSON as its letters`() throws {
        let encoded = try JSONEncoder().encode(["LIA", "RAS"].map(Orientation.init))
        #expect(String(decoding: encoded, as: UTF8.self) == #"["LIA","RAS"]"#)
        #expect(
            try JSONDecoder().decode([Orientation].self, from: encoded).first?.axes.first == .left)
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([Orientation].self, from: Data(#"["LRA"]"#.utf8))
        }
    }

    @Test func `each plane is stacked along its own world axis`() {
        #expect(Plane.sagittal.worldAxis == 0)
        #expect(Plane.coronal.worldAxis == 1)
        #expect(Plane.axial.worldAxis == 2)
    }
}
