"""No regular expression takes more than linear time for a text that a file or folder can hold."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import pytest

import modellint
from modellint.base.expressions import LateExpression
from tests.growth import is_linear

IN_A_CHILD = ("modellint.runtimes.", "modellint.probes.")
"""Modules that parse what a runtime says, in a child with a limit on its time."""
SMALL = 500
ORDINARY = ("a", "0", " ", "\t", "\n", '"', "'", "\\", "(", "[", "{", "]", ".", ",", "a.", ' "')


def _expressions() -> Iterator[tuple[str, str, Any]]:
    """Iterate over the expressions of all modules, with the methods by which they are used."""
    for info in pkgutil.walk_packages(modellint.__path__, "modellint."):
        if info.name.startswith(IN_A_CHILD) or info.name.endswith("__main__"):
            continue
        try:
            module = importlib.import_module(info.name)
        except ImportError:  # needs a runtime
            continue
        for name, thing in vars(module).items():
            if isinstance(thing, re.Pattern | LateExpression):
                uses = re.findall(rf"{name}\.(\w+)\(", inspect.getsource(module))
                anchored = [use for use in uses if "match" in use]
                for use in sorted({*anchored, *(["findall"] if len(anchored) < len(uses) else [])}):
                    yield f"{info.name}.{name}", use, thing


def _fragments(pattern: str) -> list[str]:
    """Return what an expression speaks of, to make texts that nearly match it."""
    plain = re.sub(r"\(\?P?<?\w*>?|\\[a-zA-Z]", " ", pattern)
    return list(dict.fromkeys(re.findall(r"[A-Za-z_<\[(][\w :/-]*", plain)))[:6]


@pytest.mark.parametrize(("name", "use", "expression"), [*_expressions()])
def test_work_grows_with_the_text(name: str, use: str, expression: re.Pattern[Any]) -> None:
    given, apply = expression.pattern, getattr(expression, use)
    spoken = _fragments(given.decode("latin-1") if isinstance(given, bytes) else given)
    for pump, head in product([*ORDINARY, *spoken], ["", *spoken]):
        texts: dict[int, Any] = {}
        for size in (SMALL, SMALL * 8):
            text = head + pump * (size // len(pump)) + "\0"
            texts[size] = text.encode("latin-1") if isinstance(given, bytes) else text
        grows = is_linear(partial(_run, apply, texts), SMALL, 8)
        assert grows, f"{name}: {head!r}, then {pump!r} many times"


def _run(apply: Callable[[Any], object], texts: dict[int, Any], size: int) -> None:
    apply(texts[size])
