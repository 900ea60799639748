"""Stand-ins for operators unknown to shape inference: standard operators with the same shapes.

ONNX's inference stops at every operator of `com.microsoft`. Only for inference, each is replaced by
a standard operator whose result has the same type and shape; the model itself is not changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from modellint.formats.onnx.names import named_graphs

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

    from modellint.model import Model

MICROSOFT = "com.microsoft"
BLOCKED = "com.microsoft.nchwc"
INTERNAL = ("SimplifiedLayerNormalization",)
"""Nonstandard operators that ONNX Runtime writes into the default domain."""
_INT, _INTS, _STRING, _FLOAT_TYPE, _INT64_TYPE = 2, 7, 3, 1, 7


def needs_standins(model: Model) -> bool:
    """Return True if a graph has operators with stand-ins."""
    return any(not _REPLACED.isdisjoint(graph.by_op) for graph in model.graphs())


def is_microsofts(domain: str) -> bool:
    return domain.startswith(MICROSOFT)


def use_standins(proto: ModelProto) -> None:
    """Replace operators unknown to inference, in all graphs."""
    if any(entry.domain in ("", "ai.onnx") for entry in proto.opset_import):
        _replace_in(proto.graph)


def _replace_in(graph: GraphProto) -> None:
    extra: list[NodeProto] = []
    same: dict[str, str] = {}
    for node in graph.node:
        for at, name in enumerate(node.input):
            if name in same:
                node.input[at] = same[name]
        for _, inner in named_graphs(node):
            _replace_in(inner)
        standin = _standin(node)
        if standin is not None and standin.fits(node):
            added = list(standin.replace(graph, node) or ())
            extra += added
            # What stands at the end is not known yet to those that read it.
            same |= {n.output[0]: n.input[0] for n in added if n.op_type == "Identity"}
    graph.node.extend(extra)  # at the end, so that nodes keep their places


class Standin(NamedTuple):
    """Replacement for an operator, and the conditions on a node."""

    replace: Callable[[GraphProto, NodeProto], Iterable[NodeProto] | None]
    """Changes the node, and returns nodes to add."""
    inputs: tuple[int, ...] = (0,)
    sizes: tuple[str, ...] = ()
    """Attributes that must be positive."""

    def fits(self, node: NodeProto) -> bool:
        return (
            bool(node.output)
            and all(_at(node.input, at) for at in self.inputs)
            and all(_int(node, name) > 0 for name in self.sizes)
            and not any(True for _ in named_graphs(node))
        )


def _standin(node: NodeProto) -> Standin | None:
    if node.domain == MICROSOFT:
        return _STANDINS.get(node.op_type)
    if node.domain == BLOCKED:
        return _BLOCKED.get(node.op_type)
    return _same_as(0) if not node.domain and node.op_type in INTERNAL else None


def _become(node: NodeProto, op: str, inputs: Iterable[str], *, keep: Iterable[str] = ()) -> None:
    """Turn the node into another op with these inputs, its first output and some attributes."""
    kept = [attribute for attribute in node.attribute if attribute.name in set(keep)]
    names, first = list(inputs), node.output[0]
    node.op_type, node.domain = op, ""
    del node.input[:], node.attribute[:], node.output[:]
    node.input.extend(names)
    node.output.append(first)
    node.attribute.extend(kept)


def _same_as(index: int, *, also: int | None = None) -> Standin:
    """Stand in for a result like one of the inputs; `also` is another such output."""

    def replace(_: GraphProto, node: NodeProto) -> Iterable[NodeProto]:
        source, outputs = node.input[index], list(node.output)
        _become(node, "Identity", [source])
        if also is not None and _at(outputs, also):
            yield _node(node, "Identity", [source], outputs[also])

    return Standin(replace, (index,))


def _as(op: str, *inputs: int, keep: tuple[str, ...] = ()) -> Standin:
    """Replace the op, passing some of the inputs, of which the first two must be present."""

    def replace(_: GraphProto, node: NodeProto) -> None:
        names = [name for at in inputs if (name := _at(node.input, at))]
        _become(node, op, names, keep=keep)

    return Standin(replace, inputs[:2])


_MOST_GROUPS = 256
_WINDOW = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides", "ceil_mode")


def _fused_product(_: GraphProto, node: NodeProto) -> None:
    left, right = ("ki" if _int(node, "transA") else "ik"), ("jk" if _int(node, "transB") else "kj")
    if any(_int(node, name) for name in ("transBatchA", "transBatchB")):
        return
    plain = (left, right) == ("ik", "kj")
    _become(node, "MatMul" if plain else "Einsum", node.input[:2])
    if not plain:
        attribute = node.attribute.add()
        attribute.name, attribute.type = "equation", _STRING
        attribute.s = f"...{left},...{right}->...ij".encode()


def _packed_product(graph: GraphProto, node: NodeProto) -> None:
    """Replace a product with low-bit weights, whose logical shape is in the attributes."""
    name = f"{node.output[0]}/weight"
    weight = graph.initializer.add()
    weight.name, weight.data_type = name, _FLOAT_TYPE
    weight.dims.extend([_int(node, "K"), _int(node, "N")])
    _become(node, "MatMul", [node.input[0], name])


def _concat(_: GraphProto, node: NodeProto) -> None:
    """Replace a QLinearConcat, whose inputs include scales and zero points."""
    _become(node, "Concat", node.input[2::3], keep=("axis",))


def _embedding(_: GraphProto, node: NodeProto) -> None:
    _become(node, "Gather", [node.input[2], node.input[0]])


def _attention(key: int, past: int, heads: str) -> Standin:
    """Stand in for attention: as long as the queries, with new keys and values appended."""

    def replace(graph: GraphProto, node: NodeProto) -> Iterator[NodeProto]:
        inputs, outputs = list(node.input), list(node.output)
        count = _int(node, heads)
        for offset in (0, 1):
            at = past + offset
            old, new = _at(inputs, at), _at(inputs, key + offset)
            if old and new and len(outputs) > 1 + offset:
                yield from _extended(graph, node, old, new, outputs[1 + offset], count)
        _become(node, "Identity", inputs[:1])

    # Without keys, all is packed into one, from which the shapes of the parts are not to be had.
    return Standin(replace, (0, key), (heads,))


def _stacked_attention(graph: GraphProto, node: NodeProto) -> list[NodeProto]:
    """Replace an attention with keys and values in one cache: 2, batch, heads, sequence, size."""
    inputs, outputs = list(node.input), list(node.output)
    extra: list[NodeProto] = []
    past, result = _at(inputs, 4), _at(outputs, 1)
    if past and result:
        axis = _numbers(graph, f"{result}/axis", [0])
        apart = _numbers(graph, f"{result}/shape", [0, 0, 0, _int(node, "num_heads"), -1])
        steps = [f"{result}/{at}" for at in range(4)]
        swap = _node(node, "Transpose", [steps[1]], steps[2])
        _set_ints(swap, "perm", [0, 1, 3, 2, 4])
        extra = [
            _node(node, "Unsqueeze", [inputs[0], axis], steps[0]),
            _node(node, "Reshape", [steps[0], apart], steps[1]),
            swap,
            _joined(node, [steps[2], steps[2]], steps[3], 0),
            _joined(node, [past, steps[3]], result, 3),
        ]
    _become(node, "Identity", inputs[:1])
    return extra


def _with_state(index: int, *, heads: tuple[str, ...] = ()) -> Standin:
    """Stand in for a result like one of the inputs, and for a state that keeps its size."""

    def replace(_: GraphProto, node: NodeProto) -> Iterator[NodeProto]:
        source, past, result = node.input[index], _at(node.input, 3), _at(node.output, 1)
        groups = _int(node, heads[0]) // _int(node, heads[1]) if heads else 1
        if past and result:
            yield _node(node, "Identity", [past], result)
        if groups == 1:
            _become(node, "Identity", [source])
        elif groups <= _MOST_GROUPS:  # queries of as many heads read each value
            _become(node, "Concat", [source] * groups)
            attribute = node.attribute.add()
            attribute.name, attribute.type, attribute.i = "axis", _INT, 2

    return Standin(replace, (index,), heads)


def _extended(
    graph: GraphProto, like: NodeProto, old: str, new: str, result: str, heads: int
) -> Iterator[NodeProto]:
    """Convert (batch, sequence, heads x size) to (batch, heads, sequence, size), and append it."""
    shape = _numbers(graph, f"{result}/shape", [0, 0, heads, -1])
    yield _node(like, "Reshape", [new, shape], f"{result}/apart")
    transposed = _node(like, "Transpose", [f"{result}/apart"], f"{result}/new")
    _set_ints(transposed, "perm", [0, 2, 1, 3])
    yield transposed
    yield _joined(like, [old, f"{result}/new"], result, 2)


def _joined(like: NodeProto, inputs: Iterable[str], output: str, axis: int) -> NodeProto:
    node = _node(like, "Concat", inputs, output)
    attribute = node.attribute.add()
    attribute.name, attribute.type, attribute.i = "axis", _INT, axis
    return node


def _numbers(graph: GraphProto, name: str, numbers: list[int]) -> str:
    """Add a small constant for the shape arguments of stand-ins."""
    tensor = graph.initializer.add()
    tensor.name, tensor.data_type = name, _INT64_TYPE
    tensor.dims.append(len(numbers))
    tensor.int64_data.extend(numbers)
    return name


def _node(like: NodeProto, op: str, inputs: Iterable[str], output: str) -> NodeProto:
    node: Any = type(like)(op_type=op)
    node.input.extend(inputs)
    node.output.append(output)
    made: NodeProto = node
    return made


def _set_ints(node: NodeProto, name: str, values: Iterable[int]) -> None:
    attribute = node.attribute.add()
    attribute.name, attribute.type = name, _INTS
    attribute.ints.extend(values)


def _at(names: Sequence[str], index: int) -> str:
    """Return the name at an index, empty if omitted."""
    return names[index] if index < len(names) else ""


def _int(node: NodeProto, name: str) -> int:
    """Return an attribute; 0 if absent or of another type."""
    found = (each for each in node.attribute if each.name == name and each.type in (0, _INT))
    return next((int(each.i) for each in found), 0)


_STANDINS: dict[str, Standin] = {
    **dict.fromkeys(
        """
        BiasGelu BiasSoftmax FastGelu GatedRMSNorm Gelu GroupNorm MoE QLinearLeakyRelu
        QLinearSigmoid QLinearSoftmax QMoE QuickGelu RotaryEmbedding
        """.split(),
        _same_as(0),
    ),
    "SkipLayerNormalization": _same_as(0, also=3),
    "SkipSimplifiedLayerNormalization": _same_as(0, also=3),
    "SkipGroupNorm": _same_as(0, also=1),
    "Attention": Standin(_stacked_attention, sizes=("num_heads",)),
    "GroupQueryAttention": _attention(key=1, past=3, heads="kv_num_heads"),
    "MultiHeadAttention": _attention(key=1, past=6, heads="num_heads"),
    "LinearAttention": _with_state(2, heads=("q_num_heads", "kv_num_heads")),
    "FusedConv": _as("Conv", 0, 1, 2, keep=_WINDOW),
    "FusedGemm": _as("Gemm", 0, 1, 2, keep=("transA", "transB")),
    "QGemm": _as("Gemm", 0, 3, keep=("transA", "transB")),
    "FusedMatMul": Standin(_fused_product, (0, 1)),
    "DynamicQuantizeMatMul": _as("MatMul", 0, 1),
    "MatMulNBits": Standin(_packed_product, sizes=("K", "N")),
    "MatMulBnb4": Standin(_packed_product, sizes=("K", "N")),
    "QLinearAdd": _as("Add", 0, 3),
    "QLinearMul": _as("Mul", 0, 3),
    "QLinearConcat": Standin(_concat, (2,)),
    "QLinearGlobalAveragePool": _as("GlobalAveragePool", 0),
    "QLinearAveragePool": _as("AveragePool", 0, keep=_WINDOW),
    "EmbedLayerNormalization": Standin(_embedding, (0, 2)),
    "QuantizeLinear": _as("QuantizeLinear", 0, 1, 2, keep=("axis",)),
    "DequantizeLinear": _as("DequantizeLinear", 0, 1, 2, keep=("axis",)),
}
_BLOCKED: dict[str, Standin] = {
    "Conv": _as("Conv", 0, 1, 2, keep=_WINDOW),
    "MaxPool": _as("MaxPool", 0, keep=_WINDOW),
    "AveragePool": _as("AveragePool", 0, keep=_WINDOW),
    "GlobalAveragePool": _as("GlobalAveragePool", 0),
    "ReorderInput": _same_as(0),
    "ReorderOutput": _same_as(0),
}
_REPLACED = frozenset(
    {
        *(f"{MICROSOFT}.{op}" for op in _STANDINS),
        *(f"{BLOCKED}.{op}" for op in _BLOCKED),
        *INTERNAL,
    }
)
"""Qualified names of all operators with stand-ins."""
