"""Reading of GGUF files: their header, and on request the numbers of a tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from modellint.base.errors import reason_of
from modellint.formats.gguf import GGUF
from modellint.formats.gguf.architecture import architecture_of
from modellint.formats.gguf.facts import GgufFacts
from modellint.formats.gguf.header import (
    MAGIC,
    MOST_TENSORS,
    OLD_MAGICS,
    Array,
    GgufFile,
    read_file,
)
from modellint.formats.gguf.splits import part_name
from modellint.formats.gguf.tensors import tensor_of
from modellint.formats.problems import MalformedError, Problems, broken
from modellint.formats.stored import StoredTensors
from modellint.model import Model, Problem


def sniff(head: bytes, path: Path) -> bool:
    return head[:4] == MAGIC or head[:4] in OLD_MAGICS


def read(path: Path) -> Model:
    try:
        part = read_file(path)
    except MalformedError as error:
        return broken(path, GGUF.name, error.kind, **error.facts)
    problems = Problems()
    facts, others = _with_other_parts(path, part, problems)
    model = Model(path, GGUF.name)
    model.capabilities = GGUF.tells
    model.external_files = others
    model.problems = problems
    model.format_facts = facts
    stored = StoredTensors(problems)
    model.tensors = [
        tensor_of(each, tensor, stored, external=each is not part)
        for each, tensor in facts.tensors()
    ]
    model.metadata = _metadata(part)
    model.architecture = architecture_of(facts)
    return model


def _with_other_parts(
    path: Path, part: GgufFile, problems: Problems
) -> tuple[GgufFacts, list[Path]]:
    """Read the headers of the model's other parts. A part after the first stands for itself."""
    name = part_name(path)
    if name is None:
        return GgufFacts((part,)), []
    if name.number > 1:
        return GgufFacts((part,), name.number, name.count), []
    parts, missing = [part], []
    others = [path.parent / other for other in name.others]
    for other in others:
        try:
            parts.append(_checked(read_file(other), parts))
        except FileNotFoundError:
            missing.append(other.name)
        except MalformedError as error:
            missing.append(other.name)
            _note_broken(problems, other, error.kind, error.facts)
        except OSError as error:
            missing.append(other.name)
            _note_broken(problems, other, "unreadable", {"detail": reason_of(error)})
    return GgufFacts(tuple(parts), 1, name.count, tuple(missing)), others


def _checked(part: GgufFile, others: Sequence[GgufFile]) -> GgufFile:
    """Return the part. Raises MalformedError if all have more tensors than one file may have."""
    if len(part.tensors) + sum(len(other.tensors) for other in others) > MOST_TENSORS:
        raise MalformedError("corrupt", f"more than {MOST_TENSORS:,} tensors in all parts")
    return part


def _note_broken(problems: Problems, part: Path, kind: str, facts: Mapping[str, object]) -> None:
    """Record a part that cannot be read; the first can."""
    detail = f"{part.name}: {facts['detail']}"
    problems.append(Problem(kind, {**facts, "detail": detail}))


def _metadata(part: GgufFile) -> dict[str, str]:
    return {
        key: str(entry.value) if isinstance(entry.value, Array) else _text(entry.value)
        for key, entry in part.entries.items()
    }


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
