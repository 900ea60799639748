"""Both models run on the same inputs: how far outputs differ, and which layer starts it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modellint.differ.layers import LayerComparison, decibels
from modellint.differ.matched import Matching
from modellint.execution import (
    Arrays,
    Deviation,
    Execution,
    NoInputsError,
    Tally,
    made_up,
    run,
    runtime_for,
)
from modellint.model import Value, is_static
from modellint.results.difference import OutputDeviation, RunDifference
from modellint.targets.deployment import Deployment

MOST_TRACED = 4
"""Inputs that layers are compared on; outputs are compared on all."""
SIZES = 3
"""Sizes of open dims that are tried."""
_LAYOUTS = ((0, 2, 3, 1), (0, 3, 1, 2))
"""Orders of dims that turn channels first into channels last, and back."""


def seeded_inputs(found: Matching, seed: int, deployment: Deployment) -> list[Arrays]:
    """Return made-up inputs of the old model, for several sizes of open dims.

    Sizes that only the new model fixes are those of the new model.
    """
    old = found.old
    fixed = {
        dim: size
        for one, other in found.inputs
        if one is not None and other is not None
        for dim, size in zip(one.declared_shape or (), other.declared_shape or (), strict=False)
        if isinstance(dim, str) and isinstance(size, int)
    }
    bound = replace(deployment, symbols={**fixed, **deployment.symbols})
    is_open = any(not is_static(value.declared_shape) for value in old.fed)
    return [made_up(old, seed, number, bound) for number in range(SIZES if is_open else 1)]


def run_difference(found: Matching, feeds: Sequence[Arrays], described: str) -> RunDifference:
    """Run both models and compare outputs, then values in the middle.

    Raises NoInputsError if the new model needs inputs that the old one does not have.
    """
    models = found.old, found.new
    inputs = feeds, [_for_new(found, feed) for feed in feeds]
    done = [
        run(model.path, model.format, given) for model, given in zip(models, inputs, strict=True)
    ]
    plain = RunDifference(
        runtime=[each.runtime for each in done],
        inputs=described,
        runs=len(feeds),
        seconds=[sum(run.seconds for run in each.runs) for each in done],
    )
    both_fail = [n for n in range(len(feeds)) if all(each.runs[n].error for each in done)]
    if len(both_fail) < len(feeds):  # sizes that neither model takes say nothing
        taken = [n for n in range(len(feeds)) if n not in both_fail]
        inputs = [feeds[n] for n in taken], [inputs[1][n] for n in taken]
        done = [replace(each, runs=tuple(each.runs[n] for n in taken)) for each in done]
        plain = replace(plain, runs=len(taken))
    for title, each in zip(("old", "new"), done, strict=True):
        if each.error:
            return replace(plain, error=f"the {title} model does not run: {each.error}")
    whole = replace(plain, outputs=list(_outputs(found, done[0], done[1])))
    if whole.is_same:
        return whole
    able = [runtime_for(model.format).executor for model in models]
    if not all(each is not None and each.captures for each in able):
        return whole
    return LayerComparison(found, (inputs[0][:MOST_TRACED], inputs[1][:MOST_TRACED])).add_to(whole)


def _for_new(found: Matching, feed: Arrays) -> Arrays:
    """Return the inputs under the new model's names, in its types and layout."""
    given: dict[str, NDArray[Any]] = {}
    for old, new in found.inputs:
        if new is None or new.is_constant:
            continue
        if old is None or old.name not in feed:
            raise NoInputsError(f"only the new model has an input {new.name!r}")
        array = laid_out(feed[old.name], new)
        dtype = new.declared_dtype
        if dtype is not None and dtype.kind != "string" and array.dtype != dtype.numpy:
            array = array.astype(dtype.numpy)
        given[new.name] = array
    return given


def laid_out(array: NDArray[Any], value: Value) -> NDArray[Any]:
    """Return an image in the layout that the input declares."""
    shape = value.declared_shape
    if shape is None or array.ndim != 4 or len(shape) != 4 or _fits(array.shape, shape):
        return array
    for layout in _LAYOUTS:
        moved = array.transpose(layout)
        if _fits(moved.shape, shape):
            return moved
    return array


def _fits(shape: Sequence[int], declared: Sequence[object]) -> bool:
    return all(
        not isinstance(dim, int) or dim == size for dim, size in zip(declared, shape, strict=True)
    )


def _outputs(found: Matching, old: Execution, new: Execution) -> Iterator[OutputDeviation]:
    for one, other in found.outputs:
        if one is None or other is None:
            continue
        tally = Tally()
        for before, after in zip(old.runs, new.runs, strict=True):
            a, b = before.outputs.get(one.name), after.outputs.get(other.name)
            if a is not None and b is not None:
                tally.add(a, _like(b, a))
        deviation = tally.result()
        if deviation.elements:
            yield _output(other.name, deviation)


def _like(array: NDArray[Any], wanted: NDArray[Any]) -> NDArray[Any]:
    """Return an image in the layout of another."""
    if array.ndim == 4 and array.shape != wanted.shape:
        for layout in _LAYOUTS:
            if array.transpose(layout).shape == wanted.shape:
                return np.ascontiguousarray(array.transpose(layout))
    return array


def _output(name: str, deviation: Deviation) -> OutputDeviation:
    fits = deviation.comparable
    return OutputDeviation(
        name,
        [list(shape) for shape in deviation.shapes],
        deviation.bitwise,
        deviation.differing,
        deviation.elements,
        deviation.max_abs if fits else None,
        deviation.mean_abs if fits else None,
        deviation.max_relative if fits else None,
        deviation.cosine if fits else None,
        decibels(deviation),
        deviation.top1 if fits else None,
        deviation.same_nonfinite,
    )
