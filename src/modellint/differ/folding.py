"""Weights that one model has a normalization or a scale folded into, which the other has apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from modellint.analysis.layouts import is_layout_known, is_read_transposed
from modellint.differ.canonical import CanonicalStep
from modellint.differ.crossing import FOLDED, operator_name, stored_weight
from modellint.differ.matched import Pair
from modellint.differ.sloped import line_of
from modellint.differ.written_out import HARD_SIGMOID, is_doubled
from modellint.model import Node, Tensor, Value
from modellint.operators import Trait, of

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

EPSILON = 1e-5
SCALE = "Mul"
_PARTS = (FOLDED, SCALE, HARD_SIGMOID)
"""Operators after a layer that may be in its weights instead."""


class FoldingEffect(NamedTuple):
    """Effect of what follows a layer, or comes before it, on its weight or its bias."""

    of_new: bool
    """True if the new model has it apart."""
    learned: tuple[Tensor, ...] = ()
    """Scale, shift, mean and variance of a normalization, or a scale alone."""
    epsilon: float = 0.0
    axis: int = 0
    """The axis of the weight's output channels."""
    slope: float = 1.0
    offset: float = 0.0
    """Of a HardSigmoid."""
    factor: float = 1.0
    """A factor of the data that the other model has in the weight."""
    is_bias: bool = False
    is_absent: bool = False
    """True for a missing bias, which the shift replaces."""

    def applied(self, numbers: NDArray[Any]) -> NDArray[Any] | None:
        """Return the weight or the bias as the other model has it; None if that is unknown."""
        arrays = [tensor.numpy() for tensor in self.learned]
        known = [a.astype("f8").reshape(-1) for a in arrays if a is not None]
        by_channel = numbers.reshape(-1) if self.is_bias else numbers.swapaxes(self.axis, -1)
        sizes = {each.size for each in known} - {by_channel.shape[-1]}
        if sizes or len(known) != len(arrays):
            return None
        folded = self._on_channels(by_channel, known) * self.slope * self.factor
        if self.is_bias:
            folded = folded + self.offset
        return folded.reshape(numbers.shape) if self.is_bias else folded.swapaxes(self.axis, -1)

    def _on_channels(self, numbers: NDArray[Any], known: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Fold numbers whose last axis is that of the output channels."""
        if len(known) < 4:
            return numbers * known[0] if known else numbers
        scale, shift, mean, variance = known
        factors = scale / (variance + self.epsilon) ** 0.5
        if not self.is_bias:
            return numbers * factors
        folded: NDArray[Any] = shift + ((0.0 if self.is_absent else numbers) - mean) * factors
        return folded


class FoldedWeight(NamedTuple):
    """A weight of both models; one of the two is to be folded."""

    old: Tensor
    new: Tensor
    folding: FoldingEffect


def folded_weights(pair: Pair) -> list[FoldedWeight] | None:
    """Return the weights of a layer that one model splits further than the other."""
    sides = [(_apart(step), is_doubled_before(step)) for step in (pair.old, pair.new)]
    whole = [node is None and not doubled for node, doubled in sides]
    of_new = sides[1][0] is not None or sides[0][1]
    apart, folded = (pair.new, pair.old) if of_new else (pair.old, pair.new)
    node, half = sides[of_new][0], sides[not of_new][1]
    if all(whole) or sides[of_new][1] or sides[not of_new][0] is not None:
        return None
    folding = _effect(apart, node, of_new=of_new)
    if folding is None or is_layout_known(apart.main):
        return None
    return list(_folded(apart, folded, folding._replace(factor=0.5 if half else 1.0)))


def is_doubled_before(step: CanonicalStep) -> bool:
    data = step.inputs[0] if step.inputs else None
    return Trait.FLOAT_PRODUCT in of(step.main).traits and data is not None and is_doubled(data)


def _effect(step: CanonicalStep, node: Node | None, *, of_new: bool) -> FoldingEffect | None:
    if node is None:
        return FoldingEffect(of_new)
    if operator_name(node) == HARD_SIGMOID:
        line = line_of(node)
        return FoldingEffect(of_new, slope=line[0], offset=line[1]) if line is not None else None
    if operator_name(node) == SCALE:
        scale = next((t for t in map(_stored, node.inputs) if t is not None), None)
        is_first = Trait.CONVOLUTION in of(step.main).traits or is_read_transposed(step.main)
        axis = 0 if is_first else -1
        return FoldingEffect(of_new, (scale,), axis=axis) if scale is not None else None
    found = [value.tensor for value in node.inputs[1:5] if value is not None]
    tensors = [tensor for tensor in found if tensor is not None]
    epsilon = node.get_float("epsilon", EPSILON) or EPSILON
    return FoldingEffect(of_new, tuple(tensors), epsilon) if len(tensors) == 4 else None


def _folded(
    apart: CanonicalStep, whole: CanonicalStep, folding: FoldingEffect
) -> Iterator[FoldedWeight]:
    weight, bias = _weights(apart)
    other, other_bias = _weights(whole)
    pairs = [(weight, other, folding)]
    own = folding._replace(is_bias=True, factor=1.0, is_absent=bias is None)
    shift = folding.learned[1] if len(folding.learned) == 4 else None
    pairs.append((bias if bias is not None else shift, other_bias, own))
    for one, twin, how in pairs:
        if one is not None and twin is not None:
            yield FoldedWeight(*((twin, one) if folding.of_new else (one, twin)), how)


def _apart(step: CanonicalStep) -> Node | None:
    """Return the normalization or the scale that a step has after its layer."""
    if Trait.FLOAT_PRODUCT not in of(step.main).traits:
        return None
    return next((node for node in step.nodes[1:] if operator_name(node) in _PARTS), None)


def _weights(step: CanonicalStep) -> tuple[Tensor | None, Tensor | None]:
    """Return the weight and the bias of a layer, which may be added after it."""
    apart = _apart(step)
    own = {id(_stored(value)) for value in apart.inputs} if apart is not None else set()
    found = [_stored(value) for value in step.inputs[1:]]
    tensors = [tensor for tensor in found if tensor is not None and id(tensor) not in own]
    return (tensors[0] if tensors else None), (tensors[1] if len(tensors) > 1 else None)


def _stored(value: Value | None) -> Tensor | None:
    return stored_weight(value) if value is not None else None
