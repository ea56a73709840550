import CPNG
import Foundation
import Parallel
import SegmentationMetrics
import Volumes

/// The pictures of one case as the page's viewer reads them: gray levels and label codes of a box
/// around what is labelled, from left to right, back to front and bottom to top.
package struct CaseImages {
    /// The placement of an array's voxels in the box.
    package struct Lattice: Hashable {
        /// Voxels along left-right, back-front and down-up.
        package var size: SIMD3<Int>
        /// The number of the scan's voxels per voxel, along the same axes.
        package var factor: SIMD3<Int>
    }

    /// Gray levels run from 0 to this; finer steps would be noise.
    package static let brightest: UInt8 = 63

    /// Voxels of the whole scan along left-right, back-front and down-up.
    package let fullSize: SIMD3<Int>
    /// The start of the box in the array.
    package let origin: SIMD3<Int>
    /// Voxels of the box.
    package let extent: SIMD3<Int>
    /// Voxel edges in millimetres.
    package let spacing: SIMD3<Double>
    /// The placement of the gray levels.
    package let scanLattice: Lattice
    /// The gray levels, x fastest; `nil` without a scan.
    package private(set) var scan: [UInt8]?
    /// The placement of the labels.
    package let labelLattice: Lattice
    /// The label of each code; code 0 is background.
    package let labelOfCode: [UInt16]
    /// The prediction's codes, x fastest; `nil` without one.
    package private(set) var prediction: [UInt16]?
    /// The reference's codes, x fastest; `nil` without one.
    package private(set) var reference: [UInt16]?

    /// Cuts the pictures out of a case's volumes; `nil` where there is no volume at all.
    ///
    /// - Parameters:
    ///   - volumes: The volumes, all on one grid.
    ///   - marginMillimeters: How much is shown around what is labelled.
    ///   - scanVoxels: About how many gray levels are kept; neighbours are averaged beyond it.
    ///   - labelVoxels: How many label codes are kept at most; every second is left out beyond it.
    /// - Precondition: the volumes have one size and one orientation.
    package init?(
        of volumes: ReportVolumes, marginMillimeters: Double = 12, scanVoxels: Int = 2 << 20,
        labelVoxels: Int = 16 << 20
    ) {
        let maps = [volumes.prediction, volumes.reference].compactMap(\.self)
        guard let grid = volumes.scan?.grid ?? maps.first?.grid else { return nil }
        for other in maps.map(\.grid) {
            precondition(
                other.size == grid.size && other.orientation == grid.orientation,
                "grids differ: \(grid.size) \(grid.orientation), \(other.size) \(other.orientation)"
            )
        }
        let view = AnatomicalView(of: grid)
        fullSize = SIMD3(view.size[0], view.size[1], view.size[2])
        spacing = SIMD3(view.spacing[0], view.spacing[1], view.spacing[2])

        var lower = SIMD3(repeating: 0)
        var upper = fullSize
        let isLabelled = maps.map { map in view.countsPerSlice { map.labels[$0] != 0 } }
        for axis in 0..<3 {
            let inSlices = (0..<view.size[axis]).filter { slice in
                isLabelled.contains { $0[axis][slice] > 0 }
            }
            guard let first = inSlices.first, let last = inSlices.last else { continue }
            let margin = Int((marginMillimeters / spacing[axis]).rounded(.up))
            lower[axis] = max(0, first - margin)
            upper[axis] = min(fullSize[axis], last + 1 + margin)
        }
        origin = lower
        extent = upper &- lower

        labelLattice = Lattice(covering: extent, spacing: spacing, voxels: labelVoxels)
        scanLattice = Lattice(covering: extent, spacing: spacing, voxels: scanVoxels)
        var isPresent = [Bool](repeating: false, count: Int(UInt16.max) + 1)
        for map in maps { for label in map.labels { isPresent[Int(label)] = true } }
        labelOfCode = [0] + (1...UInt16.max).filter { isPresent[Int($0)] }
        var codeOfLabel = [UInt16](repeating: 0, count: Int(UInt16.max) + 1)
        for (code, label) in labelOfCode.enumerated() { codeOfLabel[Int(label)] = UInt16(code) }

        prediction = volumes.prediction.map { codes(of: $0, view: view, codeOfLabel: codeOfLabel) }
        reference = volumes.reference.map { codes(of: $0, view: view, codeOfLabel: codeOfLabel) }
        scan = volumes.scan.map { levels(of: $0, view: view) }
    }

    private func codes(
        of map: LabelMap, view: AnatomicalView, codeOfLabel: [UInt16]
    ) -> [UInt16] {
        var codes: [UInt16] = []
        codes.reserveCapacity(labelLattice.count)
        // The middle voxel of each block stands for it.
        let start = origin &+ labelLattice.factor / 2
        let last = origin &+ extent &- 1
        for z in 0..<labelLattice.size.z {
            for y in 0..<labelLattice.size.y {
                for x in 0..<labelLattice.size.x {
                    let voxel = start &+ SIMD3(x, y, z) &* labelLattice.factor
                    let inside = SIMD3(
                        min(voxel.x, last.x), min(voxel.y, last.y), min(voxel.z, last.z))
                    codes.append(codeOfLabel[Int(map.labels[view.offset(inside)])])
                }
            }
        }
        return codes
    }

    private func levels(of scan: Volume, view: AnatomicalView) -> [UInt8] {
        let window = displayWindow(of: scan, view: view)
        let low = window.lowerBound
        let scale = Float(Self.brightest) / (window.upperBound - low)
        let (size, factor) = (scanLattice.size, scanLattice.factor)
        var sums = [Float](repeating: 0, count: scanLattice.count)
        var counts = [Float](repeating: 0, count: scanLattice.count)
        for z in 0..<extent.z {
            for y in 0..<extent.y {
                let row = size.x * (y / factor.y + size.y * (z / factor.z))
                for x in 0..<extent.x {
                    let value = scan.voxels[view.offset(origin &+ SIMD3(x, y, z))]
                    let position = row + x / factor.x
                    counts[position] += 1
                    // NaN is black, as in the quality control picture.
                    guard !value.isNaN else { continue }
                    sums[position] += min(max((value - low) * scale, 0), Float(Self.brightest))
                }
            }
        }
        return zip(sums, counts).map { UInt8(($0 / $1).rounded()) }
    }
}

