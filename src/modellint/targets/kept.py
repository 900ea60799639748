"""Cache of validated targets, so that a run for a known device needs no pydantic."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from modellint.base.data import cache_dir, stamp_of
from modellint.base.rebuild import checked_from_plain
from modellint.base.records import dataclass
from modellint.base.store import Store
from modellint.base.version import __version__
from modellint.targets.target import Target

FOLDER = "targets"
BRIEFS = "_briefs"
"""Key of the entry about all devices, not an id of one."""


def state_of(files: Iterable[Path]) -> str:
    """Return a key that changes with the files and with this program."""
    code = [Path(__file__).with_name(name) for name in ("schema.py", "target.py", "kept.py")]
    return f"{__version__}\n{stamp_of((*code, *files))}"


@dataclass(frozen=True, slots=True)
class Brief:
    """A device as far as it has to be known to see whether it is a smaller one of some kind."""

    vendor: str
    groups: tuple[str, ...]
    usable: int

    def is_below(self, target: Target, usable: float) -> bool:
        """Return True for devices akin to a target with less usable memory than that."""
        return self.usable < usable and target.is_akin(self.vendor, self.groups)


def load_briefs(state: str) -> Mapping[str, Brief] | None:
    """Return all devices by id if no file has changed since they were kept."""
    try:
        kept = _store().load(BRIEFS)
        if kept["state"] != state:
            return None
        return {key: checked_from_plain(Brief, each) for key, each in kept["briefs"].items()}
    except (AttributeError, KeyError, TypeError, ValueError):  # absent, or another version's
        return None


def keep_briefs(targets: Iterable[Target], state: str) -> Mapping[str, Brief]:
    briefs = {each.id: Brief(each.vendor, each.groups, each.memory.usable) for each in targets}
    plain = {target_id: asdict(brief) for target_id, brief in briefs.items()}
    _store().save(BRIEFS, {"state": state, "briefs": plain})
    return briefs


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
    """Return the store of this installation: others may have other files for the same ids."""
    place = hashlib.sha256(os.fsencode(Path(__file__).parent)).hexdigest()[:16]
    return Store(cache_dir(), f"{FOLDER}/{place}")
