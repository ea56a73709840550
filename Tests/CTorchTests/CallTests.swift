import CTorch
import Foundation
import Testing

/// The table of functions, as the first caller in a process gets it.
private func table() throws -> CTorchAPI {
    var message: UnsafePointer<CChar>?
    let loaded = ctorch_load(nil, &message)
    return try #require(loaded, "\(message.map { String(cString: $0) } ?? "")").pointee
}

/// A tensor of single-precision numbers that the caller releases.
private func makeTensor(_ numbers: [Float], _ shape: [Int64]) throws -> CTorchTensor {
    let table = try table()
    var result: CTorchTensor?
    let status = table.tensor_make(
        numbers, CTORCH_FLOAT32, shape, Int32(shape.count), CTORCH_CPU, 0, &result)
    #expect(status == CTORCH_OK)
    return try #require(result)
}

private func value(_ tensor: CTorchTensor) -> CTorchValue {
    var value = CTorchValue()
    value.kind = CTORCH_VALUE_TENSOR
    value.tensor = tensor
    return value
}

private func value(_ number: Int64) -> CTorchValue {
    var value = CTorchValue()
    value.kind = CTORCH_VALUE_INTEGER
    value.integer = number
    return value
}

/// What one call gave.
private struct Outcome {
    var status: CTorchStatus
    var message: String
    var results: [CTorchValue]
}

private func call(
    _ name: String, _ overload: String = "", _ arguments: [CTorchValue], capacity: Int = 8
) throws -> Outcome {
    let table = try table()
    var results = [CTorchValue](repeating: CTorchValue(), count: capacity)
    var count: Int32 = -1
    let status = table.call(
        name, overload, arguments, Int32(arguments.count), &results, Int32(capacity), &count)
    return Outcome(
        status: status, message: String(cString: table.last_error()),
        results: status == CTORCH_OK ? Array(results.prefix(Int(count))) : [])
}

private func floats(_ tensor: CTorchTensor) throws -> [Float] {
    let table = try table()
    var data: UnsafeMutableRawPointer?
    var byteCount: Int64 = 0
    #expect(table.tensor_data(tensor, &data, &byteCount) == CTORCH_OK)
    return [Float](
        UnsafeRawBufferPointer(start: data, count: Int(byteCount)).bindMemory(to: Float.self))
}

@Suite struct `A call of an operator` {
    @Test func `takes its defaults for the arguments left out`() throws {
        let table = try table()
        let tensor = try makeTensor([1, 2, 3, 4], [2, 2])
        defer { table.tensor_release(tensor) }
        // add(self, other, *, alpha=1): the sum needs no alpha.
        let outcome = try call("aten::add", "Tensor", [value(tensor), value(tensor)])
        #expect(outcome.status == CTORCH_OK)
        let sum = try #require(outcome.results.first?.tensor)
        defer { table.tensor_release(sum) }
        #expect(try floats(sum) == [2, 4, 6, 8])
    }

    @Test func `hands out every tensor of a list`() throws {
        let table = try table()
        let tensor = try makeTensor([1, 2, 3], [3, 1])
        defer { table.tensor_release(tensor) }
        let outcome = try call("aten::unbind", "int", [value(tensor), value(0)])
        let parts = outcome.results.compactMap(\.tensor)
        #expect(try parts.map { try floats($0) } == [[1], [2], [3]])
        for part in parts { table.tensor_release(part) }
    }

    @Test func `hands out integers, numbers and truth values`() throws {
        let table = try table()
        let tensor = try makeTensor([2.5], [1])
        defer { table.tensor_release(tensor) }
        let size = try call("aten::size", "int", [value(tensor), value(0)])
        #expect(size.results.first?.kind == CTORCH_VALUE_INTEGER)
        #expect(size.results.first?.integer == 1)
        let truth = try call("aten::is_floating_point", "", [value(tensor)])
        #expect(truth.results.first?.kind == CTORCH_VALUE_BOOLEAN)
        #expect(truth.results.first?.integer == 1)
        let number = try call("aten::item", "", [value(tensor)])
        #expect(number.results.first?.kind == CTORCH_VALUE_REAL)
        #expect(number.results.first?.real == 2.5)
    }

    @Test func `reports an operator that does not exist`() throws {
        let outcome = try call("aten::recalibrate", "", [])
        #expect(outcome.status == CTORCH_ERROR_ARGUMENT)
        #expect(outcome.message.contains("aten::recalibrate"))
    }

    @Test func `reports an overload that does not exist`() throws {
        let outcome = try call("aten::add", "Quaternion", [])
        #expect(outcome.status == CTORCH_ERROR_ARGUMENT)
        #expect(outcome.message.contains("Quaternion"))
    }

    @Test func `reports an argument of the wrong kind`() throws {
        let outcome = try call("aten::relu", "", [value(3)])
        #expect(outcome.status != CTORCH_OK)
        #expect(!outcome.message.isEmpty)
    }

