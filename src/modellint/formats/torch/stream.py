"""Files of PyTorch before 1.6: consecutive pickles, then the storages."""

from __future__ import annotations

from typing import Any

from modellint.base.text import bounded
from modellint.formats.problems import MalformedError
from modellint.formats.source import Source
from modellint.formats.torch.pickled import Pickled, read_pickle
from modellint.formats.torch.tensors import Records, storages_of

MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The first pickle: a number that only these files begin with."""
_BEFORE = 3
"""Pickles before the object: the number, the version and facts about the system."""
_COUNT = 8


def read_stream(source: Source, most: int) -> tuple[Pickled, Records]:
    """Return the saved object, and the places of its storages."""
    head = source.read(0, min(source.size, most))
    at = 0
    for _ in range(_BEFORE):
        at = read_pickle(head, at).end
    saved = read_pickle(head, at)
    keys = read_pickle(head, saved.end)
    if not isinstance(keys.root, list):
        raise MalformedError("corrupt", "it does not list its storages")
    return saved, Records(_places(source, keys, storages_of(saved.root)))


def _places(
    source: Source, keys: Pickled, sizes: dict[str, Any]
) -> dict[str, tuple[int, int] | None]:
    """Return where each storage is: the number of its elements, then the elements."""
    places: dict[str, tuple[int, int] | None] = {}
    at = keys.end
    for key in map(bounded, map(str, keys.root)):
        elements = source.number(at, "<q", f"storage '{key}'")
        width = sizes.get(key)
        if width is None or elements < 0:
            break  # the place of the next one is unknown
        length = elements * width
        source.require(at + _COUNT, length, f"storage '{key}'")
        places[key] = at + _COUNT, length
        at += _COUNT + length
    return places
