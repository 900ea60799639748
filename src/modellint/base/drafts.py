"""Names of files that are being written, and whether their writers still run."""

from __future__ import annotations

import os
import re
import time
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path

from modellint.base.expressions import late

DRAFT = ".modellint-"
"""Beginning of the names of files that are being written."""
DAY = 24 * 60 * 60
"""Seconds after which a draft from elsewhere, whose process cannot be looked for, is abandoned."""

_NAME = late(rf"{re.escape(DRAFT)}(?P<home>[0-9a-f]{{8}})-(?P<process>\d{{1,10}})-")
"""Beginning of the name of a draft, as no other file has it."""


def own_draft() -> str:
    """Return what the names of this process's drafts begin with, and those of no other's.

    Containers may share a folder, and each counts its processes for itself.
    """
    return f"{DRAFT}{_home()}-{os.getpid()}-"


def is_abandoned(draft: Path) -> bool:
    """Return True if no process writes a draft any more."""
    named = _NAME.match(draft.name)
    if named is None:
        return False
    if named["home"] == _home():
        return not _lives(int(named["process"]))
    with suppress(OSError):
        return time.time() - draft.lstat().st_mtime > DAY
    return False


@cache
def _home() -> str:
    """Name the machine, or the container on it, whose processes are numbered together."""
    machine = os.uname().nodename if os.name == "posix" else os.environ.get("COMPUTERNAME", "")
    numbering = ""
    with suppress(OSError):  # Linux alone
        numbering = str(Path("/proc/self/ns/pid").readlink())
    return f"{zlib.crc32(f'{machine} {numbering}'.encode(errors='surrogateescape')):08x}"


def _lives(process: int) -> bool:
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
