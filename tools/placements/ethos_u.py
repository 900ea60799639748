"""Arm's Vela; needs ethos-u-vela."""

from __future__ import annotations

from modellint.runtimes.ethos_u.probe import VelaCompiler
from placements import Compile, _delegated

USUAL = "ethos-u65-256"


def compiler(chip: str) -> Compile:
    return _delegated.compiler(VelaCompiler(chip or USUAL).compile)
