"""Shapes, and what is computed of them while converting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modellint.formats.tflite import DOMAIN
from modellint.model import Node
from modellint.webnn.converter import HANDLERS, CannotError, Handler, WebConverter
from modellint.webnn.operators.tflite.movement import selection
from modellint.webnn.operators.tflite.values import handles_tflite, scheme

Arrays = Sequence[NDArray[Any]]
_MOST = 1 << 12
"""Most elements of what is computed: shapes are short."""
_COMPUTED: Mapping[str, Callable[[Arrays, Node], Any]] = {
    "ADD": lambda given, node: given[0] + given[1],
    "CAST": lambda given, node: given[0],
    "CONCATENATION": lambda given, node: np.concatenate(given, node.get_int("axis", 0) or 0),
    "EXPAND_DIMS": lambda given, node: np.expand_dims(given[0], int(given[1].reshape(-1)[0])),
    "FLOOR_DIV": lambda given, node: given[0] // given[1],
    "GATHER": lambda given, node: np.take(given[0], given[1], node.get_int("axis", 0) or 0),
    "MAXIMUM": lambda given, node: np.maximum(given[0], given[1]),
    "MINIMUM": lambda given, node: np.minimum(given[0], given[1]),
    "MUL": lambda given, node: given[0] * given[1],
    "PACK": lambda given, node: np.stack(given, node.get_int("axis", 0) or 0),
    "REDUCE_PROD": lambda given, node: given[0].prod(keepdims=bool(node.get_int("keep_dims", 0))),
    "SUB": lambda given, node: given[0] - given[1],
}


@handles_tflite("SHAPE", "RANK")
def _shape(c: WebConverter, node: Node) -> None:
    shape = c.input(node, 0).shape
    c.know(node.output(), np.array(shape if node.op_type == "SHAPE" else len(shape), np.int32))


@handles_tflite("RANGE")
def _range(c: WebConverter, node: Node) -> None:
    given = [c.known(value) for value in node.inputs]
    if any(each is None for each in given):
        raise CannotError("its bounds are computed from the inputs", "Make them constant.")
    start, limit, step = (each.reshape(-1)[0].item() for each in given if each is not None)
    if not abs(limit - start) <= abs(step) * (1 << 16):
        raise CannotError("it is too long")
    c.know(node.output(), np.arange(start, limit, step))


def _foldable(handler: Handler, op: str) -> Handler:
    """Return a function that computes small integers that are known, and converts the rest."""

    def handle(c: WebConverter, node: Node) -> None:
        value = node.output()
        given = [c.known(each) for each in node.inputs]
        arrays = [each for each in given if each is not None and each.size <= _MOST]
        is_small = len(arrays) == len(given) and all(each.dtype.kind in "iu" for each in arrays)
        if not is_small or value is None or value.dtype is None or scheme(c, value) is not None:
            handler(c, node)
            return
        if op == "STRIDED_SLICE":
            found = arrays[0][tuple(selection(c, node, arrays[0].shape))]
        else:
            found = _COMPUTED[op](arrays, node)
        c.know(value, np.asarray(found, value.dtype.numpy))

    return handle


for _op in (*_COMPUTED, "STRIDED_SLICE"):
    _name = f"{DOMAIN}.{_op}"
    HANDLERS[_name] = _foldable(HANDLERS[_name], _op)
