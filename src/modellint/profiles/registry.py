"""A registry of runs: an append-only folder of files, shared by any number of processes."""

from __future__ import annotations

import json
import os
import re
import secrets
from dataclasses import replace
from pathlib import Path

from modellint.base.drafts import DRAFT
from modellint.base.errors import UsageError
from modellint.results.measured import MeasuredRun

SUFFIX = ".run.json"
_UNUSUAL = re.compile(r"[^A-Za-z0-9]+")
_LONGEST = 40


def add(run: MeasuredRun, folder: Path) -> Path:
    """Write a run to a file of its own, and return its path.

    It is written next to its place and linked to it, so that readers see whole files only, and
    nothing is ever replaced.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            name = _name(run)
            path = folder / f"{name}{SUFFIX}"
            text = json.dumps(replace(run, id=name).to_json(), indent=2, allow_nan=False)
            if _placed(text + "\n", path):
                return path
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}") from error


def files_of(folder: Path) -> list[Path]:
    """Return the files of a registry, the oldest first."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def _name(run: MeasuredRun) -> str:
    when = _UNUSUAL.sub("", run.created or "") or "undated"
    model = _UNUSUAL.sub("-", run.model.name).strip("-")[:_LONGEST].lower() or "model"
    return f"{when}-{model}-{secrets.token_hex(4)}"


def _placed(text: str, path: Path) -> bool:
    """Write a file that is not there yet; return False if there is one of that name."""
    draft = path.with_name(f"{DRAFT}{secrets.token_hex(8)}")
    try:
        with draft.open("x", encoding="utf-8") as file:
            file.write(text)
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
        except OSError:  # a file system without links
            if path.exists():
                return False
            draft.replace(path)
        return True
    finally:
        draft.unlink(missing_ok=True)
