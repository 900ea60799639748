"""The parts of a difference that rules for pairs of models say something about."""

from __future__ import annotations

from pathlib import Path

from modellint.differ.interface import interface_changes
from modellint.differ.matching import match_models
from modellint.differ.nodes import node_difference
from modellint.differ.weights import weight_difference
from modellint.formats import read_model
from tests.diff.pairs import Expected


def answer_of(old: Path, new: Path) -> Expected:
    """Return the differences, without linting and inspecting the models."""
    one, other = read_model(old), read_model(new)
    found = match_models(one, other)
    nodes = node_difference(found, converted=False)
    weights = weight_difference(found, one, other, 1 << 30)
    changes = interface_changes(one, other, found.inputs, found.outputs)
    return Expected(
        changed={change.new.name for change in nodes.changed},
        replaced={pair.new.name for pair in nodes.replaced},
        added={place.name for place in nodes.added}
        | {f"+{op}" for op in nodes.plumbing_added if op not in PASSED},
        removed={place.name for place in nodes.removed}
        | {f"-{op}" for op in nodes.plumbing_removed if op not in PASSED},
        weights={
            *(change.name for change in weights.changed),
            *(f"+{each.name}" for each in weights.added),
            *(f"-{each.name}" for each in weights.removed),
        },
        interface={(change.what, change.aspect) for change in changes},
    )


PASSED = ("Identity", "Transpose")
