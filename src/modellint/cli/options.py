"""Options that are settings, made from the definitions of the settings."""

from __future__ import annotations

import types
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import click

from modellint.cli.command import option
from modellint.cli.completion import complete_rules, complete_runtimes, complete_targets
from modellint.cli.given import (
    Amount,
    Count,
    comma_lists,
    comma_pairs,
    levels,
    one_of,
    one_of_found,
    pairs,
    shapes,
    sizes,
)
from modellint.cli.probing import backends
from modellint.config.settings import CommandOption, ProbeTable, ProfileTable, Settings, kebab

Decorator = Callable[[Any], Any]

_SETTINGS = {item.name: item for item in fields(Settings) if item.metadata["option"] is not None}
_COMPLETIONS = {
    "select": complete_rules,
    "extend_select": complete_rules,
    "ignore": complete_rules,
    "targets": complete_targets,
    "runtime": complete_runtimes,
}


def settings_in(group: str, but: Collection[str] = ()) -> Decorator:
    """Add the options of all settings in a group, but some."""

    def decorate(command: Any) -> Any:
        for name, item in reversed(_SETTINGS.items()):
            if item.metadata["option"].group == group and name not in but:
                command = setting(name)(command)
        return command

    return decorate


def setting(name: str, *, dest: str = "", spelled: str = "", **changes: Any) -> Decorator:
    """Add a setting's option; a verb can change its spelling, heading and texts."""
    item = _SETTINGS[name]
    given: CommandOption = item.metadata["option"]
    off = "no-" if item.default is True else ""
    spelled = spelled or given.name or off + kebab(name)
    both = f"/--no-{spelled}" if _is_either(_hints()[name]) else ""
    spellings = [f"--{spelled}{both}", dest or name]
    if given.short:
        spellings.append(f"-{given.short}")
    return option(
        *spellings,
        **{
            "group": given.group,
            "help": given.help,
            "metavar": given.metavar,
            "shell_complete": _COMPLETIONS.get(name),
            **(_EXCEPTIONS.get(name) or _reading(_hints()[name], item.default, given)),
            **changes,
        },
    )


def given_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings among the options that were given."""
    return {name: given[name] for name in _SETTINGS if given.get(name) not in (None, (), {})}


def _reading(hint: Any, default: object, given: CommandOption) -> dict[str, Any]:
    """Return how click reads a value of a type."""
    if hint is bool:
        return {"is_flag": True, "callback": _opposite_of(default)}
    kinds = [each for each in _alternatives(hint) if each is not type(None)]
    kind, arguments = get_origin(kinds[0]), get_args(kinds[0])
    if kind is tuple:
        return {"multiple": True, "callback": comma_lists}
    if kind is Literal and given.metavar is None:
        return {"type": click.Choice(arguments)}
    if kind is Literal:
        return {"callback": one_of(*arguments)}
    if kind is not None:  # a table
        return {"multiple": True, "callback": _table_reader(arguments[1])}
    if _is_either(hint):
        return {"default": None}
    if kinds == [int]:
        return {"type": Count()}
    if kinds == [float]:
        return {"type": Amount()}
    return {}


def _is_either(hint: Any) -> bool:
    """Return True for a switch that can be on, off, or not set."""
    return bool in _alternatives(hint) and type(None) in _alternatives(hint)


def _table_reader(value: Any) -> Any:
    if get_origin(value) is Literal:
        return levels(*get_args(value))
    if ProfileTable in _alternatives(value):
        return shapes
    return sizes if value is int else pairs


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _opposite_of(default: object) -> Callable[..., bool | None]:
    return lambda ctx, parameter, is_given: (not default) if is_given else None


def _absolute(ctx: click.Context, parameter: click.Parameter, given: str | None) -> str | None:
    """Paths of a configuration start from its folder, but paths typed here from this one."""
    return str(Path(given).absolute()) if given else None


def _interpreters(
    ctx: click.Context, parameter: click.Parameter, given: Any
) -> dict[str, ProbeTable]:
    """Find programs as a shell does: by their paths, or in PATH."""
    if not given:
        return {}
    from modellint.probes.installations import program

    found = {}
    for name, text in pairs(ctx, parameter, given).items():
        python = program(text)
        if python is None:
            raise click.BadParameter(f"{text!r} is not a program", ctx, parameter)
        found[name] = ProbeTable(python)
    return found


def _all_absolute(ctx: click.Context, parameter: click.Parameter, given: Any) -> tuple[str, ...]:
    return tuple(str(Path(each).absolute()) for each in given)


_EXCEPTIONS: Mapping[str, dict[str, Any]] = {
    "diff_budgets": {"multiple": True, "callback": comma_pairs},
    "output": {"multiple": True},  # file names may contain commas
    "probe": {"callback": one_of_found(backends)},
    "probes": {"multiple": True, "callback": _interpreters},
    "profile": {"multiple": True, "callback": _all_absolute},
    "save_engine": {"callback": _absolute},
}
"""Settings whose values are not read as their type says."""


@cache
def _hints() -> dict[str, Any]:
    return get_type_hints(Settings)
