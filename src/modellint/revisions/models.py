"""Models among the files of a repository, and the files that belong to them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from modellint.formats import read_model
from modellint.formats.format import Format
from modellint.formats.registry import (
    folder_format,
    formats,
    is_member,
    is_model,
    is_model_folder,
    sharing,
    with_companions,
)
from modellint.revisions.places import Place, Working

_CONFIGURING = (".json", ".jinja", ".model")
"""Suffixes of files that change a folder's model, though they do not make one of it."""


class Names:
    """The names of the files of one place, by folder."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._folders: dict[str, list[str]] = {}
        self._known: set[str] = {""}
        self._external: dict[str, set[str]] = {}
        for name in place.names:
            folder, _, file = name.rpartition("/")
            self._folders.setdefault(folder, []).append(file)
        for folder in self._folders:
            while folder not in self._known:
                self._known.add(folder)
                folder = folder.rpartition("/")[0]

    def has_file(self, name: str) -> bool:
        folder, _, file = name.rpartition("/")
        return file in self._folders.get(folder, ())

    def has_folder(self, name: str) -> bool:
        return name in self._known

    def is_model(self, folder: str) -> bool:
        """Return True for a folder that is a model."""
        if not self.has_folder(folder):
            return False
        return is_model_folder(Path(folder)) or folder_format(self.files(folder)) is not None

    def files(self, folder: str) -> Sequence[str]:
        return self._folders.get(folder, ())

    def below(self, folder: str) -> Iterator[str]:
        """Iterate over the names of all files below a folder."""
        for each, files in self._folders.items():
            if not folder or each == folder or each.startswith(f"{folder}/"):
                yield from (_joined(each, file) for file in files)

    def is_same(self, name: str, other: Names) -> bool:
        if isinstance(self.place, Working):
            return False
        return self.place.is_same(name, other.place)

    def external(self, name: str) -> set[str]:
        """Return the names of the files that a model keeps its weights in."""
        if name not in self._external:
            path = self.place.extract(name)
            folder = name.rpartition("/")[0]
            home = self.place.at(folder)
            files = read_model(path).external_files if path is not None else ()
            relative = (Path(os.path.relpath(each, home)).as_posix() for each in files)
            self._external[name] = {_joined(folder, each) for each in relative}
        return self._external[name]


def _joined(folder: str, file: str) -> str:
    return f"{folder}/{file}" if folder else file


def owners(name: str, places: Sequence[Names]) -> list[str]:
    """Return the models to which a file belongs, by the name of their file or folder."""
    parents = [str(each) for each in PurePosixPath(name).parents if each.name]
    package = next((each for each in reversed(parents) if is_model_folder(Path(each))), None)
    if package is not None:
        return [package]
    folder, _, file = name.rpartition("/")
    for side in places:
        made = folder_format(side.files(folder))
        belongs = made is not None and is_member(file, made)
        if belongs or (made is not None and not is_model(Path(file)) and _configures(file)):
            return [folder]
    if is_model(Path(file)):
        return [_first_part(name, places)]
    if any(_has_its_data(name, side) for side in places):
        return [name]
    return sorted({key for side in places for key in _models_with(name, side)})


def _configures(file: str) -> bool:
    return file.endswith(_CONFIGURING)


def _first_part(name: str, places: Sequence[Names]) -> str:
    """Return the first file of a model of several, if it is there."""
    for format in formats():
        match = re.search(format.parts, name) if format.parts else None
        if match is not None:
            start, end = match.span("number")
            first = name[:start] + "1".zfill(end - start) + name[end:]
            if any(side.has_file(first) for side in places):
                return first
    return name


def _has_its_data(name: str, side: Names) -> bool:
    """Return True for a file whose suffix others share, with the data of a model next to it."""
    return side.has_file(name) and any(
        format.searched or any(side.has_file(each) for each in _plain(format, name))
        for format in sharing(Path(name))
        if format.companions
    )


def _plain(format: Format, name: str) -> Iterator[str]:
    return (each.as_posix() for each in format.plain_companions(Path(name)))


def _models_with(data: str, side: Names) -> Iterator[str]:
    """Iterate over the models near a file that it belongs to."""
    folder, _, _ = data.rpartition("/")
    for near in dict.fromkeys((folder, folder.rpartition("/")[0])):
        for file in side.files(near):
            name = _joined(near, file)
            for format in with_companions(Path(file)):
                if format.names_companions:
                    if data in side.external(name):
                        yield name
                elif format.companion_of(Path(name), Path(data)):
                    yield name


def copy_model(key: str, side: Names) -> Path | None:
    """Return where a model can be read with all that belongs to it; None if it is not there."""
    if side.has_file(key):
        path = side.place.extract(key)
        if path is None or isinstance(side.place, Working):
            return path
        for name in (*_beside(key, side), *sorted(side.external(key))):
            side.place.extract(name)
        return path
    if not side.is_model(key):
        return None
    is_package = is_model_folder(Path(key))
    for name in side.below(key) if is_package else _parts(key, side):
        side.place.extract(name)
    return side.place.at(key)


def _parts(folder: str, side: Names) -> Iterator[str]:
    """Iterate over the files of a folder that is a model, without models of their own."""
    for file in side.files(folder):
        if is_member(file) or not is_model(Path(file)):
            yield _joined(folder, file)


def _beside(key: str, side: Names) -> Iterator[str]:
    """Iterate over the files in a model's folder that belong to it by name."""
    folder, _, file = key.rpartition("/")
    own = with_companions(Path(file))
    for other in side.files(folder):
        is_part = other != file and _first_part(_joined(folder, other), (side,)) == key
        if is_part or any(format.companion_of(Path(file), Path(other)) for format in own):
            yield _joined(folder, other)
