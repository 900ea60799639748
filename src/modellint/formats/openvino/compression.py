"""Low precision in a network: compressed weights, and layers that quantize in floating point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from modellint.base.text import counted
from modellint.formats.openvino.facts import LayerType
from modellint.model import Node, Tensor, Value

WIDEST = 8
"""Bits of the widest type that weights are compressed to."""
CONVERSION, SHIFT, SCALING = "Convert", "Subtract", "Multiply"
LEVELS = "levels"
"""Attribute that only layers have which quantize in floating point."""
Types = Mapping[Node, LayerType]


def schemes(types: Types, decompressions: int) -> dict[str, str]:
    """Describe the low precision of a network, for its metadata."""
    found: dict[str, str] = {}
    if decompressions:
        found["saved as float16"] = counted(decompressions, "weight")
    described = (_scheme(node, types) for node in of_kind(types, CONVERSION))
    compressed = Counter(each for each in described if each is not None)
    if compressed:
        found["compressed weights"] = _listed(compressed)
    levels = Counter(f"{node.get_int(LEVELS)} levels" for node in quantizers(types))
    if levels:
        found["fake quantization"] = _listed(levels)
    return found


def quantizers(types: Types) -> Iterator[Node]:
    return (node for node in types if LEVELS in node.attributes)


def of_kind(types: Types, name: str) -> Iterator[Node]:
    """Iterate over the layers of a type, by OpenVINO's own name."""
    return (node for node, kind in types.items() if kind.name == name)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{each} ×{count}" for each, count in counts.most_common(8))


def _scheme(conversion: Node, types: Types) -> str | None:
    """Describe how weights are compressed: converted, shifted by zero points, and scaled."""
    stored = conversion.input(0)
    weight = stored.tensor if stored is not None else None
    if weight is None or weight.dtype.bits > WIDEST or weight.dtype.kind in ("bool", "string"):
        return None
    ops = [types[node].name for node in _followers(conversion, types)]
    if SCALING not in ops:
        return None
    kind = "asymmetric" if SHIFT in ops[: ops.index(SCALING)] else "symmetric"
    return f"{weight.dtype} {kind}, {_granularity(weight)}"


def _granularity(weight: Tensor) -> str:
    """Grouped weights have one more dim than the matrix that they become."""
    is_grouped = len(weight.shape) == 3 and weight.shape[-1] > 1
    return f"groups of {weight.shape[-1]}" if is_grouped else "by channel"


def _followers(node: Node, types: Types) -> Iterator[Node]:
    """Iterate over the arithmetic that follows a conversion, one reader after the other."""
    value: Value | None = node.output()
    for _ in range(3):
        reader = value.sole_consumer if value is not None else None
        kind = types[reader].name if reader is not None else ""
        if reader is None or kind not in (SHIFT, SCALING):
            return
        if kind == SHIFT and reader.input(0) is not value:
            return  # it is the zero point
        yield reader
        value = reader.output()
