internal import CTorch

/// An argument of one of LibTorch's operators.
enum Argument {
    case none
    case tensor(Tensor)
    case integer(Int)
    case real(Double)
    case boolean(Bool)
    case integers([Int])
    case reals([Double])
    case tensors([Tensor])
    case device(Device)

    /// A tensor, or none.
    static func optional(_ tensor: Tensor?) -> Argument { tensor.map(Argument.tensor) ?? .none }
}

extension ElementType {
    /// LibTorch's number of the type, as operators take it.
    var number: Argument { .integer(Int(code.rawValue)) }
}

/// Calls an operator by its schema.
///
/// `name` is the part after `aten::`; one with a namespace of its own is taken as it is.
///
/// - Returns: The tensors of the result in order, `nil` for an undefined one.
func dispatch(
    _ name: String, _ overload: String = "", _ arguments: [Argument]
) throws(TensorError) -> [Tensor?] {
    let engine = try LoadedLibraries.functions()
    let name = name.contains("::") ? name : "aten::" + name
    // Lists are laid out one after another, so that one pointer to each stays valid for the call.
    var integers: [Int64] = []
    var reals: [Double] = []
    var handles: [CTorchTensor] = unsafe []
    for argument in arguments {
        switch argument {
        case .integers(let list): integers += list.map { Int64($0) }
        case .reals(let list): reals += list
        case .tensor(let tensor): unsafe try tensor.resident()
        case .tensors(let list):
            for tensor in list { unsafe handles.append(try tensor.resident()) }
        default: break
        }
    }
    let capacity = unsafe 64 + handles.count
    var results = unsafe [CTorchValue](repeating: CTorchValue(), count: capacity)
    var resultCount: Int32 = 0
    let status = withExtendedLifetime(arguments) {
        unsafe integers.withUnsafeBufferPointer { integers in
            unsafe reals.withUnsafeBufferPointer { reals in
                unsafe handles.withUnsafeBufferPointer { handles in
                    var (usedIntegers, usedReals, usedHandles) = (0, 0, 0)
                    var values: [CTorchValue] = unsafe []
                    for argument in arguments {
                        var value = unsafe CTorchValue()
                        switch argument {
                        case .none: unsafe value.kind = CTORCH_VALUE_NONE
                        case .tensor(let tensor):
                            unsafe value.kind = CTORCH_VALUE_TENSOR
                            unsafe value.tensor = tensor.handle
                        case .integer(let number):
                            unsafe value.kind = CTORCH_VALUE_INTEGER
                            unsafe value.integer = Int64(number)
                        case .real(let number):
                            unsafe value.kind = CTORCH_VALUE_REAL
                            unsafe value.real = number
                        case .boolean(let truth):
                            unsafe value.kind = CTORCH_VALUE_BOOLEAN
                            unsafe value.integer = truth ? 1 : 0
                        case .integers(let list):
                            unsafe value.kind = CTORCH_VALUE_INTEGERS
                            unsafe value.count = Int64(list.count)
                            unsafe value.list = UnsafeRawPointer(
                                integers.baseAddress.map { unsafe $0 + usedIntegers })
                            usedIntegers += list.count
                        case .reals(let list):
                            unsafe value.kind = CTORCH_VALUE_REALS
                            unsafe value.count = Int64(list.count)
                            unsafe value.list = UnsafeRawPointer(
                                reals.baseAddress.map { unsafe $0 + usedReals })
                            usedReals += list.count
                        case .tensors(let list):
                            unsafe value.kind = CTORCH_VALUE_TENSORS
                            unsafe value.count = Int64(list.count)
                            unsafe value.list = UnsafeRawPointer(
                                handles.baseAddress.map { unsafe $0 + usedHandles })
                            usedHandles += list.count
                        case .device(let device):
                            unsafe value.kind = CTORCH_VALUE_DEVICE
                            unsafe value.integer = Int64(device.type.rawValue)
                            unsafe value.count = Int64(device.index)
                        }
                        unsafe values.append(value)
                    }
                    return unsafe engine.table.pointee.call(
                        name, overload, values, Int32(values.count), &results,
                        Int32(capacity), &resultCount)
                }
            }
        }
    }
    try engine.check(status, name)
    var tensors: [Tensor?] = []
    for position in 0..<Int(resultCount) {
        let result = unsafe results[position]
        tensors.append(
            unsafe result.kind == CTORCH_VALUE_TENSOR
                ? try unsafe Tensor(adopting: result.tensor, engine) : nil)
    }
    return tensors
}

/// Calls an operator that returns one tensor.
func dispatchOne(
    _ name: String, _ overload: String = "", _ arguments: Argument...
) throws(TensorError) -> Tensor {
    let results = try dispatch(name, overload, arguments)
    guard let first = results.first, let tensor = first else {
        throw TensorError(
            code: .other, operation: "aten::" + name, message: "no tensor was returned")
    }
    return tensor
}
