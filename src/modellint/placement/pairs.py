"""Nodes that compute in integers, for their inputs are dequantized and their results quantized.

Before ONNX Runtime places nodes, it repeats a pair after each operator that only moves what a DQ
returns, and before each that only moves what a Q reads
(onnxruntime/core/optimizer/qdq_transformer/qdq_propagation.cc, version 1.32).
"""

from __future__ import annotations

from modellint.analysis.chains import LONGEST
from modellint.model import Node, Value
from modellint.operators import Trait, having

_QUANTIZE, _DEQUANTIZE = having(Trait.QUANTIZE), having(Trait.DEQUANTIZE)
_CARRIES = having(Trait.CROSSED_BY_ORT).keys() - having(Trait.CAST, Trait.BROADCAST).keys()
_OF_TWO = having(Trait.BROADCASTS).keys() & having(Trait.FORMULA_SCALAR).keys()
"""Operators whose inputs are both quantized, even constants."""
_INTEGERS = ("int", "uint", "bool")
"""Starts of the names of types that indices and shapes have."""


def is_between_pairs(node: Node) -> bool:
    """Return True if a node reads only dequantized values, and its results are quantized."""
    if node.op_type in _QUANTIZE or node.op_type in _DEQUANTIZE:
        return True
    is_read_whole = node.op_type in _OF_TWO
    reads = [value for value in node.inputs if value is not None and _is_data(value, is_read_whole)]
    writes = [value for value in node.outputs if value is not None and value.consumers]
    is_read = bool(reads) and all(map(_is_dequantized, reads))
    is_written = bool(writes) and all(map(_is_quantized, writes))
    if node.op_type in _CARRIES:
        return is_read or is_written
    return is_read and is_written


def _is_data(value: Value, is_constant_read: bool) -> bool:
    """Return False for most operators' constants, and for indices and shapes."""
    is_read = is_constant_read or not value.is_constant
    return is_read and not (value.dtype is not None and value.dtype.name.startswith(_INTEGERS))


def _is_dequantized(value: Value) -> bool:
    """Return True for what a DQ returns, also if other operators have moved it since."""
    for _ in range(LONGEST):
        maker = value.producer
        if maker is None or maker.op_type in _DEQUANTIZE:
            return maker is not None
        source = maker.input(0)
        if maker.op_type not in _CARRIES or source is None:
            break
        value = source
    return False


def _is_quantized(value: Value) -> bool:
    """Return True for what only a Q reads, also if another operator moves it before."""
    for _ in range(LONGEST):
        if not value.consumers or value.is_output:
            break
        if all(use.node.op_type in _QUANTIZE for use in value.consumers):
            return True
        reader = value.sole_consumer
        result = reader.output() if reader is not None else None
        if reader is None or reader.op_type not in _CARRIES or result is None:
            break
        value = result
    return False
