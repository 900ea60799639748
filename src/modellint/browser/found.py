"""Finding of a browser."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ENVIRONMENT = "MODELLINT_BROWSER"
"""Environment variable that names the browser to use."""

_COMMANDS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "chrome-headless-shell",
    "microsoft-edge",
    "msedge",
)
_MAC = (
    "Google Chrome.app/Contents/MacOS/Google Chrome",
    "Chromium.app/Contents/MacOS/Chromium",
    "Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
_LINUX = ("/opt/google/chrome/chrome", "/opt/chromium/chrome", "/snap/bin/chromium")


def find_browser(prepared: Iterable[Path] = ()) -> Path | None:
    """Return the browser that the user names, else a prepared one, else an installed one."""
    named = os.environ.get(ENVIRONMENT)
    if named:
        found = shutil.which(named)
        return Path(found) if found else None
    return next(filter(_runs, (*prepared, *_installed())), None)


def _installed() -> Iterator[Path]:
    for command in _COMMANDS:
        found = shutil.which(command)
        if found:
            yield Path(found)
    if sys.platform == "darwin":
        for folder in (Path("/Applications"), Path.home() / "Applications"):
            yield from (folder / each for each in _MAC)
    else:
        yield from map(Path, _LINUX)


def _runs(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
