import Reports
import Testing
import Volumes

/// A volume stored in RAS order with values by anatomical index.
private struct Anatomy {
    var size: SIMD3<Int>
    var spacing = SIMD3(1.0, 1, 1)
    var intensity: (SIMD3<Int>) -> Float
    var label: (SIMD3<Int>) -> UInt16

    /// The anatomy stored in an orientation.
    func stored(as orientation: Orientation = .ras) -> (scan: Volume, labels: LabelMap) {
        let worldAxes = orientation.axes.map(\.worldAxis)
        let storedSize = GridSize(size[worldAxes[0]], size[worldAxes[1]], size[worldAxes[2]])
        var columns = [SIMD3<Double>](repeating: .zero, count: 3)
        var translation = SIMD3(-30.0, 12, 5)
        for axis in 0..<3 {
            let world = worldAxes[axis]
            let isPositive = orientation.axes[axis].isPositive
            columns[axis][world] = isPositive ? spacing[world] : -spacing[world]
            if !isPositive { translation[world] += spacing[world] * Double(size[world] - 1) }
        }
        let grid = Grid(
            size: storedSize, affine: Affine(columns: columns, translation: translation))
        var scan = Volume(grid: grid, voxels: Array(repeating: 0, count: storedSize.count))
        var labels = LabelMap(grid: grid, labels: Array(repeating: 0, count: storedSize.count))
        for k in 0..<storedSize.z {
            for j in 0..<storedSize.y {
                for i in 0..<storedSize.x {
                    var index = SIMD3(0, 0, 0)
                    for (axis, value) in [i, j, k].enumerated() {
                        let world = worldAxes[axis]
                        index[world] =
                            orientation.axes[axis].isPositive ? value : size[world] - 1 - value
                    }
                    scan[i, j, k] = intensity(index)
                    labels[i, j, k] = label(index)
                }
            }
        }
        return (scan, labels)
    }
}

private func table(_ structures: (UInt16, String, LabelColor)...) throws -> LabelTable {
    try #require(
        LabelTable(structures.map { Structure(index: $0.0, name: $0.1, color: $0.2) }))
}

private let orange = LabelColor(red: 200, green: 100, blue: 0)
private let blue = LabelColor(red: 0, green: 0, blue: 255)

@Suite struct QualityControlPictureTests {
    /// A bright cube whose left half is dimmer, with a label in the middle of the dim half.
    private let cube = Anatomy(
        size: SIMD3(40, 40, 40),
        intensity: { index in
            guard (4..<36).contains(index) else { return 0 }
            return index.x < 20 ? 50 : 100
        },
        label: { (8..<16).contains($0.x) && (12..<28).contains($0.y, $0.z) ? 7 : 0 })

    @Test func `a label's color is blended with the gray below it`() throws {
        let (scan, labels) = cube.stored()
        let table = try table((7, "Cube", orange))
        let picture = qualityControlPicture(scan: scan, labels: labels, table: table)
        let layout = PictureLayout(scan: scan, labels: labels, table: table, title: "")
        let tile = try #require(layout.tiles.first { $0.plane == .sagittal })
        #expect(labels[tile.index, 20, 20] == 7)
        // The window runs from 0 to 100, so the dim half is 127.5 of 255.
        // 127.5 + 0.35 (200 - 127.5), 127.5 + 0.35 (100 - 127.5), 127.5 (1 - 0.35)
        let center = picture[tile.x + tile.width / 2, tile.y + tile.height / 2]
        #expect(center == LabelColor(red: 153, green: 118, blue: 83))
        // The border, with 0.9: walk left from the centre to the last labelled pixel.
        var x = tile.x + tile.width / 2
        let y = tile.y + tile.height / 2
        while picture[x - 1, y] == center { x -= 1 }
        #expect(picture[x - 1, y] == LabelColor(red: 193, green: 103, blue: 13))
        #expect(picture[x - 2, y] == LabelColor(red: 128, green: 128, blue: 128))
    }

    @Test func `the patient's right is at the left, the front and the top are up`() throws {
        // Label 1 lies right, in front and on top of label 2.
        let anatomy = Anatomy(
            size: SIMD3(30, 36, 33),
            intensity: { (2..<28).contains($0) ? 10 : 0 },
            label: { index in
                if (16..<26).contains(index) { return 1 }
                return (4..<14).contains(index) ? 2 : 0
            })
        let (scan, labels) = anatomy.stored()
        let table = try table((1, "right front top", orange), (2, "left back bottom", blue))
        let picture = qualityControlPicture(scan: scan, labels: labels, table: table)
        let layout = PictureLayout(scan: scan, labels: labels, table: table, title: "")
        func isIn(_ tile: SliceTile, _ color: LabelColor) -> Bool {
            (0..<tile.height).contains { y in
                (0..<tile.width).contains { picture[tile.x + $0, tile.y + y] == color }
            }
        }
        // Gray is white here: 255 - 0.35 (255 - channel).
        let orangeFill = LabelColor(red: 236, green: 201, blue: 166)
        let blueFill = LabelColor(red: 166, green: 166, blue: 255)
        for plane in Plane.allCases {
            let tiles = layout.tiles.filter { $0.plane == plane }
            #expect(tiles.count == 3)
            // Slices come from the right, the front and the top on.
            #expect(isIn(tiles[0], orangeFill) && !isIn(tiles[0], blueFill))
            #expect(isIn(tiles[2], blueFill) && !isIn(tiles[2], orangeFill))
            // Label 1 lies in the upper left of each of its slices, label 2 in the lower right.
            for y in 0..<tiles[0].height {
                for x in 0..<tiles[0].width {
                    let isUpperLeft = x < tiles[0].width / 2 && y < tiles[0].height / 2
                    let isLowerRight = x > tiles[0].width / 2 && y > tiles[0].height / 2
                    if picture[tiles[0].x + x, tiles[0].y + y] == orangeFill {
                        #expect(isUpperLeft)
                    }
                    if picture[tiles[2].x + x, tiles[2].y + y] == blueFill {
                        #expect(isLowerRight)
                    }
                }
            }
        }
    }

