"""Files of ncnn: what its loader does not know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from modellint.checks.api import Context, Hit
from modellint.formats.ncnn.layers import ncnn_layers


def unknown_layer(context: Context) -> Iterator[Hit]:
    """Layers that a program has to register before it loads the model."""
    known = ncnn_layers()
    counts = Counter(node.op_type for node in context.model.graph.nodes)
    for kind, count in counts.items():
        if kind not in known.names:
            (first, *_) = context.model.graph.by_op[f"ncnn.{kind}"]
            yield Hit(first, {"layer": kind, "release": known.release}, count=count)
