import Foundation
import TensorTestSupport
import Tensors
import Testing

private func close(_ tensor: Tensor, _ expected: [Float], _ shape: [Int]? = nil) throws -> Bool {
    try largestError(
        of: tensor, against: Tensor(expected, shape: shape ?? [expected.count])) < 1e-6
}

@Suite struct `A tensor` {
    @Test func `gives back its elements, shape, type and device`() throws {
        let tensor = try Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 1, 3])
        #expect(tensor.shape == [2, 1, 3])
        #expect(tensor.count == 6)
        #expect(tensor.elementType == .float32)
        #expect(tensor.device == .cpu)
        #expect(try tensor.elements(as: Float.self) == [1, 2, 3, 4, 5, 6])
        #expect(try Tensor([-1, 7] as [Int64], shape: [2]).elements(as: Int64.self) == [-1, 7])
        #expect(try Tensor([9] as [UInt8], shape: [1]).elements(as: UInt8.self) == [9])
        #expect(try Tensor([-9] as [Int32], shape: [1]).elements(as: Int32.self) == [-9])
        #expect(try Tensor([0.1] as [Double], shape: [1]).elements(as: Double.self) == [0.1])
    }

    @Test func `may be empty or without dimensions`() throws {
        let empty = try Tensor([] as [Float], shape: [0, 3])
        #expect(empty.shape == [0, 3])
        #expect(try empty.elements(as: Float.self).isEmpty)
        #expect(try empty.bytes().isEmpty)
        let scalar = try Tensor.scalar(2.5)
        #expect(scalar.shape.isEmpty)
        #expect(try scalar.item() == 2.5)
    }

    @Test(arguments: ElementType.allCases)
    func `of every type goes through its bytes unchanged`(_ type: ElementType) throws {
        let bytes = (0..<3 * type.byteCount).map { UInt8(type == .bool ? $0 % 2 : 40 + $0) }
        let tensor = try Tensor(bytes: bytes, type: type, shape: [3])
        #expect(tensor.elementType == type)
        #expect(try tensor.bytes() == bytes)
    }

    @Test func `converts between types by rounding to the nearest even`() throws {
        let tensor = try Tensor([1, 1.00390625, 1.01171875, -2.75] as [Float], shape: [4])
        // bfloat16 has 7 bits after the point: 1 + 1/256 and 1 + 3/256 lie half-way.
        let half = try tensor.converted(to: .bfloat16)
        #expect(half.elementType == .bfloat16)
        #expect(try half.elements(as: Float.self) == [1, 1, 1.015625, -2.75])
        #expect(try tensor.converted(to: .int64).elements(as: Int64.self) == [1, 1, 1, -2])
    }

    @Test func `copies rows of a permuted image in its own order`() throws {
        let tensor = try Tensor((0..<6).map(Float.init), shape: [2, 3]).permuted([1, 0])
        #expect(tensor.shape == [3, 2])
        #expect(try tensor.elements(as: Float.self) == [0, 3, 1, 4, 2, 5])
    }

    @Test func `keeps its elements in another memory layout`() throws {
        let tensor = try Tensor((0..<24).map(Float.init), shape: [1, 2, 3, 4])
        let channelsLast = try tensor.contiguous(.channelsLast)
        #expect(channelsLast.shape == [1, 2, 3, 4])
        #expect(try channelsLast.elements(as: Float.self) == tensor.elements(as: Float.self))
    }

    @Test func `narrows, selects, pads, crops and joins`() throws {
        let tensor = try Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3])
        let part = try tensor.narrowed(dimension: 1, start: 1, length: 2)
        #expect(try close(part, [2, 3, 5, 6], [2, 2]))
        #expect(
            try close(
                tensor.selected(dimension: 1, indices: [2, 0, 2]), [3, 1, 3, 6, 4, 6], [2, 3]))
        #expect(
            try close(tensor.padded([1, 0, 0, 1]), [0, 1, 2, 3, 0, 4, 5, 6, 0, 0, 0, 0], [3, 4]))
        #expect(try close(tensor.padded([-1, -1]), [2, 5], [2, 1]))
        #expect(
            try close(
                .concatenated([part, part], dimension: 0), [2, 3, 5, 6, 2, 3, 5, 6], [4, 2]))
        #expect(try close(tensor.reshaped([3, -1]), [1, 2, 3, 4, 5, 6], [3, 2]))
    }

    @Test func `adds, multiplies and divides, repeating dimensions of extent 1`() throws {
        let left = try Tensor([1, 2, 3, 4] as [Float], shape: [2, 2])
        let row = try Tensor([10, 20] as [Float], shape: [1, 2])
        #expect(try close(left + row, [11, 22, 13, 24], [2, 2]))
        #expect(try close(left - row, [-9, -18, -7, -16], [2, 2]))
        #expect(try close(left * row, [10, 40, 30, 80], [2, 2]))
        #expect(try close(row / left, [10, 10, 10.0 / 3, 5], [2, 2]))
        #expect(try close(left * 2 + 1, [3, 5, 7, 9], [2, 2]))
        #expect(try close(.maximum(left, .full(2.5, shape: [2, 2])), [2.5, 2.5, 3, 4], [2, 2]))
    }

    @Test func `changes in place where the name says so`() throws {
        let tensor = try Tensor([1, 2] as [Float], shape: [2])
        let copy = try tensor.clone()
        try tensor.addInPlace(.ones([2]), scale: 3)
        try tensor.multiplyInPlace(by: 2)
        try tensor.multiplyInPlace(by: Tensor([1, -1] as [Float], shape: [2]))
        #expect(try close(tensor, [8, -10]))
        #expect(try close(copy, [1, 2]))
        try tensor.copyInPlace(from: Tensor([5, 6] as [Int64], shape: [2]))
        #expect(try close(tensor, [5, 6]))
    }

    @Test func `sums, averages, finds maxima and what is not finite`() throws {
        let tensor = try Tensor([1, 5, 3, 4, 0, 8] as [Float], shape: [2, 3])
        #expect(try tensor.sum().item() == 21)
        #expect(try tensor.mean().item() == 3.5)
        #expect(try close(tensor.sum(over: [0]), [5, 5, 11]))
        #expect(try close(tensor.mean(over: [1], keepDimensions: true), [3, 4], [2, 1]))
        #expect(try tensor.argmax(dimension: 1).elements(as: Int64.self) == [1, 2])
        #expect(try tensor.allFinite())
        for bad in [Float.nan, .infinity, -.infinity] {
            #expect(try !Tensor([1, bad], shape: [2]).allFinite())
        }
    }

    @Test func `counts, looks up and sums by class`() throws {
        let classes = try Tensor([2, 0, 2] as [Int64], shape: [3])
        #expect(try classes.classCounts(4).elements(as: Int64.self) == [1, 0, 2, 0])
        #expect(
            try classes.oneHot(classes: 3).elements(as: Int64.self) == [0, 0, 1, 1, 0, 0, 0, 0, 1])
        let weights = try Tensor([10, 20, 30] as [Float], shape: [3])
        #expect(try close(weights.lookedUp(classes), [30, 10, 30]))
        #expect(
            try close(
                Tensor([1, 2, 3] as [Float], shape: [3]).summed(byClass: classes, classes: 3),
                [2, 0, 4]))
        let rows = try Tensor([1, 2, 3, 4, 5, 6, 7, 8, 9] as [Float], shape: [3, 3])
        #expect(try close(rows.entries(columns: classes), [3, 4, 9]))
        #expect(try close(weights.isAbove(15), [0, 1, 1]))
    }

    @Test func `has a norm together with others`() throws {
        let first = try Tensor([3, 0] as [Float], shape: [2])
        let second = try Tensor([4] as [Float], shape: [1, 1])
        #expect(try Tensor.globalNorm([first, second]).item() == 5)
        try Tensor.scaleInPlace([first, second], by: 0.5)
        try Tensor.interpolateInPlace([second], toward: [.full(10, shape: [1, 1])], fraction: 0.25)
        #expect(try close(first, [1.5, 0]))
        #expect(try close(second, [4], [1, 1]))
    }

    @Test func `with fewer elements than its shape stops the program`() async {
        await #expect(processExitsWith: .failure) {
            _ = try? Tensor([1, 2, 3] as [Float], shape: [2, 2])
        }
    }

    @Test func `with several elements is no single number and stops the program`() async {
        await #expect(processExitsWith: .failure) { _ = try? Tensor.ones([2]).item() }
    }
}

