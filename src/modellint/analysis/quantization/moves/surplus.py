"""Moves that remove pairs that no runtime needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modellint.analysis.quantization.mapping import QuantizationMap
from modellint.analysis.quantization.moves.edits import Edit, Move
from modellint.analysis.quantization.parts import Converter
from modellint.analysis.quantization.surplus import (
    comes_from_integer,
    pairs_at_outputs,
    pairs_read_in_float,
    requantizations,
    shared_pairs,
)
from modellint.model import Use


def surplus_moves(quantization: QuantizationMap) -> Iterator[Move]:
    """Iterate over a move for each pair; each counts the conversions that it spares for sure."""
    for dq in pairs_at_outputs(quantization):
        if dq.undoes is not None:
            spares_q = dq.undoes.output.sole_consumer is dq.node
            yield _removal(quantization, dq.undoes, dq, dq.output.consumers, 1, spares_q=spares_q)
    for q, floating in pairs_read_in_float(quantization):
        number = len(quantization.dequantizers_after(q))
        yield _removal(quantization, q, q, floating, number, spares_q=True)
    for q, _, _ in requantizations(quantization):
        results = quantization.dequantizers_after(q)
        readers = [use for result in results for use in result.consumers]
        is_closed = len(q.output.consumers) == len(results) and not q.output.is_output
        if readers and is_closed and not any(result.is_output for result in results):
            yield _removal(quantization, q, q, readers, 0, spares_q=False)
    for shared in shared_pairs(quantization):
        shared_q = shared.dequantizer.undoes
        if shared_q is not None and not comes_from_integer(quantization, shared_q):
            reading = shared.floating
            yield _removal(quantization, shared_q, shared.dequantizer, reading, 1, spares_q=False)


def _removal(
    quantization: QuantizationMap,
    quantizer: Converter,
    about: Converter,
    uses: Sequence[Use],
    dequantizers: int,
    *,
    spares_q: bool,
) -> Move:
    edit = Edit("remove", quantizer.source, tuple(uses), "same", quantizer.scheme)
    if quantizer.before is not None:  # of two pairs in a row, compilers make one
        return Move((edit,), about.node)
    runs_alone = spares_q and not comes_from_integer(quantization, quantizer)
    return Move((edit,), about.node, conversions=dequantizers + runs_alone)
