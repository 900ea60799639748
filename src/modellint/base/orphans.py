"""Processes that do not outlive their parent."""

from __future__ import annotations

import os
import sys

PARENT = "MODELLINT_PARENT"
"""Environment variable that tells a probe's child the id of its parent."""


def live_no_longer_than(parent: int) -> None:
    """Have Linux kill this process when its parent, of that id, dies."""
    if sys.platform == "linux":
        import ctypes

        die_with_parent, kill = 1, 9
        ctypes.CDLL(None).prctl(die_with_parent, kill)
        if os.getppid() != parent:  # it died before the call
            os._exit(1)
