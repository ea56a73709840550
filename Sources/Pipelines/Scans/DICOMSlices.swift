import Foundation
import Volumes

/// The content of a DICOM series' images, according to their headers.
package struct DICOMSlices {
    private let headers: [DICOMHeader]

    /// Looks at the images of one series.
    package init(_ headers: [DICOMHeader]) { self.headers = headers }

    /// A Boolean value indicating whether the series only plans other ones: it says so, by its type
    /// or by its description, or it holds a few slices across several axes.
    package var isLocalizer: Bool {
        let kinds = ["LOCALIZER", "SCOUT", "TOPOGRAM"]
        return headers.contains { header in header.imageType.contains { kinds.contains($0) } }
            || headers.contains { Self.namesLocalizer($0.seriesDescription) }
            || (headers.count <= 100 && normals.count > 1)
    }

    /// A Boolean value indicating whether all images were computed from others: reformats,
    /// projections, filtered copies.
    package var isDerived: Bool {
        !headers.isEmpty && headers.allSatisfy { $0.imageType.first == "DERIVED" }
    }

    /// Returns whether a description is that of a localizer, as vendors write it.
    static func namesLocalizer(_ description: String) -> Bool {
        let words = description.lowercased().split { !$0.isLetter }.map(String.init)
        let names: Set = [
            "loc", "localizer", "localiser", "localizers", "scout", "survey", "topogram", "surview",
            "scanogram", "aascout", "aahscout", "aaheadscout",
        ]
        return words.contains { names.contains($0) }
    }

    /// The directions across the slices, those that are alike once.
    private var normals: [SIMD3<Double>] {
        var found: [SIMD3<Double>] = []
        for normal in headers.compactMap(\.normal)
        where !found.contains(where: { abs($0.dot(normal)) > 0.9 }) {
            found.append(normal)
        }
        return found
    }

    /// The ways in which slices are missing or there too often, a clause each; none where the series
    /// is whole, or where its headers do not tell.
    ///
    /// Slices count as missing where the distance of two neighbours is more than one and a half
    /// times the median. A run of equal, larger distances is a series that was planned so, unless the
    /// numbers of the images jump too.
    package var faults: [String] {
        guard headers.allSatisfy({ $0.frameCount <= 1 }), normals.count == 1,
            let normal = headers.first?.normal
        else { return [] }
        let places = headers.compactMap { header in
            header.position.map { (millimeters: $0.dot(normal), number: header.instanceNumber) }
        }.sorted { $0.millimeters < $1.millimeters }
        guard places.count == headers.count, places.count > 2 else { return [] }
        let steps = zip(places.dropFirst(), places).map { $0.millimeters - $1.millimeters }
            .filter { $0 > 1e-3 }.sorted()
        guard !steps.isEmpty else { return [] }
        let step = steps[steps.count / 2]
        var slices: [(millimeters: Double, count: Int, number: Int?)] = []
        for place in places {
            if let last = slices.last, place.millimeters - last.millimeters < 0.05 * step {
                slices[slices.count - 1].count += 1
            } else {
                slices.append((place.millimeters, 1, place.number))
            }
        }
        return repetitions(slices) + gaps(slices, step: step)
    }

    private func repetitions(
        _ slices: [(millimeters: Double, count: Int, number: Int?)]
    ) -> [String] {
        let counts = Dictionary(grouping: slices, by: \.count).mapValues(\.count)
        let usual = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? 1
        var faults: [String] = []
        let surplus = slices.indices.filter { slices[$0].count > usual }
        if let first = surplus.first {
            faults.append(
                "\(slicesText(surplus.count)) there more than once, the first at "
                    + place(first, of: slices))
        }
        let lacking = slices.indices.filter { slices[$0].count < usual }
        if let first = lacking.first {
            let missing = lacking.reduce(0) { $0 + usual - slices[$1].count }
            faults.append(
                "\(slicesText(missing)) missing in one of \(usual) volumes, the first at "
                    + place(first, of: slices))
        }
        return faults
    }

    private func gaps(
        _ slices: [(millimeters: Double, count: Int, number: Int?)], step: Double
    ) -> [String] {
        let distances = zip(slices.dropFirst(), slices).map { $0.millimeters - $1.millimeters }
        let wide = distances.indices.filter { distances[$0] > 1.5 * step }
        guard !wide.isEmpty, !isPlanned(wide, distances, slices) else { return [] }
        return wide.prefix(5).map { index in
            let missing = max(1, Int((distances[index] / step).rounded()) - 1)
            return "\(slicesText(missing)) missing between slices \(index + 1) and \(index + 2) of "
                + "\(slices.count), which lie \(decimals(distances[index], 1)) mm apart where others "
                + "lie \(decimals(step, 1)) mm"
        }
            + (wide.count > 5 ? ["slices are missing in \(wide.count - 5) more places"] : [])
    }

    /// Returns whether wide distances are one run of equal ones, over which the images' numbers go
    /// on.
    private func isPlanned(
        _ wide: [Int], _ distances: [Double],
        _ slices: [(millimeters: Double, count: Int, number: Int?)]
    ) -> Bool {
        guard wide.count >= 3, let first = wide.first, let last = wide.last,
            last - first == wide.count - 1
        else { return false }
        let isEven = wide.allSatisfy {
            abs(distances[$0] - distances[first]) < 0.03 * distances[first]
        }
        return isEven
            && wide.allSatisfy { index in
                guard let one = slices[index].number, let next = slices[index + 1].number else {
                    return true
                }
                return abs(next - one) == 1
            }
    }

    private func place(
        _ index: Int, of slices: [(millimeters: Double, count: Int, number: Int?)]
    ) -> String {
        "slice \(index + 1) of \(slices.count) (\(decimals(slices[index].millimeters, 1)) mm)"
    }

    private func slicesText(_ count: Int) -> String {
        count == 1 ? "1 slice is" : "\(count) slices are"
    }
}