@Suite struct `A gradient` {
    @Test func `adds up until it is cleared`() throws {
        let x = try Tensor([3, -2] as [Float], shape: [2]).requiresGradient()
        #expect(try x.gradient() == nil)
        try (x * x).sum().backward()
        #expect(try close(#require(try x.gradient()), [6, -4]))
        try (x * x).sum().backward()
        #expect(try close(#require(try x.gradient()), [12, -8]))
        try x.clearGradient()
        #expect(try x.gradient() == nil)
    }

    @Test func `does not flow through what is detached or not recorded`() throws {
        let x = try Tensor([3] as [Float], shape: [1]).requiresGradient()
        try (x * x.detached()).sum().backward()
        #expect(try close(#require(try x.gradient()), [3]))
        let unrecorded = try withoutGradients { try x * x }
        #expect(throws: TensorError.self) { try unrecorded.sum().backward() }
    }

    @Test func `is recorded again after a body without, even where it throws`() throws {
        struct Stop: Error {}
        let x = try Tensor([3] as [Float], shape: [1]).requiresGradient()
        #expect(throws: Stop.self) {
            try withoutGradients { try withoutGradients { throw Stop() } }
        }
        try (x * x).sum().backward()
        #expect(try close(#require(try x.gradient()), [6]))
    }

    @Test func `of an image is refused`() throws {
        let x = try Tensor.ones([2]).requiresGradient()
        #expect(throws: TensorError.self) { try (x * x).backward() }
    }
}

