"""Paths that come from files which are not trusted, and may not leave a folder."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath, PureWindowsPath

from modellint.base.expressions import late

NEVER_WALKED = frozenset(
    """
    .git .hg .svn .venv venv node_modules __pycache__ .tox .nox .mypy_cache .pytest_cache
    .ruff_cache .eggs site-packages
    """.split()
)
"""Folders of tools: they contain no user models, and files written there may be executed."""

ADDRESS = late(r"[A-Za-z][A-Za-z0-9+.-]*://")
"""The beginning of an address of a file elsewhere."""

LOCAL_PATH = late(r"(?:/home/|/Users/|/root/|/mnt/|[A-Z]:\\Users\\)[^\s\"']+")
"""A path in a user's own folders, in a text."""


def is_address(text: str) -> bool:
    """Return True for ``s3://bucket/model.onnx``, which no path on this machine is written as."""
    return ADDRESS.match(text) is not None


def public_address(text: str) -> str:
    """Return an address without what may be secret: a password, and a query."""
    scheme, mark, rest = text.partition("?")[0].partition("://")
    server, slash, path = rest.partition("/")
    return f"{scheme}{mark}{server.rpartition('@')[2]}{slash}{path}"


def leaves_lexically(location: str) -> str | None:
    """Return why a path leaves its folder on some system: ``absolute``, ``parent``, or None."""
    windows = PureWindowsPath(location)
    if PurePosixPath(location).is_absolute() or windows.drive or windows.root:
        return "absolute"
    if ".." in re.split(r"[\\/]", location):
        return "parent"
    return None


def why_outside(folder: Path, text: str) -> str | None:
    """Return why a path, as written in a file, is not one below a folder; None if it is."""
    if not text or "\0" in text:
        return "is not a path"
    reason = leaves_lexically(text)
    if reason is not None:
        return {"absolute": "is absolute", "parent": "contains '..'"}[reason]
    if text.startswith("~"):
        return "starts with '~'"
    return "is a link that points outside of it" if leads_out(folder, folder / text) else None


def real_path(path: Path) -> Path:
    """Return a path without links; unlike `Path.resolve`, of a link to itself, too."""
    return Path(os.path.realpath(path))


def is_there(path: str | Path) -> bool:
    """Return True if a path exists; unlike `Path.exists`, False for names that are too long."""
    return os.path.exists(path)  # noqa: PTH110


def leads_out(folder: Path, path: Path) -> bool:
    """Return True if links lead a path out of a folder that contains it."""
    return _below(folder, path) is None


def tool_folder(folder: Path, text: str) -> str | None:
    """Return the tool's folder that a path below `folder` is in, such as ``.git``."""
    parts = [*Path(text).parts, *(_below(folder, folder / text) or Path()).parts]
    return next((part for part in parts if part.casefold() in NEVER_WALKED), None)


def _below(folder: Path, path: Path) -> Path | None:
    """Return where a path leads, relative to a folder that contains it; None if links lead out."""
    try:
        home = real_path(folder)
        real = real_path(path)
    except (OSError, ValueError):  # too many links
        return None
    return real.relative_to(home) if real.is_relative_to(home) else None


class Folders:
    """Folders without links; each part of a path is looked at once.

    Otherwise a walk would look at every part of every path, which takes long in deep folders.
    """

    def __init__(self) -> None:
        self._resolved: dict[Path, Path] = {}

    def resolved(self, folder: Path) -> Path:
        known, at = self._resolved, folder
        new: list[Path] = []
        while at not in known and at.name not in ("", ".."):
            new.append(at)
            at = at.parent
        if at not in known:
            known[at] = real_path(at)
        for each in reversed(new):
            is_link = os.path.islink(each)  # noqa: PTH114 - any length
            known[each] = real_path(each) if is_link else known[each.parent] / each.name
        return known[folder]

    def identity(self, file: Path) -> str:
        """Return the path without links of a file, or of a model that is a folder."""
        if file.name in ("", "..") or os.path.islink(file):  # noqa: PTH114
            return os.path.realpath(file)
        return os.path.join(self.resolved(file.parent), file.name)  # noqa: PTH118 - for each model
