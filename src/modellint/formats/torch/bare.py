"""Reads what unpickling would import, of a file that is a pickle and nothing more."""

from __future__ import annotations

import re
from pathlib import Path

from modellint.base.text import bounded
from modellint.formats.problems import Problems
from modellint.formats.source import Source
from modellint.formats.torch import PICKLE
from modellint.formats.torch.facts import TorchFacts
from modellint.formats.torch.pickled import imports_of
from modellint.model import Model

MOST_READ = 32 << 20
MOST_NAMED = 5
_PROTOCOLS = b"\x02\x03\x04\x05"
_FRAMED = b"\x04\x05"
_FIRST = b"\x95}](cX\x8a\x8c)K"
"""Instructions that pickles of the first binary protocols begin with."""
_OLDEST = re.compile(
    rb"[(\]}]*c[A-Za-z_][\w.]*\n[A-Za-z_][\w.]*\n([(\]})]|p\d+\n|q[\0-\x1f]|S['\"]|I\d+\n)"
    rb"|\([dl]p\d+\n|[\]}]q\0"
)
"""Beginning of pickles of protocols 0 and 1: an import, or a container that is remembered.

Lines of text may be the same as an import, but what follows one in a pickle is seldom a word."""


def sniff(head: bytes, path: Path) -> bool:
    if head[:1] == b"\x80" and head[1:2] in _PROTOCOLS and len(head) > 2:
        return head[2:3] in _FIRST or head[1:2] in _FRAMED
    return _OLDEST.match(head) is not None


def read(path: Path) -> Model:
    with Source(path) as source:
        imports, is_whole = imports_of(source.read(0, min(source.size, MOST_READ)))
    model = Model(path, PICKLE.name)
    model.capabilities = PICKLE.tells
    model.format_facts = TorchFacts("pickle", imports=imports)
    names = [bounded(str(each)) for each in imports]
    listed = ", ".join(names[:MOST_NAMED])
    if len(names) > MOST_NAMED or not is_whole:
        listed += " and more" if names else ""
    problems = Problems()
    part = {} if names else {"part": "nothing" if is_whole else "unknown"}
    problems.note("pickle", listed=listed, **part)
    model.problems = problems
    return model
