"""Asks in a process of its own, which may crash or hang."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any

CRASHES = "it crashes"
MOST_SECONDS = 60


def in_a_fork(ask: Callable[[Any], str | None], model: Any) -> str | None:
    """Ask in a process of its own a runtime that crashes on many types, and may hang."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(
        target=lambda: sender.send(ask(model)), daemon=True
    )
    process.start()
    sender.close()
    try:
        told: str | None = receiver.recv() if receiver.poll(MOST_SECONDS) else "it hangs"
    except EOFError:
        told = CRASHES
    process.kill()
    process.join()
    return told
