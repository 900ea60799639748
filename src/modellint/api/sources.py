"""Models that functions are given: files, or models in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeGuard, Union

from modellint.base.errors import UsageError
from modellint.base.paths import is_address, public_address
from modellint.base.records import dataclass
from modellint.base.temporary import temporary_folder
from modellint.base.text import clean
from modellint.config.load import CommandLine, Configs

LARGEST_MESSAGE = 2 << 30
"""Bytes that protobuf refuses to serialize."""
MEMORY = Path("/dev/shm")  # noqa: S108 - the folders made there are private
"""The folder for files in memory on Linux."""
ROOM = 2
"""Copies that must fit there: of the model, and of what becomes of it."""
NAME = "<memory>"
LONGEST = 60
"""Characters of a file's name that fit every file system, whatever their encoding."""


class SerializableModel(Protocol):
    """A message of protobuf, such as `onnx.ModelProto`."""

    def SerializeToString(self) -> bytes: ...  # noqa: N802 - protobuf's name


class ExportedProgram(Protocol):
    """An object that holds such a message, such as `torch.onnx.ONNXProgram`."""

    @property
    def model_proto(self) -> Any: ...


ModelSource: TypeAlias = Union[
    str, "os.PathLike[str]", bytes, bytearray, memoryview, SerializableModel, ExportedProgram
]
"""A path, an address, the bytes of a file of any format, or an ONNX model."""


@dataclass(frozen=True, slots=True)
class Files:
    """Models as files, and the names to report for those that came from memory."""

    paths: Sequence[Path]
    shown_as: Mapping[Path, str]


@contextmanager
def files_of(
    models: ModelSource | Iterable[ModelSource],
    name: str | None = None,
    line: CommandLine | None = None,
) -> Iterator[Files]:
    """Yield models as files; those in memory become files for as long as they are needed.

    Addresses are read where they are if there are settings that say how much may be fetched.
    """
    sources = list(models) if _are_several(models) else [models]
    addresses = [each for each in sources if isinstance(each, str) and is_address(each)]
    with _fetched(addresses, line) as local:
        contents = [
            local[each] if isinstance(each, str) and each in local else _content(each)
            for each in sources
        ]
        with _as_files(contents, name) as files:
            yield files


@contextmanager
def _as_files(contents: Sequence[Path | memoryview], name: str | None) -> Iterator[Files]:
    needed = sum(len(each) for each in contents if isinstance(each, memoryview))
    if not needed and all(isinstance(each, Path) for each in contents):
        yield Files([each for each in contents if isinstance(each, Path)], {})
        return
    with temporary_folder(_place(needed)) as folder:
        paths: list[Path] = []
        shown_as: dict[Path, str] = {}
        for content in contents:
            if isinstance(content, Path):
                paths.append(content)
                continue
            path = _written(content, folder / str(len(paths)), name)
            again = f" {len(shown_as) + 1}" if shown_as else ""
            shown_as[path] = f"{name or NAME}{again}"
            paths.append(path)
        yield Files(paths, shown_as)


@contextmanager
def _fetched(addresses: Sequence[str], line: CommandLine | None) -> Iterator[Mapping[str, Path]]:
    """Yield stand-ins for models that are elsewhere."""
    if not addresses:
        yield {}
        return
    if line is None:
        raise UsageError(f"{public_address(addresses[0])} is a URL; only local files are read")
    from modellint.planning.asking import fetch_limits
    from modellint.remote.reaching import reached

    with reached(addresses, fetch_limits(Configs(line).of(Path.cwd()))) as (paths, _):
        yield dict(zip(addresses, paths, strict=True))


@contextmanager
def file_of(
    model: ModelSource, name: str | None = None, line: CommandLine | None = None
) -> Iterator[tuple[Path, str | None]]:
    """Yield one model as a file, and the name to report if it came from memory."""
    with files_of(model, name, line) as files:
        (path,) = files.paths
        yield path, files.shown_as.get(path)


def _are_several(models: object) -> TypeGuard[Iterable[object]]:
    one = (str, bytes, bytearray, memoryview)
    return isinstance(models, Iterable) and not isinstance(models, one)


def _is_message(model: object) -> bool:
    return hasattr(model, "SerializeToString")


def _content(source: object) -> Path | memoryview:
    if isinstance(source, str | os.PathLike):
        return Path(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return memoryview(source).cast("B")
    message: Any = source if _is_message(source) else getattr(source, "model_proto", None)
    if not _is_message(message):
        raise UsageError(
            f"cannot lint a {type(source).__name__}; give a path, the bytes of a file, or a "
            "ModelProto"
        )
    if message.ByteSize() >= LARGEST_MESSAGE:
        raise UsageError(
            "protobuf cannot serialize a model of 2 GiB or more; save it with external data and "
            "pass its path"
        )
    return memoryview(message.SerializeToString())


def _place(needed: int) -> Path | None:
    """Return the folder for models in memory: one in memory, if there is any with room."""
    try:
        status = os.statvfs(MEMORY)
    except (AttributeError, OSError):
        return None
    free = status.f_bavail * status.f_frsize
    return MEMORY if free > ROOM * needed and os.access(MEMORY, os.W_OK) else None


def _written(content: memoryview, folder: Path, name: str | None) -> Path:
    """Write a model under its name, or with the suffix of its format: some runtimes look at it."""
    from modellint.formats import detect

    folder.mkdir()
    path = folder / _file_name(name)
    path.write_bytes(content)
    if name is None:
        found = detect(path).format
        if found is not None and found.all_suffixes and not found.is_folder:
            return path.rename(path.with_suffix(found.all_suffixes[0]))
    return path


def _file_name(name: str | None) -> str:
    given = Path(clean(name or "")).name
    return given[-LONGEST:] if given.strip(".") else "model"
