"""In the child process: where pairs of QuantizeLinear and DequantizeLinear belong.

The quantizer lets every consumer of a quantized value read the rounded one, and leaves a pair
between a convolution and the addition that its kernel could do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator

from onnx import GraphProto, NodeProto

CONVOLUTIONS = ("Conv", "ConvTranspose")
_RIDES_ALONG = frozenset(
    """Add Mul Transpose Reshape Squeeze Unsqueeze Flatten Slice Split Concat Pad Resize Gather
    GatherElements""".split()
)
"""Operators that are quantized to stay between layers in integers, and for nothing else."""
_FLOAT_RESULTS = ("MatMul", "Gemm")
"""Layers that ONNX Runtime runs in integers even if their result stays in float."""

IsFloat = Callable[[NodeProto], bool]


class Links:
    """Producers and consumers of a graph's values."""

    def __init__(self, graph: GraphProto) -> None:
        self.graph = graph
        self.makers = {name: node for node in graph.node for name in node.output}
        self.readers: dict[str, list[tuple[NodeProto, int]]] = defaultdict(list)
        for node in graph.node:
            for index, name in enumerate(node.input):
                self.readers[name].append((node, index))
        self.returned = {value.name for value in graph.output}
        self.stored = {tensor.name for tensor in graph.initializer}

    def maker(self, name: str, *ops: str) -> NodeProto | None:
        """Return the node that computes a value, if it has one of these operators."""
        node = self.makers.get(name)
        return node if node is not None and node.op_type in ops else None

    def pairs(self) -> Iterator[tuple[NodeProto, NodeProto]]:
        """Iterate over pairs of a QuantizeLinear and a DequantizeLinear of activations."""
        for node in self.graph.node:
            if node.op_type == "DequantizeLinear":
                quantizer = self.maker(node.input[0], "QuantizeLinear")
                if quantizer is not None and quantizer.input[0] not in self.stored:
                    yield quantizer, node


def residual_additions(graph: GraphProto) -> set[str]:
    """Return the names of additions of two activations, one of which a convolution computes."""
    links = Links(graph)
    return {
        node.name
        for node in graph.node
        if node.op_type == "Add"
        and not any(name in links.stored for name in node.input)
        and any(links.maker(name, *CONVOLUTIONS) for name in node.input)
    }


def not_between_layers(graph: GraphProto, operators: Collection[str]) -> set[str]:
    """Return names of sums, products and moves that read or feed a float operator."""
    links, found = Links(graph), set[str]()
    riders = [node for node in graph.node if node.op_type in _RIDES_ALONG]

    def is_float(node: NodeProto | None) -> bool:
        return node is not None and (node.op_type not in operators or node.name in found)

    def belongs_to_floats(node: NodeProto) -> bool:
        readers = [reader for reader, _ in links.readers[node.output[0]]]
        sources = [links.makers.get(name) for name in node.input if name not in links.stored]
        return any(map(is_float, (*readers, *sources)))

    before = -1
    while len(found) > before:
        before = len(found)
        found |= {node.name for node in riders if belongs_to_floats(node)}
    return found


def let_floats_read_unrounded(graph: GraphProto, is_float: IsFloat, *, always: bool) -> None:
    """Let float operators read a value from before its pair.

    Unless `always`, a convolution's result keeps its pair: ONNX Runtime runs it in integers only if
    a QuantizeLinear alone follows.
    """
    links = Links(graph)
    for quantizer, dequantizer in links.pairs():
        source = quantizer.input[0]
        maker = links.makers.get(source)
        if always or maker is None or maker.op_type in _FLOAT_RESULTS or is_float(maker):
            for reader, index in links.readers[dequantizer.output[0]]:
                if is_float(reader) and reader.op_type != "QuantizeLinear":
                    reader.input[index] = source
    _drop_unread(graph)


def free_additions(graph: GraphProto) -> None:
    """Let each addition read one convolution unrounded."""
    links = Links(graph)
    freed: set[int] = set()
    for quantizer, dequantizer in links.pairs():
        source, result = quantizer.input[0], dequantizer.output[0]
        readers = links.readers[result]
        is_alone = len(readers) == 1 and len(links.readers[source]) == 1
        if not is_alone or source in links.returned or not links.maker(source, *CONVOLUTIONS):
            continue
        reader, index = readers[0]
        if reader.op_type == "Add" and id(reader) not in freed:
            freed.add(id(reader))
            reader.input[index] = source
    _drop_unread(graph)


def _drop_unread(graph: GraphProto) -> None:
    """Drop pairs, scales and zero points that nothing reads."""
    while True:
        read = {name for node in graph.node for name in node.input}
        read |= {value.name for value in graph.output}
        unread = [
            node
            for node in graph.node
            if node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.output[0] not in read
        ]
        if not unread:
            break
        for node in unread:
            graph.node.remove(node)
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    if len(kept) < len(graph.initializer):
        del graph.initializer[:]
        graph.initializer.extend(kept)
