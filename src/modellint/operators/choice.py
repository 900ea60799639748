"""Choices of operators, in the words of patterns and rules: ``Relu | Clip``, ``<quantize>``."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from modellint.operators.operator import names, with_own_names
from modellint.operators.trait import Trait

ANYTHING = "_"
IN_DOMAIN = ".*"
"""Ends a name that stands for every operator of a domain: ``tflite.*``."""


@cache
def choice(text: str) -> frozenset[str] | None:
    """Return the qualified names that a choice allows; None if it allows any.

    Raises ValueError for a trait that no operator has.
    """
    wanted = [name.strip() for name in text.split("|")]
    if ANYTHING in wanted:
        return None
    return frozenset().union(*map(_meant, wanted))


def with_domains(operators: Iterable[str]) -> set[str]:
    """Return qualified names, and those of choices that stand for their domains."""
    domains = {name.rpartition(".")[0] for name in operators}
    return {*operators, *(f"{domain}{IN_DOMAIN}" for domain in domains if domain)}


def _meant(name: str) -> tuple[str, ...]:
    """Return the operators that a name stands for: itself, or all with a trait."""
    if name.startswith("<"):
        trait = Trait(name.strip("<> "))
        return (*names(trait), *with_own_names(trait))
    domain, _, op = name.rpartition(".")
    return (op if domain == "ai.onnx" else name,)  # the long name of the default domain
