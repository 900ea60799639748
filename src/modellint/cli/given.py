"""Parsing and validation of option values, with suggestions for misspelled ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import click

from modellint.base.expressions import late
from modellint.base.records import dataclass
from modellint.targets.deployment import ONLY_INPUT

_SHAPE = late(r"[\dx×.]+")
MOST_DIGITS = 18
"""Longest integer that fits 64 bits whatever its digits."""


def comma_lists(ctx: click.Context, parameter: click.Parameter, given: Any) -> tuple[str, ...]:
    """Split values at commas: ``--select A,B --select C`` gives ``A B C``."""
    return tuple(part.strip() for text in given for part in text.split(",") if part.strip())


def pairs(ctx: click.Context, parameter: click.Parameter, given: Any) -> dict[str, str]:
    found = {}
    for text in given:
        # Names inside models may contain an equals sign; shapes and severities may not.
        name, equals, value = text.rpartition("=")
        if not equals or not name or not value:
            raise click.BadParameter(
                f"expected {parameter.metavar}, found {text!r}", ctx, parameter
            )
        found[name] = value
    return found


def shapes(ctx: click.Context, parameter: click.Parameter, given: Any) -> dict[str, str]:
    """Accept a shape without a name, too, for models with one input."""
    named = [f"{ONLY_INPUT}={text}" if _SHAPE.fullmatch(text) else text for text in given]
    return pairs(ctx, parameter, named)


def comma_pairs(ctx: click.Context, parameter: click.Parameter, given: Any) -> dict[str, str]:
    """Split pairs at commas: ``--budget params=+1%,size=+0``."""
    return pairs(ctx, parameter, comma_lists(ctx, parameter, given))


def sizes(ctx: click.Context, parameter: click.Parameter, given: Any) -> dict[str, int]:
    found = pairs(ctx, parameter, given)
    for name, value in found.items():
        if not value.isdecimal():
            raise click.BadParameter(f"{name}={value}: not an integer", ctx, parameter)
        if len(value) > MOST_DIGITS:
            text = f"{name}: at most {MOST_DIGITS} digits, found {len(value)}"
            raise click.BadParameter(text, ctx, parameter)
    return {name: int(value) for name, value in found.items()}


class Count(click.IntRange):
    """A positive integer that fits 64 bits."""

    def __init__(self) -> None:
        super().__init__(min=1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if len(str(value)) > MOST_DIGITS:
            self.fail(f"at most {MOST_DIGITS} digits, found {len(str(value))}", param, ctx)
        return super().convert(value, param, ctx)


class Amount(click.FloatRange):
    """A positive number that is finite."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


def counts(ctx: click.Context, parameter: click.Parameter, given: str | None) -> tuple[int, ...]:
    """Return positive integers between commas, each once."""
    texts = comma_lists(ctx, parameter, (given,) if given is not None else ())
    return tuple(dict.fromkeys(Count().convert(text, parameter, ctx) for text in texts))


def several_of(*choices: str) -> Callable[..., tuple[str, ...]]:
    """Return a callback that splits at commas and validates each choice."""

    def read(ctx: click.Context, parameter: click.Parameter, given: str | None) -> tuple[str, ...]:
        found = comma_lists(ctx, parameter, (given,) if given is not None else ())
        for each in found:
            one_of(*choices)(ctx, parameter, each)
        return tuple(dict.fromkeys(found))

    return read


def levels(*known: str) -> Callable[..., dict[str, str]]:
    def read(ctx: click.Context, parameter: click.Parameter, given: Any) -> dict[str, str]:
        found = pairs(ctx, parameter, comma_lists(ctx, parameter, given))
        for name, value in found.items():
            if value not in known:
                text = f"{name}={value}: unknown severity; {_hint(value, known)}"
                raise click.BadParameter(text, ctx, parameter)
        return found

    return read


@dataclass(frozen=True, slots=True)
class OneOf:
    """Callback that validates a choice and suggests the nearest one; also completes choices."""

    among: Sequence[str] | Callable[[], Sequence[str]]
    """The choices, or a function that finds them on demand."""

    @property
    def choices(self) -> tuple[str, ...]:
        return tuple(self.among() if callable(self.among) else self.among)

    def __call__(
        self, ctx: click.Context, parameter: click.Parameter, given: str | None
    ) -> str | None:
        if given is None or given in self.choices:
            return given
        raise click.BadParameter(f"{given!r}: {_hint(given, self.choices)}", ctx, parameter)


def one_of(*choices: str) -> OneOf:
    return OneOf(choices)


def one_of_found(find: Callable[[], Sequence[str]]) -> OneOf:
    """Like `one_of`, for choices that are slow to find: they are looked up only when needed."""
    return OneOf(find)


def _hint(given: str, choices: tuple[str, ...]) -> str:
    from modellint.base.suggest import did_you_mean

    return did_you_mean(given, choices, f"one of {', '.join(choices)}")
