"""Kinds of documents and their mistakes: the messages of the command line, with positions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, Literal

from modellint.base.data import data_dir
from modellint.base.errors import UsageError
from modellint.base.mistakes import FileMistake
from modellint.base.toml_text import Range
from modellint.config.load import NAMES, Config, ConfigError
from modellint.config.places import keys_in
from modellint.lsp.documents import TOP, OpenDocument

Kind = Literal["configuration", "rule", "target"]
ERROR, WARNING, INFORMATION = 1, 2, 3
SOURCE = "modellint"

Diagnosis = dict[str, Any]
ConfigCheck = Callable[[Config], object]
"""Raises UsageError for what another part of the program would say of a configuration."""


def kind_of(document: OpenDocument) -> Kind | None:
    if document.path.name in NAMES:
        return "configuration"
    if document.path.suffix != ".toml":
        return None
    if _is_rule(document):
        return "rule"
    return "target" if _is_target(document) else None


def _is_rule(document: OpenDocument) -> bool:
    from modellint.rules.registry import FILE_NAME
    from modellint.rules.rule import Rule

    keys = {place.path[0] for place in document.toml.places}
    if FILE_NAME.fullmatch(document.path.name):
        return not keys or any(each.name in keys for each in fields(Rule))
    if "match" not in keys:
        return False
    from modellint.lsp.words import Project

    folders = Project(document.path).folders("rules")
    return any(document.path.is_relative_to(folder) for folder in folders)


def _is_target(document: OpenDocument) -> bool:
    folders = (data_dir("hardware_targets"), *_target_folders(document))
    return any(document.path.is_relative_to(folder) for folder in folders)


def _target_folders(document: OpenDocument) -> list[Path]:
    from modellint.lsp.words import Project

    return Project(document.path).folders("target-dirs")


def diagnose(document: OpenDocument, more: ConfigCheck) -> list[Diagnosis]:
    """Return the mistakes in a document."""
    kind = kind_of(document)
    if kind == "configuration":
        return list(_of_configuration(document, more))
    if kind == "target":
        return list(_of_target(document))
    return list(_of_rule(document)) if kind == "rule" else []


def _of_configuration(document: OpenDocument, more: ConfigCheck) -> Iterator[Diagnosis]:
    from modellint.config.load import parse_config
    from modellint.planning.setup import check_config

    try:
        config = parse_config(document.text, document.path)
        more(config)
        doubts = check_config(config).doubts
    except UsageError as error:
        yield from _diagnoses(document, error, ERROR)
    else:
        for doubt in doubts:
            yield from _diagnoses(document, doubt, WARNING)


def _diagnoses(document: OpenDocument, error: UsageError, severity: int) -> Iterator[Diagnosis]:
    """Iterate over the mistakes of an error, which may be about a file that this one names."""
    if isinstance(error, ConfigError):
        in_file = partial(keys_in, document.path)
        for mistake in error.mistakes:
            yield _diagnosis(document, mistake, severity, in_file(mistake.keys))
    else:
        yield _diagnosis(document, FileMistake(str(error)), severity, _named_by(document, error))


def _named_by(document: OpenDocument, error: UsageError) -> tuple[str | int, ...]:
    from modellint.rules.users import RuleFileError
    from modellint.targets import TargetFileError

    keys = {RuleFileError: "rules", TargetFileError: "target-dirs"}
    key = keys.get(type(error), "baseline" if "baseline" in str(error) else "")
    return keys_in(document.path, (key,))


def _of_rule(document: OpenDocument) -> Iterator[Diagnosis]:
    from modellint.rules.registry import parse_tested_rule
    from modellint.rules.users import RuleFileError

    try:
        parse_tested_rule(document.text, document.path)
    except RuleFileError as error:
        yield from diagnose_rule(document, error.mistakes)


def _of_target(document: OpenDocument) -> Iterator[Diagnosis]:
    from modellint.targets import TargetFileError, parse_target

    try:
        parse_target(document.text, document.path, _target_folders(document))
    except TargetFileError as error:
        for mistake in error.mistakes or (FileMistake(str(error)),):
            yield _diagnosis(document, mistake, ERROR, mistake.keys)


def diagnose_rule(document: OpenDocument, mistakes: Iterable[FileMistake]) -> Iterator[Diagnosis]:
    """Iterate over mistakes of a rule file, with their places."""
    blocks = {place.path[:2] for place in document.toml.places}
    for mistake in mistakes:
        keys = mistake.keys
        if ("match", 0) in blocks and keys[:1] == ("match",) and keys[:2] not in blocks:
            keys = ("match", 0, *keys[1:])  # a list of one, of which messages speak as of a table
        yield _diagnosis(document, mistake, ERROR, keys)


def _diagnosis(
    document: OpenDocument, mistake: FileMistake, severity: int, keys: Sequence[str | int]
) -> Diagnosis:
    place = _place(document, mistake, keys)
    return {
        "range": document.range(place) if place is not None else TOP,
        "severity": severity,
        "source": SOURCE,
        "message": mistake.text,
    }


def _place(document: OpenDocument, mistake: FileMistake, keys: Sequence[str | int]) -> Range | None:
    if not mistake.keys and mistake.line is not None:
        return document.at_line(mistake.line, mistake.column)
    place = document.toml.find(keys)
    if place is None:
        return None
    is_exact = place.path == tuple(keys) and place.text is not None and place.value is not None
    if mistake.line is None or not is_exact:
        return place.range
    assert place.text is not None
    assert place.value is not None
    lines = place.text.splitlines(keepends=True)
    before = sum(map(len, lines[: mistake.line - 1]))
    line = lines[mistake.line - 1].rstrip() if mistake.line <= len(lines) else ""
    indent = 0 if len(lines) > 1 else len(line) - len(line.lstrip())
    start = place.content + before + min(mistake.column - 1 + indent, max(len(line) - 1, 0))
    return Range(start, max(place.content + before + len(line), start + 1))
