"""The result of a runtime's offline optimizer."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from modellint.base.errors import UsageError
from modellint.base.paths import real_path
from modellint.base.records import dataclass
from modellint.model import Node
from modellint.probes.backends import known_backends
from modellint.probes.runner import Limits, run_child
from modellint.runtimes import Runtime, runtimes

LIMITS = Limits(seconds=120, memory=8 << 30)


@dataclass(frozen=True, slots=True)
class Optimized:
    """Facts about the optimized graph."""

    version: str = ""
    before: Mapping[str, int] = field(default_factory=dict)
    """Number of nodes by operator."""
    after: Mapping[str, int] = field(default_factory=dict)
    left: Mapping[str, str] = field(default_factory=dict)
    """Operator that produces each remaining value."""
    error: str = ""
    """Reason why there is no optimized graph."""
    lacks_kernel: bool = False
    """True if only a kernel is missing on this machine."""

    def keeps(self, node: Node) -> bool | None:
        """Return True if a node remains; None if unknown."""
        if self.error or node.graph.called or node.op_type == "Constant":
            return None
        values = [value for value in node.outputs if value is not None]
        if any(self.left.get(value.name) == node.qualified_op for value in values):
            return True
        # The CPU provider has no kernels for narrow types, and widens them under new names.
        touched = [*values, *(value for value in node.inputs if value is not None)]
        widened = any(str(value.dtype) in ("float16", "bfloat16") for value in touched)
        return None if widened else False


def require(short: str) -> str:
    """Return the runtime that a choice of `--verify` means, if it is installed."""
    for name, runtime in runtimes().items():
        optimizer = runtime.optimizer
        if optimizer is None or optimizer.short != short:
            continue
        if known_backends()[name].module is None:
            raise UsageError(
                f"--verify {short} needs {runtime.title}: {optimizer.install}, "
                f"or any other {name} package"
            )
        return name
    raise UsageError(f"no runtime has an optimizer {short!r}")


def optimize(path: Path, runtime: Runtime, limits: Limits = LIMITS) -> Optimized:
    """Have a runtime optimize the model in a separate process."""
    assert runtime.optimizer is not None
    command = [sys.executable, "-m", "modellint.probes.child"]
    request = {
        "code": "modellint.verify.child",
        "optimizer": runtime.optimizer.code,
        "path": str(real_path(path)),
    }
    ended = run_child(command, request, limits)
    if ended.answer is None:
        return Optimized(error=ended.detail)
    answer = ended.answer
    return Optimized(
        version=answer["version"],
        before=answer["before"],
        after=answer.get("after", {}),
        left={name: op for op, names in answer.get("left", ()) for name in names},
        error=answer.get("error", "") or ended.detail,
        lacks_kernel=answer.get("lacks_kernel", False),
    )
