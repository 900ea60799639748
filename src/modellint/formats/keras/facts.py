"""Facts that only files of Keras state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modellint.base.records import dataclass
from modellint.model import Model


@dataclass(frozen=True, slots=True)
class KerasFacts:
    layers: Mapping[str, int]
    """Number of layers of each class."""
    bytecode: Sequence[str]
    """Names of layers that hold compiled Python."""
    custom: Sequence[str]
    """Names of classes and functions that are not Keras's own, as they are registered."""
    has_weights: bool = True
    """False for an archive without any file of weights."""


def keras_facts(model: Model) -> KerasFacts | None:
    """Return the facts, or None for another format."""
    facts = model.format_facts
    return facts if isinstance(facts, KerasFacts) else None