extension CaseImages.Lattice {
    /// The number of voxels.
    package var count: Int { size.x * size.y * size.z }

    /// Blocks of voxels, as near to cubes as can be, so that no more than `voxels` cover a box.
    fileprivate init(covering extent: SIMD3<Int>, spacing: SIMD3<Double>, voxels: Int) {
        factor = SIMD3(repeating: 1)
        size = extent
        while size.x * size.y * size.z > voxels {
            let edges = SIMD3(
                Double(factor.x) * spacing.x, Double(factor.y) * spacing.y,
                Double(factor.z) * spacing.z)
            guard
                let finest = (0..<3).filter({ size[$0] > 1 }).min(by: { edges[$0] < edges[$1] })
            else { break }
            factor[finest] += 1
            size[finest] = (extent[finest] + factor[finest] - 1) / factor[finest]
        }
    }
}

// MARK: - Coding

/// Replaces each gray level by its difference to what the three neighbours before it in the slice
/// let expect, which leaves small numbers that compress well.
///
/// Source: the median predictor of Weinberger, Seroussi and Sapiro, IEEE Transactions on Image
/// Processing 9(8), 2000, <https://doi.org/10.1109/83.855427>.
package func levelResiduals(_ levels: [UInt8], size: SIMD3<Int>) -> [UInt8] {
    var result = levels
    var position = 0
    for _ in 0..<size.z {
        for y in 0..<size.y {
            for x in 0..<size.x {
                let left = x > 0 ? levels[position - 1] : 0
                let above = y > 0 ? levels[position - size.x] : 0
                let corner = x > 0 && y > 0 ? levels[position - size.x - 1] : 0
                let expected: UInt8 =
                    if corner >= max(left, above) {
                        min(left, above)
                    } else if corner <= min(left, above) {
                        max(left, above)
                    } else {
                        left + above - corner
                    }
                result[position] = levels[position] &- expected
                position += 1
            }
        }
    }
    return result
}

