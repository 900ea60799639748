"""An engine's layers: kinds, precisions and problems."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cached_property

from modellint.base.records import dataclass
from modellint.model import Model, Node
from modellint.targets.deployment import Deployment

REFORMAT, NO_OP = "Reformat", "NoOp"
COPY = "Reformatting CopyNode"
_BETWEEN_PARTS = re.compile(r" \+ |, |PWN\(|\)")
HEAVY = ("convolution", "gemm", "matrixmultiply", "deconvolution", "fullyconnected", "attention")
"""Words in the kinds of layers with most of the arithmetic."""
LIGHT = frozenset(
    """
    PointWise PointWiseV2 ElementWise Unary Scale Activation Reduce SoftMax Shuffle Slice
    Concatenation Select Cast Resize Pooling Padding
    """.split()
)
"""Memory-bound kinds, which are cheap only inside another layer."""
QUANTIZED = frozenset({"int8", "float8e4m3fn", "int4", "float4e2m1"})
ZONE = 3
"""Minimum number of consecutive light layers to report."""


def onnx_names(layer: Node) -> list[str]:
    """Return the ONNX nodes that a layer was built from."""
    return [each for each in layer.metadata.get("onnx", "").split("\x1e") if each]


def parts_of_name(layer: Node) -> list[str]:
    """Return the parts of a layer's name: nodes and other components.

    Older releases, and engines without detailed information, provide nothing else.
    """
    if layer.name.startswith(COPY):
        return []
    return [part for part in _BETWEEN_PARTS.split(layer.name) if part]


def is_reformat(layer: Node) -> bool:
    """Return True if a layer only changes type or layout."""
    copies = layer.name.startswith(COPY) and layer.op_type != NO_OP
    return layer.op_type == REFORMAT or copies


def computes(layer: Node) -> bool:
    return layer.op_type != NO_OP and not is_reformat(layer)


def is_heavy(layer: Node) -> bool:
    kind = layer.op_type.lower()
    return any(word in kind for word in HEAVY)


def precision(layer: Node) -> str | None:
    """Return the type a layer computes in: that of its weights, else of its first input."""
    stated = layer.metadata.get("weights", "").lower()
    known = {"half": "float16", "float": "float32", "int8": "int8", "fp8": "float8e4m3fn"}
    if stated in known:
        return known[stated]
    value = layer.input(0) or layer.output(0)
    dtype = value.declared_dtype if value is not None else None
    return dtype.name if dtype is not None else None


@dataclass(frozen=True, slots=True)
class WideLayer:
    """A heavy layer in a wide type between quantized ones: two conversions, and slow arithmetic."""

    layer: Node
    type: str
    neighbours: tuple[Node, ...]


class Layers:
    """Layers of an export, and notable ones among them."""

    def __init__(self, model: Model, deployment: Deployment | None = None) -> None:
        self.all = list(model.graph.nodes)

    @cached_property
    def reformats(self) -> list[Node]:
        return [layer for layer in self.all if is_reformat(layer)]

    @cached_property
    def bottlenecks(self) -> list[WideLayer]:
        return list(self._bottlenecks())

    def _bottlenecks(self) -> Iterator[WideLayer]:
        for layer in self.all:
            kind = precision(layer) if is_heavy(layer) else None
            if kind is None or kind in QUANTIZED:
                continue
            before, after = _beyond(layer, forward=False), _beyond(layer, forward=True)
            quantized = [each for each in (*before, *after) if precision(each) in QUANTIZED]
            if any(each in quantized for each in before) and any(
                each in quantized for each in after
            ):
                yield WideLayer(layer, kind, tuple(quantized))

    @cached_property
    def zones(self) -> list[list[Node]]:
        """Return chains of light layers that were not fused."""
        found: list[list[Node]] = []
        seen: set[int] = set()
        for layer in self.all:
            if layer.index in seen or not _is_light(layer):
                continue
            chain = [layer]
            while (following := _only_follower(chain[-1])) is not None and _is_light(following):
                chain.append(following)
            seen |= {each.index for each in chain}
            if len(chain) >= ZONE:
                found.append(chain)
        return found

    def by_precision(self) -> Counter[str]:
        kinds = (precision(layer) or "unknown" for layer in self.all if computes(layer))
        return Counter(kinds)


def _is_light(layer: Node) -> bool:
    parts = onnx_names(layer) or parts_of_name(layer)
    return layer.op_type in LIGHT and len(parts) <= 1 and computes(layer)


def _only_follower(layer: Node) -> Node | None:
    followers = list(layer.successors)
    if len(followers) != 1:
        return None
    other = list(followers[0].predecessors)
    return followers[0] if len(other) == 1 and followers[0].index > layer.index else None


def _beyond(layer: Node, *, forward: bool) -> list[Node]:
    """Return the neighbors on one side, skipping layers that do not compute."""
    found: list[Node] = []
    pending, seen = [layer], {layer.index}
    while pending:
        current = pending.pop()
        for other in current.successors if forward else current.predecessors:
            if other.index in seen:
                continue
            seen.add(other.index)
            (found if computes(other) else pending).append(other)
    return found


@dataclass(frozen=True, slots=True)
class Comparison:
    """Mapping of an ONNX model's nodes to the layers of an engine."""

    nodes: int
    placed: dict[str, Node]
    """Layer of each ONNX node that is named by one."""
    gone: Counter[str]
    """Nodes that no layer names, by op type: folded, or inside a layer that does not name them."""
    left_float: list[tuple[Node, str]]
    """Nodes that are quantized in the model but run in a wide type."""
    unknown: list[str]
    """Names in layers that the model lacks: the export is of another model."""


def compare(source: Model, layers: Layers) -> Comparison:
    """Map the nodes of an ONNX model to the layers of an engine built from it."""
    nodes = list(source.nodes())
    by_name = {_trt_name(node): node for node in nodes}
    stated = {name for layer in layers.all for name in onnx_names(layer)}
    placed = {
        name: layer
        for layer in layers.all
        for name in onnx_names(layer) or parts_of_name(layer)
        if name in by_name
    }
    left_float = [
        (by_name[name], precision(layer) or "an unknown type")
        for name, layer in placed.items()
        if _is_quantized(by_name[name]) and precision(layer) not in {*QUANTIZED, None}
    ]
    return Comparison(
        nodes=len(nodes),
        placed=placed,
        gone=Counter(node.qualified_op for node in nodes if _trt_name(node) not in placed),
        left_float=left_float,
        unknown=sorted(stated - set(by_name)),
    )


def _trt_name(node: Node) -> str:
    """Return the name that TensorRT's parser gives a node."""
    if node.name:
        return node.name
    output = node.output(0)
    return f"node_of_{output.name}" if output is not None else ""


def _is_quantized(node: Node) -> bool:
    """Return True if all operands of a heavy node come from dequantizers."""
    if not any(word in node.op_type.lower() for word in ("conv", "gemm", "matmul")):
        return False
    producers = [value.producer for value in node.inputs[:2] if value is not None]
    return len(producers) == 2 and all(
        each is not None and each.op_type == "DequantizeLinear" for each in producers
    )
