"""Inputs that models are timed on: random, in the sizes that estimates assume."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from modellint.analysis.assume import settle
from modellint.base.errors import UsageError
from modellint.execution import Arrays, NoInputsError, made_up
from modellint.model import Model
from modellint.targets.deployment import Deployment

PROMPT_INPUT = "tokens"
"""Name of the only input of a language model without a graph."""
PROMPT = 128
"""Tokens of a prompt, unless a shape says otherwise."""
GENERATED = 32
"""Tokens that are generated after a prompt."""
_LONGEST = 1 << 17
_VOCABULARY = 256
"""Tokens of vocabularies whose size is unknown."""


def bench_inputs(model: Model, deployment: Deployment) -> tuple[Arrays, int | None]:
    """Return inputs, and the batch that they have, as far as it can be known."""
    if model.format == "gguf":
        return _prompt(model, deployment)
    settled = settle(model, deployment)
    given = replace(deployment, symbols={**settled.assumed, **deployment.symbols})
    for name in deployment.shapes:
        if all(value.name != name for value in model.fed):
            names = ", ".join(value.name for value in model.fed[:8])
            raise UsageError(f"{model.path}: no input {name!r}; there are {names}")
    try:
        feed = made_up(model, deployment=given)
    except NoInputsError as error:
        raise UsageError(f"{model.path}: {error}") from error
    batch = next((array.shape[0] for array in feed.values() if array.ndim > 1), None)
    if deployment.batch is not None and batch != deployment.batch:
        raise UsageError(f"{model.path}: its batch is fixed at {batch}, not {deployment.batch}")
    return feed, batch


def _prompt(model: Model, deployment: Deployment) -> tuple[Arrays, int | None]:
    """Return a prompt of random tokens."""
    stated = {**deployment.shapes}
    shape = stated.pop(PROMPT_INPUT, None)
    if stated or (deployment.batch or 1) > 1:
        raise UsageError(f"{model.path}: only --shape {PROMPT_INPUT}=1xN can be set: the prompt")
    length = PROMPT
    if shape is not None:
        rows, length = (*shape.optimum, 0, 0)[:2]
        if len(shape.optimum) != 2 or rows != 1 or not 0 < length <= _LONGEST:
            raise UsageError(f"{model.path}: the prompt is {PROMPT_INPUT}=1xN, N up to {_LONGEST}")
    known = model.architecture
    most = known.context if known is not None else None
    if most is not None and length + GENERATED > most:
        raise UsageError(
            f"{model.path}: a prompt of {length} and {GENERATED} tokens after it exceed its "
            f"context of {most}"
        )
    vocabulary = (known.vocabulary if known is not None else None) or _VOCABULARY
    drawn = np.random.default_rng(0).integers(0, vocabulary, (1, length), np.int64)
    return {PROMPT_INPUT: drawn}, 1
