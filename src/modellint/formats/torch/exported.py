"""Archives of `torch.export`: a program as JSON, and tensors that a table names.

Until PyTorch 2.7, an archive had the tensors as one checkpoint; those are known by the types of the
program's inputs alone.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

from modellint.base.text import bounded
from modellint.capability import Capability
from modellint.formats.archive import Archive
from modellint.formats.problems import MalformedError
from modellint.formats.stored import StoredTensors
from modellint.formats.torch.arguments import integer, rows, table
from modellint.formats.torch.facts import ExportFacts, Import, TorchFacts
from modellint.formats.torch.pickled import read_pickle
from modellint.formats.torch.program import ExportedGraphReader
from modellint.formats.torch.tensors import Records, Reference, StorageReference, tensors_of
from modellint.formats.torch.types import scalar_type
from modellint.model import UNDEFINED, Model, Tensor, Value, product

OLD_PROGRAM = "serialized_exported_program.json"
"""The program in archives of releases before 2.7."""
_PAYLOADS = (
    ("data/weights/", "_weights_config.json"),
    ("data/constants/", "_constants_config.json"),
)
_PROGRAMS, _COMPILED = "models/", "data/aotinductor/"
_PICKLES = ("data/sample_inputs/", "data/constants/custom_obj_", "data/constants/opaque_obj_")
_OLD_PICKLES = ("serialized_",)
MOST_PICKLE = 32 << 20
MOST_PICKLES = 100
SMALL = 1 << 10
"""Tensors of so many bytes are at hand: scales, and constants of formulas."""


def read_exported(model: Model, archive: Archive, prefix: str, stored: StoredTensors) -> None:
    """Fill in tensors and graph. Raises MalformedError."""
    model.tensors = _payloads(model, archive, prefix, stored)
    name = _program(archive, prefix)
    if not name and not any(each.startswith(f"{prefix}{_COMPILED}") for each in archive.members):
        raise MalformedError("corrupt", "the archive of an export has no program")
    exported = _read_program(model, archive.json(name), stored) if name else None
    pickles = list(_pickles(archive, prefix))
    imports = dict.fromkeys(each for pickled in pickles for each in pickled)
    model.metadata = {"container": "export", **(_words(exported) if exported else {})}
    model.format_facts = TorchFacts("export", imports=tuple(imports), exported=exported)


def _program(archive: Archive, prefix: str) -> str:
    """Return the member that is the program; the first in alphabetical order of several."""
    names = [
        member
        for member in archive.members
        if member.startswith(f"{prefix}{_PROGRAMS}") and member.endswith(".json")
    ]
    return min(names, default=OLD_PROGRAM if OLD_PROGRAM in archive.members else "")


def _read_program(model: Model, stated: Any, stored: StoredTensors) -> ExportFacts:
    reader = ExportedGraphReader(
        model, {each.name: each for each in model.tensors}, stored.problems
    )
    exported = reader.read(table(stated, "the program"))
    model.capabilities |= {Capability.GRAPH, Capability.QUANTIZATION}
    model.producer_version = exported.release
    known = {each.name for each in model.tensors}
    values = model.graph.values
    for name in exported.kinds.keys() & values.keys():
        if name not in known:
            _store_unread(model, values[name])
        if not values[name].consumers and not values[name].is_output:
            del values[name]  # every stored tensor is an input of the program, needed or not
    return exported


def _store_unread(model: Model, value: Value) -> None:
    """Make a stored value of data in an unsupported encoding."""
    shape, dtype = value.declared_shape, value.declared_dtype
    if shape is None or dtype is None:
        return
    sizes = tuple(dim for dim in shape if isinstance(dim, int))
    if len(sizes) == len(shape):
        tensor = Tensor(value.name, dtype, sizes, dtype.nbytes(product(sizes)))
        value.store(tensor)
        model.tensors.append(tensor)


def _words(exported: ExportFacts) -> Mapping[str, str]:
    """Return what to show of a program."""
    words = {"schema": ".".join(map(str, exported.schema))}
    if exported.dialects:
        words["dialect"] = ", ".join(exported.dialects)[:500]
    if exported.arithmetic:
        words["left out"] = f"{exported.arithmetic} operators on sizes, and assertions"
    if exported.ranges:
        words["sizes"] = ", ".join(
            f"{name}: {least} to {'any' if most is None else most}"
            for name, (least, most) in exported.ranges.items()
        )[:500]
    if exported.mutated:
        words["mutated"] = ", ".join(exported.mutated)[:500]
    return words


def _payloads(model: Model, archive: Archive, prefix: str, stored: StoredTensors) -> list[Tensor]:
    """Return the tensors that the tables of weights and constants name."""
    found: list[Reference] = []
    places: dict[str, tuple[int, int] | None] = {}
    for folder, ending in _PAYLOADS:
        for member in archive.members:
            if member.startswith(f"{prefix}{folder}") and member.endswith(ending):
                config = table(archive.json(member), bounded(member)).get("config")
                for name, entry in table(config or {}, bounded(member)).items():
                    _add_payload(archive, f"{prefix}{folder}", name, entry, found, places)
    tensors, _ = tensors_of(found, Records(places), stored, model.path)
    return [stored.at_hand(each) if _is_small(each) else each for each in tensors]


def _add_payload(
    archive: Archive,
    folder: str,
    name: str,
    entry: Any,
    found: list[Reference],
    places: dict[str, tuple[int, int] | None],
) -> None:
    meta = entry.get("tensor_meta") if isinstance(entry, dict) else None
    if not isinstance(meta, dict) or entry.get("use_pickle"):
        return
    member = f"{folder}{entry.get('path_name')}"
    dtype = scalar_type(meta.get("dtype")) or UNDEFINED
    shape, strides = (_numbers(meta.get(each)) for each in ("sizes", "strides"))
    offset = _numbers([meta.get("storage_offset")])
    if shape is None or strides is None or offset is None:
        return
    key = bounded(member)
    if member in archive.members and key not in places:
        places[key] = archive.place(member)
    place = places.get(key)
    elements = place[1] // max(int(dtype.bits) // 8, 1) if place is not None else 0
    if place is not None and place[1] == 0:
        places[key] = None  # zeros that are not stored
    storage = StorageReference(key, dtype, "cpu", elements)
    found.append(Reference(bounded(name), dtype, storage, offset[0], shape, strides))


def _numbers(sizes: Any) -> tuple[int, ...] | None:
    stated = rows(sizes, "a shape")
    listed = [integer(each.get("as_int")) if isinstance(each, dict) else None for each in stated]
    found = tuple(each for each in listed if each is not None)
    return found if len(found) == len(listed) else None


def _is_small(tensor: Tensor) -> bool:
    """Return True if the few elements may be read at any time."""
    return tensor.read is not None and tensor.nbytes <= SMALL


def _pickles(archive: Archive, prefix: str) -> Iterator[tuple[Import, ...]]:
    """Iterate over the imports of the pickles that loading runs: examples of inputs, and objects.

    Those that are damaged or too large are left out: PyTorch loads the program before them.
    """
    starts = tuple(f"{prefix}{each}" for each in _PICKLES) + _OLD_PICKLES
    names = [each for each in archive.members if each.startswith(starts)]
    for member in names[:MOST_PICKLES]:
        try:
            content = archive.read(member, MOST_PICKLE)
            if content[:2] == b"PK":
                content = _inner_pickle(content)
            if content[:1] == b"\x80":
                yield read_pickle(content).imports
        except MalformedError:
            continue


def _inner_pickle(content: bytes) -> bytes:
    """Return the pickle in an archive that is a member of another."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as inner:
            name = next((each for each in inner.namelist() if each.endswith("data.pkl")), None)
            if name is None or inner.getinfo(name).file_size > MOST_PICKLE:
                return b""
            return inner.read(name)
    except (zipfile.BadZipFile, zlib.error, ValueError, RuntimeError, EOFError, OSError) as error:
        raise MalformedError("corrupt", f"an archive inside is damaged ({error})") from error
