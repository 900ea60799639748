"""The work of an engine's workers: batches are linted in a child, which may die."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Sequence
from functools import partial
from subprocess import Popen
from typing import Any

from modellint.base import children
from modellint.base.errors import UsageError
from modellint.fleets.task import FleetTask, Orders, Rows, lint_task

Outcome = Rows | str
"""The rows of a file, or the cause of death of the process that linted it."""
PATIENCE = 120.0
"""Seconds that an idle child waits for work: a worker may outlive a run by far."""

_own = threading.local()
_runs: dict[Popen[bytes], str] = {}
"""The run of each child."""
_starting = threading.Lock()
_ended: set[str] = set()


def lint_batch(orders: Orders, batch: Sequence[FleetTask]) -> list[Outcome]:
    """Return the rows of each file, or its process's cause of death.

    Each thread of a worker has a child, so that neither the worker nor the other files die of one.
    """
    return [_linted(orders, task) for task in batch]


def end_children(orders: Orders) -> None:
    """End all children of a run in this process, and start no others."""
    with _starting:
        _ended.add(orders.run)
        for process in [each for each, run in list(_runs.items()) if run == orders.run]:
            children.end(process)
            _runs.pop(process, None)


def _linted(orders: Orders, task: FleetTask) -> Outcome:
    process, first = _child(orders)
    try:
        children.tell(process, *first, task)
        answer: Any = children.answer(process)
    except Exception:  # whatever half an answer unpickles to
        return f"it {_end(process)}"
    if isinstance(answer, UsageError):
        raise answer
    rows: Rows = answer
    return rows


def _child(orders: Orders) -> tuple[Popen[bytes], tuple[object, ...]]:
    """Return this thread's child, and the first message for a new one."""
    process: Popen[bytes] | None = getattr(_own, "process", None)
    if process is not None:
        if _runs.get(process) == orders.run and process.poll() is None:
            return process, ()
        _end(process)
    with _starting:
        if orders.run in _ended:
            raise UsageError("the run has ended")
        process = _own.process = children.start("workers.child")
        _runs[process] = orders.run
    return process, ((partial(_pickled, orders), os.getpid(), PATIENCE, ()),)


def _end(process: Popen[bytes]) -> str:
    _own.process = None
    _runs.pop(process, None)
    return children.end(process)


def _pickled(orders: Orders, task: FleetTask) -> bytes:
    """Return pickled rows, or the error that says why none can be had here."""
    try:
        return pickle.dumps(lint_task(orders, task))
    except UsageError as error:
        return pickle.dumps(error)
