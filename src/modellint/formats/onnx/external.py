"""External data files of a model: existence, size, and unused parts."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import field
from itertools import islice
from pathlib import Path
from typing import Any

from modellint.base.files import names_in, read_regular, regular_size
from modellint.base.paths import leaves_lexically, real_path
from modellint.base.records import dataclass
from modellint.formats.onnx import EXTERNAL_DATA
from modellint.formats.onnx.wire import stripped_bytes
from modellint.formats.problems import MOST_OF_A_KIND, Problems
from modellint.model import Region

LEFTOVER_BYTES = 1 << 20
LEFTOVER_SHARE = 0.10
"""Minimum gap, absolute and relative, to report: padding between tensors is normal."""
_PLAIN = [pattern for pattern in EXTERNAL_DATA if "*" not in pattern]
MOST_SIBLINGS = 200
LONGEST_POINTER = 1024


@dataclass(slots=True)
class _File:
    """A file that tensors refer to."""

    location: str
    path: Path | None
    outside: str | None
    size: int | None = None
    pointer: Mapping[str, Any] | None = None
    """Facts of the Git LFS pointer that it is instead of weights."""
    tensors: int = 0
    first: str = ""
    wanted: int = 0
    expected: int = 0
    ranges: list[tuple[int, int]] = field(default_factory=list)

    @property
    def facts(self) -> dict[str, Any]:
        return {
            "location": self.location,
            "tensors": self.tensors,
            "tensor": self.first,
            "bytes": self.wanted,
        }

    @property
    def only(self) -> str | None:
        """Return the only tensor in the file, or None."""
        return self.first if self.tensors == 1 else None

    @property
    def unused(self) -> int:
        """Return the bytes that no tensor uses."""
        covered = reached = 0
        for start, end in sorted(self.ranges):
            covered += max(0, end - max(start, reached))
            reached = max(reached, end)
        return (self.size or 0) - covered


class ExternalFiles:
    """External data of a model. Of the files, only sizes are read, and what is short enough for a
    Git LFS pointer."""

    def __init__(self, model: Path) -> None:
        self.model = model
        self._files: dict[str, _File] = {}

    def claim(self, tensor: str, location: str, offset: int, length: int) -> Region | None:
        """Return the region of the tensor's bytes, if present."""
        file = self._files.get(location)
        if file is None:
            file = self._files[location] = self._find(location)
        file.tensors += 1
        file.first = file.first or tensor
        file.wanted += length
        file.expected = max(file.expected, offset + length)
        if file.path is None or file.size is None or file.pointer is not None:
            return None
        file.ranges.append((offset, min(offset + length, file.size)))
        if offset + length > file.size:
            return None
        return Region(file.path, offset, length, external=True)

    @property
    def paths(self) -> list[Path]:
        return [file.path for file in self._files.values() if file.path is not None]

    def _find(self, location: str) -> _File:
        reason = leaves_lexically(location)
        if reason is not None:
            return _File(location, None, reason)
        path = self.model.parent / location
        if not location or "\0" in location:
            return _File(location, None, None)
        if self._leaves_by_link(path):
            return _File(location, None, "link")
        mode = _mode(path)
        if mode is not None and not stat.S_ISREG(mode):
            return _File(location, None, "special")
        size = regular_size(path)
        return _File(location, path, None, size, _pointer(path, size))

    def _leaves_by_link(self, path: Path) -> bool:
        """Return True if links lead outside the model's folder and its resolved folder."""
        try:
            real = real_path(path)
            homes = (
                real_path(self.model.parent),
                real_path(self.model).parent,
            )
        except OSError:  # too many links
            return True
        return not any(real.is_relative_to(home) for home in homes)

    def report(self, problems: Problems) -> None:
        """Record all problems of the files."""
        for file in self._files.values():
            if file.outside is not None:
                problems.note("external-outside", at=file.only, **file.facts, reason=file.outside)
            elif file.path is None or file.size is None:
                problems.note("external-missing", at=file.only, **file.facts)
            elif file.pointer is not None:
                problems.note("lfs-pointer", **file.pointer, location=file.location)
            elif file.expected > file.size:
                problems.note(
                    "external-short",
                    at=file.only,
                    **file.facts,
                    expected=file.expected,
                    size=file.size,
                )
        for facts in self._unmentioned(list(islice(self._leftovers(), MOST_OF_A_KIND))):
            problems.note("external-leftover", **facts)

    def _leftovers(self) -> Iterator[dict[str, Any]]:
        """Iterate over the facts of files with bytes that this model does not use."""
        for file in self._files.values():
            if (
                file.path is not None
                and file.size is not None
                and file.pointer is None
                and file.unused > max(LEFTOVER_BYTES, file.size * LEFTOVER_SHARE)
            ):
                sizes = {"unused": file.unused, "size": file.size}
                yield {"location": file.location, **sizes, "part": "range"}
        for path in _namesakes(self.model):
            size = regular_size(path)
            if size and path not in self.paths:
                yield {"location": path.name, "unused": size, "size": size, "part": "file"}

    def _unmentioned(self, leftovers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Leave out files that another model in the folder names, and all if in doubt."""
        if not leftovers:
            return []
        siblings = [
            path for path in self.model.parent.glob("*.onnx") if path.name != self.model.name
        ]
        if len(siblings) > MOST_SIBLINGS:
            return []
        for sibling in siblings:
            content = stripped_bytes(sibling)
            leftovers = [each for each in leftovers if _file_name(each) not in content]
        return leftovers


def _namesakes(model: Path) -> Iterator[Path]:
    """Iterate over files whose names indicate that they contain this model's weights."""
    with suppress(OSError):
        there, name, stem = names_in(model.parent), model.name, model.stem
        for each in dict.fromkeys(text.format(name=name, stem=stem) for text in _PLAIN):
            if each in there:
                yield model.with_name(each)


def _mode(path: Path) -> int | None:
    """Return the file that a path leads to, None if it does not exist."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return None


def _file_name(facts: Mapping[str, Any]) -> bytes:
    return os.fsencode(Path(facts["location"]).name)


def _pointer(path: Path, size: int | None) -> Mapping[str, Any] | None:
    if size is None or size > LONGEST_POINTER:
        return None
    from modellint.formats.signatures import lfs_facts

    try:
        return lfs_facts(read_regular(path, LONGEST_POINTER))
    except OSError:
        return None
