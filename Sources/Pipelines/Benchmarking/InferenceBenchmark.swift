import Inference
import ModelBundles
import NeuralNetworks
import SegmentationMetrics
import SegmentationModels
import Tensors
import Volumes

/// Measures how many slices a network labels in a second, by number format and threads.
///
/// Each repetition computes two slices a thread, from the conformed slice in single precision to
/// the logits in single precision. Repetitions take turns: one of every line of the table, then the
/// next, so that a machine that slows down slows them all.
///
/// - Parameter request: What is measured.
/// - Returns: Medians, and all repetitions.
/// - Throws: ``UsageError`` where the request cannot be met; errors of the model and the engine.
public func benchmark(_ request: BenchmarkRequest) throws -> BenchmarkReport {
    let cores = try Engine.threadCount()
    let device = try resolveDevice(request.device)
    let subject = try BenchmarkSubject(request, on: device)
    let benchmark = try InferenceBenchmark(request, subject, device: device, cores: cores)
    defer { try? Engine.setThreadCount(cores) }
    return try benchmark.report()
}

/// The network that is measured.
private struct BenchmarkSubject {
    let name: String
    let network: SegmentationNetwork
    let planes: Int
    /// The model's input ranges, if it is calibrated.
    let inputRanges: [String: ClosedRange<Double>]?

    init(_ request: BenchmarkRequest, on device: Device) throws {
        if let choices = request.network {
            let architecture = try choices.architecture(familyOption: "--network")
            try Engine.setSeed(1)
            network = try SegmentationNetwork(architecture)
            try network.move(to: device)
            name = "random weights"
            planes = 3
            inputRanges = device == .cpu ? try Self.ranges(of: network, request) : nil
            return
        }
        let bundle = try loadModel(request.model)
        let plane = bundle.card.planes[0].plane
        network = try bundle.makeNetwork(for: plane, device: device)
        name = "\(bundle.card.name), \(plane.rawValue) plane"
        planes = bundle.card.planes.count
        inputRanges = bundle.card.planes[0].inputRanges
    }

    /// The input ranges of random weights, measured on a representative image.
    private static func ranges(
        of network: SegmentationNetwork, _ request: BenchmarkRequest
    ) throws -> [String: ClosedRange<Double>] {
        var calibration = Calibration(of: network)
        try calibration.observe(
            noise([
                1, network.architecture.contextSlices, request.slices.height, request.slices.width,
            ]))
        return calibration.inputRanges()
    }
}

/// One line of the table while it is measured.
private struct BenchmarkVariant {
    let precision: Precision
    let threads: Int
    let computation: SliceComputation
    let peakMemory: Int
    let images: Tensor
    var rates: [Double] = []
}

private final class InferenceBenchmark {
    private let request: BenchmarkRequest
    private let subject: BenchmarkSubject
    private let device: Device
    private let cores: Int
    /// `nil` where there is no LibTorch.
    private let convolution: ConvolutionRate?
    private let clock = ContinuousClock()
    private var notes: [String] = []

    init(
        _ request: BenchmarkRequest, _ subject: BenchmarkSubject, device: Device, cores: Int
    ) throws {
        self.request = request
        self.subject = subject
        self.device = device
        self.cores = cores
        convolution = try? ConvolutionRate(slices: max(2, cores), device: device)
    }

    func report() throws -> BenchmarkReport {
        let threads =
            request.threads ?? (device == .cpu ? standardThreadCounts(cores: cores) : [cores])
        var contenders: [BenchmarkVariant] = []
        for precision in wantedPrecisions() {
            do {
                contenders += try self.contenders(precision, threads: threads)
            } catch let error as TensorError {
                notes.append("\(precision.rawValue): not measured: \(error)")
            }
        }
        guard !contenders.isEmpty else {
            throw UsageError(
                "nothing can be measured: " + notes.joined(separator: "; "))
        }
        var convolutionRates: [Double] = []
        for _ in 0..<max(1, request.repetitions) {
            for index in contenders.indices {
                contenders[index].rates.append(try rate(of: contenders[index]))
            }
            try Engine.setThreadCount(cores)
            if let convolution { convolutionRates.append(try convolution.rate()) }
        }
        return try report(contenders, convolutionRates)
    }

