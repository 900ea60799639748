"""Words of rule files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, get_type_hints

from modellint.base.mistakes import KeyPath
from modellint.base.toml_text import TomlText
from modellint.lsp.words import (
    CLASS,
    FUNCTION,
    PROPERTY,
    Project,
    Word,
    fields_of,
    named,
    of_type,
    runtimes,
    target_meaning,
    targets,
)
from modellint.rules.rule import (
    Autofix,
    Example,
    Fuser,
    Match,
    MatchCase,
    Option,
    Rule,
)

FROM_PATH = frozenset({"code", "name", "family", "file"})
"""Fields of a rule that its path states."""
EXPRESSIONS = frozenset({"where", "facts", "when"})
_VARIABLE = re.compile(r"[A-Za-z_]\w*")
_WORD = re.compile(r"[\w.]*")


def keys(path: KeyPath, project: Project) -> Iterable[Word]:
    """Return what can be a key of a table."""
    kind = _class_of(path)
    if kind is not None:
        return [word for word in fields_of(kind) if kind is not Rule or word.text not in FROM_PATH]
    if path == ("examples",):
        return [Word(name, kind=PROPERTY) for name in ("invalid", "valid")]
    return runtimes() if path == ("fused_by",) else ()


def _class_of(path: KeyPath) -> type | None:
    """Return the class that a table becomes."""
    names = tuple(each for each in path if isinstance(each, str))
    if len(names) == 2 and names[0] in _OF_NAMED:
        return _OF_NAMED[names[0]]
    return _CLASSES.get(names)


_CLASSES: Mapping[tuple[str, ...], type] = {
    (): Rule,
    ("match",): Match,
    ("match", "cases"): MatchCase,
    ("autofix",): Autofix,
    ("examples", "invalid"): Example,
    ("examples", "valid"): Example,
}
_OF_NAMED: Mapping[str, type] = {"options": Option, "fused_by": Fuser}
"""Tables whose keys the file chooses."""


def headers() -> Iterator[Word]:
    for name in ("match", "autofix", "options", "fused_by", "messages", "fixes"):
        yield Word(name, kind=PROPERTY)
    for name in ("examples.invalid", "examples.valid"):
        yield Word(name, "[[ ]]", kind=PROPERTY)


def values(path: KeyPath, typed: str, toml: TomlText, project: Project) -> Iterable[Word]:
    """Return what can be the value of a key, or come next in a pattern or an expression."""
    names = [each for each in path if isinstance(each, str)]
    last = names[-1]
    if last == "pattern":
        return operators() if _names_an_operator(typed) else ()
    if EXPRESSIONS & set(names):
        return [*functions(), *variables(path, toml)]
    if last in ("report", "nodes", "witness"):
        return variables(path, toml)
    if last in ("runtimes", "stopped", "runtime"):
        return runtimes()
    if last == "target":
        return targets(project)
    if last == "dialect":
        return dialects()
    kind = _class_of(path[: path.index(last)])
    return of_type(get_type_hints(kind).get(last)) if kind is not None else ()


def last_word(text: str) -> str:
    """Return the end of the typed text that a completion replaces."""
    found = _WORD.match(text[::-1])  # from the end: a search would begin again at each letter
    return found[0][::-1] if found is not None else ""


def _names_an_operator(typed: str) -> bool:
    line = typed.rpartition("\n")[2]
    return "=" in line and "(" not in line.partition("=")[2]


@cache
def operators() -> Sequence[Word]:
    """Return the operators of the catalogue, with their inputs and traits."""
    from modellint.operators import rows

    return [
        Word(row.name, " ".join(row.inputs), _operator_meaning(row), CLASS)
        for row in rows().values()
    ]


def _operator_meaning(row: Any) -> str:
    inputs = f"Inputs: {', '.join(row.inputs)}." if row.inputs else ""
    traits = f"Traits: {', '.join(sorted(trait.value for trait in row.traits))}."
    return "\n\n".join(filter(None, (inputs, traits if row.traits else "")))


@cache
def functions() -> Sequence[Word]:
    """Return the functions of expressions, with their docstrings."""
    from modellint.rules.pattern.functions import FUNCTIONS

    return [
        Word(name, each.kind, each.run.__doc__ or "", FUNCTION) for name, each in FUNCTIONS.items()
    ]


def dialects() -> Iterator[Word]:
    from modellint.formats.registry import dialects as known

    return (Word(name) for name in sorted(known()))


def variables(path: KeyPath, toml: TomlText) -> list[Word]:
    """Return the variables of the pattern in the block that a path is in."""
    block = path[: 2 if len(path) > 1 and isinstance(path[1], int) else 1]
    pattern = toml.find((*block, "pattern"))
    text = pattern.text if pattern is not None and pattern.path[-1] == "pattern" else None
    found: dict[str, None] = {}
    for line in (text or "").splitlines():
        outputs, _, call = line.partition("#")[0].partition("=")
        for part in (outputs, call.partition("(")[2]):
            found |= dict.fromkeys(_VARIABLE.findall(part))
    return [Word(name) for name in found if name != "_"]


def key_meaning(path: KeyPath, project: Project) -> str:
    """Return the explanation of a key."""
    name = path[-1]
    if not isinstance(name, str):
        name, path = str(path[-2]), path[:-1]
    return named(keys(path[:-1], project), name)


def value_meaning(path: KeyPath, text: str, at: int, project: Project) -> str:
    """Return the explanation of the word at an offset of a text."""
    names = {each for each in path if isinstance(each, str)}
    before, after = last_word(text[:at]), re.match(r"[\w.]*", text[at:])
    word = before + (after[0] if after is not None else "")
    if "pattern" in names:
        return named(operators(), word)
    if EXPRESSIONS & names:
        return named(functions(), word)
    if names & {"runtimes", "stopped", "runtime"}:
        return named(runtimes(), text)
    return target_meaning(project, text) if "target" in names else ""
