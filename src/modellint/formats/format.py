"""The description of a format: everything about it that other modules need to know."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from modellint.base.files import regular_size
from modellint.base.records import dataclass
from modellint.capability import Capability

if TYPE_CHECKING:
    from modellint.base.weight_layout import WeightLayout
    from modellint.model import Model
    from modellint.model.edits import Fix

Sniff = Callable[[bytes, Path], bool]
"""True if the first bytes of the file at a path are those of the format."""


class Notation(Protocol):
    """Module that turns text into a file of the format, for examples in rule files."""

    def encode(self, text: str) -> bytes:
        """Return the file's bytes. Raises ValueError with the mistake in the text."""


class Reader(Protocol):
    """Module that reads a format, imported when a file's format has to be detected."""

    def sniff(self, head: bytes, path: Path) -> bool:
        """True if the file is of the format. For a folder, `head` is empty."""

    def read(self, path: Path) -> Model:
        """Read the model. May raise OSError; all other errors become problems of the model."""


class FixWriter(Protocol):
    """Module that carries out fixes on files of a format."""

    def write_fixed(self, model: Model, fixes: Sequence[Fix], to: Path) -> None:
        """Write the model's file with fixes carried out to a new file.

        Raises EditError if they cannot be, and OSError.
        """

    def relocation(self, path: Path, layout: WeightLayout, name: str) -> WeightRelocation:
        """Return the model of a file, under a name, with its weights elsewhere."""


class WeightRelocation(Protocol):
    """A model whose weights are to lie elsewhere; entering it raises EditError and OSError."""

    @property
    def is_needed(self) -> bool: ...

    @property
    def names(self) -> list[str]: ...

    def write(self, folder: Path) -> None: ...

    def __enter__(self) -> WeightRelocation: ...

    def __exit__(self, *ended: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Format:
    """One file format. Importing the description is cheap; the reader is imported on first use."""

    name: str
    """Name in JSON: ``onnx-text``."""
    title: str
    """Display name: ``ONNX text``."""
    suffixes: tuple[str, ...] = ()
    """Suffixes that are unique to this format. Discovery picks them up in folders."""
    shared_suffixes: tuple[str, ...] = ()
    """Suffixes shared with other formats, for example ``.json``."""
    searched: bool = False
    """True if a search of a folder looks into files with its shared suffixes, too."""
    is_folder: bool = False
    """True if a model is a folder with such a suffix, or with such contents."""
    contents: tuple[tuple[str, ...], ...] = ()
    """Globs of file names: a folder with a file for each glob of one group is a model of this
    format, whatever its name. The files are its parts; all else in it is searched for models."""
    pieces: tuple[str, ...] = ()
    """Globs of those of its files that are models neither in name nor by themselves."""
    companions: tuple[str, ...] = ()
    """Names of files that belong to a model. ``*`` is any text, ``{name}`` the model's name, and
    ``{stem}`` the name without suffix. What follows ``{name}`` marks data of any such model."""
    parts: str = ""
    """Regular expression for what numbers the files of one model in their names, with the group
    ``number``. The first stands for all."""
    names_companions: bool = False
    """True if the model's bytes contain the names of its companions."""
    tells: frozenset[Capability] = frozenset()
    """Capabilities of its reader. A model may have fewer."""
    dialect: str = ""
    """Name shared by formats with different notations of the same content; by default the format's
    name. Rules about files rather than networks refer to it."""
    under_any_name: bool = False
    """True if files of the format are reported as what they are even where their names promise
    another format, because what they can do matters more."""
    is_acyclic: bool = False
    """True if loaders reject a graph with a cycle."""
    reader: str = ""
    """Module with `sniff` and `read`; empty if the format is recognized but cannot be read yet."""
    editor: str = ""
    """Module with `write_fixed`; empty if files of the format cannot be fixed."""
    notation: str = ""
    """Module with `encode`, if examples in rule files can be written as text: ``toy: text``."""
    signature: Sniff | None = None
    """Signature of a format without a reader."""
    instead: str = ""
    """Advice where the format has no reader."""
    parses_by_name: bool = False
    """True if unrecognized content with its suffix goes to the reader, which reports errors."""

    @property
    def all_suffixes(self) -> tuple[str, ...]:
        return self.suffixes + self.shared_suffixes

    @property
    def family(self) -> str:
        """Return the dialect that its files are in."""
        return self.dialect or self.name

    @property
    def is_read(self) -> bool:
        return bool(self.reader)

    def load(self) -> Reader:
        return cast("Reader", _module(self.reader))

    def load_editor(self) -> FixWriter | None:
        return cast("FixWriter", _module(self.editor)) if self.editor else None

    def encode(self, text: str) -> bytes:
        """Return a file of the format, from the text of an example."""
        return cast("Notation", _module(self.notation)).encode(text)

    def recognises(self, head: bytes, path: Path) -> bool:
        if self.is_read:
            return self.load().sniff(head, path)
        return self.signature is not None and self.signature(head, path)

    def is_named(self, path: Path) -> bool:
        """True if the name can mean nothing but this format."""
        return path.name.lower().endswith(self.suffixes)

    def first_part(self, path: Path) -> Path | None:
        """Return the first file of the model of which the path is a later one, if it is there."""
        match = re.search(self.parts, path.name) if self.parts else None
        if match is None or int(match["number"]) <= 1:
            return None
        start, end = match.span("number")
        first = path.with_name(path.name[:start] + "1".zfill(end - start) + path.name[end:])
        return first if regular_size(first) is not None else None

    @property
    def member_names(self) -> tuple[str, ...]:
        """Globs of the files in a folder that is a model by its contents."""
        return (*(name for group in self.contents for name in group), *self.pieces)

    def is_made_of(self, names: Collection[str]) -> bool:
        """True if a folder with files of these names is a model of the format."""
        return any(all(fnmatch.filter(names, glob) for glob in group) for group in self.contents)

    def companion_of(self, model: Path, other: Path) -> bool:
        """True if the other file is, by its name, one that belongs to the model."""
        names = {"{name}": re.escape(model.name), "{stem}": re.escape(model.stem)}
        return other.parent == model.parent and any(
            re.fullmatch(_expression(pattern, names), other.name) for pattern in self.companions
        )

    def plain_companions(self, model: Path) -> Iterator[Path]:
        """Iterate over the places of companions whose names are those of the model."""
        for pattern in self.companions:
            if "*" not in pattern:
                yield model.with_name(pattern.format(name=model.name, stem=model.stem))

    @property
    def data_expressions(self) -> tuple[str, ...]:
        """Regular expressions for the endings of file names that mean data of such a model."""
        return tuple(
            _expression(pattern.removeprefix("{name}"), {})
            for pattern in self.companions
            if pattern.startswith("{name}")
        )


_module = cache(import_module)


def _expression(pattern: str, names: dict[str, str]) -> str:
    """A glob as a regular expression, with its placeholders filled in."""
    parts = re.split(r"(\{name\}|\{stem\})", pattern)
    return "".join(names.get(part) or re.escape(part).replace(r"\*", ".*") for part in parts)
