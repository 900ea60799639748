"""Words that are valid at a position of a configuration or a rule file, and their meanings."""

from __future__ import annotations

import ast
import datetime
import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from enum import Enum
from functools import cache
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from modellint.base.errors import UsageError
from modellint.base.links import rule_url
from modellint.base.records import dataclass
from modellint.config.load import CommandLine, Configs

if TYPE_CHECKING:
    from modellint.rules.rule import Rule

FUNCTION, CLASS, PROPERTY, VALUE, ENUM, KEYWORD, DEVICE = 3, 7, 10, 12, 13, 14, 21
"""Kinds of completions, as the protocol numbers them."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word that can be written."""

    text: str
    detail: str = ""
    meaning: str = ""
    """Its explanation, as Markdown."""
    kind: int = VALUE
    is_plain: bool = False
    """True if it is written without quotes, although it is a value."""


class Project:
    """Rules and targets that a document may name, those of its configuration included."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def folders(self, key: Literal["rules", "target-dirs"]) -> list[Path]:
        """Return the folders that the configuration on the disk names, if it has no mistakes."""
        try:
            config = Configs(CommandLine({})).of(self._path.parent)
            names = getattr(config.settings, key.replace("-", "_"))
            return [path for path in (config.path(key, name) for name in names) if path.is_dir()]
        except UsageError:
            return []

    def rules(self) -> Mapping[str, Rule]:
        from modellint.rules.registry import load_rules

        try:
            return load_rules(self.folders("rules"), examples=False)
        except UsageError:
            return load_rules(examples=False)

    def rule(self, name: str) -> Rule | None:
        """Return the rule with this code or name."""
        from modellint.rules.selection import find_rule

        return find_rule(name, self.rules())


def selectors(project: Project) -> Iterator[Word]:
    """Iterate over what selects rules: codes, prefixes, families, names."""
    rules = project.rules()
    for code, rule in rules.items():
        yield Word(code, rule.name, rule_meaning(rule), ENUM)
    groups: dict[str, list[Rule]] = {}
    for rule in rules.values():
        for name in (rule.family, rule.code[:-3]):
            groups.setdefault(name, []).append(rule)
    for name, members in sorted(groups.items()):
        yield Word(name, f"{len(members)} rules", _listed(members), CLASS)
    for code, rule in rules.items():
        yield Word(rule.name, code, rule_meaning(rule))
    yield Word("ALL", f"{len(rules)} rules", "Every rule, also those that are off.", KEYWORD)


def selector_meaning(project: Project, name: str) -> str:
    from modellint.rules.selection import covers

    rule = project.rule(name)
    if rule is not None:
        return rule_meaning(rule)
    return _listed([each for each in project.rules().values() if covers(name, each)])


def rule_meaning(rule: Rule) -> str:
    """Return a description of a rule, as Markdown."""
    from modellint.rules.message import as_prose

    traits = " · ".join((rule.severity, rule.family, *rule.runtimes))
    parts = (
        f"**{rule.code}** `{rule.name}` · {traits}",
        rule.summary,
        as_prose(rule.why.strip()),
        f"**Fix.** {as_prose(rule.fix.strip())}",
        *(f"- `{name}` = `{each.default}`: {each.help}" for name, each in rule.options.items()),
        *(f"[Documentation]({url})" for url in [rule_url(rule.code)] if url),
    )
    return "\n\n".join(parts)


MOST_SHOWN = 40


def _listed(rules: Sequence[Rule]) -> str:
    lines = [f"- **{rule.code}** {rule.summary}" for rule in rules[:MOST_SHOWN]]
    more = [f"- … and {len(rules) - MOST_SHOWN} more"] if len(rules) > MOST_SHOWN else []
    return "\n".join([*lines, *more])


def targets(project: Project) -> Iterable[Word]:
    try:
        folders = tuple(project.folders("target-dirs"))
        return _devices(folders) if folders else _built_in_devices()
    except UsageError:  # a broken file of a target, which is a mistake of its own
        return _built_in_devices()


@cache
def _built_in_devices() -> tuple[Word, ...]:
    return _devices(())


def _devices(folders: tuple[Path, ...]) -> tuple[Word, ...]:
    from modellint.targets import load_targets, target_groups
    from modellint.targets.brief import in_brief

    groups = target_groups(folders).items()
    return (
        *(Word(each.id, each.name, in_brief(each), DEVICE) for each in load_targets(folders)),
        *(Word(name, f"{len(ids)} devices", ", ".join(ids), CLASS) for name, ids in groups),
        Word("host", "this machine", "The machine that modellint runs on.", KEYWORD),
        Word("all", "every device", "", KEYWORD),
    )


def target_meaning(project: Project, name: str) -> str:
    return next((word.meaning for word in targets(project) if word.text == name), "")


def runtimes() -> Iterator[Word]:
    from modellint import runtimes as registry
    from modellint.runtimes.versions import newest_version

    for name, runtime in registry.runtimes().items():
        version = newest_version(name)
        newest = f"Newest known version: {version}." if version else ""
        yield Word(name, runtime.title, newest, ENUM)


def versions(runtime: str | None) -> Iterator[Word]:
    from modellint.runtimes.versions import releases

    for release in reversed(releases(runtime) if runtime else ()):
        yield Word(release.version)


def of_type(hint: Any) -> Iterator[Word]:
    """Iterate over the values of a type that has few: Literal, an enumeration, bool."""
    if get_origin(hint) in (Union, UnionType, tuple):
        for each in get_args(hint):
            yield from of_type(each)
    elif get_origin(hint) is Literal:
        yield from (Word(str(each), kind=ENUM) for each in get_args(hint))
    elif isinstance(hint, type) and issubclass(hint, Enum):
        yield from (Word(str(each.value), kind=ENUM) for each in hint)
    elif hint is bool:
        yield from (Word(name, kind=KEYWORD, is_plain=True) for name in ("true", "false"))


def fields_of(kind: type) -> Iterator[Word]:
    """Iterate over the fields of one of our classes, with the docstrings below them."""
    said, hints = docstrings(kind), get_type_hints(kind)
    for each in fields(kind):
        yield Word(each.name, type_name(hints[each.name]), said.get(each.name, ""), PROPERTY)


@cache
def docstrings(kind: type) -> dict[str, str]:
    """Return the docstrings below the attributes of a class, which Python does not keep."""
    (tree,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(tree, ast.ClassDef)
    said, name = {}, ""
    for statement in tree.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name = statement.target.id
        elif name and isinstance(statement, ast.Expr):
            text = ast.literal_eval(statement.value) if _is_text(statement.value) else ""
            said[name] = inspect.cleandoc(text)
            name = ""
    return said


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


_NAMES: Mapping[Any, str] = {
    str: "text",
    int: "number",
    float: "number",
    bool: "true or false",
    datetime.date: "date",
}


def type_name(hint: Any) -> str:
    """Describe the type of a key, in a word or by its choices."""
    if hint in _NAMES:
        return _NAMES[hint]
    choices = [word.text for word in of_type(hint)]
    if choices:
        return " | ".join(choices)
    if get_origin(hint) in (Union, UnionType):
        names = (type_name(each) for each in get_args(hint) if each is not type(None))
        return " or ".join(dict.fromkeys(names))
    return "list" if get_origin(hint) is tuple else "table"


def named(words: Iterable[Word], name: str) -> str:
    """Return the meaning of one of the words."""
    found = next((word for word in words if word.text == name), None)
    if found is None:
        return ""
    head = f"`{found.text}`" + (f" · {found.detail}" if found.detail else "")
    return "\n\n".join(filter(None, (head, found.meaning)))
