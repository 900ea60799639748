"""Tables of integers that are wider than their numbers need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modellint.checks.api import Context, Hit
from modellint.checks.shapes import PIECE
from modellint.formats.onnx.facts import onnx_facts
from modellint.model import Graph, Tensor, Use, Value, element_count
from modellint.operators import Trait, having, with_input

_SELECTS = having(Trait.SELECTS)
_CASTS = having(Trait.CAST)
_TAKING_BOTH = with_input("any-index")
"""Inputs that take indices of 32 bits as well; those of GatherND do not."""


def wide_table(context: Context) -> Iterator[Hit]:
    """Tables of 64-bit integers that fit into 32 bits, where what reads them takes those too."""
    total = context.model.weight_bytes
    for graph in context.graphs():
        for value in wide_tables(graph, context.options["min-bytes"]):
            tensor = value.tensor
            if tensor is None or not _fits(tensor):
                continue
            saved = tensor.nbytes // 2
            facts = {"table": value.name, "bytes": saved, "share": saved / total if total else 0.0}
            yield Hit(value, facts)


def _fits(tensor: Tensor) -> bool:
    """Return True if all of the numbers can be read, and fit into 32 bits."""
    plain = tensor.plain()
    if plain is not None:
        return min(plain, default=0) >= -(2**31) and max(plain, default=0) < 2**31
    read = 0
    for stored in tensor.pieces(PIECE):
        piece = stored.astype("int64")
        if (piece != piece.astype("int32")).any():
            return False
        read += piece.size
    return read == tensor.elements


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
