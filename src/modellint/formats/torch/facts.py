"""Facts that only files of PyTorch state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import NamedTuple

from modellint.base.records import dataclass
from modellint.model import Model, Node


class Import(NamedTuple):
    """A name that a pickle imports when it is loaded."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class StorageUse(NamedTuple):
    """A stored run of bytes, and how many of them tensors refer to."""

    size: int
    used: int
    tensor: str
    """The first tensor in it."""


class SizeRange(NamedTuple):
    """The sizes that an exported program takes for a symbol."""

    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class ExportFacts:
    """Statements of an exported program besides its graph."""

    schema: tuple[int, int]
    """Major and minor version."""
    release: str
    """Version of PyTorch that wrote it."""
    dialects: Sequence[str]
    """``TRAINING``, ``ATEN`` or ``EDGE``: which operators the exporter has allowed."""
    ranges: Mapping[str, SizeRange]
    """By symbol or formula."""
    kinds: Mapping[str, str]
    """``parameter``, ``buffer`` or ``tensor_constant``, by the name of what is stored."""
    mutated: Sequence[str]
    """Names of buffers, parameters and inputs that a run changes."""
    targets: Mapping[Node, str]
    """Operators as PyTorch names them: ``torch.ops.aten.add.Tensor``."""
    in_place: Sequence[Node]
    """Operators that overwrite their inputs."""
    arithmetic: int
    """Number of operators on sizes alone, and of assertions, which are not in the graph."""


@dataclass(frozen=True, slots=True)
class TorchFacts:
    container: str
    """``archive``, ``stream`` (before PyTorch 1.6), ``torchscript`` or ``export``."""
    imports: Sequence[Import] = ()
    """Names that its pickle imports, in order, each once."""
    opcodes: frozenset[str] = frozenset()
    """Instructions of its pickle, by their names in Python's `pickletools`."""
    storages: Sequence[StorageUse] = ()
    locations: Mapping[str, int] = field(default_factory=dict)
    """Devices that tensors were saved from, and how many tensors."""
    keys: Sequence[str] = ()
    """Keys of the outermost dictionary."""
    saved: Import | None = None
    """Class of the saved object, if it is not a dictionary."""
    exported: ExportFacts | None = None
    """Statements of an exported program."""


def torch_facts(model: Model) -> TorchFacts | None:
    """Return the facts, or None for another format."""
    facts = model.format_facts
    return facts if isinstance(facts, TorchFacts) else None