    @Test func `all 48 storage orders of one anatomy give one picture`() throws {
        let anatomy = Anatomy(
            size: SIMD3(15, 11, 9), spacing: SIMD3(1, 1.25, 2.5),
            intensity: { Float(($0.x * 31 + $0.y * 17 + $0.z * 7) % 23) },
            label: { index in
                (3..<12).contains(index.x) && (2..<8).contains(index.y, index.z)
                    ? UInt16(1 + (index.x + 2 * index.y) % 3) : 0
            })
        let table = try table((1, "one", orange), (2, "two", blue))
        let (scan, labels) = anatomy.stored()
        let expected = qualityControlPicture(
            scan: scan, labels: labels, table: table, title: "case")
        #expect(Orientation.allCases.count == 48)
        for orientation in Orientation.allCases {
            let (scan, labels) = anatomy.stored(as: orientation)
            #expect(scan.grid.orientation == orientation)
            let picture = qualityControlPicture(
                scan: scan, labels: labels, table: table, title: "case")
            #expect(picture == expected, "\(orientation)")
        }
    }

    @Test func `pixels are square in millimetres`() throws {
        // A ball of 20 mm radius in voxels of 1 x 2 x 4 mm.
        let center = SIMD3(30.0, 30, 30)
        let anatomy = Anatomy(
            size: SIMD3(60, 30, 15), spacing: SIMD3(1, 2, 4),
            intensity: { _ in 1 },
            label: { index in
                let position = SIMD3(
                    Double(index.x) + 0.5, (Double(index.y) + 0.5) * 2, (Double(index.z) + 0.5) * 4)
                return (position - center).length <= 20 ? 1 : 0
            })
        let (scan, labels) = anatomy.stored()
        let layout = PictureLayout(
            scan: scan, labels: labels, table: try table((1, "ball", orange)), title: "")
        for tile in layout.tiles {
            // What is shown is a cube of 60 mm in every direction, up to rounding to voxels.
            #expect(abs(tile.width - tile.height) <= 1)
        }
    }

    @Test func `a stray label far away does not pull the slices off the structure`() throws {
        var anatomy = cube
        let inner = anatomy.label
        anatomy.label = { $0 == SIMD3(39, 39, 39) ? 7 : inner($0) }
        let (scan, labels) = anatomy.stored()
        let layout = PictureLayout(
            scan: scan, labels: labels, table: try table((7, "Cube", orange)), title: "")
        for tile in layout.tiles where tile.plane == .sagittal {
            #expect((8..<16).contains(tile.index))
        }
    }

    @Test func `an empty map is drawn and said to be empty`() throws {
        var anatomy = cube
        anatomy.label = { _ in 0 }
        let (scan, labels) = anatomy.stored()
        let picture = qualityControlPicture(
            scan: scan, labels: labels, table: try table((7, "Cube", orange)), title: "empty")
        let amber = LabelColor(red: 255, green: 176, blue: 64)
        #expect(
            (0..<picture.height).contains { y in
                (0..<picture.width).contains { picture[$0, y] == amber }
            })
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity, 0, 5])
    func `a scan of one value is drawn`(value: Float) throws {
        var anatomy = cube
        anatomy.intensity = { _ in value }
        let (scan, labels) = anatomy.stored()
        let picture = qualityControlPicture(
            scan: scan, labels: labels, table: try table((7, "Cube", orange)))
        #expect(picture.width >= 900)
    }

    @Test func `one voxel is drawn`() throws {
        let anatomy = Anatomy(size: SIMD3(1, 1, 1), intensity: { _ in 3 }, label: { _ in 1 })
        let (scan, labels) = anatomy.stored()
        let picture = qualityControlPicture(
            scan: scan, labels: labels, table: try table((1, "voxel", orange)), title: "x")
        #expect(picture.width >= 900)
    }

    @Test func `hundreds of structures without names fit`() throws {
        let anatomy = Anatomy(
            size: SIMD3(20, 20, 20), intensity: { Float($0.x) },
            label: { UInt16($0.x + 20 * $0.y) * 150 })
        let (scan, labels) = anatomy.stored()
        let picture = qualityControlPicture(
            scan: scan, labels: labels, table: try table((1, "absent", orange)))
        #expect(picture.width < 2400 && picture.height < 1300)
    }

    @Test func `a long title is cut and foreign letters fall back`() throws {
        let (scan, labels) = cube.stored()
        let table = try table((7, "Cube", orange))
        func picture(_ title: String) -> Picture {
            qualityControlPicture(scan: scan, labels: labels, table: table, title: title)
        }
        let long = String(repeating: "abcdefgh", count: 60)
        #expect(picture(long) == picture(long + "i"))
        #expect(picture("Zoë 東\n") == picture("Zoe ??"))
    }
}

extension Range<Int> {
    /// Whether all indices lie in the range.
    fileprivate func contains(_ index: SIMD3<Int>) -> Bool {
        contains(index.x) && contains(index.y) && contains(index.z)
    }

    /// Whether both indices lie in the range.
    fileprivate func contains(_ first: Int, _ second: Int) -> Bool {
        contains(first) && contains(second)
    }
}
