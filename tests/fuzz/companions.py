"""Files that are given with a model: profiles, times and layers that runtimes have written."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path

from tests.fuzz import exports, values

PROFILES = Path(__file__).parents[1] / "data" / "profiles"
_SUFFIXES = (".json", ".csv", ".txt", ".sql")
_MARKS = b'\n , ; | " { [ - # nan 1e999 true'.split(b" ")


@cache
def _profiles() -> dict[str, bytes]:
    paths = (path for path in sorted(PROFILES.iterdir()) if path.suffix in _SUFFIXES)
    return {path.name: path.read_bytes() for path in paths}


def profile(chance: random.Random) -> tuple[str, bytes]:
    """The name and content of a profile in which something is something else."""
    name, content = chance.choice([*_profiles().items()])
    if name.endswith(".json") and chance.random() < 0.8:
        return name, exports.altered(json.loads(content), chance)
    for _ in range(chance.choice((1, 1, 3))):
        at = chance.randrange(len(content) + 1)
        put = chance.choice((values.name(chance), chance.choice(_MARKS), b"9" * 5000))
        content = content[:at] + put + content[at + chance.choice((0, 1, 40)) :]
    return name, content