    private func wantedPrecisions() -> [Precision] {
        let withoutIntegers =
            device != .cpu || !request.compiles
            ? "it is for compiled networks on the processor"
            : subject.inputRanges == nil
                ? "the model is not calibrated; see 'sliceseg calibrate'" : nil
        var precisions = request.precisions ?? Precision.allCases.filter { $0 != .auto }
        if let withoutIntegers, precisions.contains(.int8) {
            precisions.removeAll { $0 == .int8 }
            notes.append("int8: left out, as \(withoutIntegers)")
        }
        if request.precisions != nil { return precisions }
        if Precision.auto.resolved(on: device) == .fp32 {
            precisions.removeAll { $0 == .bf16 }
            notes.append(
                "bf16: left out, as this processor has no instructions for it; --precision bf16 "
                    + "measures it all the same")
        }
        return precisions
    }

    /// Computes with each number of threads once to see how much memory that takes, and then makes
    /// what is measured in turns.
    private func contenders(_ precision: Precision, threads: [Int]) throws -> [BenchmarkVariant] {
        let peaks = try threads.map { count in
            try peakMemory {
                try Engine.setThreadCount(count)
                let compute = self.computation(precision)
                try waitUntilComputed(compute(images(threads: count)))
            }
        }
        let computation = self.computation(precision)
        return try zip(threads, peaks).map { count, peak in
            BenchmarkVariant(
                precision: precision, threads: count, computation: computation, peakMemory: peak,
                images: try images(threads: count))
        }
    }

    private func computation(_ precision: Precision) -> SliceComputation {
        SliceComputation(
            of: subject.network, precision: precision, device: device, compiles: request.compiles,
            height: request.slices.height, width: request.slices.width,
            inputRanges: subject.inputRanges ?? [:])
    }

    private func images(threads: Int) throws -> Tensor {
        try noise([
            2 * threads, subject.network.architecture.contextSlices, request.slices.height,
            request.slices.width,
        ]).converted(to: .float32, on: device)
    }

    private func rate(of contender: BenchmarkVariant) throws -> Double {
        try Engine.setThreadCount(contender.threads)
        let started = clock.now
        try waitUntilComputed(contender.computation(contender.images))
        return Double(contender.images.shape[0]) / ((clock.now - started) / .seconds(1))
    }

    private func report(
        _ contenders: [BenchmarkVariant], _ convolutionRates: [Double]
    ) throws -> BenchmarkReport {
        let architecture = subject.network.architecture
        let operations = try subject.network.operationCount(
            height: request.slices.height, width: request.slices.width)
        let slicesPerScan = 256 * subject.planes
        let measurements = contenders.map { contender in
            let rate = median(of: contender.rates) ?? .nan
            return BenchmarkReport.Measurement(
                precision: contender.precision, threads: contender.threads,
                repetitions: contender.rates, slicesPerSecond: rate,
                teraflops: rate * Double(operations) / 1e12,
                secondsPerScan: Double(slicesPerScan) / rate,
                peakMemoryBytes: contender.peakMemory,
                computation: contender.computation.description)
        }
        return BenchmarkReport(
            subject: subject.name, architecture: architecture, slices: request.slices,
            operationsPerSlice: operations, planes: subject.planes, slicesPerScan: slicesPerScan,
            machine: try machine(),
            reference: median(of: convolutionRates).map {
                BenchmarkReport.ReferenceConvolution(
                    threads: cores, repetitions: convolutionRates, teraflops: $0)
            },
            measurements: measurements, notes: notes)
    }

    private func machine() throws -> BenchmarkReport.Machine {
        BenchmarkReport.Machine(
            processor: processorName(), cores: cores,
            instructions: instructionSetName(try Engine.convolutionCapability()),
            device: "\(device)", engine: try Engine.name(),
            version: softwareVersion)
    }
}

/// Numbers between -2 and 2 without order, the same every time.
private func noise(_ shape: [Int]) throws -> Tensor {
    var state: UInt64 = 1
    let numbers = (0..<shape.reduce(1, *)).map { _ -> Float in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(state >> 40) / Float(1 << 22) - 2
    }
    return try Tensor(numbers, shape: shape)
}