/// Replaces each code by its difference (modulo 65,536) to what the neighbours before it let
/// expect: zeros but along surfaces.
///
/// Where the code to the left and the one above were the same in the slice before, that slice
/// tells; elsewhere the one above goes on if the row above changed just where this one would.
package func codeResiduals(_ codes: [UInt16], size: SIMD3<Int>) -> [UInt16] {
    let (row, slice) = (size.x, size.x * size.y)
    var result = codes
    var position = 0
    for z in 0..<size.z {
        for y in 0..<size.y {
            for x in 0..<size.x {
                let left = x > 0 ? codes[position - 1] : 0
                let above = y > 0 ? codes[position - row] : 0
                let corner = x > 0 && y > 0 ? codes[position - row - 1] : 0
                var expected = left == corner ? above : left
                if z > 0 {
                    let leftBehind = x > 0 ? codes[position - slice - 1] : 0
                    let aboveBehind = y > 0 ? codes[position - slice - row] : 0
                    if left == leftBehind && above == aboveBehind {
                        expected = codes[position - slice]
                    }
                }
                result[position] = codes[position] &- expected
                position += 1
            }
        }
    }
    return result
}

/// The pictures of one case, coded for the page's viewer.
public struct ReportPictures: Sendable {
    private let members: [String: JSONValue]

    /// Codes pictures; `nil` where there is no volume at all.
    ///
    /// - Parameter volumes: What they show.
    /// - Throws: ``PictureError`` where memory runs out.
    public init?(of volumes: ReportVolumes) throws {
        guard let images = CaseImages(of: volumes) else { return nil }
        members = try images.coded()
    }

    /// The file that the page loads for a case: one call that hands over the pictures.
    ///
    /// - Parameters:
    ///   - stamp: Ties the file to its page.
    ///   - caseNumber: The case's position in the page's list.
    /// - Returns: JavaScript in ASCII.
    func script(stamp: String, caseNumber: Int) -> String {
        var members = members
        members["stamp"] = .string(stamp)
        members["case"] = .integer(caseNumber)
        return "sliceSegCase(\(JSONValue.object(members).scriptText));\n"
    }
}

extension CaseImages {
    fileprivate func coded() throws -> [String: JSONValue] {
        var members: [String: JSONValue] = [
            "full": .integers(fullSize), "origin": .integers(origin),
            "extent": .integers(extent),
            "spacing": .array((0..<3).map { .number(spacing[$0]) }),
            "brightest": .integer(Int(Self.brightest)),
            "scanSize": .integers(scanLattice.size),
            "scanFactor": .integers(scanLattice.factor),
            "labelSize": .integers(labelLattice.size),
            "labelFactor": .integers(labelLattice.factor),
            "labels": .array(labelOfCode.map { .integer(Int($0)) }),
        ]
        let names = ["scan", "prediction", "reference"]
        let texts = concurrentMap(count: names.count) { position in
            Result { try base64(ofPicture: names[position]) }
        }
        for (name, text) in zip(names, texts) {
            if let text = try text.get() { members[name] = .string(text) }
        }
        return members
    }

    private func base64(ofPicture name: String) throws -> String? {
        let bytes: [UInt8]
        if name == "scan" {
            guard let scan else { return nil }
            bytes = levelResiduals(scan, size: scanLattice.size)
        } else {
            guard let codes = name == "prediction" ? prediction : reference else { return nil }
            let residuals = codeResiduals(codes, size: labelLattice.size)
            let low = residuals.map { UInt8(truncatingIfNeeded: $0) }
            // A second plane of bytes only where there are more than 255 structures.
            bytes = labelOfCode.count > 256 ? low + residuals.map { UInt8($0 >> 8) } : low
        }
        return Data(try compressed(bytes)).base64EncodedString()
    }
}

extension JSONValue {
    fileprivate static func integers(_ vector: SIMD3<Int>) -> JSONValue {
        .array((0..<3).map { .integer(vector[$0]) })
    }
}

/// A zlib stream of bytes.
private func compressed(_ plain: [UInt8]) throws(PictureError) -> [UInt8] {
    try unsafe bytesFromC { bytes, count, message in
        unsafe plain.withUnsafeBufferPointer { plain in
            guard let start = plain.baseAddress else { return CPNG_ERROR_INVALID_SIZE }
            return unsafe cpng_compress(start, plain.count, bytes, count, message)
        }
    }
}
