"""Imports that `torch.load` allows by default, as recorded by `tools/record_weights_only.py`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from modellint.base.records import dataclass
from modellint.formats.torch.facts import Import, TorchFacts

_RECORD = Path(__file__).with_name("weights-only-2.13.json")


@dataclass(frozen=True, slots=True)
class WeightsOnly:
    version: str
    imports: frozenset[str]
    opcodes: frozenset[str]


@cache
def weights_only() -> WeightsOnly:
    record = json.loads(_RECORD.read_bytes())
    opcodes, imports = frozenset(record["opcodes"]), frozenset(record["imports"])
    return WeightsOnly(record["version"], imports, opcodes)


def modern(imported: Import) -> Import:
    """Return the name in Python 3 of what Python 2 called otherwise."""
    from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING

    renamed = NAME_MAPPING.get((imported.module, imported.name))
    if renamed is not None:
        return Import(*renamed)
    return Import(IMPORT_MAPPING.get(imported.module, imported.module), imported.name)


def refused_imports(facts: TorchFacts) -> Iterator[Import]:
    """Iterate over the imports that `torch.load` refuses by default."""
    allowed = weights_only().imports
    return (each for each in map(modern, facts.imports) if str(each) not in allowed)


def refused_opcodes(facts: TorchFacts) -> list[str]:
    return sorted(facts.opcodes - weights_only().opcodes)
