public import Volumes

/// The volume of a structure.
public struct StructureVolume: Sendable, Hashable, Codable {
    /// The structure's value in the label map.
    public var label: UInt16
    /// Voxels that carry it.
    public var voxelCount: Int
    /// Their volume in mm³.
    public var volumeCubicMillimeters: Double

    /// Makes a volume.
    public init(label: UInt16, voxelCount: Int, volumeCubicMillimeters: Double) {
        self.label = label
        self.voxelCount = voxelCount
        self.volumeCubicMillimeters = volumeCubicMillimeters
    }
}

/// Measures the structures of a label map by counting voxels.
///
/// - Parameters:
///   - map: The label map; its grid gives the volume of a voxel, also where it is oblique or
///     sheared.
///   - labels: The structures to measure, in the order of the result; `nil` for all that the map
///     holds, by ascending label, without background (0).
/// - Returns: One entry for each structure; 0 where the map does not hold it.
public func structureVolumes(of map: LabelMap, labels: [UInt16]? = nil) -> [StructureVolume] {
    let counts = map.voxelCounts()
    let wanted = labels ?? counts.indices.dropFirst().filter { counts[$0] > 0 }.map(UInt16.init)
    return wanted.map { label in
        StructureVolume(
            label: label, voxelCount: counts[Int(label)],
            volumeCubicMillimeters: Double(counts[Int(label)])
                * map.grid.voxelVolumeCubicMillimeters)
    }
}
