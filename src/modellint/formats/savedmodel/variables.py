"""Variables of a SavedModel: an index of names, types and places, and files with their elements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modellint.base.text import bounded
from modellint.formats.problems import MalformedError
from modellint.formats.protobuf import FieldSpan, Message
from modellint.formats.savedmodel import VARIABLES
from modellint.formats.savedmodel.table import read_table
from modellint.formats.savedmodel.types import tensor_shape, tensor_type
from modellint.formats.source import Source
from modellint.formats.stored import StoredTensors, mistake_in, possible
from modellint.model import Model, Region, Tensor, product

INDEX = f"{VARIABLES}/{VARIABLES}.index"
_DETAILS = ("_CHECKPOINTABLE_OBJECT_GRAPH",)
"""Keys of entries other than variables."""
MOST_SHARDS = 10_000


def read_variables(model: Model, stored: StoredTensors) -> None:
    """Add the variables' tensors, and note files that are missing or short."""
    index = model.path / INDEX
    if not index.is_file():
        return
    model.external_files.append(index)
    shards: dict[int, _Shard] = {}
    count, is_big = 0, False
    try:
        with Source(index) as source:
            for key, value in read_table(source):
                entry = Message(value, FieldSpan(0, len(value)))
                name = key.decode(errors="replace")
                if not key:
                    count, is_big = entry.integer(1), bool(entry.integer(2))
                elif name not in _DETAILS and "/.OBJECT_CONFIG_JSON" not in name:
                    at = entry.integer(3)
                    if len(shards) >= MOST_SHARDS:
                        raise MalformedError("corrupt", f"more than {MOST_SHARDS} files")
                    shard = shards.setdefault(at, _Shard(model.path, at, count))
                    model.tensors.append(_tensor(bounded(name), entry, shard, stored, is_big))
    except MalformedError as error:
        stored.problems.note("config-broken", location=INDEX, detail=str(error))
    for shard in shards.values():
        model.external_files.append(shard.path)
        shard.report(stored)


class _Shard:
    """One of the files with elements, and how much of it is needed."""

    def __init__(self, folder: Path, at: int, count: int) -> None:
        self.location = f"{VARIABLES}/{VARIABLES}.data-{at:05}-of-{count:05}"
        self.path = folder / self.location
        self.size = self.path.stat().st_size if self.path.is_file() else None
        self.end = self.wanted = self.tensors = 0
        self.first = ""

    def need(self, name: str, offset: int, length: int) -> bool:
        """Note that a tensor is there, and return whether it is."""
        self.end = max(self.end, offset + length)
        self.wanted += length
        self.tensors += 1
        self.first = self.first or name
        return self.size is not None and offset + length <= self.size

    def report(self, stored: StoredTensors) -> None:
        facts: dict[str, Any] = {
            "location": self.location,
            "tensors": self.tensors,
            "tensor": self.first,
            "bytes": self.wanted,
        }
        if self.size is None:
            stored.problems.note("external-missing", **facts)
        elif self.end > self.size:
            stored.problems.note("external-short", **facts, expected=self.end, size=self.size)


def _tensor(
    name: str, entry: Message, shard: _Shard, stored: StoredTensors, is_big: bool
) -> Tensor:
    dtype, shape = tensor_type(entry.integer(1)), tensor_shape(entry.message(2))
    sizes = tuple(-1 if dim is None or isinstance(dim, str) else dim for dim in shape or ())
    offset, length = entry.integer(4), entry.integer(5)
    mistake = mistake_in(sizes) or ("a negative place" if min(offset, length) < 0 else "")
    if mistake:
        stored.invalid(name, dtype, sizes, detail=mistake)
        return Tensor(name, dtype, possible(sizes), 0)
    nbytes = dtype.nbytes(product(sizes))
    is_there = shard.need(name, offset, length)
    if dtype.kind == "string" or not dtype.bits or 7 in entry:
        return Tensor(name, dtype, sizes, length)
    if length != nbytes and dtype.bits >= 8:
        stored.invalid(name, dtype, sizes, nbytes, length)
        return Tensor(name, dtype, sizes, nbytes)
    region = Region(shard.path, offset, length, external=True)
    if not is_there or is_big or dtype.bits < 8:
        return Tensor(name, dtype, sizes, nbytes, region if is_there else None)
    return stored.raw(name, dtype, sizes, region)
