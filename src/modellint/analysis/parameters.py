"""Number of learned weights of a model.

As in papers, only trained parameters count. Shape arguments, quantization scales and zero points,
running statistics of BatchNormalization and scalar constants are excluded, and packed weights
count their elements rather than bytes.
"""

from __future__ import annotations

import re
from functools import lru_cache

from modellint.base.expressions import late
from modellint.base.memo import Remembered
from modellint.model import Model, Node, Tensor, Value
from modellint.model.architecture import Architecture
from modellint.operators import Trait, having, with_input

_NOT_LEARNED = with_input(
    "data-scale",
    "data-zero",
    "weight-scale",
    "weight-zero",
    "other-scale",
    "other-zero",
    "output-scale",
    "output-zero",
    "group-index",
    "statistic",
    "bound",
    "filler",
    "update",
    "region",
    "factors",
)
"""Inputs that are stored but not learned, by op type."""
_PASSES = having(Trait.VIEW, Trait.CAST, Trait.TRANSPOSE, Trait.UNPACKS)
"""Ops that pass a weight through: its role depends on the node after them."""
_SCALARS = having(Trait.FORMULA_SCALAR)
_IN_BLOCKS = having(Trait.BLOCK_WEIGHTS)
_NO_WEIGHT = late(
    r"\.(scales|qzeros|g_idx|absmax|quant_map|quant_state\b.*|nested_absmax|nested_quant_map"
    r"|weight_scale(_inv|_\d)?|input_scale|weight_zero_point|weight_shape|SCB|k_scale|v_scale"
    r"|input_global_scale|weight_global_scale|weight_format|weight_g_idx)$"
    r"|_scales$|(^|\.)rope_freqs\b|rotary_emb\.inv_freq"
    r"|rope_factors_(long|short)"
)
"""Tensors that are stored with weights, but are not learned: scales, tables, permutations."""
_PACKED = late(r"\.(qweight|weight_packed)$|_(blocks|packed)$")
_NUMBERS = late(r"\d+")
_BITS = late(r"(\d)[- ]?bit|(?:int|nf|fp|mxfp|nvfp|w)(\d)", re.IGNORECASE)


class Parameters:
    """Number of learned weights per node, and in total with shared ones counted once."""

    def __init__(self, model: Model) -> None:
        self._counts: dict[int, int] = {}
        if not model.has_graph:
            self.total = _stored(model)
            return
        for node in model.nodes(functions=True):
            if node.op_type in _PASSES:
                continue
            for index, value in enumerate(node.inputs):
                tensor = stored_weight(value)
                if tensor is not None:
                    self._count(node, index, tensor)
        self.total = sum(self._counts.values())

    def of(self, node: Node) -> int:
        """Return the number of learned weights that the node reads."""
        if not self._counts or node.op_type in _PASSES:
            return 0
        mine = {id(tensor) for value in node.inputs if (tensor := stored_weight(value)) is not None}
        return sum(self._counts.get(each, 0) for each in mine)

    def learned(self, tensor: Tensor) -> int:
        """Return the number of learned weights in a stored tensor."""
        return self._counts.get(id(tensor), 0)

    def _count(self, node: Node, index: int, tensor: Tensor) -> None:
        if not _may_learn(tensor) or index in _NOT_LEARNED.get(node.op_type, ()):
            return
        if tensor.elements == 1 and node.op_type in _SCALARS:
            return
        elements = tensor.elements
        if node.op_type in _IN_BLOCKS and index == 1:
            rows, columns = node.get_int("K", 0) or 0, node.get_int("N", 0) or 0
            elements = rows * columns or elements
        self._counts[id(tensor)] = elements


_PARAMETERS: Remembered[Parameters] = Remembered()


def parameters(model: Model) -> Parameters:
    """The learned weights of a model, counted once for all deployments."""
    return model.memo.get(_PARAMETERS, None, lambda: Parameters(model))


def stored_weight(value: Value | None) -> Tensor | None:
    """Return the stored tensor of a value, upstream of ops that pass it through."""
    for _ in range(8):
        if value is None or value.tensor is not None:
            break
        node = value.producer
        if node is None or node.op_type not in _PASSES:
            return None
        value = node.input(0)
    return value.tensor if value is not None else None


def _may_learn(tensor: Tensor) -> bool:
    dtype = tensor.dtype
    stored_weight = dtype.is_float or (dtype.is_integer and dtype.bits <= 8)
    return stored_weight and bool(tensor.shape)


def _stored(model: Model) -> int:
    """Return the parameters in the tensors of a model without a graph."""
    if model.architecture is None:
        return sum(tensor.elements for tensor in model.tensors if _may_learn(tensor))
    bits = packed_bits(model.architecture)
    return sum(learned(tensor, bits) for tensor in model.tensors)


def learned(tensor: Tensor, bits: int | None) -> int:
    """Return the parameters in a tensor: packed ones are unpacked, scales do not count."""
    is_learned, is_packed = _role(without_numbers(tensor.name))
    if not is_learned:
        return 0
    if is_packed or (tensor.dtype.name == "uint8" and bits):
        return tensor.elements * int(tensor.dtype.bits) // (bits or 4)
    return tensor.elements


def packed_bits(architecture: Architecture) -> int | None:
    """Return the bits of weights that are packed into wider integers; None if none are."""
    found = _BITS.search(architecture.quantization)
    return int(found[1] or found[2]) or None if found else None


def without_numbers(name: str) -> str:
    """Return a name that many layers share."""
    return _NUMBERS.sub("0", name)


@lru_cache(maxsize=1024)
def _role(name: str) -> tuple[bool, bool]:
    """Return whether tensors of a name are learned, and whether they are packed."""
    return not _NO_WEIGHT.search(name), bool(_PACKED.search(name))
