import Inference
import SegmentationModels
import Tensors
import Testing
import Volumes

/// Volumes that are thin along one axis.
struct SlabTests {
    /// Three planes, the sagittal one with one output for two classes.
    private func networks() throws -> [PlaneNetwork] {
        try [
            (Plane.coronal, 3, [0, 1, 2]), (.axial, 3, [0, 1, 2]), (.sagittal, 2, [0, 1, 1]),
        ].enumerated().map { number, entry in
            let (plane, outputs, outputOfClass) = entry
            return PlaneNetwork(
                plane: plane,
                network: try makeTinyNetwork(
                    classes: outputs, context: 1, seed: UInt64(number + 1)),
                weight: 1, outputOfClass: outputOfClass)
        }
    }

    private func prediction(
        of volume: Volume, by networks: [PlaneNetwork]
    ) throws -> VolumePrediction {
        try VolumePredictor(
            networks: networks, classCount: 3, device: .cpu, precision: .fp32
        ).prediction(of: volume)
    }

    /// In a slab of 80 mm or less its own plane decides alone, however it is stored.
    @Test(arguments: [
        (Plane.axial, GridSize(96, 88, 8), "RAS"), (.axial, GridSize(8, 96, 88), "SRA"),
        (.coronal, GridSize(96, 8, 88), "LPI"),
    ])
    func `the plane of a slab decides alone`(
        plane: Plane, size: GridSize, orientation: String
    ) throws {
        let volume = makeSmoothVolume(
            size, orientation: try #require(Orientation(orientation)))
        let networks = try networks()
        let alone = try #require(networks.first { $0.plane == plane })
        let found = try prediction(of: volume, by: networks)
        #expect(found.classes == (try prediction(of: volume, by: [alone]).classes))
        #expect(found.planeDisagreement.allSatisfy { $0 == nil })
    }

    /// The sagittal network merges the sides, so the others have their say in a sagittal slab too; a volume
    /// that is thick along all axes, or thin along two, is no slab.
    @Test(arguments: [GridSize(8, 96, 88), GridSize(88, 96, 82), GridSize(96, 8, 8)])
    func `all planes decide elsewhere`(size: GridSize) throws {
        let volume = makeSmoothVolume(size)
        let networks = try networks()
        let found = try prediction(of: volume, by: networks)
        for network in networks {
            let alone = try prediction(of: volume, by: [network])
            #expect(found.classes != alone.classes, "\(network.plane)")
        }
        #expect(found.planeDisagreement.contains { $0 != nil })
    }
}
