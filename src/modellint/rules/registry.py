"""Discovery and loading of rule files."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellint.base.data import cache_dir, data_dir, files_below, parse_toml, stamp_of
from modellint.base.errors import UsageError
from modellint.base.expressions import late
from modellint.base.files import read_text
from modellint.base.mistakes import FileMistake, syntax_mistake
from modellint.base.paths import leads_out, real_path
from modellint.base.plugins import plugins as installed_plugins
from modellint.base.rebuild import from_plain, to_plain
from modellint.base.store import Store
from modellint.base.suggest import did_you_mean
from modellint.base.version import __version__
from modellint.capability import Capability
from modellint.formats.registry import dialects
from modellint.operators import Trait
from modellint.rules.rule import Autofix, Example, Examples, Match, MatchCase, Option, Rule
from modellint.rules.users import (
    PLUGIN_GROUP,
    RuleFileError,
    require_check,
    require_patterns,
    require_texts,
    rule_error,
)

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

FILE_NAME = re.compile(r"(?P<code>[A-Z]{2,5}\d{3})-(?P<name>[a-z0-9]+(?:-[a-z0-9]+)*)\.toml")


def load_rules(
    extra_dirs: Sequence[Path] = (), *, plugins: bool = True, examples: bool = True
) -> dict[str, Rule]:
    """Return the rules by code: built-in ones, those of plugins, and those of the user's folders.

    Without `examples`, built-in rules have none: they take longer to load than all else.
    """
    rules = dict(_built_in(examples))
    for folder in _plugin_dirs() if plugins else ():
        _add(rules, (read_rule(Path(path)) for path in _rule_files(folder)))
    for folder in extra_dirs:
        if not folder.is_dir():
            raise UsageError(f"rule folder {folder} does not exist")
        _add(rules, map(_read_user_rule, rule_files(folder)))
    return dict(sorted(rules.items()))


def with_examples(rule: Rule) -> Rule:
    """Return a rule that was loaded without examples with its examples."""
    whole = _built_in(examples=True).get(rule.code)
    return whole if whole is not None and whole.file == rule.file else rule


def _add(rules: dict[str, Rule], more: Iterable[Rule]) -> None:
    for rule in more:
        if rule.code in rules:
            other = rules[rule.code].name
            raise rule_error(rule.path, f"code {rule.code} is already used by {other!r}")
        rules[rule.code] = rule


def _read_user_rule(path: Path) -> Rule:
    return _of_user(read_rule(path), path)


def _of_user(rule: Rule, path: Path) -> Rule:
    """Return a rule from a configured folder, which may contain data but not import code."""
    require_check(rule, path, _built_in(examples=False).values())
    require_texts(rule, path)
    require_patterns(rule, path)
    return rule


def read_tested_rule(path: Path) -> Rule:
    """Read a rule to run its examples: ours and those of plugins may have Python checks."""
    path = real_path(path)
    return _tested(read_rule(path), path)


def parse_tested_rule(text: str, path: Path) -> Rule:
    """Validate a rule in the text of a file, which may not have been saved."""
    path = real_path(path)
    return _tested(_rule(_parsed(text, path), path), path)


def _tested(rule: Rule, path: Path) -> Rule:
    return rule if is_trusted(path) else _of_user(rule, path)


def is_trusted(path: Path) -> bool:
    """Return True for rule files of ours and of plugins, which may have Python checks."""
    folders = [data_dir("rules"), *_plugin_dirs()]
    return any(real_path(folder) in real_path(path).parents for folder in folders)


def is_built_in(rule: Rule) -> bool:
    """Return True for modellint's own rules."""
    return rule.file.startswith(f"{data_dir('rules')}{os.sep}")


_TRAITS = late(r"<([^>]*)>")


def read_rule(path: Path) -> Rule:
    """Read and validate the rule of a file."""
    _require_name(path)
    return _rule(_read_table(path), path)


def _require_name(path: Path) -> re.Match[str]:
    named = FILE_NAME.fullmatch(path.name)
    if named is None:
        raise rule_error(path, "invalid file name (example: FUS002-dead-end.toml)")
    return named


def _rule(table: dict[str, Any], path: Path) -> Rule:
    named = _require_name(path)
    rule = _validate(table, path, named["code"], named["name"])
    if sum(map(bool, (rule.match, rule.check, rule.problem))) != 1:
        raise rule_error(path, "needs exactly one of [match], check and problem")
    for dialect in rule.dialect.split():
        if dialect not in dialects():
            hint = did_you_mean(dialect, dialects(), f"choose from {', '.join(sorted(dialects()))}")
            raise rule_error(path, f"unknown dialect {dialect!r}; {hint}", "dialect")
    return replace(rule, operators=_operators(rule, path))


def _operators(rule: Rule, path: Path) -> tuple[str, ...]:
    """Return the choices of operators that a rule states itself, or that its patterns name."""
    if rule.match and rule.operators:
        raise rule_error(path, "operators: its patterns name them", "operators")
    known = [trait.value for trait in Trait]
    for index, text in enumerate(rule.operators):
        for trait in _TRAITS.findall(text):
            if trait not in known:
                hint = did_you_mean(trait, known)
                mistake = f"<{trait}>: no operators have this trait; {hint}"
                raise rule_error(path, mistake.rstrip("; "), "operators", index)
    if not rule.match:
        return rule.operators
    from modellint.rules.pattern.syntax import choices_of

    return choices_of([match.pattern for match in rule.match])


def _rule_files(folder: Path) -> Iterator[str]:
    """Iterate over rule files in a folder and its family folders, which may contain other data."""
    return (each for each in files_below(folder, ".toml") if FILE_NAME.fullmatch(_name_of(each)))


