"""Facts that only a Hugging Face folder states."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path

from modellint.base.records import dataclass
from modellint.formats.huggingface.config import NOTHING, JsonTable
from modellint.model import Model


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """The configurations of a folder, and the names of its files."""

    folder: Path
    names: frozenset[str] = frozenset()
    """Names of all files in the folder."""
    configs: dict[str, JsonTable] = field(default_factory=dict)
    """By file name; those that could be read."""
    weights: tuple[str, ...] = ()
    """Names of the files whose tensors are the model's."""

    def config(self, name: str = "config.json") -> JsonTable:
        """Return a configuration; an empty one if there is none."""
        return self.configs.get(name, NOTHING)


NO_FACTS = FolderFacts(Path())


def folder_facts(model: Model) -> FolderFacts:
    """Return the facts of a model's folder; empty ones if it is a single file."""
    facts = model.format_facts
    return facts if isinstance(facts, FolderFacts) else NO_FACTS
