"""Versions of builtin operators that LiteRT registers, and the releases that they came with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from modellint.runtimes.versions import version_key

NEWEST = "2.23"
_TABLE = Path(__file__).with_name(f"operators-{NEWEST}.json")
CUSTOM = frozenset(
    {
        "AudioSpectrogram",
        "Mfcc",
        "NumericVerify",
        "TFLite_Detection_PostProcess",
        "aeq.hadamard_rotation",
    }
)
"""Custom operators that are registered along with the builtin ones."""
FLEX = "Flex"
"""Beginning of the names of TensorFlow's operators."""
RENUMBERED = ((0,), (1, 5)), ((2,), (2, 5))
"""Versions that may be LiteRT's own, which began again with 1.0 at TensorFlow Lite's 2.18."""


class OperatorTable(NamedTuple):
    """Content of the table."""

    source: str
    registered: Mapping[str, tuple[int, int]]
    """Lowest and highest version of each operator."""
    since: Mapping[str, Mapping[str, str]]
    """The release of TensorFlow Lite that first had a version of an operator."""

    def first_release(self, op: str, version: int) -> str:
        """Return the first release with a version of an operator; empty if it is not known."""
        return self.since.get(op, {}).get(str(version), "")


@cache
def operator_table() -> OperatorTable:
    stated = json.loads(_TABLE.read_text(encoding="utf-8"))
    registered = {op: (low, high) for op, (low, high) in stated["registered"].items()}
    return OperatorTable(stated["source"], registered, stated["since"])


def is_older(release: str, other: str) -> bool:
    """Return True if a release of TensorFlow Lite is surely older than another one."""
    key = version_key(release)
    if any(first <= key < after for first, after in RENUMBERED):
        return False
    return key < version_key(other)[: len(key)]
