"""Decision which nodes of a TFLite file an accelerator supports."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from modellint.formats.tflite import DOMAIN
from modellint.forms.forms import refused_form
from modellint.model import Model, Node, Value
from modellint.placement.inside import INSIDE
from modellint.placement.judging import NodeJudge
from modellint.placement.placed import NotTaken
from modellint.runtimes.placing import Placing
from modellint.runtimes.support import Support
from modellint.targets.deployment import Deployment

ANY = "*"
"""The operator of forms that are about all operators, save those that they list under `except`."""

_WIDENERS = frozenset({"DENSIFY", "DEQUANTIZE"})


class TFLiteJudge(NodeJudge):
    """A TFLite model for a deployment, whose tensors state types and scales themselves."""

    def __init__(
        self, model: Model, deployment: Deployment, placing: Placing, table: Support
    ) -> None:
        if placing.fixes_batch and deployment.batch is None:
            deployment = replace(deployment, batch=1)
        super().__init__(model, deployment, placing, table)

    def removes(self, node: Node) -> bool:
        if self._placing.widens_constants and node.op_type in _WIDENERS:
            given = node.input(0)
            return given is not None and self.is_frozen(given)
        return node.op_type in self._removed

    def is_frozen(self, value: Value) -> bool:
        """Return True for constants, also if they are widened when the model is loaded."""
        return super().is_frozen(value) or id(value) in self._widened

    @cached_property
    def _widened(self) -> set[int]:
        """Return the ids of values that constants become in one step or several."""
        found: set[int] = set()
        for graph in self._model.graphs():
            for node in graph.ordered:
                source = node.input(0) if node.op_type in _WIDENERS else None
                if source is not None and (id(source) in found or super().is_frozen(source)):
                    found.update(id(value) for value in node.outputs if value is not None)
        return found

    def refusal(self, node: Node) -> NotTaken | None:
        op = f"{node.domain}.{node.op_type}".removeprefix(f"{DOMAIN}.")
        if not self._table.takes(op):
            return self._refused_alone(node)
        if node.domain != DOMAIN:
            return None
        return self._type(node) or self._refused_form(op, node)

    def _refused_alone(self, node: Node) -> NotTaken | None:
        """Return None for a node that is supported as part of a larger operator."""
        taken_as, data = self._within.get(node.op_type), node.input(0)
        if taken_as is None or not INSIDE[taken_as](node):
            return NotTaken("operator", "is not supported")
        dtype = self.dtype(data) if data is not None else None
        if dtype is not None and dtype.is_float:
            return NotTaken("type", f"does not support {dtype.name}")
        return None

    def _refused_form(self, op: str, node: Node) -> NotTaken | None:
        for form in self._forms.get(ANY, ()):
            words = refused_form(self, node, form) if op not in form.get("except", ()) else ""
            if words:
                is_open = form.get("tflite") == "open-beyond-batch"
                return NotTaken(
                    "open-dims" if is_open else "form", f"is not supported with {words}"
                )
        return self._form(node)
