"""Decision which nodes TensorRT gives to a Jetson's deep-learning accelerator (DLA).

Each layer is asked about on its own. What hangs together becomes one loadable; all other layers
run on the GPU, between loadables. Shapes are computed on the host.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from modellint.analysis.origins import Origin, Origins
from modellint.model import Node, Shape, is_static
from modellint.placement.islands import islands
from modellint.placement.judging import NodeJudge
from modellint.placement.placed import NotTaken
from modellint.placement.waves import waves
from modellint.runtimes.support import stated

_INNER = 3
"""Dims of one element of a batch: channels, rows and columns."""


class DlaJudge(NodeJudge):
    """A model for a deployment, before what NVIDIA publishes of the DLA."""

    @cached_property
    def _limits(self) -> dict[str, Any]:
        asked = self._deployment
        return dict(stated(asked.runtime or "", asked.runtime_version, self._placing.forms))

    def runs(self, node: Node) -> bool:
        origins = self.analysis(Origins)
        is_data = any(origins.of(value) is Origin.DATA for value in node.outputs if value)
        return is_data and super().runs(node)

    def removes(self, node: Node) -> bool:
        return node.op_type in self._removed

    def parts(self, nodes: Sequence[Node], is_taken: Callable[[Node], bool]) -> list[list[Node]]:
        found = waves(nodes, is_taken, self.removes)
        return [island for wave in found for island in islands(wave, self.removes)]

    def refusal(self, node: Node) -> NotTaken | None:
        if not self._table.takes(self.key(node)):
            return NotTaken("operator", "is not supported")
        return self._type(node) or self._form(node) or self._open_dims(node) or self._size(node)

    def _type(self, node: Node) -> NotTaken | None:
        data = node.input(0)
        dtype = self.dtype(data) if data is not None else None
        if dtype is not None and dtype.name not in self._table.data_types:
            return NotTaken("type", f"reads {dtype.name}, which the DLA does not compute with")
        precision = self._deployment.precision
        if precision is None or precision in self._limits["precisions"]:
            return None
        only = " and ".join(self._limits["precisions"])
        return NotTaken("precision", f"computes in {precision}, but the DLA only in {only}")

    def _size(self, node: Node) -> NotTaken | None:
        for value in (*node.inputs, *node.outputs):
            shape = None if value is None or value.is_constant else self.shape(value)
            words = self._too_large(shape) if shape is not None else ""
            if words:
                return NotTaken("form", f"is not supported with {words}")
        return None

    def _too_large(self, shape: Shape) -> str:
        if not is_static(shape):
            return ""
        dims = [dim for dim in shape if isinstance(dim, int)]
        batch, most = math.prod(dims[:-_INNER]), self._limits["largest-batch"]
        largest, most_each = max(dims[-_INNER:], default=0), self._limits["largest-dim"]
        if batch > most:
            return f"a batch of {batch}, above {most}"
        return f"a dim of {largest}, above {most_each}" if largest > most_each else ""
