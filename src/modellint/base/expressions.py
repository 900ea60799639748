"""Regular expressions that are compiled on first use, since most runs use few of them."""

from __future__ import annotations

import re
from typing import Any, cast


class LateExpression:
    """A pattern of `re` that does not exist until one of its methods is asked for."""

    def __init__(self, pattern: str, flags: int) -> None:
        self._given = pattern, flags

    def __getattr__(self, name: str) -> Any:
        method = getattr(re.compile(*self._given), name)
        setattr(self, name, method)  # which is found at once from now on
        return method


def late(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Return the expression that `re.compile` would take up to a millisecond to return."""
    return cast("re.Pattern[str]", LateExpression(pattern, flags))
