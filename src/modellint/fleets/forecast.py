"""Forecast of when a run will be finished, from its recent progress."""

from __future__ import annotations

from collections import deque

WINDOW = 400
"""Files to look back on. The largest come first, and say little about the rest."""
LEAST = 20
"""Files before which nothing can be said."""


class Forecast:
    """Counts finished files, and says how long those that are left will take."""

    def __init__(self, total: int, started: float) -> None:
        self.total = total
        self.finished = 0
        self._times = deque([started], WINDOW + 1)

    def done(self, now: float) -> None:
        self.finished += 1
        self._times.append(now)

    def left(self) -> float | None:
        """Return the seconds that are left; None while that is a guess."""
        if self.finished < min(LEAST, self.total):
            return None
        pace = (self._times[-1] - self._times[0]) / (len(self._times) - 1)
        return pace * (self.total - self.finished)


def rounded(seconds: float) -> str:
    """Format a time that is not known exactly: `under a minute`, `about 12 min`, `about 3 h`."""
    if seconds < 60:
        return "under a minute"
    if seconds < 100 * 60:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.0f} h"
