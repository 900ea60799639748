"""Child process with one runtime and one model. Run as ``-m modellint.probes.child``."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from modellint.base.children import PARENT, live_no_longer_than

ANSWER = Path("answer.json")
Tell = Callable[[dict[str, Any]], None]


def main() -> None:
    request = json.load(sys.stdin)
    live_no_longer_than(int(os.environ[PARENT]))
    without_network()
    import_module(request["code"]).answer(request, tell)


def tell(answer: dict[str, Any]) -> None:
    """Write an answer atomically; a later one replaces it."""
    draft = ANSWER.with_suffix(".draft")
    draft.write_text(json.dumps(answer), encoding="utf-8")
    draft.replace(ANSWER)


def without_network() -> None:
    """Enter an empty network namespace if permitted: runtimes need no network."""
    if sys.platform != "linux":
        return
    new_network, new_user = 0x40000000, 0x10000000
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None)
    if user == 0:
        libc.unshare(new_network)
    elif libc.unshare(new_user | new_network) == 0:
        with contextlib.suppress(OSError):  # without the mapping, file modes still permit reading
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


if __name__ == "__main__":
    main()
