"""Requests in daemon threads, so that an interrupt need not wait for them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

THREADS = 16
Answered = TypeVar("Answered")
Item = TypeVar("Item")


def begun(call: Callable[[], Answered]) -> Future[Answered]:
    """Call a function in another thread; return a future of its result."""
    future: Future[Answered] = Future()
    threading.Thread(target=_fill, args=(future, call), daemon=True).start()
    return future


def awaited(call: Callable[[], Answered]) -> Answered:
    """Call a function in a thread where it cannot delay an interrupt; return its result."""
    return begun(call).result()


def in_parallel(call: Callable[[Item], Answered], items: Iterable[Item]) -> list[Answered]:
    """Call a function for each item, in several threads at once; return the results in order."""
    jobs = [(Future[Answered](), item) for item in items]
    left = deque(jobs)

    def work() -> None:
        while True:
            try:
                future, item = left.popleft()
            except IndexError:
                return
            _fill(future, partial(call, item))

    for _ in range(min(THREADS, len(jobs))):
        threading.Thread(target=work, daemon=True).start()
    try:
        return [future.result() for future, _ in jobs]
    finally:
        left.clear()


def _fill(future: Future[Answered], call: Callable[[], Answered]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:
        future.set_exception(error)
