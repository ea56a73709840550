import VolumeIO

extension LoadedVolume {
    /// Warnings about a scan's file, one clause each: its voxels and its header's geometry.
    var warnings: [String] {
        var warnings: [String] = []
        for (count, fault) in [(nanVoxelCount, "not a number"), (infiniteVoxelCount, "infinite")]
        where count > 0 {
            warnings.append(
                "\(count) \(count == 1 ? "voxel is" : "voxels are") \(fault) and counted as 0")
        }
        if header.affineSource == .assumed {
            warnings.append(
                "the header gives no orientation, so left and right are an assumption; "
                    + "check them in the picture")
        }
        let contradictions = header.niftiGeometry?.contradictions ?? []
        return warnings + contradictions.map { "the header contradicts itself: \($0)" }
    }
}
