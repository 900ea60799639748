"""`modellint.check` and `modellint.probe`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellint.api.given import GivenSettings, overriding
from modellint.api.report import Report
from modellint.api.sources import ModelSource, files_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from modellint.config.load import CommandLine

ANSWERS = ("TRT", "ORT", "PRB", "FIL")
"""Rules about a runtime's answer, and about files that cannot be probed."""
AUTO = "auto"


def check(
    models: ModelSource | Iterable[ModelSource],
    *,
    name: str | None = None,
    config: str | os.PathLike[str] | None = None,
    isolated: bool = False,
    **settings: Unpack[GivenSettings],
) -> Report:
    """Lint models: files, folders, addresses, or models in memory under a `name`.

    Settings override those of the nearest configuration file, which is `config` if given, and none
    if `isolated`.
    """
    return _linted(models, name, overriding(settings, _path(config), isolated))


def probe(
    models: ModelSource | Iterable[ModelSource],
    *,
    backend: str = AUTO,
    name: str | None = None,
    config: str | os.PathLike[str] | None = None,
    isolated: bool = False,
    **settings: Unpack[GivenSettings],
) -> Report:
    """Test models with a real runtime, without linting; `probes` of the report has the answers."""
    line = overriding(settings, _path(config), isolated, probe=backend, select=ANSWERS)
    return _linted(models, name, line)


def _linted(models: Any, name: str | None, line: CommandLine) -> Report:
    from modellint.lint import Request, lint

    with files_of(models, name, line) as files:
        outcome = lint(Request(files.paths, line, shown_as=files.shown_as))
    return Report(outcome.result, tuple(dict.fromkeys(outcome.notes)))


def _path(path: str | os.PathLike[str] | None) -> Path | None:
    return Path(path) if path is not None else None
