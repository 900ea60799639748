"""Integers of 64 bits: numbers that need them, and tables that do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from modellint.checks.api import Context, Hit
from modellint.formats.onnx.facts import onnx_facts
from modellint.model import Graph, Node, Tensor, Use, Value, element_count
from modellint.model.features import STORED
from modellint.operators import Trait, having, with_input
from modellint.runtimes.versions import newest_version, version_key

_SELECTS = having(Trait.SELECTS)
_CASTS = having(Trait.CAST)
_TAKING_BOTH = with_input("any-index")
"""Inputs that take indices of 32 bits as well; those of GatherND do not."""
_SINCE_64_BITS = (10,)
"""The version of TensorRT that computes with 64-bit integers."""
_LARGEST, _PIECE = 1 << 24, 1 << 16
"""Bytes of the largest table that is read, and elements at a time."""


class _TableReading(NamedTuple):
    """Result of reading a table."""

    beyond: int | None
    """The first number that does not fit into 32 bits."""
    is_whole: bool = False
    """True if all numbers were read, and fit."""


def _read(table: Tensor, *, may_read: bool) -> _TableReading:
    """Read a table, in pieces if it is large, until a number does not fit."""
    plain = table.plain()
    if plain is not None:
        far = next((int(number) for number in plain if not -(2**31) <= number < 2**31), None)
        return _TableReading(far, far is None)
    if not table.small and not (may_read and table.nbytes <= _LARGEST):
        return _TableReading(None)
    read = 0
    for stored in table.pieces(_PIECE):
        piece = stored.astype("int64")
        beyond = piece[(piece < -(2**31)) | (piece >= 2**31)]
        if beyond.size:
            return _TableReading(int(beyond[0]))
        read += piece.size
    return _TableReading(None, read == table.elements)


def int64_beyond_int32(context: Context) -> Iterator[Hit]:
    """64-bit constants that do not fit 32 bits, unless they are mere bounds."""
    version = context.deployment.runtime_version or newest_version("tensorrt")
    if version is None or version_key(version) >= _SINCE_64_BITS:
        return
    for graph in context.graphs():
        for value in graph.values.values():
            if value.tensor is None or value.tensor.dtype.name != "int64":
                continue
            users = [use.node for use in value.consumers if not _is_bound(use.node, use.index)]
            if not users:
                continue
            far = _read(value.tensor, may_read=context.read_weights).beyond
            if far is not None:
                yield Hit(users[0], {"constant": value.name, "number": far})


def _is_bound(node: Node, index: int) -> bool:
    """Return True if a huge number only means "to the end"."""
    return (node.op_type == "Slice" and index in (1, 2)) or node.op_type == "Clip"


def wide_table(context: Context) -> Iterator[Hit]:
    """Tables of 64-bit integers that fit into 32 bits, where what reads them takes those too."""
    if context.lacks([STORED]):
        return
    total = context.model.weight_bytes
    for graph in context.graphs():
        for value in wide_tables(graph, context.options["min-bytes"]):
            tensor = value.tensor
            if tensor is None or not _read(tensor, may_read=context.read_weights).is_whole:
                continue
            saved = tensor.nbytes // 2
            facts = {"table": value.name, "bytes": saved, "share": saved / total if total else 0.0}
            yield Hit(value, facts)


def wide_tables(graph: Graph, least: int) -> Iterator[Value]:
    for value in graph.values.values():
        tensor = value.tensor
        if tensor is None or tensor.dtype.name != "int64" or tensor.nbytes < least:
            continue
        if value.is_initializer and not value.is_input and narrowed_uses(value) is not None:
            yield value


def narrowed_uses(table: Value) -> Sequence[Use] | None:
    """Return the uses of a table whose results have to be widened, if it can be narrowed at all.

    Indices and what a Cast converts may have 32 bits; elements that a node selects have them, too,
    and are widened again where they are no more than the table has.
    """
    uses = table.consumers
    if not uses or table.is_output or table.name in table.graph.sparse:
        return None
    is_known = all(use.node.domain in ("", "ai.onnx") for use in uses)
    if not is_known or onnx_facts(table.graph.model).training:
        return None
    widened = [use for use in uses if not _takes_both(use)]
    return widened if all(_selects_few(use, table) for use in widened) else None


def _takes_both(use: Use) -> bool:
    op = use.node.op_type
    is_converted = op in _CASTS and use.index == 0
    return is_converted or use.index in _TAKING_BOTH.get(op, ())


def _selects_few(use: Use, table: Value) -> bool:
    node = use.node
    made = node.outputs[0] if len(node.outputs) == 1 else None
    if use.index or made is None or node.op_type not in _SELECTS or node.graph is not table.graph:
        return False
    selected, stored = element_count(made.shape), element_count(table.shape)
    return selected is not None and stored is not None and selected <= stored
