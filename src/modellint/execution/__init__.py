"""Runs models in their runtimes, on given inputs or made-up ones, and compares what comes out.

`made_up(model)` gives inputs, `run(path, format, feeds)` the outputs of a child process with
limits, and `compare(old, new)` figures of how far two arrays differ.
"""

from __future__ import annotations

from modellint.execution.arrays import Arrays
from modellint.execution.comparing import Deviation, compare
from modellint.execution.inputs import NoInputsError, made_up
from modellint.execution.running import Execution, Run, run, runtime_for
from modellint.runtimes.execution import Way

__all__ = [
    "Arrays",
    "Deviation",
    "Execution",
    "NoInputsError",
    "Run",
    "Way",
    "compare",
    "made_up",
    "run",
    "runtime_for",
]
