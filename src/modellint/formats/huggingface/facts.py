"""Facts that only a Hugging Face folder states."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path

from modellint.base.files import read_text
from modellint.base.records import dataclass
from modellint.formats.huggingface.config import NOTHING, JsonTable, read_config
from modellint.model import Model

LONGEST_TEXT = 1 << 20


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

    def other(self, name: str) -> JsonTable:
        """Return a table in a file that is only read when it is asked for."""
        if name not in self.names:
            return NOTHING
        try:
            return read_config(self.folder / name)
        except (OSError, ValueError):
            return NOTHING

    def text(self, name: str) -> str | None:
        """Return the text of a file; None if it cannot be read."""
        if name not in self.names:
            return None
        try:
            return read_text(self.folder / name, LONGEST_TEXT, errors="replace")
        except OSError:
            return None


NO_FACTS = FolderFacts(Path())


def folder_facts(model: Model) -> FolderFacts:
    """Return the facts of a model's folder; empty ones if it is a single file."""
    facts = model.format_facts
    return facts if isinstance(facts, FolderFacts) else NO_FACTS