@Suite struct `An error of the engine` {
    @Test func `names operation and shapes in one sentence`() throws {
        let error = #expect(throws: TensorError.self) {
            try Tensor.ones([2, 3]) + Tensor.ones([4, 5])
        }
        let text = "\(try #require(error))"
        #expect(error?.code == .invalidCall)
        #expect(error?.operation == "aten::add")
        #expect(text.hasPrefix("aten::add failed: ") && text.contains("(3)"))
        #expect(!text.contains("\n"))
    }

    @Test func `tells of used up memory with a next step`() throws {
        let error = #expect(throws: TensorError.self) { try Tensor.zeros([1 << 45]) }
        #expect(error?.code == .outOfMemory)
        #expect("\(try #require(error))".contains("use smaller batches"))
    }

    @Test func `tells of an engine that is not there`() async {
        await #expect(processExitsWith: .success) {
            setenv("SLICESEG_CTORCH", "/nonexistent/chosen.so", 1)
            let error = #expect(throws: TensorError.self) { try Tensor.randomNormal([1]) }
            #expect(error?.code == .engineUnavailable)
            let text = "\(try #require(error))"
            #expect(text.contains("make torch"))
            #expect(throws: TensorError.self) { try Engine.load() }
            #expect(throws: TensorError.self) { try withAutocast(to: .bfloat16, on: .cpu) {} }
            #expect(throws: TensorError.self) { try withoutGradients {} }
        }
    }

    @Test func `tells of a device that is not there`() throws {
        let missing = Device.cuda(try Engine.cudaDeviceCount())
        #expect(throws: TensorError.self) {
            try Tensor.ones([1]).converted(to: .float32, on: missing)
        }
        #expect(throws: TensorError.self) {
            try Tensor([1] as [Float], shape: [1], device: missing)
        }
    }
}

@Suite struct `Mixed precision` {
    private func convolve() throws -> (Tensor, Tensor) {
        let image = try Tensor((0..<50).map { Float($0 % 7) - 3 }, shape: [1, 2, 5, 5])
        let weight = try Tensor((0..<54).map { Float($0 % 5) / 3 - 0.5 }, shape: [3, 2, 3, 3])
        return (image, weight)
    }

