"""HardSigmoids whose slope one model has folded into the weights before them."""

from __future__ import annotations

from modellint.differ.canonical import CanonicalStep
from modellint.differ.crossing import operator_name
from modellint.differ.geometry import bounds_of
from modellint.differ.matched import Matching, Pair
from modellint.differ.written_out import HARD_SIGMOID
from modellint.model import Node, small_number
from modellint.operators import Trait, of

_UNIT = (0.0, 1.0)


def join_hard_sigmoids(found: Matching) -> None:
    """Merge HardSigmoids of one model into layers that the other model clips.

    With the slope and the offset in its weights, a layer only has to be clipped to 0 and 1.
    """
    old, new = ({_output(pair, side): pair for pair in found.pairs} for side in (0, 1))
    found.removed = [step for step in found.removed if not _join(step, old, side=0)]
    found.added = [step for step in found.added if not _join(step, new, side=1)]


def _output(pair: Pair, side: int) -> int:
    return id((pair.old, pair.new)[side].output)


def _join(step: CanonicalStep, layers: dict[int, Pair], *, side: int) -> bool:
    """Add a HardSigmoid to the layer that it reads; return True if that is the same as a clip."""
    source = step.inputs[0] if step.inputs else None
    is_read_alone = source is not None and source.sole_consumer is not None
    pair = layers.get(id(source)) if is_read_alone else None
    if pair is None or len(step.nodes) > 1 or operator_name(step.main) != HARD_SIGMOID:
        return False
    layer, twin = (pair.old, pair.new) if side == 0 else (pair.new, pair.old)
    is_plain = Trait.FLOAT_PRODUCT in of(layer.main).traits and bounds_of(layer) is None
    if not is_plain or bounds_of(twin) != _UNIT or line_of(step.main) is None:
        return False
    layer.nodes = (*layer.nodes, step.main)
    layer.attributes = {**layer.attributes, "activation": twin.attributes.get("activation")}
    layer.outputs = step.outputs
    return True


def line_of(node: Node) -> tuple[float, float] | None:
    """Return the slope and the offset of a HardSigmoid; None if they are not known."""
    if len(node.inputs) > 1:  # OpenVINO's takes both as inputs
        slope, offset = (small_number(node.input(at)) for at in (1, 2))
    elif not node.domain or {"alpha", "beta"} <= node.attributes.keys():
        slope, offset = node.get_float("alpha", 0.2), node.get_float("beta", 0.5)
    else:
        return None
    return (slope, offset) if slope is not None and offset is not None else None
