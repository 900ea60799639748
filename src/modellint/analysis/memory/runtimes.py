"""What each runtime does about memory, as far as it is known."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class RuntimeMemory:
    """How a runtime turns nodes into kernels, and what it takes beside tensors."""

    fuses: bool
    """Whether chains of pointwise ops run inside the kernel before them."""
    fuses_attention: bool
    """Whether attention at 16 bits or fewer keeps its scores on the chip."""
    scratch: int
    """What one convolution or matrix product asks for besides its tensors."""
    scratch_high: int
    alignment: int
    in_place: bool = False
    """Whether pointwise results are written over inputs that nobody reads any more."""
    recycles: bool = False
    """Whether memory is kept for the next tensor of the same shape rather than given back.

    Where the planner knows shapes: not of what convolutions hand each other in their own layout.
    """
    changes_layout: bool = False
    """Whether convolutions want images in a layout of their own, so inputs are copied."""
    joins: bool = False
    """Whether what a Concat joins is written in its place at once."""
    computes_constants: bool = False
    """Whether products of constants run every time, beside what needs the input."""
    fills_anew: bool = False
    """Whether constants made by ConstantOfShape are made in every run, not stored."""


TENSORRT = RuntimeMemory(
    fuses=True,
    fuses_attention=True,
    scratch=8_192_000,
    scratch_high=32 * MIB,
    alignment=512,
    changes_layout=True,
    joins=True,
    computes_constants=True,
    fills_anew=True,
)
"""Read from the plans of TensorRT for RTX: see docs/accuracy.md."""
ONNXRUNTIME = RuntimeMemory(
    fuses=False,
    fuses_attention=False,
    scratch=0,
    scratch_high=32 * MIB,
    alignment=256,
    in_place=True,
    recycles=True,
)
"""It fuses activations into convolutions and little else, and allocates from an arena."""
OTHER = RuntimeMemory(
    fuses=True,
    fuses_attention=True,
    scratch=0,
    scratch_high=32 * MIB,
    alignment=64,
)

_BY_NAME = {
    "tensorrt": TENSORRT,
    "tensorrt-rtx": TENSORRT,
    "onnxruntime": ONNXRUNTIME,
}


def runtime_memory(runtime: str | None) -> RuntimeMemory:
    return _BY_NAME.get(runtime or "", OTHER)
