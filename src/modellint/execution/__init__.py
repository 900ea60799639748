"""Runs models in their runtimes, on given inputs or made-up ones, and compares what comes out.

`made_up(model)` gives inputs, `run(path, format, feeds)` the outputs of a child process with
limits, and `compare(old, new)` figures of how far two arrays differ. `trace(old, new, points)`
compares two models at values in the middle.
"""

from __future__ import annotations

from modellint.execution.activity import Activity
from modellint.execution.arrays import Arrays
from modellint.execution.comparing import Deviation, Tally, compare
from modellint.execution.inputs import NoInputsError, made_up
from modellint.execution.running import Execution, NoRuntimeError, Run, run, runtime_for
from modellint.execution.tracing import Observation, Point, TracedModel, trace
from modellint.runtimes.execution import Way

__all__ = [
    "Activity",
    "Arrays",
    "Deviation",
    "Execution",
    "NoInputsError",
    "NoRuntimeError",
    "Observation",
    "Point",
    "Run",
    "Tally",
    "TracedModel",
    "Way",
    "compare",
    "made_up",
    "run",
    "runtime_for",
    "trace",
]
