"""Inputs that models are timed on: random, in the sizes that estimates assume."""

from __future__ import annotations

from dataclasses import replace

from modellint.analysis.assume import settle
from modellint.base.errors import UsageError
from modellint.execution import Arrays, NoInputsError, made_up
from modellint.model import Model
from modellint.targets.deployment import Deployment


def bench_inputs(model: Model, deployment: Deployment) -> tuple[Arrays, int | None]:
    """Return inputs, and the batch that they have, as far as it can be known."""
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
