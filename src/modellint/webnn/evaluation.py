"""Computing of nodes that do not depend on the inputs, by onnx's reference implementation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modellint.model import Node, Tensor


def evaluate(
    node: Node, given: Sequence[NDArray[Any] | None], opset: int, most: int
) -> list[NDArray[Any]] | None:
    """Return a node's results; None if they cannot be computed, or are too large."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    inputs = ["" if each is None else f"i{at}" for at, each in enumerate(given)]
    outputs = ["" if each is None else f"o{at}" for at, each in enumerate(node.outputs)]
    try:
        attributes = {name: _plain(value) for name, value in node.attributes.items()}
        made = onnx.helper.make_node(node.op_type, inputs, outputs, **attributes)
        fed = {name: each for name, each in zip(inputs, given, strict=True) if each is not None}
        graph = onnx.helper.make_graph(
            [made],
            "one",
            [onnx.helper.make_value_info(name, onnx.TypeProto()) for name in fed],
            [onnx.helper.make_value_info(name, onnx.TypeProto()) for name in outputs if name],
        )
        opsets = [onnx.helper.make_opsetid("", opset)]
        model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
        found = ReferenceEvaluator(model).run(None, fed)
    except Exception:
        return None
    arrays = [np.asarray(each) for each in found]
    return arrays if sum(each.size for each in arrays) <= most else None


def _plain(value: Any) -> Any:
    import onnx

    if isinstance(value, Tensor):
        content = value.numpy()
        if content is None:
            raise ValueError(value.name)
        return onnx.numpy_helper.from_array(content)
    return list(value) if isinstance(value, tuple) else value
