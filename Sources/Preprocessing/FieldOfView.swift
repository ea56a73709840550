/// A coordinate freed of rounding: within a millionth of an integer it becomes that integer.
package func snapped(_ coordinate: Double) -> Double {
    let whole = coordinate.rounded()
    return abs(coordinate - whole) < 1e-6 ? whole : coordinate
}

/// Returns whether a coordinate in voxels lies between the outer faces of the first and last
/// voxels.
package func isInsideFieldOfView(_ coordinate: Double, count: Int) -> Bool {
    coordinate >= -0.5 - 1e-6 && coordinate <= Double(count) - 0.5 + 1e-6
}
