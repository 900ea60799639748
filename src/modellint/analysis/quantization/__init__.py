"""Quantization map: the precisions that a model actually runs in."""

from modellint.analysis.quantization.islands import Island, find_islands
from modellint.analysis.quantization.mapping import QuantizationMap
from modellint.analysis.quantization.moves import Move, Moves
from modellint.analysis.quantization.parts import (
    Converter,
    Operand,
    WeightedOp,
    root_of,
    stored_root,
    walk_consumers,
    weight_bytes,
)
from modellint.analysis.quantization.readiness import Obstacle, Readiness
from modellint.analysis.quantization.scheme import Scheme, numbers
from modellint.analysis.quantization.summary import QuantizationSummary, quantization_summary
from modellint.analysis.quantization.weights import Spread, spread, used_levels

__all__ = [
    "Converter",
    "Island",
    "Move",
    "Moves",
    "Obstacle",
    "Operand",
    "QuantizationMap",
    "QuantizationSummary",
    "Readiness",
    "Scheme",
    "Spread",
    "WeightedOp",
    "find_islands",
    "numbers",
    "quantization_summary",
    "root_of",
    "spread",
    "stored_root",
    "used_levels",
    "walk_consumers",
    "weight_bytes",
]
