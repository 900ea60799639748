"""Dataclasses that cost next to nothing until they are used.

The standard library writes and compiles half a dozen methods for every dataclass when its module is
imported. That was a quarter of the time of linting one usual model, and most of these classes never
get an object. Here, methods are shared, and `__init__` is written for classes of many objects only.
`fields`, `replace`, `asdict` and pydantic see an ordinary dataclass.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, FrozenInstanceError
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: TID251
else:

    def dataclass(
        *, frozen: bool = False, slots: bool = False, eq: bool = True
    ) -> Callable[[type], type]:
        """The decorator of the standard library; fields are not inherited.

        Fields always have slots; `slots=False` leaves room for cached properties.
        """
        return lambda cls: _made(cls, frozen, slots, eq)


FEW = 16
"""Objects that are made faster than the method for making them is compiled."""

_Class = type[Any]
_Fields = Mapping[str, Field[Any]]


def _made(cls: _Class, frozen: bool, slots: bool, eq: bool) -> _Class:
    namespace = dict(vars(cls))
    fields = {
        name: _field(name, hint, namespace.pop(name, MISSING))
        for name, hint in cls.__annotations__.items()
        if not hint.startswith("ClassVar")
    }
    for name in ("__dict__", "__weakref__"):  # of the class that is replaced
        namespace.pop(name, None)
    remake: Callable[..., _Class] = type(cls)
    made = remake(
        cls.__name__,
        cls.__bases__,
        {
            "__repr__": _repr,
            **(_comparisons(fields, frozen) if eq else {}),
            **(_FROZEN if frozen else {}),
            **namespace,
            "__qualname__": cls.__qualname__,
            "__slots__": tuple(fields) if slots else (*fields, "__dict__", "__weakref__"),
            "__match_args__": tuple(fields),
            "__dataclass_fields__": fields,
        },
    )
    made.__init__ = _first_init(made, fields, frozen)
    return made


def _field(name: str, hint: str, default: Any) -> Field[Any]:
    field: Any = default if isinstance(default, Field) else dataclasses.field(default=default)
    field.name, field.type, field.kw_only = name, hint, False
    field._field_type = vars(dataclasses)["_FIELD"]  # what `dataclasses.fields` looks for
    return field  # type: ignore[no-any-return]


def _first_init(made: _Class, fields: _Fields, frozen: bool) -> Callable[..., None]:
    arguments = {name: field for name, field in fields.items() if field.init}
    calls = 0

    def __init__(self: Any, *values: Any, **named: Any) -> None:  # noqa: N807
        nonlocal calls
        calls += 1
        if calls > FEW or not _is_filled(self, arguments, values, named):
            made.__init__ = _written_init(made, arguments, frozen)
            made.__init__(self, *values, **named)

    return __init__


def _is_filled(self: Any, fields: _Fields, values: Sequence[Any], named: Mapping[str, Any]) -> bool:
    """Fill the slots; return False if the arguments do not fit, which calls for an error."""
    given = {**dict(zip(fields, values, strict=False)), **named}
    if len(given) != len(values) + len(named):
        return False
    for name, field in fields.items():
        if name in given:
            value = given.pop(name)
        elif field.default is not MISSING:
            value = field.default
        elif field.default_factory is not MISSING:
            value = field.default_factory()
        else:
            return False
        object.__setattr__(self, name, value)
    return not given


def _written_init(made: _Class, fields: _Fields, frozen: bool) -> Callable[..., None]:
    """Fills the slots; those of a frozen object while it is of a class that allows it."""
    known: dict[str, Any] = {"_MISSING": MISSING, "_made": made, "_set": object.__setattr__}
    parameters, values = ["self"], dict(zip(fields, fields, strict=True))
    for name, field in fields.items():
        parameter = name
        if field.default is not MISSING:
            known[f"_default_{name}"] = field.default
            parameter = f"{name}=_default_{name}"
        elif field.default_factory is not MISSING:
            known[f"_make_{name}"] = field.default_factory
            parameter = f"{name}=_MISSING"
            values[name] = f"_make_{name}() if {name} is _MISSING else {name}"
        parameters.append(parameter)
    lines = [f" self.{name} = {value}" for name, value in values.items()]
    if frozen:
        past = [f" _set(self, {name!r}, {value})" for name, value in values.items()]
        if "__dict__" in made.__slots__:  # which no other class can share
            lines = past
        else:
            known |= {"_open": _open_twin(made), "_type": type}
            lines = [
                " if _type(self) is not _made:",  # an object of a subclass keeps its class
                *(f" {line}" for line in [*past, " return"]),
                " _set(self, '__class__', _open)",
                *lines,
                " self.__class__ = _made",
            ]
    exec("\n".join([f"def __init__({', '.join(parameters)}):", *lines, " return"]), known)  # noqa: S102 - from names of fields
    init: Callable[..., None] = known["__init__"]
    init.__qualname__ = f"{made.__qualname__}.__init__"
    return init


def _open_twin(made: _Class) -> _Class:
    """Return a class with the same layout that allows assignments even if its bases do not."""
    bases = getattr(made, "__orig_bases__", made.__bases__)  # which Generic asks for
    members = {"__slots__": made.__slots__, "__setattr__": object.__setattr__}
    return type(made.__name__, made.__bases__, {**members, "__orig_bases__": bases})


@recursive_repr()
def _repr(self: Any) -> str:
    shown = [each.name for each in dataclasses.fields(self) if each.repr]
    values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
    return f"{type(self).__qualname__}({values})"


def _comparisons(fields: _Fields, frozen: bool) -> dict[str, Any]:
    compared = [each for each in fields.values() if each.compare]
    values = _getter(compared)
    hashed = _getter([each for each in compared if each.hash is not False])

    def __eq__(self: Any, other: Any) -> bool:  # noqa: N807
        if self is other:
            return True
        return values(self) == values(other) if type(other) is type(self) else NotImplemented

    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(hashed(self))

    return {"__eq__": __eq__, "__hash__": __hash__ if frozen else None}


def _getter(fields: Sequence[Field[Any]]) -> Callable[[Any], Any]:
    return attrgetter(*(each.name for each in fields)) if fields else lambda _: ()


def _refuse_assignment(self: Any, name: str, value: Any) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_deletion(self: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, each.name) for each in dataclasses.fields(self)]


def _restore(self: Any, state: Sequence[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_FROZEN = {
    "__setattr__": _refuse_assignment,
    "__delattr__": _refuse_deletion,
    "__getstate__": _state,
    "__setstate__": _restore,
}
"""Pickling assigns, too, so a frozen object is restored past its refusal."""
