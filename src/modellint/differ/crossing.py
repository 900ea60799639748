"""Common form of graphs of different formats: the arithmetic, without rearrangements.

Formats differ in the order of dims, in where activations are written, and in how windows are
padded. Between two of them, steps are compared by common operators, by the sizes of their weights
in any order, and by strides; what only rearranges or pads is seen through.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping

from modellint.analysis.chains import LONGEST
from modellint.differ.windows import is_cropping, is_window_padding, window_of
from modellint.model import Graph, Model, Node, Tensor, Value
from modellint.operators import Trait, having, of
from modellint.results.difference import SAME_DIALECT

FEW = 64
"""Integers of a constant that is a parameter rather than a weight."""
_ACTIVATIONS = frozenset(("Relu", "Clip", "Tanh"))
_ACTIVATED = frozenset(
    """Conv ConvTranspose MatMul Gemm Add Sub Mul Div Concat AveragePool MaxPool
    GlobalAveragePool BatchNormalization""".split()
)
"""Operators that some formats compute an activation with."""
FOLDED = "BatchNormalization"
"""Operator that converters fold into the weights before it."""
_FOLLOWED: Mapping[str, tuple[str, ...]] = {
    "Conv": ("Add", "Mul", FOLDED),
    "ConvTranspose": ("Add", FOLDED),
    "MatMul": ("Add", "Mul"),
    "LayerNormalization": ("Mul", "Add"),
}
"""Operators that some formats write the constants of apart."""
FUSED = "fused_activation_function"
_PLAIN = ("NONE", "")
_ROUNDING = frozenset(("Cast", "openvino.FakeQuantize"))
_SCALING = frozenset(("Mul", "Sub"))
_DECOMPRESSING = (
    _ROUNDING | _SCALING | {"Identity", "Reshape", "Unsqueeze", "Squeeze", "DequantizeLinear"}
)
"""Operators between a stored weight and its use."""
COPIES = ("Identity", "Dropout")
_VIEWS = having(Trait.VIEW)
_WINDOWS = frozenset(("Conv", "ConvTranspose", "AveragePool", "MaxPool"))
_STRIDES = ("strides", "stride", "stride_d", "stride_h", "stride_w")
_DILATIONS = ("dilations", "dilation_d_factor", "dilation_h_factor", "dilation_w_factor")
_OTHER_NAMES: Mapping[str, str] = {
    "MeanVarianceNormalization": "LayerNormalization",
    "openvino.GroupConvolution": "Conv",
    "openvino.GroupConvolutionBackpropData": "ConvTranspose",
    "openvino.GRUSequence": "GRU",
    "openvino.LSTMSequence": "LSTM",
    "openvino.RNNSequence": "RNN",
    "com.microsoft.FusedConv": "Conv",
    "tflite.custom.FlexErf": "Erf",
    "Gemm": "MatMul",
    "FullyConnected": "MatMul",
    "GlobalAveragePool": "ReduceMean",
    "GlobalMaxPool": "ReduceMax",
}
_WHOLE: Mapping[str, str] = {"AveragePool": "ReduceMean", "MaxPool": "ReduceMax"}
"""Pools by the reductions that they equal when the window covers the whole input."""


def is_crossing(old: Model, new: Model) -> bool:
    """Return True if two files state operators in different ways."""
    return old.format != new.format and not {old.format, new.format} <= SAME_DIALECT


def operator_name(node: Node) -> str:
    """Return the name of the operator that a node of any format is."""
    name = of(node).name
    if name in _WHOLE:
        window = window_of(node)
        return _WHOLE[name] if window is not None and window.is_whole else name
    if name == "PRelu" and _is_single(node.input(1)):
        return "LeakyRelu"
    return _OTHER_NAMES.get(name, name)


def _is_single(value: Value | None) -> bool:
    return value is not None and value.tensor is not None and value.tensor.elements == 1


def stored_weight(value: Value) -> Tensor | None:
    """Return the stored tensor that a value is, before it is converted or scaled."""
    for _ in range(LONGEST):
        node = value.producer
        if value.tensor is not None or node is None:
            break
        inputs = [each for each in node.inputs if each is not None]
        others = all(each.tensor is not None for each in inputs[1:])
        if operator_name(node) not in _DECOMPRESSING or not inputs or not others:
            break
        value = inputs[0]
    return value.tensor


def is_seen_through(node: Node) -> bool:
    """Return True for a node that only rearranges what it reads, pads it for a window, or rounds
    it as a quantizer does; and for what decompresses a stored weight."""
    name = operator_name(node)
    if name in _ROUNDING:
        return True
    if name in _SCALING:
        output = node.output()
        return output is not None and stored_weight(output) is not None
    if name in _VIEWS or name == "Transpose":
        return True
    return is_window_padding(node) or is_cropping(node)


def with_constants(graph: Graph) -> Iterator[tuple[Node, ...]]:
    """Iterate over operators whose bias or scale is in operators of its own, and those."""
    for node in graph.nodes:
        chain = [node]
        for name in _FOLLOWED.get(operator_name(node), ()):
            chain += _arithmetic(chain[-1], name)
        if len(chain) > 1:
            yield tuple(chain)


def _arithmetic(node: Node, name: str) -> list[Node]:
    """Return the only reader of a node, if that adds or multiplies a constant vector, and copies
    that it is read through."""
    chain: list[Node] = []
    for _ in range(LONGEST):
        output = (chain or [node])[-1].output()
        reader = output.sole_consumer if output is not None else None
        if reader is None or reader.graph is not node.graph:
            return []
        chain.append(reader)
        if operator_name(reader) not in COPIES:
            break
    others = [value for value in chain[-1].inputs if value is not None and value is not output]
    tensors = [stored_weight(value) for value in others]
    is_wanted = operator_name(chain[-1]) == name and bool(tensors)
    return chain if is_wanted and all(map(_is_vector, tensors)) else []


def _is_vector(tensor: Tensor | None) -> bool:
    return tensor is not None and 1 < tensor.elements == max(tensor.shape, default=0)


def with_activation(graph: Graph) -> Iterator[tuple[Node, Node]]:
    """Iterate over nodes whose only reader is an activation, and that."""
    for node in graph.nodes:
        if operator_name(node) not in _ACTIVATED or node.attributes.get(FUSED, "NONE") != "NONE":
            continue
        output = node.output()
        reader = output.sole_consumer if output is not None else None
        if (
            reader is not None
            and operator_name(reader) in _ACTIVATIONS
            and len(reader.outputs) == 1
        ):
            yield node, reader


def common_attributes(name: str, nodes: tuple[Node, ...]) -> dict[str, object]:
    """Return what can be compared of a step in any format."""
    node = nodes[0]
    found: dict[str, object] = {}
    if name in _WINDOWS:
        for ours, theirs in (("strides", _STRIDES), ("dilations", _DILATIONS)):
            steps = tuple(step for each in theirs for step in _ints(node.attributes.get(each)))
            if any(step != 1 for step in steps):
                found[ours] = tuple(step for step in steps if step != 1)
    activation = node.attributes.get(FUSED, "NONE")
    if isinstance(activation, str) and activation not in _PLAIN:
        found["activation"] = "Relu" if activation.startswith("RELU") else activation.title()
    for each in nodes[1:]:
        if operator_name(each) in _ACTIVATIONS:
            kind = operator_name(each)
            found["activation"] = "Relu" if kind == "Clip" else kind
    return found


def _ints(value: object) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,)
    if isinstance(value, tuple):
        return tuple(each for each in value if isinstance(each, int))
    return ()


def weight_sizes(tensors: Iterable[Tensor]) -> tuple[tuple[int, ...], ...]:
    """Return the sizes of weights in any order of dims, without vectors.

    Formats leave out a bias of zeros and a scale of ones, and state axes as tensors.
    """
    sizes = (tuple(sorted(dim for dim in tensor.shape if dim != 1)) for tensor in tensors)
    return tuple(sorted(each for each in sizes if len(each) > 1))


def common_kind(value: Value) -> tuple[Hashable, ...]:
    """Return the part of an input or output that all formats share: its known sizes."""
    shape = value.declared_shape or ()
    sizes = sorted(dim for dim in shape if isinstance(dim, int) and dim > 1)
    return "any layout", tuple(sizes)
