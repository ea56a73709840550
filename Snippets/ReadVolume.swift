// Reads a volume and prints its geometry and mean intensity.
import VolumeIO
import Volumes

let loaded = try readVolume(at: CommandLine.arguments[1])
let grid = loaded.volume.grid
let sum = loaded.volume.voxels.reduce(0.0) { $0 + Double($1) }
print("size \(grid.size), orientation \(grid.orientation), mean \(sum / Double(grid.size.count))")
