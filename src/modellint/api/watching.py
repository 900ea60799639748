"""`modellint.linting`: lints the models that a piece of code writes."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellint.api.checking import check
from modellint.api.given import GivenSettings
from modellint.api.report import Report
from modellint.base.errors import ModellintError
from modellint.base.paths import real_path

if TYPE_CHECKING:
    from typing_extensions import Unpack

_WRITING = os.O_WRONLY | os.O_RDWR
_watching: list[_WrittenFiles] = []
_is_listening = False
_lock = threading.Lock()


class LintingError(ModellintError):
    """A model that was written is not fit for deployment; `report` has the findings."""

    def __init__(self, report: Report) -> None:
        super().__init__(f"not fit for deployment:\n\n{report}")
        self.report = report


class Linting:
    """The outcome of `with modellint.linting()`, once it has ended."""

    def __init__(self) -> None:
        self._report: Report | None = None

    @property
    def report(self) -> Report:
        if self._report is None:
            raise ModellintError("the report is available only after the `with` block")
        return self._report


@contextmanager
def linting(
    *folders: str | os.PathLike[str],
    config: str | os.PathLike[str] | None = None,
    isolated: bool = False,
    **settings: Unpack[GivenSettings],
) -> Iterator[Linting]:
    """Lint the models that the block writes; raise LintingError if any is not fit.

    Files that Python opens are noticed wherever they are. Of what native code writes, those in
    `folders` are.
    """
    found = Linting()
    written = _WrittenFiles([Path(folder) for folder in folders])
    with written:
        yield found
    models = written.models()
    if not models:
        raise ModellintError("the block wrote no model; pass the folder that it writes to")
    found._report = check(models, config=config, isolated=isolated, **settings)
    if not found._report.ok:
        raise LintingError(found._report)


class _WrittenFiles:
    """Files that are written between entering and leaving."""

    def __init__(self, folders: list[Path]) -> None:
        self._folders = folders
        self._opened: dict[str, None] = {}
        self._before: dict[Path, tuple[int, int]] = {}

    def __enter__(self) -> None:
        self._before = dict(self._states())
        _listen()
        _watching.append(self)

    def __exit__(self, *ended: object) -> None:
        _watching.remove(self)

    def heard(self, path: str) -> None:
        self._opened[os.path.abspath(path)] = None  # noqa: PTH100 - in a hook, so as little as possible

    def models(self) -> list[Path]:
        """Return the models that were written and still exist."""
        from modellint.formats.registry import first_part, is_model

        changed = [path for path, state in self._states() if self._before.get(path) != state]
        paths = dict.fromkeys([*map(Path, self._opened), *changed])
        there = [first_part(path) for path in paths if is_model(path) and path.is_file()]
        return list(dict.fromkeys(there))

    def _states(self) -> Iterator[tuple[Path, tuple[int, int]]]:
        for folder in self._folders:
            for path in sorted(real_path(folder).rglob("*")):
                if path.is_file():
                    status = path.stat()
                    yield path, (status.st_mtime_ns, status.st_size)


def _listen() -> None:
    """Hear of files that are opened, from now on: Python forgets no such hook."""
    global _is_listening
    with _lock:
        if not _is_listening:
            sys.addaudithook(_hear)
            _is_listening = True


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching:
        return
    path: object = None
    if event == "open":
        name, mode, flags = arguments
        if (isinstance(flags, int) and flags & _WRITING) or _writes(mode):
            path = name
    elif event == "os.rename":
        path = arguments[1]
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if isinstance(path, str):
        for each in tuple(_watching):
            each.heard(path)


def _writes(mode: object) -> bool:
    return isinstance(mode, str) and any(letter in mode for letter in "wax+")
