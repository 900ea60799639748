"""The files with a folder's weights: one, or shards that an index names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from modellint.base.errors import reason_of
from modellint.base.files import open_regular, regular_size
from modellint.base.paths import leaves_lexically
from modellint.base.text import bounded
from modellint.formats.huggingface import INDEX, SHARD, WEIGHTS
from modellint.formats.huggingface.config import read_config
from modellint.formats.problems import MalformedError, Problems
from modellint.formats.safetensors.part import WeightFile, read_part
from modellint.formats.signatures import lfs_facts
from modellint.model import Tensor

SUFFIX = ".safetensors"
LONGEST_POINTER = 1024


class WeightFiles(NamedTuple):
    """The files to read, and the index that names them."""

    files: tuple[str, ...]
    index_name: str = ""
    listed: Mapping[str, str] = {}
    """The file of each tensor, by the index."""
    total: int | None = None
    """Bytes of all tensors, by the index."""


def find_weights(folder: Path, names: frozenset[str], problems: Problems) -> WeightFiles:
    """Return the files that a loader would read, in its order of preference."""
    for name in WEIGHTS:
        if name + SUFFIX in names:
            return WeightFiles((name + SUFFIX,))
        index = f"{name}{SUFFIX}.index.json"
        if index in names:
            return _indexed(folder, index, names, problems)
        shards = _matching(names, f"{name}-{SHARD}")
        if shards:
            problems.note("index-missing", location=index, shards=len(shards), shard=shards[0])
            return WeightFiles(shards)
        variants = _matching(names, f"{name}.*{SUFFIX}")
        if variants:
            return WeightFiles(variants[:1])
    index = next(iter(_matching(names, INDEX)), "")
    return _indexed(folder, index, names, problems) if index else WeightFiles(())


def _matching(names: Iterable[str], pattern: str) -> tuple[str, ...]:
    return tuple(sorted(name for name in names if fnmatchcase(name, pattern)))


def _indexed(folder: Path, index: str, names: frozenset[str], problems: Problems) -> WeightFiles:
    """Return the shards that an index names."""
    try:
        stated = read_config(folder / index)
        if not stated.table("weight_map"):
            raise ValueError("no weight_map")
    except (OSError, ValueError) as error:
        problems.note("index-wrong", location=index, detail=reason_of(error), part="unreadable")
        return WeightFiles(_matching(names, SHARD))
    table = stated.table("weight_map")
    listed = {bounded(name): table.text(name) for name in table}
    first, counts = _first_tensors(listed), Counter(listed.values())
    outside = {file for file in set(listed.values()) if leaves_lexically(file) or not file}
    for file in sorted(outside):
        problems.note(
            "external-outside",
            location=file,
            tensors=counts[file],
            tensor=first[file],
            bytes=0,
            reason="absolute" if file.startswith("/") else "parent",
        )
    listed = {name: file for name, file in listed.items() if file not in outside}
    total = stated.table("metadata").number("total_size")
    return WeightFiles(tuple(sorted(set(listed.values()))), index, listed, total)


def read_weights(folder: Path, weights: WeightFiles, problems: Problems) -> list[WeightFile]:
    """Read the headers of all files, and note those that cannot be read."""
    parts = []
    first, counts = _first_tensors(weights.listed), Counter(weights.listed.values())
    for name in weights.files:
        path = folder / name
        if regular_size(path) is None:
            tensor = first.get(name, "")
            problems.note("shard-missing", location=name, tensors=counts[name], tensor=tensor)
            continue
        try:
            parts.append(read_part(path, problems))
        except MalformedError as error:
            pointer = _pointer(path)
            if pointer is not None:
                problems.note("lfs-pointer", location=name, **pointer)
            else:
                problems.note("shard-broken", location=name, detail=str(error))
        except OSError as error:
            problems.note("shard-broken", location=name, detail=reason_of(error))
    return parts


def _first_tensors(listed: Mapping[str, str]) -> dict[str, str]:
    """Return the first tensor that an index lists for each file."""
    first: dict[str, str] = {}
    for tensor, file in listed.items():
        first.setdefault(file, tensor)
    return first


def _pointer(path: Path) -> Mapping[str, Any] | None:
    with open_regular(path) as file:
        return lfs_facts(file.read(LONGEST_POINTER) or b"")


def check_index(weights: WeightFiles, parts: Sequence[WeightFile], problems: Problems) -> None:
    """Note where the index and the headers disagree."""
    stored = {tensor.name: part.path.name for part in parts for tensor in part.tensors}
    _note_repeated(parts, problems)
    if not weights.index_name:
        return
    read = {part.path.name for part in parts}
    in_read = {name: file for name, file in weights.listed.items() if Path(file).name in read}
    unlisted = [name for name in stored if name not in weights.listed]
    absent = [name for name in in_read if name not in stored]
    elsewhere = [
        name for name, file in in_read.items() if stored.get(name, file) != Path(file).name
    ]
    _note_tensors("index-wrong", "absent", absent, weights, problems)
    _note_tensors("index-stale", "unlisted", unlisted, weights, problems)
    _note_tensors("index-stale", "elsewhere", elsewhere, weights, problems)
    size = sum(tensor.nbytes for part in parts for tensor in part.tensors)
    if weights.total not in (None, size) and len(parts) == len(weights.files):
        location = weights.index_name
        problems.note("index-size", location=location, stated=weights.total, size=size)


def _note_tensors(
    kind: str, part: str, tensors: Sequence[str], weights: WeightFiles, problems: Problems
) -> None:
    if tensors:
        count, location = len(tensors), weights.index_name
        problems.note(kind, location=location, part=part, tensors=count, tensor=tensors[0])


def _note_repeated(parts: Sequence[WeightFile], problems: Problems) -> None:
    first: dict[str, str] = {}
    for part in parts:
        for tensor in part.tensors:
            name = first.setdefault(tensor.name, part.path.name)
            if name != part.path.name:
                facts: dict[str, Any] = {"location": part.path.name, "other": name}
                at = tensor.name
                problems.note("tensor-in-two-shards", at, tensor=at, **facts)


def note_surplus(weights: WeightFiles, names: frozenset[str], problems: Problems) -> None:
    """Note shards that no index names."""
    surplus = [name for name in _matching(names, SHARD) if name not in weights.files]
    if surplus and weights.index_name:
        location, shard = weights.index_name, surplus[0]
        problems.note("shard-surplus", location=location, shards=len(surplus), shard=shard)


def all_tensors(parts: Sequence[WeightFile]) -> list[Tensor]:
    """Return the tensors of all parts; of those of one name, the first."""
    tensors: dict[str, Tensor] = {}
    for part in parts:
        for tensor in part.tensors:
            tensors.setdefault(tensor.name, tensor)
    return list(tensors.values())
