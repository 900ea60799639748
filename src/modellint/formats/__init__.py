"""Reading of files of any format into a `Model`."""

from __future__ import annotations

import os
import stat
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from modellint.base.errors import reason_of
from modellint.base.files import kind_of, open_regular
from modellint.base.records import dataclass
from modellint.base.standins import trouble_with
from modellint.formats.registry import folder_format, formats, is_model_folder, sharing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from modellint.formats.format import Format
    from modellint.model import Model

HEAD = 4096


@dataclass(frozen=True, slots=True)
class Detection:
    """Result of detection: a readable format, or a problem with its facts."""

    name: str
    format: Format | None = None
    problem: str | None = None
    facts: Mapping[str, object] = field(default_factory=dict)


def detect(path: Path) -> Detection:
    """Detect a file's format by content, and by suffix only if the content is ambiguous."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        return _problem("unreadable", detail=reason_of(error))
    if stat.S_ISDIR(status.st_mode):
        return _detect_folder(path)
    if not stat.S_ISREG(status.st_mode):
        return _problem("unreadable", detail=kind_of(status.st_mode))
    if status.st_size == 0:
        return _problem("empty-file")
    try:
        with open_regular(path) as file:
            head = file.read(HEAD) or b""
    except OSError as error:
        return _problem("unreadable", detail=reason_of(error))
    return _detect_content(head, path)


def is_by_content(path: Path) -> bool:
    """Return True for a model whose suffix others share, if it has its data next to it, or if its
    format is one that a search looks for."""
    return any(
        format.is_read and not format.is_named(path) and _is_of_family(path, format)
        for format in sharing(path)
        if format.searched or any(map(os.path.exists, format.plain_companions(path)))
    )


def _is_of_family(path: Path, format: Format) -> bool:
    found = detect(path).format
    return found is not None and found.family == format.family


def _detect_folder(path: Path) -> Detection:
    if is_model_folder(path):
        folders = [format for format in formats() if format.is_folder and format.is_named(path)]
        found = _recognise(folders, b"", path)
        return found or _problem("not-a-model", detail="a folder without the files of its format")
    try:
        made = folder_format([each.name for each in path.iterdir()])
    except OSError as error:
        return _problem("unreadable", detail=reason_of(error))
    found = _recognise([made], b"", path) if made is not None else None
    return found or _problem("unreadable", detail="a folder")


def _recognise(candidates: Iterable[Format], head: bytes, path: Path) -> Detection | None:
    """The first format whose content this is; a plugin's reader may fail to say."""
    for format in candidates:
        try:
            if format.recognises(head, path) and (format.is_read or not _is_stand_in(head)):
                return _recognised(format, path)
        except Exception as error:  # plugins may raise anything
            if format.is_named(path):
                detail = f"the reader for {format.title} fails: {error}"
                return Detection(format.name, None, "unreadable", {"detail": detail})
    return None


def _is_stand_in(head: bytes) -> bool:
    from modellint.formats.signatures import is_stand_in

    return is_stand_in(head)


def _detect_content(head: bytes, path: Path) -> Detection:
    single_files = [format for format in formats() if not format.is_folder]
    found = _recognise(single_files, head, path)
    if found is not None:
        return found
    from modellint.formats.signatures import SIGNATURES

    facts: Mapping[str, object] = {
        "detail": "zeros" if not head.strip(b"\0") else "bytes of no known format"
    }
    for signature in SIGNATURES:
        matched = signature.matches(head)
        if matched is not None:
            if signature.kind != "not-a-model":
                return _problem(signature.kind, **matched)
            facts = matched
            break
    for format in single_files:
        if format.parses_by_name and format.is_named(path):
            return Detection(format.name, format)
    return _problem("not-a-model", **facts)


def _recognised(format: Format, path: Path) -> Detection:
    if format.under_any_name:
        return Detection(format.name, format)
    promised = next((each for each in formats() if each.is_read and each.is_named(path)), None)
    if promised is not None and promised.family != format.family:
        titles = {"format": format.title, "promised": promised.title}
        return _problem("not-a-model", **titles, part="misnamed")
    if format.is_read:
        return Detection(format.name, format)
    return _problem("unreadable-format", format=format.title, instead=format.instead)


def read_model(path: Path) -> Model:
    """Read any file; errors are in the model's `problems`."""
    from modellint.formats.problems import broken

    trouble = trouble_with(path)
    found = _problem("unreadable", detail=trouble) if trouble else detect(path)
    if found.format is None:
        model = broken(path, found.name, found.problem or "not-a-model", **found.facts)
    else:
        try:
            model = found.format.load().read(path)
            _cut_cycles(model, found.format)
        except (OSError, ValueError) as error:
            model = broken(path, found.name, "unreadable", detail=reason_of(error))
        except MemoryError:
            model = broken(path, found.name, "unreadable", detail="too little memory")
    try:
        model.file_size = _size(model)
    except (OSError, ValueError):
        model.file_size = 0
    return model


def _cut_cycles(model: Model, format: Format) -> None:
    from modellint.model.cycles import cut_cycles

    cycle = cut_cycles(model)
    if cycle is not None and format.is_acyclic:
        # Of such a graph, it is not to be said that its nodes only have to be sorted.
        model.problems[:] = [each for each in model.problems if each.kind != "unsorted-graph"]
        model.problems.append(cycle)


def _size(model: Model) -> int:
    """Return the size of a file, or of all files of a model that is a folder."""
    status = model.path.stat()
    if not stat.S_ISDIR(status.st_mode):
        return status.st_size
    closed = is_model_folder(model.path)
    files = model.path.rglob("*") if closed else model.external_files
    return sum(each.stat().st_size for each in files if each.is_file())


def _problem(kind: str, **facts: object) -> Detection:
    return Detection(str(facts.get("format", "unknown")), problem=kind, facts=facts)


__all__ = ["Detection", "detect", "is_by_content", "read_model"]
