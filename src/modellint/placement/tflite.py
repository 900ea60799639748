"""Decision which nodes of a TFLite file an accelerator takes."""

from __future__ import annotations

from modellint.formats.tflite import DOMAIN
from modellint.forms.forms import refused_form
from modellint.model import Node
from modellint.placement.judging import NodeJudge
from modellint.placement.placed import NotTaken

ANY = "*"
"""The operator of forms that are about all operators, save those that they list under `except`."""


class TFLiteJudge(NodeJudge):
    """A TFLite model for a deployment, whose tensors state types and scales themselves."""

    def refusal(self, node: Node) -> NotTaken | None:
        op = node.op_type
        if node.domain != DOMAIN or not self._table.takes(op):
            return NotTaken("operator", "is not supported")
        return self._type(node) or self._refused_form(op, node)

    def _refused_form(self, op: str, node: Node) -> NotTaken | None:
        for form in self._forms.get(ANY, ()):
            words = refused_form(self, node, form) if op not in form.get("except", ()) else ""
            if words:
                cause = "open-dims" if form.get("tflite") == "open-beyond-batch" else "form"
                return NotTaken(cause, f"is not supported with {words}")
        return self._form(node)
