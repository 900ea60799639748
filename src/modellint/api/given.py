"""Settings as arguments of functions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any, TypedDict, get_origin, get_type_hints

from modellint.base.errors import UsageError
from modellint.base.rebuild import checked_from_plain
from modellint.base.suggest import did_you_mean
from modellint.config.load import CommandLine
from modellint.config.settings import FailOn, Level, OptionValue, Quantity, Settings, kebab
from modellint.targets.deployment import KvPrecision, Parallel
from modellint.targets.target import Precision

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

    PathText = str | os.PathLike[str]
    Texts = str | Iterable[str]

ELSEWHERE = frozenset({"output"})
"""Settings that are not arguments, since the program decides what is written."""


class GivenSettings(TypedDict, total=False):
    """Settings by name: those of docs/configuration.md, which they override."""

    select: Texts | None
    extend_select: Texts
    ignore: Texts
    per_file_ignores: Mapping[str, Texts]
    severity: Mapping[str, Level]
    rule_options: Mapping[str, Mapping[str, OptionValue]]
    rules: Texts
    targets: Texts
    target_dirs: Texts
    runtime: str | None
    runtime_version: str | None
    precision: Precision | None
    batch: int | None
    shapes: Mapping[str, str | Mapping[str, str]]
    per_file_shapes: Mapping[str, Mapping[str, str | Mapping[str, str]]]
    symbols: Mapping[str, int]
    dla: bool
    contexts: Texts
    kv_precision: KvPrecision | None
    flash_attention: bool | None
    devices: int
    parallel: Parallel | None
    budgets: Mapping[str, Quantity] | None
    per_file_budgets: Mapping[str, Mapping[str, Quantity]]
    diff_budgets: Mapping[str, str]
    suppress: Iterable[Mapping[str, Any]]
    baseline: PathText | None
    inline_suppressions: bool
    fail_on: FailOn
    fixable: Texts
    unfixable: Texts
    unsafe_fixes: bool
    fix_dims: Mapping[str, int]
    fix_choices: Mapping[str, str]
    exclude: Texts
    include: Texts
    force_exclude: bool
    max_fetch: Quantity | None
    fetch_timeout: float
    respect_gitignore: bool
    weights: bool
    weights_budget: Quantity | None
    verify: Literal["ort"] | None
    probe: str | None
    probe_level: Literal["parse", "build"]
    probe_timeout: float
    probe_memory: Quantity | None
    probe_workspace: Quantity | None
    probes: Mapping[str, Mapping[str, Any]]
    save_engine: PathText | None
    profile: PathText | Iterable[PathText]
    max_findings_per_rule: int
    jobs: int | None
    cache: bool
    cache_dir: PathText | None


def overriding(
    given: Mapping[str, Any], config: Path | None, isolated: bool, **fixed: Any
) -> CommandLine:
    """Return settings as the command line gives them; `fixed` ones are not for the caller."""
    return CommandLine({**_values(given), **fixed}, config, isolated)


def _values(given: Mapping[str, Any]) -> dict[str, Any]:
    known = _kinds()
    for name in given:
        if name not in known:
            raise UsageError(f"unknown setting {name!r}; {did_you_mean(name, known) or _WHERE}")
    return {name: _value(name, value) for name, value in given.items() if value is not None}


_WHERE = "docs/configuration.md lists them"


@cache
def _kinds() -> dict[str, Any]:
    hints = get_type_hints(Settings)
    return {each.name: hints[each.name] for each in fields(Settings) if each.name not in ELSEWHERE}


def _value(name: str, value: object) -> Any:
    """Return a setting's value in the form that a configuration file would give it, checked."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if get_origin(_kinds()[name]) is tuple:
        value = [value] if isinstance(value, str) else _listed(value)
    elif isinstance(value, Mapping):
        value = {key: _plain(each) for key, each in value.items()}
    try:
        settings = checked_from_plain(Settings, {kebab(name): value})
    except ValueError as error:
        raise UsageError(f"{name}: {value!r} is not a valid value for this setting") from error
    return getattr(settings, name)


def _listed(value: object) -> list[Any]:
    return [_plain(each) for each in value] if isinstance(value, Iterable) else [value]


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {key.replace("_", "-"): each for key, each in value.items()}
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    return os.fspath(value) if isinstance(value, os.PathLike) else value
