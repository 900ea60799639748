"""Runtimes that say they serve an architecture, by the lists that they publish."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from modellint.base.records import dataclass
from modellint.base.store import kept_toml
from modellint.model import Model
from modellint.model.architecture import Architecture
from modellint.runtimes import language_runtimes
from modellint.runtimes.versions import find_table

SERVES = "serves"
"""The kind of table that lists architectures."""


@dataclass(frozen=True, slots=True)
class Server:
    """A runtime that lists the architecture of a model in this format."""

    runtime: str
    converted: bool
    """True if its own tool has to convert the model first."""
    source: str


def servers(model: Model, architecture: Architecture) -> list[Server]:
    """Return the runtimes that list an architecture; absence from a list says nothing."""
    return list(_servers(model.format, architecture))


def _servers(format: str, architecture: Architecture) -> Iterator[Server]:
    for runtime in language_runtimes():
        table = find_table(runtime, SERVES, None)
        stated: dict[str, Any] = dict(kept_toml(table.path)) if table is not None else {}
        if format not in stated.get("formats", ()):
            continue
        name = str(architecture.facts.get(stated.get("by", ""), architecture.name))
        if name in stated["names"].split():
            yield Server(runtime, bool(stated.get("converted", False)), stated["source"])