    @Test(arguments: [ElementType.bfloat16])
    func `convolves in half the size and near the exact result`(_ type: ElementType) throws {
        let (image, weight) = try convolve()
        let exact = try image.convolved(weight: weight, bias: nil, padding: 1)
        let rough = try withAutocast(to: type, on: .cpu) {
            try image.convolved(weight: weight, bias: nil, padding: 1)
        }
        #expect(exact.elementType == .float32)
        #expect(rough.elementType == type)
        // bfloat16 keeps 8 bits: 2^-9 for the weights and again for the result.
        #expect(try largestError(of: rough, against: exact) < 0.01)
    }

    @Test func `gives single-precision gradients to single-precision weights`() throws {
        let (image, weight) = try convolve()
        try weight.requiresGradient()
        let result = try withAutocast(to: .bfloat16, on: .cpu) {
            try image.convolved(weight: weight, bias: nil)
        }
        try result.converted(to: .float32).sum().backward()
        #expect(try weight.gradient()?.elementType == .float32)
    }

    @Test func `ends with its body, also where that throws, and nests`() throws {
        struct Stop: Error {}
        let (image, weight) = try convolve()
        func type() throws -> ElementType {
            try image.convolved(weight: weight, bias: nil).elementType
        }
        #expect(throws: Stop.self) { try withAutocast(to: .bfloat16, on: .cpu) { throw Stop() } }
        #expect(try type() == .float32)
        try withAutocast(to: .bfloat16, on: .cpu) {
            let inner = try withAutocast(to: .bfloat16, on: .cpu) { try type() }
            let outer = try type()
            #expect(inner == .bfloat16 && outer == .bfloat16)
        }
        #expect(try type() == .float32)
        #expect(try withAutocast(to: nil, on: .cpu) { try type() } == .float32)
    }
}

@Suite struct `The engine` {
    // Its seed, threads and counts belong to the whole process.
    @Test func `draws the same numbers from the same seed and state`() async {
        await #expect(processExitsWith: .success) {
            func draw() throws -> [Float] { try Tensor.randomNormal([5]).elements() }
            try Engine.setSeed(42)
            let first = try draw()
            let state = try Engine.randomState()
            let second = try draw()
            #expect(first != second)
            try Engine.setRandomState(state)
            #expect(try draw() == second)
            // Through bytes, as in a checkpoint.
            let stored = try Tensor(
                bytes: state.bytes(), type: state.elementType, shape: state.shape)
            try Engine.setRandomState(stored)
            #expect(try draw() == second)
            try Engine.setSeed(42)
            #expect(try draw() == first)
            try Engine.setSeed(43)
            #expect(try draw() != first)
            #expect(throws: TensorError.self) { try Engine.setRandomState(.ones([3])) }
        }
    }

    @Test func `counts the tensors that are alive`() async {
        await #expect(processExitsWith: .success) {
            #expect(try Engine.liveTensorCount() == 0)
            var tensors = try (0..<10).map { try Tensor.zeros([$0]) }
            #expect(try Engine.liveTensorCount() == 10)
            tensors.removeFirst(4)
            #expect(try Engine.liveTensorCount() == 6)
            _ = try? tensors[2] + tensors[4]
            tensors = []
            #expect(try Engine.liveTensorCount() == 0)
        }
    }

    @Test func `uses as many threads as it is told`() async {
        await #expect(processExitsWith: .success) {
            try Engine.load()
            try Engine.setThreadCount(3)
            #expect(try Engine.threadCount() == 3)
            #expect(throws: TensorError.self) { try Engine.setThreadCount(0) }
        }
    }

    @Test func `names its version and devices`() throws {
        #expect(try Engine.versionDescription().split(separator: " ").count >= 2)
        #expect(try Engine.cudaDeviceCount() >= 0)
        #expect("\(Device.cpu)" == "cpu")
        #expect("\(Device.cuda(1))" == "cuda:1")
    }
}
