"""ncnn files: layers that its loader does not know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from modellint.checks.api import Context, Hit
from modellint.formats.ncnn.layers import ncnn_layers
from modellint.results.finding import Severity

_LEFT_BY_CONVERTERS = frozenset({"pnnx", "torch", "torchvision", "nn", "F", "Tensor", "aten"})
"""Beginnings of names that pnnx leaves to operators that it cannot convert."""


def unknown_layer(context: Context) -> Iterator[Hit]:
    """Layers that a program has to register before it loads the model."""
    known = ncnn_layers()
    counts = Counter(node.op_type for node in context.model.graph.nodes)
    for kind, count in counts.items():
        if kind not in known.names:
            (first, *_) = context.model.graph.by_op[f"ncnn.{kind}"]
            named = {"layer": kind, "release": known.release}
            variant, severity = ("custom", Severity.WARNING) if _is_registered(kind) else ("", None)
            yield Hit(first, named, variant, severity, count=count)


def _is_registered(kind: str) -> bool:
    """Return True for a name that only a program can have given a layer of its own."""
    space, dot, _ = kind.partition(".")
    return bool(dot) and "::" not in kind and space not in _LEFT_BY_CONVERTERS
