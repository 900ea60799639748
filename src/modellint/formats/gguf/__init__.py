"""GGUF: one file, or several parts, with the metadata and the tensors of a language model.

https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modellint.capability import Capability
from modellint.formats.format import Format

if TYPE_CHECKING:
    from modellint.formats.gguf.facts import GgufFacts
    from modellint.model import Model

GGUF = Format(
    "gguf",
    "GGUF",
    suffixes=(".gguf",),
    parts=r"-(?P<number>\d{5})-of-\d{5}(?=\.gguf$)",
    tells=frozenset({Capability.WEIGHTS, Capability.METADATA, Capability.ARCHITECTURE}),
    reader="modellint.formats.gguf.reader",
    notation="modellint.formats.gguf.notation",
)


def gguf_facts(model: Model) -> GgufFacts | None:
    """Return the facts that only GGUF files have; None for a model of another format."""
    facts: GgufFacts | None = model.format_facts if model.format == GGUF.name else None  # type: ignore[assignment]
    return facts
