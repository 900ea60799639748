"""Words of target files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, BeforeValidator

from modellint.base.mistakes import KeyPath
from modellint.lsp.words import (
    CLASS,
    DEVICE,
    PROPERTY,
    Project,
    Word,
    docstrings,
    named,
    of_type,
    runtimes,
    target_meaning,
    targets,
    type_name,
)
from modellint.targets.schema import BY_RUNTIME, GROUPS, PriceFigures, TargetFile
from modellint.targets.target import Coefficient

EXTENDS = Word(
    "extends",
    "text",
    "Id of the device that this one is like: what the file leaves out is taken from there.",
    PROPERTY,
)


def keys(path: KeyPath, project: Project) -> Iterable[Word]:
    """Return what can be a key of a table."""
    names = _names(path)
    if len(names) == 1 and names[0] in BY_RUNTIME:
        return runtimes()
    if len(names) == 3 and names[2] == "coefficients":
        return of_type(Coefficient)
    kind = _class_of(names)
    if kind is None:
        return ()
    return [EXTENDS, *_fields_of(kind)] if kind is TargetFile else _fields_of(kind)


def headers() -> Iterator[Word]:
    by_name = {word.text: word for word in _fields_of(TargetFile)}
    for name in (*GROUPS, "price", "exceptions"):
        yield by_name[name]
    for name in BY_RUNTIME:
        for runtime in runtimes():
            yield Word(f"{name}.{runtime.text}", "", by_name[name].meaning, PROPERTY)


def values(path: KeyPath, project: Project) -> Iterable[Word]:
    """Return what can be the value of a key, or an element of it."""
    names = _names(path)
    last = names[-1]
    if names == ("extends",):
        return [word for word in targets(project) if word.kind == DEVICE]
    if names == ("groups",):
        return [word for word in targets(project) if word.kind == CLASS]
    if names == ("runtime",):
        return runtimes()
    kind = _class_of(names[:-1])
    if kind is None:
        return ()
    hints = get_type_hints(kind)
    return of_type(next((hints[name] for name, key in _keys_of(kind) if key == last), None))


def key_meaning(path: KeyPath, project: Project) -> str:
    """Return the explanation of a key."""
    names = _names(path)
    return named(keys(names[:-1], project), names[-1])


def value_meaning(path: KeyPath, text: str, project: Project) -> str:
    """Return the explanation of a value."""
    names = _names(path)
    if names == ("runtime",):
        return named(runtimes(), text)
    return target_meaning(project, text) if names in (("extends",), ("groups",)) else ""


def _names(path: KeyPath) -> tuple[str, ...]:
    return tuple(each for each in path if isinstance(each, str))


def _class_of(names: tuple[str, ...]) -> type[BaseModel] | None:
    """Return the class that a table becomes."""
    if not names:
        return TargetFile
    if len(names) == 2:
        return BY_RUNTIME.get(names[0])
    tables: dict[str, type[BaseModel]] = {**GROUPS, "price": PriceFigures}
    return tables.get(names[0]) if len(names) == 1 else None


def _keys_of(kind: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Iterate over the fields of a class, each with its key in files."""
    for name, field in kind.model_fields.items():
        yield name, field.alias or name


def _fields_of(kind: type[BaseModel]) -> Iterator[Word]:
    said: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if issubclass(each, BaseModel) and each is not BaseModel:
            said |= docstrings(each)
    hints = get_type_hints(kind, include_extras=True)
    for name, key in _keys_of(kind):
        yield Word(key, _type_of(hints[name]), said.get(name, ""), PROPERTY)


def _type_of(hint: Any) -> str:
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        has_unit = any(isinstance(each, BeforeValidator) for each in parts[1:])
        return "text with a unit" if has_unit else _type_of(parts[0])
    if origin in (Union, UnionType):
        return " or ".join(_type_of(each) for each in parts if each is not type(None))
    return type_name(hint)
