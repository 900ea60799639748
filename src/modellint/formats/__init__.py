"""From a file to a `Model`, whatever is in the file.

A format is one module with `name`, `suffixes`, `sniff` and `read`, named in `READERS`.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from onnx import ModelProto

    from modellint.model import Model

READERS = (
    "modellint.formats.onnx.text",
    "modellint.formats.onnx.binary",
    "modellint.formats.trt.engine",
    "modellint.formats.trt.layers",
)
"""Asked in this order; imported when a file has to be told apart."""
MODEL_SUFFIXES = frozenset({
    ".onnx", ".onnxtxt", ".onnxtext", ".ort", ".tflite", ".safetensors", ".gguf",
})  # fmt: skip
"""What a walk through a folder picks up: suffixes that mean a model and nothing else."""
HEAD = 4096


class Reader(Protocol):
    """One format. `read` may raise OSError, and answers for all else that a file can do."""

    @property
    def name(self) -> str: ...
    @property
    def suffixes(self) -> tuple[str, ...]: ...
    def sniff(self, head: bytes, path: Path) -> bool: ...
    def read(self, path: Path) -> Model: ...


@dataclass(frozen=True, slots=True)
class Detection:
    """What a file is: a reader's format, or a problem with the facts of it."""

    format: str
    reader: Reader | None = None
    problem: str | None = None
    facts: Mapping[str, object] = field(default_factory=dict)


def detect(path: Path) -> Detection:
    """Tell what a file is by its content; its suffix only where the content leaves it open."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        return _problem("unreadable", detail=_reason(error))
    if not stat.S_ISREG(status.st_mode):
        return _problem("unreadable", detail=_file_kind(status.st_mode))
    if status.st_size == 0:
        return _problem("empty-file")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        return _problem("unreadable", detail=_reason(error))
    return _detect_content(head, path)


def _detect_content(head: bytes, path: Path) -> Detection:
    from modellint.formats.signatures import SIGNATURES

    readers = [cast("Reader", import_module(module)) for module in READERS]
    for reader in readers:
        if reader.sniff(head, path):
            return Detection(reader.name, reader)
    for signature in SIGNATURES:
        facts = signature.matches(head)
        if facts is not None:
            if signature.kind == "not-a-model":
                break
            if signature.kind == "unreadable-format" and _promises_onnx(readers, path):
                return _problem("not-a-model", **facts, part="misnamed")
            return _problem(signature.kind, **facts)
    else:
        facts = {"detail": "zeros" if not head.strip(b"\0") else "bytes of no known format"}
    for reader in readers:
        if path.suffix.lower() in reader.suffixes and reader.name == "onnx-text":
            return Detection(reader.name, reader)
    return _problem("not-a-model", **(facts or {}))


def _promises_onnx(readers: Sequence[Reader], path: Path) -> bool:
    suffix = path.suffix.lower()
    return any(reader.name.startswith("onnx") and suffix in reader.suffixes for reader in readers)


def read_model(path: Path) -> Model:
    """Read any file. What is wrong with it stands in the model's `problems`."""
    from modellint.formats.problems import broken

    path = Path(path)
    found = detect(path)
    if found.reader is None:
        model = broken(path, found.format, found.problem or "not-a-model", **found.facts)
    else:
        try:
            model = found.reader.read(path)
        except (OSError, ValueError) as error:
            model = broken(path, found.format, "unreadable", detail=_reason(error))
        except MemoryError:
            model = broken(path, found.format, "unreadable", detail="it needs too much memory")
    try:
        model.file_size = path.stat().st_size
    except (OSError, ValueError):
        model.file_size = 0
    return model


def read_text(text: str, path: Path = Path("example.onnxtxt")) -> Model:
    """The model that ONNX text describes."""
    from modellint.formats.onnx.text import read_text as read

    return read(text, path)


def read_proto(proto: ModelProto, path: Path = Path("model.onnx")) -> Model:
    """The view of a model in memory. External data is looked for beside `path`."""
    from modellint.formats.onnx.build import build

    return build(proto, path)


def _problem(kind: str, **facts: object) -> Detection:
    return Detection(str(facts.get("format", "unknown")), problem=kind, facts=facts)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _file_kind(mode: int) -> str:
    for test, kind in (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    ):
        if test(mode):
            return kind
    return "not a regular file"


__all__ = [
    "MODEL_SUFFIXES", "Detection", "Reader", "detect", "read_model", "read_proto", "read_text",
]  # fmt: skip
