"""Weight and groups of a convolution, which each format orders and specifies in its own way."""

from __future__ import annotations

from modellint.analysis.layouts import channels_first, is_layout_known, standard_weight
from modellint.model import Node
from modellint.operators import Trait, having, of

_FORWARD = having(Trait.CONVOLUTION)
Dims = tuple[int, ...]


def window_of(node: Node, data: Dims, weight: Dims) -> tuple[Dims, int]:
    """Return the dims of the weight as ONNX orders them, and the number of groups.

    OpenVINO has a dim of groups ahead of the others, and TFLite tells them by the channels alone.
    """
    if of(node).cost.startswith("group_"):
        return weight[1:], max((1, *weight[:1]))
    weight = tuple(dim for dim in standard_weight(node, weight) if isinstance(dim, int))
    stated = node.get_int("group") or node.get_int("groups")
    if stated or not is_layout_known(node) or node.op_type not in _FORWARD or len(weight) < 2:
        return weight, max(1, stated or 1)
    channels = channels_first(node, data)[1] if len(data) > 1 else 1
    return weight, max(1, channels // max(1, weight[1]))
