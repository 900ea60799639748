"""Problems with the numbers that a model stores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from modellint.analysis.weights import FLOAT16_MAX, WEIGHT, Statistics, Weights, is_weight
from modellint.checks.api import Context, Hit
from modellint.model import Node, Tensor, Value
from modellint.model.features import FLOATS
from modellint.operators import Trait, having, names

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CONVOLUTIONS = having(Trait.CONVOLUTION)
_BY_CHANNEL = having(Trait.CONVOLUTION, Trait.MATMUL, Trait.GEMM)
ZERO_SAMPLE = 64
"""Elements of a channel to sample before reading it completely."""
SPARSE_SAMPLE = 64


def broken_number(context: Context) -> Iterator[Hit]:
    """Stored tensors with NaN, and weights with infinities."""
    if context.lacks([FLOATS]):
        return
    for place, _, statistics in _statistics(context):
        facts = _shares(statistics.nans, statistics) | {"tensor": place.name}
        if statistics.nans:
            yield Hit(place, facts)
        elif statistics.infinities and is_weight(place):
            facts = _shares(statistics.infinities, statistics) | {"tensor": place.name}
            yield Hit(place, facts, variant="infinite")


def fp16_overflow_weight(context: Context) -> Iterator[Hit]:
    """Weights with numbers beyond fp16 in a model that runs in fp16."""
    if context.lacks([FLOATS]):
        return
    if context.deployment.precision != "fp16":
        return
    for place, _, statistics in _statistics(context):
        if abs(statistics.largest) > FLOAT16_MAX and is_weight(place):
            yield Hit(place, {"tensor": place.name, "number": statistics.largest})


def fp16_vanishing_weight(context: Context) -> Iterator[Hit]:
    """Weights with many numbers that become zero in fp16."""
    if context.lacks([FLOATS]):
        return
    if context.deployment.precision != "fp16":
        return
    for place, _, statistics in _statistics(context):
        vanishing = statistics.vanishing or 0
        if is_weight(place) and vanishing / statistics.read >= context.options["share"]:
            facts = _shares(vanishing, statistics) | _weight(statistics)
            yield Hit(place, facts | {"tensor": place.name})


def constant_weight(context: Context) -> Iterator[Hit]:
    """Matrices and kernels with identical elements."""
    if context.lacks([FLOATS]):
        return
    for place, tensor, statistics in _statistics(context):
        if len(tensor.shape) < 2 or tensor.nbytes < context.options["min-bytes"]:
            continue
        if statistics.is_constant and is_weight(place):
            facts = {"tensor": place.name, "number": statistics.lowest, "size": tensor.nbytes}
            yield Hit(place, facts | _weight(statistics))


def sparse_stored_dense(context: Context) -> Iterator[Hit]:
    """Weights that are mostly zeros, but stored and computed densely."""
    if context.lacks([FLOATS]):
        return
    for place, tensor, statistics in _statistics(context):
        if tensor.nbytes < context.options["min-bytes"] or statistics.is_constant:
            continue
        share = statistics.zeros / statistics.read
        if context.options["share"] <= share and is_weight(place):
            facts = {"tensor": place.name, "share": share, "size": tensor.nbytes}
            yield Hit(place, facts | _weight(statistics))


def zero_channels(context: Context) -> Iterator[Hit]:
    """Layers with output channels whose weights are all zero."""
    for node, tensor in _weighted(context):
        if node.op_type not in _BY_CHANNEL or len(tensor.shape) < 2:
            continue
        axis = 0 if _holds_outputs_first(node) else 1
        if axis == 1 and len(tensor.shape) != 2:
            continue
        statistics = context.analysis(Weights).of(tensor)
        if statistics is None or not statistics.zeros or statistics.is_constant:
            continue
        if not context.model.reading.affords("zero channels", tensor):
            continue
        zero = _zero_channels(tensor, axis)
        if zero:
            channels = {"zero": len(zero), "channels": tensor.shape[axis], "first": zero[0]}
            yield Hit(node, {"tensor": tensor.name, **channels})


def _holds_outputs_first(node: Node) -> bool:
    return node.op_type in _CONVOLUTIONS or node.get_int("transB", 0) == 1


def _zero_channels(tensor: Tensor, axis: int) -> list[int]:
    """Return all-zero channels along `axis`: sample each, then read the candidates completely."""
    import numpy as np

    if axis == 0:
        return _zero_rows(tensor)
    stored = tensor.numpy()
    if stored is None:
        return []
    data = np.moveaxis(stored, axis, 0)
    suspects = np.flatnonzero(~np.any(np.asarray(data[:, :ZERO_SAMPLE]) != 0, axis=1))
    return [int(channel) for channel in suspects if not np.any(data[channel])]


def _zero_rows(tensor: Tensor) -> list[int]:
    rows, elements = tensor.shape[0], tensor.elements
    size = elements // rows if rows else 0
    samples = tensor.parts(
        (at, at + min(ZERO_SAMPLE, size)) for at in range(0, elements, size or 1)
    )
    suspects = [row for row, sample in enumerate(samples) if not (sample != 0).any()]
    whole = tensor.parts((row * size, (row + 1) * size) for row in suspects)
    return [row for row, numbers in zip(suspects, whole, strict=False) if not (numbers != 0).any()]


def unused_structured_sparsity(context: Context) -> Iterator[Hit]:
    """Layers with 2:4 sparsity, which the target's tensor cores could run at double rate."""
    target = context.deployment.target
    if target is None or (target.compute_capability or (0, 0)) < (8, 0):
        return
    pruned = []
    for node, tensor in _weighted(context):
        statistics = context.analysis(Weights).of(tensor)
        half = statistics is not None and statistics.zeros >= statistics.read / 2 * 0.99
        if half and not statistics.is_constant and _is_two_of_four(node, tensor):  # type: ignore[union-attr]
            pruned.append(node)
    if pruned:
        layers = [node.label for node in pruned]
        yield Hit(pruned[0], {"layers": layers, "number": len(layers)}, count=len(layers))


