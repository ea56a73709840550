// swift-tools-version: 6.2
import PackageDescription

/// Swift 6 with the checks that keep modules honest; each flag is named after its proposal.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),  // SE-0335: `any` is written out
    .enableUpcomingFeature("InternalImportsByDefault"),  // SE-0409: no leaked dependencies
    .enableUpcomingFeature("MemberImportVisibility"),  // SE-0444: a file imports what it uses
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),  // SE-0461
    .treatAllWarnings(as: .error),
]

/// Modules that touch C also mark every unsafe use (SE-0458).
let boundary: [SwiftSetting] = strict + [.strictMemorySafety()]

let package = Package(
    name: "SliceSeg",
    products: [
        // The modules that programs of others import; Snippets/ has an example of each use.
        .library(
            name: "SliceSeg",
            targets: [
                "Volumes", "VolumeIO", "Preprocessing", "SegmentationMetrics", "Tensors",
                "NeuralNetworks", "SegmentationModels", "ModelBundles", "Inference", "Datasets",
                "Training", "Reports", "Pipelines",
            ]),
        // The C interface of Sources/CSliceSeg/include/SliceSeg.h, which other languages bind.
        .library(name: "SliceSegC", type: .dynamic, targets: ["SliceSegC"]),
        .executable(name: "segment-brain", targets: ["segment-brain"]),
        .executable(name: "sliceseg", targets: ["sliceseg"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    ],
    targets: [
        // C boundaries. Debian's libnifti ships no pkg-config file and its headers ask for
        // <znzlib.h> without the folder it lies in; `forward` holds a header that points there.
        // libnifti2 reads both versions of NIfTI; libdeflate inflates twice as fast as zlib.
        .target(
            name: "CNIfTI",
            cSettings: [.headerSearchPath("forward")],
            linkerSettings: [
                .linkedLibrary("nifti2"), .linkedLibrary("z"), .linkedLibrary("deflate"),
            ]
        ),
        .target(name: "CInterpolation"),
        .target(name: "CPNG", linkerSettings: [.linkedLibrary("png"), .linkedLibrary("deflate")]),
        // Only the C headers and the loaders are built here. `CPlan/library` is C++ that is compiled for
        // several instruction sets, `CTorch/library` C++ over LibTorch; the Makefile builds each into
        // a shared library that its loader opens at run time.
        .target(
            name: "CPlan", exclude: ["library"],
            linkerSettings: [.linkedLibrary("dl")]
        ),
        .target(
            name: "CTorch", dependencies: ["CPlan"], exclude: ["library"],
            linkerSettings: [.linkedLibrary("dl")]
        ),

        .systemLibrary(name: "COpenSSL"),
        .systemLibrary(name: "CSQLite"),

        .target(name: "Files", dependencies: ["COpenSSL"], swiftSettings: boundary),
        .target(name: "SQLite", dependencies: ["CSQLite"], swiftSettings: boundary),
        .target(name: "Parallel", swiftSettings: strict),
        .target(name: "Volumes", swiftSettings: strict),
        .target(
            name: "VolumeIO", dependencies: ["Volumes", "Files", "CNIfTI"],
            swiftSettings: boundary),
        .target(
            name: "Preprocessing", dependencies: ["Volumes", "CInterpolation"],
            swiftSettings: strict),
        .target(
            name: "SegmentationMetrics", dependencies: ["Volumes", "Parallel"],
            swiftSettings: strict),
        .target(name: "Tensors", dependencies: ["CPlan", "CTorch"], swiftSettings: boundary),
        .target(name: "NeuralNetworks", dependencies: ["Tensors"], swiftSettings: strict),
        .target(
            name: "SegmentationModels", dependencies: ["NeuralNetworks", "Tensors"],
            swiftSettings: strict),
        .target(
            name: "ModelBundles",
            dependencies: [
                "SegmentationModels", "NeuralNetworks", "Tensors", "Volumes", "Preprocessing",
                "Files",
            ],
            resources: [.copy("Bundles")], swiftSettings: strict),
        .target(
            name: "Inference",
            dependencies: [
                "Preprocessing", "ModelBundles", "SegmentationModels", "NeuralNetworks", "Tensors",
                "Volumes",
            ],
            swiftSettings: strict),
        .target(
            name: "Datasets", dependencies: ["VolumeIO", "Preprocessing", "Volumes"],
            swiftSettings: strict),
        .target(
            name: "Training",
            dependencies: [
                "Datasets", "Inference", "SegmentationMetrics", "ModelBundles",
                "SegmentationModels", "NeuralNetworks", "Tensors", "Preprocessing", "Volumes",
                "Files", "Parallel",
            ],
            swiftSettings: strict),
        // Compiled in, so that a page needs no file of the installation.
        .target(
            name: "PageResources", path: "Sources/Reports/Resources",
            resources: [
                .embedInCode("page.css"), .embedInCode("training.css"),
                .embedInCode("networks.css"), .embedInCode("report.js"),
                .embedInCode("viewer.js"), .embedInCode("viewer.html"),
            ],
            swiftSettings: strict),
        .target(
            name: "Reports",
            dependencies: [
                "SegmentationMetrics", "PageResources", "Volumes", "Files", "Parallel", "CPNG",
            ],
            exclude: ["Resources"], swiftSettings: boundary),
        .target(
            name: "Pipelines",
            dependencies: [
                "Training", "Inference", "Reports", "VolumeIO", "Datasets", "ModelBundles",
                "SegmentationModels", "SegmentationMetrics", "Preprocessing", "NeuralNetworks",
                "Tensors", "Volumes", "Files", "SQLite", "Parallel",
                .product(name: "Yams", package: "Yams"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .target(name: "CSliceSeg"),
        .target(
            name: "SliceSegC",
            dependencies: [
                "CSliceSeg", "Pipelines", "Reports", "Inference", "ModelBundles",
                "SegmentationMetrics", "Tensors", "VolumeIO", "Volumes",
            ],
            swiftSettings: boundary),
        .executableTarget(
            name: "segment-brain",
            dependencies: [
                "Pipelines",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "sliceseg",
            dependencies: [
                "Pipelines",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),

        // Tests mirror the modules.
        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),
        .target(
            name: "TensorTestSupport", dependencies: ["NeuralNetworks", "Tensors", "TestSupport"],
            path: "Tests/TensorTestSupport", swiftSettings: strict),
        .testTarget(
            name: "FilesTests", dependencies: ["Files", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "SQLiteTests", dependencies: ["SQLite", "Files", "TestSupport"],
            swiftSettings: strict),
        .testTarget(name: "ParallelTests", dependencies: ["Parallel"], swiftSettings: strict),
        .testTarget(
            name: "VolumesTests", dependencies: ["Volumes", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "VolumeIOTests",
            dependencies: ["VolumeIO", "Volumes", "Files", "CNIfTI", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "PreprocessingTests", dependencies: ["Preprocessing", "Volumes"],
            swiftSettings: strict),
        .testTarget(
            name: "SegmentationMetricsTests",
            dependencies: ["SegmentationMetrics", "Volumes", "TestSupport"],
            swiftSettings: strict),
        .testTarget(name: "CPlanTests", dependencies: ["CPlan"], swiftSettings: strict),
        .testTarget(
            name: "CTorchTests", dependencies: ["CPlan", "CTorch"], swiftSettings: strict),
        .testTarget(
            name: "TensorsTests", dependencies: ["Tensors", "TensorTestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "NeuralNetworksTests",
            dependencies: ["NeuralNetworks", "Tensors", "TensorTestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "SegmentationModelsTests",
            dependencies: ["SegmentationModels", "NeuralNetworks", "Tensors", "TensorTestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "ModelBundlesTests",
            dependencies: [
                "ModelBundles", "SegmentationModels", "NeuralNetworks", "Tensors", "Volumes",
                "Preprocessing", "Files", "TestSupport",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "DatasetsTests",
            dependencies: ["Datasets", "Preprocessing", "VolumeIO", "Volumes", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "InferenceTests",
            dependencies: [
                "Inference", "ModelBundles", "Datasets", "Preprocessing", "SegmentationModels",
                "NeuralNetworks", "Tensors", "VolumeIO", "Volumes", "TestSupport",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "TrainingTests",
            dependencies: [
                "Training", "Inference", "ModelBundles", "Datasets", "Preprocessing",
                "SegmentationModels", "NeuralNetworks", "Tensors", "Volumes", "TestSupport",
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "PipelinesTests",
            dependencies: [
                "Pipelines", "Training", "Inference", "ModelBundles", "Datasets", "Preprocessing",
                "SegmentationMetrics", "SegmentationModels", "NeuralNetworks", "VolumeIO",
                "Volumes",
                "TestSupport", .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "CommandTests",
            dependencies: [
                "segment-brain", "sliceseg", "Files", "Datasets", "Inference", "ModelBundles",
                "NeuralNetworks", "Pipelines", "Preprocessing", "SegmentationModels", "Tensors",
                "VolumeIO", "Volumes",
                "TestSupport",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "ReportsTests",
            dependencies: ["Reports", "SegmentationMetrics", "Volumes", "TestSupport"],
            swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
