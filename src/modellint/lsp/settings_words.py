"""Words of configurations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, get_type_hints

from modellint.base.mistakes import KeyPath
from modellint.base.toml_text import TomlText
from modellint.config.settings import (
    Budgets,
    Level,
    ProbeTable,
    ProfileTable,
    Settings,
    SuppressTable,
    kebab,
)
from modellint.config.starter import default_of
from modellint.lsp.words import (
    CLASS,
    ENUM,
    KEYWORD,
    PROPERTY,
    Project,
    Word,
    fields_of,
    named,
    of_type,
    runtimes,
    selector_meaning,
    selectors,
    target_meaning,
    targets,
    versions,
)
from modellint.report import FORMATS

SELECTING = frozenset(
    {"select", "extend-select", "ignore", "per-file-ignores", "fixable", "unfixable"}
)
"""Settings whose values are names of rules."""
BY_RULE = frozenset({"severity", "rule-options"})
"""Settings whose keys are names of rules."""


def settings() -> Iterator[Word]:
    for each in fields(Settings):
        yield Word(kebab(each.name), default_of(each), _setting_meaning(each.metadata), PROPERTY)


def _setting_meaning(metadata: Mapping[str, Any]) -> str:
    return f"{metadata['help']}\n\nExample: `{metadata['example']}`"


def keys(path: KeyPath, project: Project) -> Iterable[Word]:
    """Return what can be a key of a table."""
    if not path:
        return settings()
    head = path[0]
    if head in BY_RULE and len(path) == 1:
        return selectors(project)
    if head == "rule-options":
        rule = project.rule(str(path[1]))
        options = rule.options if rule is not None else {}
        return [Word(name, str(each.default), each.help) for name, each in options.items()]
    if head == "probes" and len(path) == 1:
        return runtimes()
    kind = _TABLES.get((str(head), len(path)))
    return [] if kind is None else [_kebab(word) for word in fields_of(kind)]


_TABLES: Mapping[tuple[str, int], type] = {
    ("budgets", 1): Budgets,
    ("per-file-budgets", 2): Budgets,
    ("suppress", 2): SuppressTable,
    ("shapes", 2): ProfileTable,
    ("per-file-shapes", 3): ProfileTable,
    ("probes", 2): ProbeTable,
}
"""Classes of tables, by the setting and the length of their path."""


def _kebab(word: Word) -> Word:
    return Word(kebab(word.text), word.detail, word.meaning, word.kind)


def headers() -> Iterator[Word]:
    """Iterate over settings that are tables, as headers name them."""
    for word in settings():
        hint = str(_hints()[word.text])
        if "Mapping" in hint or "Table" in hint or "Budgets" in hint:
            yield word


def values(path: KeyPath, toml: TomlText, project: Project) -> Iterable[Word]:
    """Return what can be the value of a setting, or an element of it."""
    head, last = path[0], path[-1]
    if head in SELECTING or (head == "suppress" and last == "rule"):
        return selectors(project)
    if head == "severity":
        return of_type(Level)
    if head == "rule-options" and len(path) > 2:
        return _option_values(path, project)
    if head == "runtime-version":
        return versions(_runtime(toml, project))
    special = _VALUES.get(str(head))
    if special is not None:
        return special(project)
    return of_type(_hints().get(str(head))) if len(path) <= 2 else ()


def _option_values(path: KeyPath, project: Project) -> Iterable[Word]:
    rule = project.rule(str(path[1]))
    option = rule.options.get(str(path[2])) if rule is not None else None
    if option is None:
        return ()
    if isinstance(option.default, bool):
        return of_type(bool)
    return [Word(choice, kind=ENUM) for choice in option.choices]


def _probes(project: Project) -> Iterable[Word]:
    yield Word("auto", "the best that is installed", kind=KEYWORD)
    yield from runtimes()


def _runtime(toml: TomlText, project: Project) -> str | None:
    """Return the runtime that a document states, or that its first target has."""
    stated = {place.path[-2:]: place.text for place in toml.places if place.text}
    for where, runtime in stated.items():
        if where[-1] == "runtime":
            return runtime
    return _default_runtime(stated.get(("targets", 0), ""), project)


def _default_runtime(name: str, project: Project) -> str | None:
    from modellint.targets import UnknownTarget, find_target

    try:
        return find_target(name, project.folders("target-dirs")).default_runtime
    except UnknownTarget:
        return None


_VALUES: Mapping[str, Callable[[Project], Iterable[Word]]] = {
    "targets": targets,
    "runtime": lambda project: runtimes(),
    "probe": _probes,
    "output": lambda project: (Word(name, kind=CLASS) for name in FORMATS),
}


def _hints() -> dict[str, Any]:
    return {kebab(name): hint for name, hint in get_type_hints(Settings).items()}


def key_meaning(path: KeyPath, project: Project) -> str:
    """Return the explanation of a key."""
    words = [each for each in path if isinstance(each, str)]
    if not words:
        return ""
    if len(path) == 1:
        word = next((each for each in settings() if each.text == words[0]), None)
        if word is None:
            return ""
        default = f" · default `{word.detail}`" if word.detail else ""
        return f"**{word.text}**{default}\n\n{word.meaning}"
    if path[0] in BY_RULE and len(path) == 2:
        return selector_meaning(project, words[-1])
    return named(keys(path[:-1], project), words[-1])


def value_meaning(path: KeyPath, text: str, toml: TomlText, project: Project) -> str:
    """Return the explanation of a string value."""
    head = path[0]
    if head in SELECTING or (head == "suppress" and path[-1] == "rule"):
        return selector_meaning(project, text)
    if head == "targets":
        return target_meaning(project, text)
    return named(values(path, toml, project), text.partition("==")[0])


def rule_named(path: KeyPath, text: str | None) -> str | None:
    """Return the name of a rule, or of several, at a place."""
    if path[0] in BY_RULE and len(path) >= 2:
        return str(path[1])
    is_selector = path[0] in SELECTING or (path[0] == "suppress" and path[-1] == "rule")
    return text if is_selector else None
