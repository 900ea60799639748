"""Facts that only GGUF files state, for rules of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from modellint.base.records import dataclass
from modellint.formats.gguf.header import ARRAY, Array, Entry, GgufFile, StoredTensor


@dataclass(frozen=True, slots=True)
class GgufFacts:
    """Headers of a model's parts, in order; the first has the metadata."""

    parts: tuple[GgufFile, ...]
    number: int = 1
    """Place of the part that was read, by its name; 1 for a model of one part."""
    count: int = 1
    """Number of parts, by the file's name."""
    missing: tuple[str, ...] = field(default=())
    """Names of parts that are not there."""

    @property
    def first(self) -> GgufFile:
        return self.parts[0]

    @property
    def is_complete(self) -> bool:
        """Return True if all tensors of the model are known."""
        return self.number == 1 and not self.missing

    def entry(self, key: str) -> Entry | None:
        return self.first.entries.get(key)

    def integer(self, key: str) -> int | None:
        """Return a whole number of the metadata; None for anything else."""
        entry = self.entry(key)
        return entry.value if entry is not None and type(entry.value) is int else None

    def real(self, key: str) -> float | None:
        entry = self.entry(key)
        if entry is None or type(entry.value) not in (int, float):
            return None
        return float(entry.value)  # type: ignore[arg-type]

    def text(self, key: str) -> str | None:
        entry = self.entry(key)
        return entry.value if entry is not None and isinstance(entry.value, str) else None

    def array(self, key: str) -> Array | None:
        entry = self.entry(key)
        if entry is None or entry.type != ARRAY:
            return None
        return entry.value if isinstance(entry.value, Array) else None

    @property
    def architecture(self) -> str:
        """Return the architecture's name as the file states it; empty if it does not."""
        return self.text("general.architecture") or ""

    def of_architecture(self, key: str) -> str:
        """Return the full key of a hyperparameter: ``llama.block_count``."""
        return f"{self.architecture}.{key}"

    @property
    def vocabulary(self) -> int | None:
        """Return the number of tokens."""
        tokens = self.array("tokenizer.ggml.tokens")
        if tokens is not None:
            return tokens.count
        return self.integer(self.of_architecture("vocab_size"))

    def tensors(self) -> Iterator[tuple[GgufFile, StoredTensor]]:
        """Iterate over the tensors of all parts, each with its part."""
        for part in self.parts:
            for tensor in part.tensors:
                yield part, tensor
