"""Work that waits a moment, in case it is asked for again: one chore at a time, in a thread."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from threading import Condition, Thread

Chore = Callable[[], object]


class Chores:
    """Chores by key; a chore that is asked for again waits again, and is done once."""

    def __init__(self) -> None:
        self._due: dict[object, tuple[float, Chore]] = {}
        self._changed = Condition()
        self._thread = Thread(target=self._attend, daemon=True)

    def later(self, key: object, seconds: float, chore: Chore) -> None:
        with self._changed:
            self._due[key] = time.monotonic() + seconds, chore
            if self._thread.ident is None:
                self._thread.start()
            self._changed.notify()

    def forget(self, key: object) -> None:
        with self._changed:
            self._due.pop(key, None)

    def _attend(self) -> None:
        while True:
            chore = self._next()
            try:
                chore()
            except Exception:  # the others are still to be done
                traceback.print_exc(file=sys.stderr)

    def _next(self) -> Chore:
        """Wait for the next chore that is due, and take it out."""
        with self._changed:
            while True:
                if not self._due:
                    self._changed.wait()
                    continue
                key = min(self._due, key=lambda each: self._due[each][0])
                left = self._due[key][0] - time.monotonic()
                if left <= 0:
                    return self._due.pop(key)[1]
                self._changed.wait(left)
