import Foundation
public import NeuralNetworks
public import Tensors
import TestSupport

/// One case of `fixtures/networks/index.json`.
public struct NetworkFixture<Config: Decodable & Sendable>: Decodable, Sendable,
    CustomStringConvertible
{
    /// The safetensors file beside the index.
    public var file: String
    /// What the names of the case's tensors start with, or empty.
    public var prefix: String
    /// The configuration.
    public var config: Config

    /// The case's name: `uNet-none`, `linear`.
    public var description: String {
        prefix.isEmpty ? file.replacing(".safetensors", with: "") : prefix
    }

    /// Reads the case's tensors.
    public func tensors() throws -> SafeTensorsFixture {
        try SafeTensorsFixture("networks/" + file, prefix: prefix)
    }
}

/// The cases whose configuration holds the given texts, such as `["kind": "network"]`.
public func networkFixtures<Config: Decodable & Sendable>(
    where texts: [String: String], as type: Config.Type = Config.self
) throws -> [NetworkFixture<Config>] {
    let index =
        try JSONSerialization.jsonObject(with: fixtureData("networks/index.json"))
        as? [String: Any]
    let cases = index?["cases"] as? [[String: Any]] ?? []
    return try cases.filter { entry in
        let config = entry["config"] as? [String: Any] ?? [:]
        return texts.allSatisfy { config[$0.key] as? String == $0.value }
    }.map {
        try JSONDecoder().decode(
            NetworkFixture<Config>.self, from: JSONSerialization.data(withJSONObject: $0))
    }
}

/// Reads a file in JSON beside the index.
public func decodeNetworkFixture<Value: Decodable>(
    _ name: String, as type: Value.Type = Value.self
) throws -> Value {
    try decodeFixture("networks/" + name)
}

/// How far a tensor is from what PyTorch computed: `|a - b| / max(0.1, largest |b|)`.
///
/// - Returns: The largest such number; infinite where a shape differs or a value is not finite.
/// - Throws: `TensorError` where elements cannot be read.
public func largestError(of actual: Tensor, against expected: Tensor) throws -> Double {
    guard actual.shape == expected.shape else { return .infinity }
    let computed = try actual.detached().elements(as: Double.self)
    let wanted = try expected.elements(as: Double.self)
    guard computed.allSatisfy(\.isFinite) else { return .infinity }
    let scale = max(0.1, wanted.map(abs).max() ?? 0)
    return (zip(computed, wanted).map { abs($0 - $1) }.max() ?? 0) / scale
}

/// The errors of one case, tensor by tensor.
public struct ErrorTable: CustomStringConvertible {
    /// The error of each tensor, by its name in the fixture.
    public private(set) var errors: [String: Double] = [:]

    /// Makes an empty table.
    public init() {}

    /// Adds a tensor.
    public mutating func add(_ name: String, _ actual: Tensor, against expected: Tensor) throws {
        errors[name] = try largestError(of: actual, against: expected)
    }

    /// The largest error.
    public var largest: Double { errors.values.max() ?? .infinity }

    /// The largest error, of which tensor, of how many.
    public var description: String {
        let name = errors.max { $0.value < $1.value }?.key ?? "nothing"
        return String(format: "%.1e", largest) + " (\(name), of \(errors.count) tensors)"
    }
}

extension Layer {
    /// Puts in weights and buffers; their names must be exactly those of the layer.
    public func load(
        weights: String = "param.", buffers: String = "buffer.", from fixture: SafeTensorsFixture
    ) throws {
        let named = namedParameters
        for (start, isTrainable) in [(weights, true), (buffers, false)] {
            let own = named.filter { $0.parameter.isTrainable == isTrainable }.map(\.name).sorted()
            guard own == fixture.names(after: start) else {
                throw FixtureError(
                    description: "\(start) holds \(fixture.names(after: start)), not \(own)")
            }
        }
        for (name, parameter) in named {
            let stored = try fixture.tensor((parameter.isTrainable ? weights : buffers) + name)
            guard stored.shape == parameter.value.shape else {
                throw FixtureError(
                    description: "\(name) is \(parameter.value.shape), not \(stored.shape)")
            }
            parameter.value = try stored.requiresGradient(parameter.isTrainable)
        }
    }
}

/// Runs a case forward and backward and compares output, gradients and buffers.
///
/// - Parameters:
///   - layer: What takes the case's weights, or `nil` for an operation without any.
///   - fixture: The case.
///   - type: The element type to compute in.
///   - forward: Computes the output of the case's input.
/// - Returns: The error of every tensor that the case expects.
/// - Throws: What computing throws, and where the case's gradients are not those of the layer.
public func trainingErrors(
    of layer: (any Layer)?, in fixture: SafeTensorsFixture, type: ElementType = .float32,
    forward: (Tensor) throws -> Tensor
) throws -> ErrorTable {
    try layer?.load(from: fixture)
    try layer?.move(to: .cpu, type: type)
    var table = ErrorTable()
    let input = try fixture.tensor("input").converted(to: type).requiresGradient()
    let output = try forward(input)
    try table.add("output", output, against: fixture.tensor("output"))
    try (output * fixture.tensor("probe").converted(to: type)).sum().backward()

    let trainable = layer?.namedParameters.filter(\.parameter.isTrainable) ?? []
    guard trainable.map(\.name).sorted() == fixture.names(after: "grad.") else {
        throw FixtureError(description: "gradients of \(fixture.names(after: "grad."))")
    }
    for (name, parameter) in [("grad_input", input)]
        + trainable.map({ ("grad." + $0.name, $0.parameter.value) })
    {
        guard let gradient = try parameter.gradient() else {
            throw FixtureError(description: "no \(name)")
        }
        try table.add(name, gradient, against: fixture.tensor(name))
    }
    for (name, parameter) in layer?.namedParameters ?? []
    where fixture.holds("buffer_after." + name) {
        try table.add(
            "buffer_after." + name, parameter.value,
            against: fixture.tensor("buffer_after." + name))
    }
    return table
}
