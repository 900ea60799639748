"""Makes docs/formats.md, and the pre-commit hook's file pattern, from the formats' descriptions."""

from __future__ import annotations

import re
import sys

from generated import DOCS, ROOT, Contents, bring_up_to_date

from modellint.capability import Capability
from modellint.formats.format import Format
from modellint.formats.recognised import RECOGNISED
from modellint.formats.registry import READ, file_pattern

PAGE = DOCS / "formats.md"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
HEAD = """\
# File formats

A file is recognised by its content. A walk through a folder picks up the suffixes that mean a
model and nothing else. Those in parentheses are shared with other files: such models are found by
their content if they have data next to them, or have a ¹; others have to be named.
A folder with certain files is one model, whatever its name, and its other files are searched too.
How to add a format: [adding-a-format.md](adding-a-format.md).

| format | suffixes | files that belong to it | what rules can read |
| --- | --- | --- | --- |
"""


TIERS = {
    Capability.GRAPH: "Rules about operators, shapes and types; cost, memory over time, diff.",
    Capability.ARCHITECTURE: "Pages and rules about language models; memory of weights, caches.",
    Capability.WEIGHTS: "Rules about weights: NaN, constants, duplicates, types; their memory.",
    Capability.LAYERS: "Rules about what a runtime has built.",
    Capability.METADATA: "Rules about the file and what it states.",
}
"""By the most that a format tells, and what works then."""
TIER_HEAD = """
## By what they tell

A format is in the first row that it has enough for; what works in later rows works, too.

| tier | formats | what works |
| --- | --- | --- |
"""


OTHERS_HEAD = """
## Recognised, not read

[FIL010](rules/FIL010.md) says so of files that are named, and what to do; a search of a folder
passes over them.

| format | suffixes, among others | instead |
| --- | --- | --- |
"""


def page() -> str:
    rows = "\n".join(map(_row, READ))
    tiers = "\n".join(_tier(capability) for capability in TIERS)
    others = "\n".join(map(_other_row, RECOGNISED))
    return f"{HEAD}{rows}\n{TIER_HEAD}{tiers}\n{OTHERS_HEAD}{others}\n"


def _other_row(format: Format) -> str:
    suffixes = ", ".join(f"`{suffix}`" for suffix in format.all_suffixes)
    return f"| {format.title} | {suffixes} | {format.instead} |"


def _tier(capability: Capability) -> str:
    titles = [format.title for format in READ if _tier_of(format) is capability]
    return f"| {capability} | {', '.join(titles)} | {TIERS[capability]} |"


def _tier_of(format: Format) -> Capability:
    return next(each for each in TIERS if each in format.tells)


def _row(format: Format) -> str:
    suffixes = [f"`{suffix}`" for suffix in format.suffixes]
    suffixes += [f"(`{suffix}`){'¹' * format.searched}" for suffix in format.shared_suffixes]
    suffixes += [" with ".join(f"`{name}`" for name in group) for group in format.contents]
    tells = ", ".join(sorted(each.value for each in format.tells))
    return f"| {format.title} | {', '.join(suffixes)} | {_companions(format)} | {tells} |"


def _companions(format: Format) -> str:
    names = [pattern.format(name="NAME", stem="STEM") for pattern in format.companions]
    named = ["those it names"] if format.names_companions else []
    return ", ".join([*named, *(f"`{name}`" for name in names)])


def hooks() -> str:
    """The manifest of the hooks with the current pattern in it."""
    line = f"files: '{file_pattern()}'"
    return re.sub(r"files: '.*'", lambda _: line, HOOKS.read_text(encoding="utf-8"))


def contents() -> Contents:
    return {PAGE: page(), HOOKS: hooks()}


if __name__ == "__main__":
    sys.exit(bring_up_to_date(contents()))