def _is_two_of_four(node: Node, tensor: Tensor) -> bool:
    """Return True if two of every four neighbors along the input channels are zero."""
    import numpy as np

    if len(tensor.shape) < 2 or not tensor.elements:
        return False
    if _holds_outputs_first(node):
        row = tensor.elements // tensor.shape[0]
        first = next(tensor.parts([(0, min(SPARSE_SAMPLE, tensor.shape[0]) * row)]), None)
        if first is None:
            return False
        sample: NDArray[Any] = np.moveaxis(first.reshape(-1, *tensor.shape[1:]), 1, -1)
    else:
        stored = tensor.numpy()
        if stored is None:
            return False
        sample = np.swapaxes(stored[..., :SPARSE_SAMPLE], -1, -2)
    if sample.shape[-1] % 4:
        return False
    groups = sample.reshape(-1, 4) == 0
    return bool((groups.sum(axis=1) >= 2).all())


def _statistics(context: Context) -> Iterator[tuple[Value | Tensor, Tensor, Statistics]]:
    """Iterate over the stored tensors, as values of the graph if there is one."""
    weights = context.analysis(Weights)
    for place, tensor in _used(context) if context.model.has_graph else _stored(context):
        statistics = weights.of(tensor)
        if statistics is not None:
            yield place, tensor, statistics


def _used(context: Context) -> Iterator[tuple[Value, Tensor]]:
    for graph in context.graphs():
        for value in graph.values.values():
            if value.tensor is not None and value.consumers:
                yield value, value.tensor


def _stored(context: Context) -> Iterator[tuple[Tensor, Tensor]]:
    yield from ((tensor, tensor) for tensor in context.model.tensors)


def _weighted(context: Context) -> Iterator[tuple[Node, Tensor]]:
    """Iterate over layers with a stored floating-point weight."""
    for node in context.nodes(*names(Trait.FLOAT_PRODUCT, Trait.RECURRENT)):
        value = node.input(WEIGHT)
        if value is not None and value.tensor is not None and value.tensor.dtype.is_float:
            yield node, value.tensor


def _shares(count: int, statistics: Statistics) -> dict[str, object]:
    return {
        "found": count,
        "share": count / statistics.read,
        "of": "of a sample" if statistics.is_sample else "of all",
    }


def _weight(statistics: Statistics) -> dict[str, object]:
    """Describe how much of a weight was read."""
    return {"weight": "a sample of weight" if statistics.is_sample else "weight"}