def _name_of(path: str) -> str:
    return path.rpartition(os.sep)[2]


def rule_files(folder: Path) -> Iterator[Path]:
    """Iterate over rule files, including misnamed ones, which are errors."""
    for path in sorted(folder.glob("**/*.toml")):
        if leads_out(folder, path):
            raise UsageError(f"{path} is a link that points outside the rule folder")
        if FILE_NAME.fullmatch(path.name) or "match" in _read_table(path):
            yield path


def _read_table(path: Path) -> dict[str, Any]:
    try:
        text = read_text(path)
    except OSError as error:
        raise rule_error(path, str(error.strerror)) from error
    except ValueError as error:  # of the encoding
        raise rule_error(path, str(error)) from error
    return _parsed(text, path)


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        return parse_toml(text)
    except ValueError as error:
        raise RuleFileError(path, syntax_mistake(str(error))) from error


def _validate(table: dict[str, Any], path: Path, code: str, name: str) -> Rule:
    from pydantic import ValidationError

    place: dict[str, Any] = {"code": code, "name": name, "family": path.parent.name}
    place["file"] = str(path)
    is_single = isinstance(table.get("match"), dict)
    if is_single:
        place["match"] = [table["match"]]
    try:
        rule: Rule = _rule_adapter().validate_python({**table, **place})
    except ValidationError as error:
        mistakes = (_mistake(each, is_single) for each in error.errors())
        raise RuleFileError(path, *mistakes) from error
    return rule


def _mistake(error: Any, is_single: bool) -> FileMistake:
    """Describe an error with its key, in terms of the file rather than pydantic's."""
    keys = tuple(error["loc"])
    if is_single and keys[:2] == ("match", 0):
        keys = ("match", *keys[2:])
    where = ".".join(map(str, keys))
    if error["type"] in ("missing", "missing_argument"):
        return FileMistake(f"{where} is missing", keys)
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        hint = did_you_mean(str(keys[-1]), _keys_beside(keys))
        return FileMistake(f"{where}: unknown key" + (f"; {hint}" if hint else ""), keys)
    moved = error["loc"][0] == "needs" and error["input"] in list(Capability)
    hint = f'; write reads = ["{error["input"]}"]' if moved else ""
    return FileMistake(f"{where}: {error['msg'].removeprefix('Input ')}{hint}", keys)


_TABLES: Mapping[str, type[Any]] = {
    "autofix": Autofix,
    "cases": MatchCase,
    "examples": Example,
    "match": Match,
    "options": Option,
}
"""Tables within a rule file, by their keys."""


def _keys_beside(keys: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the innermost table that a key stands in."""
    tables = [_TABLES[key] for key in keys[:-1] if isinstance(key, str) and key in _TABLES]
    return [field.name for field in fields(tables[-1] if tables else Rule)]


@cache
def _rule_adapter() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(Rule)


def _plugin_dirs() -> Iterable[Path]:
    """Return the rule folders of plugins (`modellint.rules`)."""
    return [_plugin_dir(point) for point in installed_plugins(PLUGIN_GROUP)]


def _plugin_dir(point: EntryPoint) -> Path:
    module = point.load()
    return Path(module) if isinstance(module, (str, Path)) else Path(module.__file__).parent


# The built-in rules are many small files. Parsed once, they are kept as JSON in the cache
# directory, so that a run pays neither for TOML nor for pydantic; and their examples in a file of
# their own, which only those who show them read.


@cache
def _built_in(examples: bool) -> dict[str, Rule]:
    store, edition = Store(cache_dir()), built_in_edition()
    try:
        rules = _kept_rules(store.load(f"rules-{edition}"))
        if not examples:
            return rules
        shown = store.load(f"rule-examples-{edition}")
        return {
            code: replace(rule, examples=from_plain(Examples, shown[code]))
            for code, rule in rules.items()
        }
    except (KeyError, TypeError, ValueError, AttributeError):  # absent, or not as we wrote it
        return _read_and_keep(store, edition)


def _kept_rules(tables: Sequence[Mapping[str, Any]]) -> dict[str, Rule]:
    """Return the kept rules; raise ValueError unless they are those of the built-in files."""
    files = _built_in_files()
    if sorted(table["code"] for table in tables) != sorted(files):
        raise ValueError("rules other than the built-in ones")
    rules = {
        table["code"]: from_plain(Rule, {**table, "file": files[table["code"]]}) for table in tables
    }
    if any(":" in (rule.check or "") for rule in rules.values()):
        raise ValueError("a built-in rule never imports other code")
    return rules


@cache
def _built_in_files() -> dict[str, str]:
    """Return the paths of built-in rule files by code, without reading them."""
    return {_name_of(path).partition("-")[0]: path for path in _rule_files(data_dir("rules"))}


def _read_and_keep(store: Store, edition: str) -> dict[str, Rule]:
    rules = {code: read_rule(Path(path)) for code, path in _built_in_files().items()}
    tables = {code: to_plain(rule) for code, rule in rules.items()}
    for table in tables.values():
        del table["file"]  # what is kept says nothing of where rules are
    examples = {code: table.pop("examples", {}) for code, table in tables.items()}
    for old in ("rules-*", "rule-examples-*"):
        store.discard(old)
    store.save(f"rules-{edition}", list(tables.values()))
    store.save(f"rule-examples-{edition}", examples)
    return rules


@cache
def built_in_edition() -> str:
    """Return a key that changes with the built-in rule files and this program."""
    code = (Path(__file__), Path(__file__).with_name("rule.py"))
    stamp = stamp_of((*code, *_built_in_files().values()))
    return hashlib.sha256(f"{__version__}\n{stamp}".encode()).hexdigest()[:16]
