"""Degrees of trust in a fix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Applicability = Literal["safe", "exact", "numbers", "choice"]
"""Strongest first.

`safe`: the outputs are the same for all inputs. `exact`: they are on this model, which running it
proves. `numbers`: they stay within the fix's tolerance. `choice`: the user has to want it.
"""
STRONGEST_FIRST: tuple[Applicability, ...] = ("safe", "exact", "numbers", "choice")
FLAGS: Mapping[Applicability, str] = {
    "safe": "--fix",
    "exact": "--fix --unsafe-fixes",
    "numbers": "--fix --unsafe-fixes",
    "choice": "--fix --choose",
}
"""Options that ask for a fix."""
