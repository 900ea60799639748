"""Nodes of a model, found again in the layers of a run."""

from __future__ import annotations

from modellint.measured import MeasuredRun
from modellint.model import Model


def placed(run: MeasuredRun, model: Model) -> MeasuredRun:
    return run
