"""Arm's Vela, for an Ethos-U85; needs ethos-u-vela."""

from __future__ import annotations

from placements import Compile, ethos_u

USUAL = "ethos-u85-256"


def compiler(chip: str) -> Compile:
    return ethos_u.compiler(chip or USUAL)
