"""Reads what `torch.save`, `torch.jit.save` and `torch.export.save` write, without running it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modellint.base.text import bounded
from modellint.capability import Capability
from modellint.formats.archive import Archive, first_listed, first_member
from modellint.formats.problems import MalformedError, Problems, broken
from modellint.formats.source import Source
from modellint.formats.stored import StoredTensors
from modellint.formats.torch import TORCH
from modellint.formats.torch.exported import OLD_PROGRAM, read_exported
from modellint.formats.torch.facts import TorchFacts
from modellint.formats.torch.pickled import Built, Pickled, read_pickle
from modellint.formats.torch.stream import MAGIC, read_stream
from modellint.formats.torch.tensors import Records, Reference, references, tensors_of
from modellint.model import Model

name = TORCH.name

MOST_PICKLE = 32 << 20
_PICKLE, _SCRIPT, _EXPORT = "data.pkl", "constants.pkl", "archive_format"
_STORAGE = "data/"
_ZIP = b"PK\x03\x04"
_FIRST = re.compile(
    r"(^|/)(data\.pkl|version|constants\.pkl|archive_format|\.data/serialization_id|data/\d+"
    r"|data/(weights|constants)/\w+(\.json)?|serialized_exported_program\.json)$"
)
"""Members that an archive of PyTorch begins with."""
_LONGEST_KEYS = 100


def sniff(head: bytes, path: Path) -> bool:
    if head.startswith(MAGIC) or _FIRST.search(first_member(head)):
        return True
    return head.startswith(_ZIP) and _FIRST.search(first_listed(path)) is not None


def read(path: Path) -> Model:
    problems = Problems()
    try:
        with Source(path) as source:
            model = _read(path, source, problems)
    except MalformedError as error:
        return broken(path, name, error.kind, **error.facts)
    model.capabilities |= {Capability.WEIGHTS, Capability.METADATA}
    model.problems = problems
    model.producer_name = "PyTorch"
    return model


def _read(path: Path, source: Source, problems: Problems) -> Model:
    model = Model(path, name)
    stored = StoredTensors(problems)
    if source.read(0, min(len(MAGIC), source.size)) == MAGIC:
        pickled, records = read_stream(source, MOST_PICKLE)
        _fill(model, "stream", pickled, records, stored)
        return model
    with Archive(source, is_lenient=True) as archive:
        prefix = _prefix(archive)
        if f"{prefix}{_EXPORT}" in archive.members or OLD_PROGRAM in archive.members:
            read_exported(model, archive, prefix, stored)
        else:
            pickled = read_pickle(archive.read(f"{prefix}{_PICKLE}", MOST_PICKLE))
            is_script = f"{prefix}{_SCRIPT}" in archive.members
            container = "torchscript" if is_script else "archive"
            _fill(model, container, pickled, _records(archive, prefix), stored)
    return model


def _prefix(archive: Archive) -> str:
    """Return the folder inside the archive that everything is in."""
    for member in archive.members:
        if member == OLD_PROGRAM:
            return ""
        for last in (_PICKLE, _EXPORT):
            if member == last or (member.endswith(f"/{last}") and member.count("/") == 1):
                return member.removesuffix(last)
    raise MalformedError("corrupt", "the archive has no data.pkl")


def _records(archive: Archive, prefix: str) -> Records:
    folder = f"{prefix}{_STORAGE}"
    places = {
        bounded(member.removeprefix(folder)): archive.place(member)
        for member in archive.members
        if member.startswith(folder)
    }
    order = f"{prefix}byteorder"
    is_big = order in archive.members and archive.read(order, 64).strip() == b"big"
    return Records(places, not is_big)


def _fill(
    model: Model, container: str, pickled: Pickled, records: Records, stored: StoredTensors
) -> None:
    found = list(references(pickled.root))
    model.tensors, storages = tensors_of(found, records, stored, model.path)
    model.metadata = {"container": container}
    model.format_facts = TorchFacts(
        container,
        imports=pickled.imports,
        opcodes=pickled.opcodes,
        storages=storages,
        locations=_locations(found),
        keys=_keys(pickled.root),
        saved=_class_of(pickled.root),
    )


def _locations(found: list[Reference]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for each in found:
        place = each.storage.location
        counts[place] = counts.get(place, 0) + 1
    return counts


def _keys(root: Any) -> tuple[str, ...]:
    pairs = root.pairs if isinstance(root, Built) else []
    return tuple(bounded(key) for key, _ in pairs[:_LONGEST_KEYS] if isinstance(key, str))


def _class_of(root: Any) -> Any:
    """Return the class of a saved object that is not a dictionary of its own."""
    if not isinstance(root, Built) or root.called is None or root.pairs:
        return None
    return None if str(root.called) == "collections.OrderedDict" else root.called
