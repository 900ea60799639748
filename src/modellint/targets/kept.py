"""Cache of validated targets, so that a run for a known device needs no pydantic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from modellint import __version__
from modellint.base.data import cache_dir
from modellint.base.rebuild import checked_from_plain
from modellint.base.store import Store
from modellint.targets.target import Target

FOLDER = "targets"


def state_of(files: Iterable[Path]) -> str:
    """Return a key that changes with the files and with this program."""
    code = [Path(__file__).with_name(name) for name in ("schema.py", "target.py", "kept.py")]
    stats = [(path, path.stat()) for path in (*code, *files)]
    return "\n".join(
        [__version__, *(f"{path}:{stat.st_size}:{stat.st_mtime_ns}" for path, stat in stats)]
    )


def load_kept(target_id: str, state: str) -> Target | None:
    """Return the cached target if no file it depends on has changed."""
    try:
        kept = _store().load(target_id)
        return checked_from_plain(Target, kept["target"]) if kept["state"] == state else None
    except (KeyError, TypeError, ValueError):  # absent, or another version's
        return None


def keep(target: Target, state: str) -> None:
    _store().save(target.id, {"state": state, "target": asdict(target)})


def _store() -> Store:
    return Store(cache_dir(), FOLDER)
