"""Archives of `torch.export`: weights that a configuration names, and the graph as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from modellint.base.text import bounded
from modellint.formats.archive import Archive
from modellint.formats.stored import StoredTensors, mistake_in, possible
from modellint.formats.torch.facts import TorchFacts
from modellint.model import DTYPES, UNDEFINED, Model, Region, Tensor, product

_WEIGHTS = "data/weights/"
_CONFIG = "_weights_config.json"
_DTYPES = """
undefined uint8 int8 int16 int32 int64 float16 float32 float64 complex32 complex64 complex128 bool
bfloat16 uint16 undefined undefined undefined undefined undefined undefined undefined undefined
undefined undefined undefined undefined undefined undefined float8e4m3fn float8e5m2
float8e4m3fnuz float8e5m2fnuz
""".split()
"""Types by their number in the schema, torch/_export/serde/schema.py of PyTorch 2.13."""


def read_exported(model: Model, archive: Archive, prefix: str, stored: StoredTensors) -> None:
    """Fill in the weights. Raises MalformedError."""
    folder = f"{prefix}{_WEIGHTS}"
    for member in archive.members:
        if member.startswith(folder) and member.endswith(_CONFIG):
            table = archive.json(member)
            if isinstance(table, dict):
                model.tensors += _tensors(model, archive, folder, table, stored)
    model.metadata = {"container": "export"}
    model.format_facts = TorchFacts("export")


def _tensors(
    model: Model,
    archive: Archive,
    folder: str,
    table: Mapping[str, Any],
    stored: StoredTensors,
) -> Iterator[Tensor]:
    entries = table.get("config")
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        meta = entry.get("tensor_meta") if isinstance(entry, dict) else None
        if not isinstance(meta, dict) or entry.get("use_pickle"):
            continue
        shape = tuple(_number(size) for size in meta.get("sizes") or ())
        if None not in shape:
            member = f"{folder}{entry.get('path_name')}"
            yield _tensor(model, archive, bounded(name), member, meta, shape, stored)


def _number(size: Any) -> int | None:
    number = size.get("as_int") if isinstance(size, dict) else None
    return number if isinstance(number, int) else None


def _tensor(
    model: Model,
    archive: Archive,
    name: str,
    member: str,
    meta: Mapping[str, Any],
    shape: tuple[Any, ...],
    stored: StoredTensors,
) -> Tensor:
    code = meta.get("dtype")
    known = isinstance(code, int) and 0 <= code < len(_DTYPES)
    dtype = DTYPES.get(_DTYPES[code] if known and code is not None else "", UNDEFINED)
    mistake = mistake_in(shape)
    if mistake:
        stored.invalid(name, dtype, shape, detail=mistake)
        return Tensor(name, dtype, possible(shape), 0)
    nbytes = dtype.nbytes(product(shape))
    if member not in archive.members:
        stored.problems.note("storage-missing", at=name, tensor=name, key=bounded(member))
        return Tensor(name, dtype, shape, nbytes)
    place = archive.place(member)
    if place is None or dtype is UNDEFINED:
        return Tensor(name, dtype, shape, nbytes)
    if place[1] != nbytes:
        stored.invalid(name, dtype, shape, nbytes, place[1])
        return Tensor(name, dtype, shape, nbytes)
    return stored.raw(name, dtype, shape, Region(model.path, *place))
