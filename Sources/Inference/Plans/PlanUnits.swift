import NeuralNetworks
import SegmentationModels
import Tensors

/// The units that a network's graph is compiled in, and which of them read what.
struct PlanUnits {
    /// A unit of compilation: a node, or the nodes of a recalibration block or of a mixture.
    enum Unit {
        case node(NetworkGraph.Node)
        case recalibration(NetworkGraph.Recalibrated)
        case mixture(NetworkGraph.Mixed)
    }

    /// The nodes that alone read another's output, and what they make of it.
    struct Followers {
        /// The normalization that comes first, if one does.
        var normalization: BatchNorm2d?
        /// The rectifier, which may come after it.
        var rectifier: NetworkGraph.Node?
        /// What the last of them makes.
        var output: NetworkGraph.Value
        /// Their units.
        var units: [Int] = []
    }

    private let graph: NetworkGraph
    private var units: [Unit] = []
    /// By value, the units that read it.
    private var readers: [Int: [Int]] = [:]
    /// By dropped value, the value itself.
    private var aliases: [Int: Int] = [:]
    /// By value, the concatenation that is to lie in memory, and the value's first channel in it.
    private(set) var joinedAt: [Int: (joined: Int, channel: Int)] = [:]

    /// The places of the units in their order.
    var indices: Range<Int> { units.indices }

    subscript(unit: Int) -> Unit { units[unit] }

    /// Divides a graph into units.
    init(_ graph: NetworkGraph) {
        self.graph = graph
        findReaders()
        findJoined()
    }

    /// The position of a value, or of what it is a copy of with dropout.
    func position(_ value: NetworkGraph.Value) -> Int {
        aliases[value.position] ?? value.position
    }

    private mutating func findReaders() {
        var blocks = graph.recalibrations[...]
        var mixtures = graph.mixtures[...]
        var node = 0
        while node < graph.nodes.count {
            if let block = blocks.first, block.nodes.lowerBound == node {
                blocks.removeFirst()
                readers[position(block.input), default: []].append(units.count)
                units.append(.recalibration(block))
                node = block.nodes.upperBound
                continue
            }
            if let mixture = mixtures.first, mixture.nodes.lowerBound == node {
                mixtures.removeFirst()
                for branch in mixture.branches {
                    readers[position(branch), default: []].append(units.count)
                }
                units.append(.mixture(mixture))
                node = mixture.nodes.upperBound
                continue
            }
            let current = graph.nodes[node]
            node += 1
            if case .dropout = current.operation {
                aliases[current.outputs[0].position] = position(current.inputs[0])
                continue
            }
            for input in current.inputs {
                readers[position(input), default: []].append(units.count)
            }
            units.append(.node(current))
        }
    }

    /// Finds the concatenations that a convolution reads as one buffer; the others are never
    /// written.
    private mutating func findJoined() {
        for case .node(let node) in units {
            guard case .concatenation = node.operation,
                readersOf(node.outputs[0]).contains(where: { !appliesPending($0) })
            else { continue }
            var channel = 0
            for input in node.inputs {
                let part = position(input)
                if joinedAt[part] == nil {
                    joinedAt[part] = (node.outputs[0].position, channel)
                }
                channel += graph.shape(of: input).channels
            }
        }
    }

    /// The units that read a value.
    func readersOf(_ value: NetworkGraph.Value) -> [Int] {
        readers[position(value)] ?? []
    }

    /// Returns whether a unit only notes what is to be done with its input.
    func appliesPending(_ unit: Int) -> Bool {
        guard case .node(let node) = units[unit] else { return false }
        switch node.operation {
        case .normalization, .rectification, .learnedRectification: return true
        case .concatenation:
            return readersOf(node.outputs[0]).allSatisfy { appliesPending($0) }
        default: return false
        }
    }

    /// The first channel of a value in a concatenation.
    func channel(of value: NetworkGraph.Value, in joined: Int) -> Int {
        var channel = 0
        for case .node(let node) in units where node.outputs[0].position == joined {
            for other in node.inputs {
                if position(other) == position(value) { break }
                channel += graph.shape(of: other).channels
            }
        }
        return channel
    }

    /// The pooling that a unit is, where a step can do it beside another.
    func pooling(_ unit: Int) -> NetworkGraph.Node? {
        guard case .node(let node) = units[unit] else { return nil }
        switch node.operation {
        case .poolingWithIndices: return node
        case .pooling(let layer)
        where layer.reduction == .maximum && layer.kernel == 2 && layer.stride == 2
            && layer.padding == 0 && graph.shape(of: node.inputs[0]).height % 2 == 0
            && graph.shape(of: node.inputs[0]).width % 2 == 0:
            return node
        default: return nil
        }
    }

    /// The normalization and the rectifier that alone read a node.
    func followers(of node: NetworkGraph.Node) -> Followers {
        var found = Followers(output: node.outputs[0])
        func only() -> (Int, NetworkGraph.Node)? {
            let readers = readersOf(found.output)
            guard readers.count == 1, case .node(let node) = units[readers[0]] else { return nil }
            return (readers[0], node)
        }
        if let (unit, node) = only(), case .normalization(let layer) = node.operation {
            found.normalization = layer
            found.output = node.outputs[0]
            found.units.append(unit)
        }
        guard let (unit, next) = only() else { return found }
        switch next.operation {
        case .learnedRectification(let layer) where layer.weight.value.count > 1: return found
        case .rectification, .learnedRectification:
            found.rectifier = next
            found.output = next.outputs[0]
            found.units.append(unit)
            return found
        default: return found
        }
    }
}