    @Test func `reports an argument of unknown kind`() throws {
        var strange = CTorchValue()
        strange.kind = CTorchValueKind(rawValue: 99)
        let outcome = try call("aten::relu", "", [strange])
        #expect(outcome.status == CTORCH_ERROR_ARGUMENT)
        #expect(outcome.message.contains("99"))
    }

    @Test func `reports one argument too many`() throws {
        let outcome = try call("aten::relu", "", [value(1), value(2)])
        #expect(outcome.status == CTORCH_ERROR_ARGUMENT)
        #expect(outcome.message.contains("takes 1 arguments, not 2"))
    }

    @Test func `names the argument that is missing`() throws {
        let table = try table()
        let tensor = try makeTensor([1], [1])
        defer { table.tensor_release(tensor) }
        let outcome = try call("aten::add", "Tensor", [value(tensor)])
        #expect(outcome.status == CTORCH_ERROR_ARGUMENT)
        #expect(outcome.message.contains("needs its argument other"))
    }

    @Test func `reports shapes that do not fit, with both`() throws {
        let table = try table()
        let (left, right) = (try makeTensor([1, 2], [2]), try makeTensor([1, 2, 3], [3]))
        defer {
            table.tensor_release(left)
            table.tensor_release(right)
        }
        let outcome = try call("aten::add", "Tensor", [value(left), value(right)])
        #expect(outcome.status == CTORCH_ERROR_ARGUMENT)
        #expect(outcome.message.contains("(2)") && outcome.message.contains("(3)"))
    }

    @Test func `reports a string where there is none as an error, not as a crash`() throws {
        var nothing = CTorchValue()
        nothing.kind = CTORCH_VALUE_STRING
        let outcome = try call("aten::relu", "", [nothing])
        #expect(outcome.status == CTORCH_ERROR_OTHER)
        #expect(!outcome.message.isEmpty)
    }

    @Test func `tells used up memory from a wrong call`() throws {
        var shape = CTorchValue()
        shape.kind = CTORCH_VALUE_INTEGERS
        var one = CTorchValue()
        one.kind = CTORCH_VALUE_REAL
        one.real = 1
        let extents: [Int64] = [1 << 45]
        let outcome = try extents.withUnsafeBytes { bytes in
            shape.list = bytes.baseAddress
            shape.count = 1
            return try call("aten::full", "", [shape, one])
        }
        #expect(outcome.status == CTORCH_ERROR_MEMORY)
        #expect(outcome.message.contains("allocate"))
    }

    @Test func `keeps the text of an error for the thread that made it`() async throws {
        let first = try call("aten::first", "", [])
        let other = await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                let before = (try? table()).map { String(cString: $0.last_error()) }
                let second = try? call("aten::second", "", [])
                continuation.resume(returning: [before ?? "", second?.message ?? ""])
            }
        }
        #expect(first.message.contains("aten::first"))
        #expect(other[0].isEmpty)
        #expect(other[1].contains("aten::second"))
    }

    @Test func `keeps the text until the next error`() throws {
        let table = try table()
        #expect(try call("aten::first", "", []).message.contains("aten::first"))
        #expect(String(cString: table.last_error()).contains("aten::first"))
        #expect(try call("aten::second", "", []).message.contains("aten::second"))
    }
}

@Suite struct `A tensor handle` {
    @Test func `tells rank, extents, type and device`() throws {
        let table = try table()
        let tensor = try makeTensor([1, 2, 3, 4, 5, 6], [1, 2, 3])
        defer { table.tensor_release(tensor) }
        var index: Int32 = -1
        #expect(table.tensor_rank(tensor) == 3)
        #expect((0..<3).map { table.tensor_size(tensor, $0) } == [1, 2, 3])
        #expect(table.tensor_size(tensor, 3) == -1)
        #expect(table.tensor_size(tensor, -1) == -1)
        #expect(table.tensor_type(tensor) == CTORCH_FLOAT32)
        #expect(table.tensor_device(tensor, &index) == CTORCH_CPU)
        #expect(index == 0)
    }

    @Test func `copies the bytes it is made of`() throws {
        let table = try table()
        var numbers: [Float] = [1, 2]
        let tensor = try makeTensor(numbers, [2])
        defer { table.tensor_release(tensor) }
        numbers[0] = 7
        #expect(try floats(tensor) == [1, 2])
    }

    @Test func `gives no bytes where they are not dense`() throws {
        let table = try table()
        let tensor = try makeTensor([1, 2, 3, 4, 5, 6], [2, 3])
        let outcome = try call("aten::t", "", [value(tensor)])
        let transposed = try #require(outcome.results.first?.tensor)
        defer {
            table.tensor_release(tensor)
            table.tensor_release(transposed)
        }
        var data: UnsafeMutableRawPointer?
        var byteCount: Int64 = 0
        #expect(table.tensor_data(transposed, &data, &byteCount) == CTORCH_ERROR_ARGUMENT)
    }

    @Test func `is not made of a negative extent`() throws {
        let table = try table()
        var result: CTorchTensor?
        let status = table.tensor_make([Float(0)], CTORCH_FLOAT32, [-1], 1, CTORCH_CPU, 0, &result)
        #expect(status == CTORCH_ERROR_ARGUMENT)
        #expect(result == nil)
    }

