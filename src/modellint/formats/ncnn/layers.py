"""Layers that ncnn has, as recorded by `tools/record_ncnn_layers.py`."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from modellint.base.records import dataclass

_RECORD = Path(__file__).with_name("layers.json")


@dataclass(frozen=True, slots=True)
class NcnnLayers:
    release: str
    names: frozenset[str]


@cache
def ncnn_layers() -> NcnnLayers:
    record = json.loads(_RECORD.read_bytes())
    return NcnnLayers(record["release"], frozenset(record["layers"]))
