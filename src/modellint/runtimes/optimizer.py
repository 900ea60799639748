"""Interface for running a runtime's own graph optimizer, for `--verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from modellint.base.records import dataclass


@dataclass(frozen=True, slots=True)
class Optimizer:
    """Description of a runtime's offline optimizer."""

    short: str
    """The choice of `--verify` that runs it."""
    code: str
    """Module with the functions of `OptimizerCode`, for a child process."""
    install: str
    """The command that installs it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The reason why there is no optimized model."""

    text: str
    lacks_kernel: bool = False
    """True if the runtime takes the model but has no kernel for it on this machine."""


class OptimizerCode(Protocol):
    """Functions that run in a child process."""

    def version(self) -> str: ...

    def optimize(self, model: Path, optimized: Path, large: int) -> Refusal | None:
        """Optimize a model without executing it. Tensors of `large` bytes need not be written."""
