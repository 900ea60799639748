"""Owners of models, by a file in the manner of CODEOWNERS, or a table of globs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from modellint.base.data import read_toml
from modellint.base.errors import UsageError
from modellint.base.files import read_text
from modellint.base.globs import Globs
from modellint.base.records import dataclass

USUAL = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
"""The files that GitHub and GitLab look for, in this order."""
NONE = "(none)"
_SECTION = re.compile(r"\^?\[[^\]]*\](?:\[\d+\])?")
"""A heading of GitLab's, whose owners are those of its lines without any."""
_SPACE = re.compile(r"(?<!\\)\s+")


@dataclass(frozen=True, slots=True)
class Owned:
    """Owners of the models that a glob matches."""

    glob: Globs
    owners: tuple[str, ...]
    teams: tuple[str, ...]


class Owners:
    """Owners by glob; the last glob that matches decides."""

    def __init__(self, entries: Sequence[Owned] = ()) -> None:
        self._entries = tuple(reversed(entries))
        self._of = lru_cache(maxsize=1 << 16)(self._found)

    def owners(self, path: str) -> tuple[str, ...]:
        found = self._of(path)
        return found.owners if found is not None and found.owners else (NONE,)

    def teams(self, path: str) -> tuple[str, ...]:
        found = self._of(path)
        return found.teams if found is not None and found.teams else (NONE,)

    def _found(self, path: str) -> Owned | None:
        return next((each for each in self._entries if each.glob.match(path)), None)


def usual_owners() -> Path | None:
    """Return the CODEOWNERS of the working folder, if there is one."""
    return next((path for path in map(Path, USUAL) if path.is_file()), None)


def read_owners(path: Path) -> Owners:
    """Read owners: TOML or JSON by the suffix, otherwise lines of a glob and its owners."""
    try:
        if path.suffix == ".toml":
            return Owners(list(_of_table(read_toml(path))))
        text = read_text(path)
        if path.suffix == ".json":
            return Owners(list(_of_table(json.loads(text))))
        return Owners(list(_of_lines(text)))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not a valid owners file: {error}") from None


def _of_lines(text: str) -> Iterator[Owned]:
    """Iterate over the lines of a CODEOWNERS; a line without owners exempts its matches."""
    default: tuple[str, ...] = ()
    for line in text.splitlines():
        line = line.strip()
        heading = _SECTION.match(line)
        if heading is not None:
            default = _names(line[heading.end() :])
        elif line and not line.startswith("#"):
            glob, *_ = _SPACE.split(line, maxsplit=1)
            names = _names(line[len(glob) :]) or default
            teams = tuple(name for name in names if "/" in name)
            yield Owned(Globs([glob]), names, teams)


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.partition("#")[0].split())


def _of_table(table: object) -> Iterator[Owned]:
    """Iterate over `"glob" = "owner"`, `[owners]` or `{ owner = …, team = … }`."""
    if not isinstance(table, dict):
        raise ValueError("not a table of globs")
    for glob, value in table.items():
        given: Mapping[str, Any] = value if isinstance(value, dict) else {"owner": value}
        if given.keys() - {"owner", "team"}:
            raise ValueError(f"{glob!r}: only 'owner' and 'team' are known")
        owners, teams = (_listed(glob, given.get(key, ())) for key in ("owner", "team"))
        yield Owned(Globs([glob]), owners, teams or tuple(each for each in owners if "/" in each))


def _listed(glob: str, value: object) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(each, str) for each in names):
        raise ValueError(f"{glob!r}: expected a name or a list of names")
    return tuple(names)


__all__ = ["NONE", "Owners", "read_owners", "usual_owners"]