    @Test func `is not made on a device that is not there`() throws {
        let table = try table()
        let missing = table.cuda_device_count()
        var result: CTorchTensor?
        let status = table.tensor_make(
            [Float(0)], CTORCH_FLOAT32, [1], 1, CTORCH_CUDA, missing, &result)
        #expect(status != CTORCH_OK)
        #expect(result == nil)
        #expect(!String(cString: table.last_error()).isEmpty)
    }

    @Test func `has no gradient until backward, then one, then none again`() throws {
        let table = try table()
        let tensor = try makeTensor([3], [1])
        defer { table.tensor_release(tensor) }
        var gradient: CTorchTensor?
        #expect(table.set_requires_gradient(tensor, true) == CTORCH_OK)
        #expect(table.gradient(tensor, &gradient) == CTORCH_OK)
        #expect(gradient == nil)
        let outcome = try call("aten::mul", "Tensor", [value(tensor), value(tensor)])
        let square = try #require(outcome.results.first?.tensor)
        defer { table.tensor_release(square) }
        #expect(table.backward(square) == CTORCH_OK)
        #expect(table.gradient(tensor, &gradient) == CTORCH_OK)
        #expect(try floats(#require(gradient)) == [6])
        table.tensor_release(gradient)
        #expect(table.backward(square) != CTORCH_OK)
        #expect(table.clear_gradient(tensor) == CTORCH_OK)
        #expect(table.gradient(tensor, &gradient) == CTORCH_OK)
        #expect(gradient == nil)
    }

    @Test func `gives no gradient of a whole image`() throws {
        let table = try table()
        let tensor = try makeTensor([1, 2], [2])
        defer { table.tensor_release(tensor) }
        #expect(table.set_requires_gradient(tensor, true) == CTORCH_OK)
        let outcome = try call("aten::relu", "", [value(tensor)])
        let image = try #require(outcome.results.first?.tensor)
        defer { table.tensor_release(image) }
        #expect(table.backward(image) == CTORCH_ERROR_ARGUMENT)
    }

    @Test func `of whole numbers has no gradient`() throws {
        let table = try table()
        var result: CTorchTensor?
        #expect(
            table.tensor_make([Int64(1)], CTORCH_INT64, [1], 1, CTORCH_CPU, 0, &result)
                == CTORCH_OK)
        let tensor = try #require(result)
        defer { table.tensor_release(tensor) }
        #expect(table.set_requires_gradient(tensor, true) == CTORCH_ERROR_ARGUMENT)
    }

    // Counts belong to the whole process, so this runs in one of its own.
    @Test func `is counted until it is released, and errors leave none behind`() async {
        await #expect(processExitsWith: .success) {
            let table = try table()
            #expect(table.tensor_live_count() == 0)
            let tensor = try makeTensor([1, 2, 3], [3])
            #expect(table.tensor_live_count() == 1)
            // Three results do not fit in two places: all of them are given back.
            let outcome = try call("aten::unbind", "int", [value(tensor), value(0)], capacity: 2)
            #expect(outcome.status == CTORCH_ERROR_ARGUMENT)
            #expect(outcome.message.contains("more than 2 results"))
            #expect(table.tensor_live_count() == 1)
            _ = try call("aten::nonsense", "", [value(tensor)])
            #expect(table.tensor_live_count() == 1)
            table.tensor_release(tensor)
            table.tensor_release(nil)
            #expect(table.tensor_live_count() == 0)
        }
    }
}

@Suite struct `The state of the engine` {
    @Test func `refuses a random state of the wrong size`() throws {
        let table = try table()
        let tensor = try makeTensor([1], [1])
        defer { table.tensor_release(tensor) }
        #expect(table.set_random_state(CTORCH_CPU, 0, tensor) == CTORCH_ERROR_ARGUMENT)
    }

    @Test func `tells gradient mode and autocast as they were before`() throws {
        let table = try table()
        #expect(table.set_gradient_mode(false))
        #expect(!table.set_gradient_mode(true))
        #expect(!table.set_autocast(CTORCH_CPU, true, CTORCH_BFLOAT16))
        #expect(table.set_autocast(CTORCH_CPU, false, CTORCH_BFLOAT16))
    }

    @Test func `sets the number of threads and refuses none`() async {
        await #expect(processExitsWith: .success) {
            let table = try table()
            #expect(table.set_thread_count(1) == CTORCH_OK)
            #expect(table.thread_count() == 1)
            #expect(table.set_thread_count(0) == CTORCH_ERROR_ARGUMENT)
            #expect(table.thread_count() == 1)
        }
    }

    @Test func `names LibTorch's version and instruction set`() throws {
        let table = try table()
        #expect(table.version == CTORCH_API_VERSION)
        #expect(String(cString: table.torch_version()).hasPrefix("2."))
        #expect(!String(cString: table.cpu_capability()).isEmpty)
    }
}
