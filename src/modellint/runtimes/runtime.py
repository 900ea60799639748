"""The description of a runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modellint.base.records import dataclass

if TYPE_CHECKING:
    from modellint.runtimes.probe import Probe

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class RuntimeMemory:
    """How a runtime turns nodes into kernels, and what memory it takes besides tensors."""

    fuses: bool = True
    """Whether chains of pointwise ops run inside the kernel before them."""
    fuses_attention: bool = True
    """Whether attention at 16 bits or fewer keeps its scores on the chip."""
    scratch: int = 0
    """What one convolution or matrix product asks for besides its tensors."""
    scratch_high: int = 32 * MIB
    alignment: int = 64
    in_place: bool = False
    """Whether pointwise results are written over inputs that are not read any more."""
    recycles: bool = False
    """Whether memory is kept for the next tensor of the same shape rather than given back.

    Where the planner knows shapes: not of what convolutions hand each other in their own layout.
    """
    changes_layout: bool = False
    """Whether convolutions want images in a layout of their own, so inputs are copied."""
    joins: bool = False
    """Whether what a Concat joins is written in its place at once."""
    computes_constants: bool = False
    """Whether products of constants run every time, along with what needs the input."""
    fills_anew: bool = False
    """Whether constants made by ConstantOfShape are made in every run, not stored."""


TYPICAL = RuntimeMemory()
"""For a runtime whose planner has not been studied."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """All that is known of one runtime."""

    name: str
    """The id that users write and that findings carry, such as ``tensorrt-rtx``."""
    title: str
    """Its name in a sentence."""
    builder: str = ""
    """The runtime whose compiler it shares, where that has another name: it fuses the same."""
    memory: RuntimeMemory = TYPICAL
    tables: Path | None = None
    """The folder with tables of what it takes: docs/adding-a-runtime.md lists their names."""
    measured_on_cpu: bool = False
    """The tables are those of its CPU kernels, and say nothing about deployments on a GPU."""
    probe: Probe | None = None
    """How it is asked about a model, where it can be."""
