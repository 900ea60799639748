"""Resizing: with WebNN's operator where it is equivalent, else with matrix products."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from modellint.model import Node
from modellint.webnn.converter import CannotError, WebConverter, axis_of, handles
from modellint.webnn.graphs import MLOperand

_MOST_WEIGHTS = 1 << 25


@handles("Resize", "Upsample")
def _resize(c: WebConverter, node: Node) -> None:
    x = c.input(node, 0)
    scales, sizes = _asked(c, node, x)
    mode = (node.get_str("mode", "nearest") or "nearest").replace("bilinear", "linear")
    default = "half_pixel" if node.op_type == "Resize" else "asymmetric"
    at = node.get_str("coordinate_transformation_mode", default) or default
    changed = [axis for axis in range(x.rank) if sizes[axis] != x.shape[axis]]
    if at == "tf_crop_and_resize":
        raise CannotError("WebNN does not crop while it resizes")
    if mode == "linear" and at in ("half_pixel", "pytorch_half_pixel") and x.rank == 4:
        plain = all(
            math.isclose(scales[axis], sizes[axis] / x.shape[axis]) and sizes[axis] > 1
            for axis in changed
        )
        if plain and changed == [2, 3] and not node.get_int("antialias", 0):
            found = c.call(
                "resample2d", input=x, mode="linear", sizes=[sizes[2], sizes[3]], axes=[2, 3]
            )
            c.set(node.output(), found)
            return
    for axis in changed:
        weights = weights_of(node, mode, at, x.shape[axis], sizes[axis], scales[axis])
        x = along(c, x, axis, weights)
    c.set(node.output(), x)


def _asked(c: WebConverter, node: Node, x: MLOperand) -> tuple[list[float], list[int]]:
    """Return the scales and sizes of all dims."""
    first = 1 if node.op_type == "Upsample" or c.opset(node) < 11 else 2
    axes = [axis_of(axis, x.rank) for axis in node.get_ints("axes") or range(x.rank)]
    scales, sizes = [1.0] * x.rank, list(x.shape)
    stated = node.attributes.get("scales")
    given: object = stated if isinstance(stated, tuple) else None
    if given is None and node.input(first) is not None:
        known = c.known(node.input(first))
        if known is None:
            raise CannotError("the scales are computed from the inputs", "Make them constant.")
        given = tuple(known.tolist()) if known.size else None
    if isinstance(given, tuple):
        for axis, scale in zip(axes, given, strict=True):
            scales[axis] = float(scale)
            sizes[axis] = math.floor(x.shape[axis] * scales[axis])
        return scales, sizes
    wanted = c.ints(node.input(3), "the sizes") or []
    if node.get_str("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise CannotError("it keeps the aspect ratio", "State the scales.")
    for axis, size in zip(axes, wanted, strict=True):
        sizes[axis], scales[axis] = size, size / x.shape[axis]
    return scales, sizes


def along(c: WebConverter, x: MLOperand, axis: int, weights: NDArray[np.float64]) -> MLOperand:
    """Add a product along an axis; copies of whole rows are gathered."""
    if np.array_equal(weights.max(axis=1), np.ones(len(weights))) and np.count_nonzero(
        weights
    ) == len(weights):
        indices = c.constant(weights.argmax(axis=1).astype(np.int32))
        return c.call("gather", input=x, indices=indices, axis=axis)
    matrix = c.constant(weights.T.astype(np.dtype(x.dtype)))
    before, after = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    rows = c.reshape(x, (before, x.shape[axis], after))
    product = c.call("matmul", a=c.transpose(rows, (0, 2, 1)), b=matrix)
    back = c.transpose(product, (0, 2, 1))
    return c.reshape(back, (*x.shape[:axis], len(weights), *x.shape[axis + 1 :]))


def weights_of(
    node: Node, mode: str, at: str, size: int, wanted: int, scale: float
) -> NDArray[np.float64]:
    """Return the share of each element of an axis in each of the result."""
    if wanted * size > _MOST_WEIGHTS:
        raise CannotError(f"{size} elements are resized to {wanted}")
    found = np.zeros((wanted, size))
    for place in range(wanted):
        source = _source(at, place, size, wanted, scale)
        if mode == "nearest":
            chosen = _ROUNDINGS[node.get_str("nearest_mode", "round_prefer_floor") or ""](source)
            if node.op_type == "Upsample":
                chosen = math.floor(source)
            found[place, min(max(chosen, 0), size - 1)] = 1.0
            continue
        shrinks = scale if node.get_int("antialias", 0) and scale < 1 else 1.0
        kernel, reach = (_triangle, 1.0) if mode == "linear" else (_cubic(node), 2.0)
        reach /= shrinks
        first, last = math.ceil(source - reach), math.floor(source + reach)
        taps = [(n, kernel((source - n) * shrinks)) for n in range(first, last + 1)]
        if node.get_int("exclude_outside", 0) or shrinks < 1:
            taps = [(n, weight) for n, weight in taps if 0 <= n < size]
        total = sum(weight for _, weight in taps) or 1.0
        for n, weight in taps:
            found[place, min(max(n, 0), size - 1)] += weight / total
    return found


_ROUNDINGS: dict[str, Callable[[float], int]] = {
    "round_prefer_floor": lambda x: math.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: math.floor(x + 0.5),
    "floor": math.floor,
    "ceil": math.ceil,
}


def _source(at: str, place: int, size: int, wanted: int, scale: float) -> float:
    """Return the position in the input of an element of the result."""
    if at == "asymmetric":
        return place / scale
    if at == "align_corners":
        return place * (size - 1) / (wanted - 1) if wanted > 1 else 0.0
    if at == "pytorch_half_pixel" and wanted == 1:
        return 0.0
    shift = 0.0
    if at == "half_pixel_symmetric":
        shift = size / 2 * (1 - wanted / (scale * size))
    return shift + (place + 0.5) / scale - 0.5


def _triangle(distance: float) -> float:
    return max(0.0, 1.0 - abs(distance))


def _cubic(node: Node) -> Callable[[float], float]:
    a = node.get_float("cubic_coeff_a", -0.75) or 0.0

    def kernel(distance: float) -> float:
        d = abs(distance)
        if d <= 1:
            return (a + 2) * d**3 - (a + 3) * d**2 + 1
        return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0

    return kernel
