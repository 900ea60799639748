"""Offline optimization of a model by ONNX Runtime."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import field
from importlib.util import find_spec
from pathlib import Path

from modellint.base.errors import UsageError
from modellint.base.install import install_command
from modellint.base.records import dataclass
from modellint.model import Node
from modellint.probes.runner import Limits, run_child

RUNTIME = "onnxruntime"
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


def require_onnxruntime() -> None:
    if find_spec("onnxruntime") is None:
        raise UsageError(
            f"--verify ort needs ONNX Runtime: {install_command('ort')}, "
            "or any other onnxruntime package"
        )


def optimize(path: Path, limits: Limits = LIMITS) -> Optimized:
    """Optimize the model with ONNX Runtime in a separate process."""
    command = [sys.executable, "-m", "modellint.probes.child"]
    request = {"code": "modellint.verify.ort_child", "path": str(path.resolve())}
    ended = run_child(command, request, limits)
    if ended.answer is None:
        return Optimized(error=ended.detail)
    answer = ended.answer
    return Optimized(
        version=answer["version"],
        before=answer["before"],
        after=answer.get("after", {}),
        left={name: op for op, names in answer.get("left", ()) for name in names},
        error=_in_short(answer.get("error", "")) or ended.detail,
    )


def _in_short(error: str) -> str:
    """Remove error codes and the model's name in the child process from an error."""
    text = re.sub(r"^\[\w+\] : \d+ : \w+ : ", "", error.strip())
    return text.removeprefix("Load model from model.onnx failed:").strip().rstrip(".")
