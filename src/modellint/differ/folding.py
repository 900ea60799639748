"""Weights that one model has a normalization folded into, which the other model has apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from modellint.differ.canonical import CanonicalStep
from modellint.differ.crossing import FOLDED, operator_name, stored_weight
from modellint.differ.layouts import is_layout_known
from modellint.differ.matched import Pair
from modellint.model import Node, Tensor

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

EPSILON = 1e-5


class NormalizationEffect(NamedTuple):
    """Effect of a normalization on a weight, or on a bias, that it follows."""

    of_new: bool
    """True if the new model has the normalization apart."""
    tensors: tuple[Tensor, Tensor, Tensor, Tensor]
    """Scale, shift, mean and variance."""
    epsilon: float
    is_bias: bool = False
    is_absent: bool = False
    """True for a bias that the convolution does not have, for which the shift stands."""

    def applied(self, numbers: NDArray[Any]) -> NDArray[Any] | None:
        arrays = [tensor.numpy() for tensor in self.tensors]
        scale, shift, mean, variance = (None if a is None else a.astype("f8") for a in arrays)
        if scale is None or shift is None or mean is None or variance is None:
            return None
        factors = scale / (variance + self.epsilon) ** 0.5
        if not self.is_bias:
            return numbers * factors.reshape(-1, *[1] * (numbers.ndim - 1))
        folded: NDArray[Any] = shift + ((0.0 if self.is_absent else numbers) - mean) * factors
        return folded


class FoldedWeight(NamedTuple):
    """A weight of both models, of which one is to be folded."""

    old: Tensor
    new: Tensor
    folding: NormalizationEffect


def folded_weights(pair: Pair) -> list[FoldedWeight] | None:
    """Return the weights of a convolution that a normalization follows in one model alone."""
    of_new = _normalization(pair.new) is not None
    apart, whole = (pair.new, pair.old) if of_new else (pair.old, pair.new)
    node = _normalization(apart)
    if node is None or _normalization(whole) is not None or is_layout_known(apart.main):
        return None
    tensors = [value.tensor if value is not None else None for value in node.inputs[1:5]]
    found = [tensor for tensor in tensors if tensor is not None]
    if len(found) != 4:
        return None
    scale, shift, mean, variance = found
    epsilon = node.get_float("epsilon", EPSILON)
    folding = NormalizationEffect(of_new, (scale, shift, mean, variance), epsilon or EPSILON)
    return list(_folded(apart, whole, folding))


def _folded(
    apart: CanonicalStep, whole: CanonicalStep, folding: NormalizationEffect
) -> Iterator[FoldedWeight]:
    weight, bias = _weights(apart)
    other, other_bias = _weights(whole)
    pairs = [(weight, other, folding)]
    own = folding._replace(is_bias=True, is_absent=bias is None)
    pairs.append((bias if bias is not None else folding.tensors[1], other_bias, own))
    for one, twin, how in pairs:
        if one is not None and twin is not None:
            yield FoldedWeight(*((twin, one) if folding.of_new else (one, twin)), how)


def _normalization(step: CanonicalStep) -> Node | None:
    return next((node for node in step.nodes[1:] if operator_name(node) == FOLDED), None)


def _weights(step: CanonicalStep) -> tuple[Tensor | None, Tensor | None]:
    """Return the weight and the bias of a convolution, which may be added after it."""
    norm = _normalization(step)
    own = set(norm.inputs) if norm is not None else set()
    values = [value for value in step.inputs[1:] if value is not None and value not in own]
    tensors = [tensor for value in values if (tensor := stored_weight(value)) is not None]
    return (tensors[0] if tensors else None), (tensors[1] if len(tensors) > 1 else None)
