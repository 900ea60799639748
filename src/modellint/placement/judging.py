"""Decision which nodes an accelerator takes, by the tables of its runtime."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeVar

from modellint.analysis.folding import folding
from modellint.forms.facts import Facts
from modellint.forms.forms import opset_of, refused_form
from modellint.model import Model, Node, Value, is_static
from modellint.operators import Trait, having
from modellint.placement.inside import INSIDE
from modellint.placement.placed import NotTaken
from modellint.runtimes.placing import Placing
from modellint.runtimes.support import Support, removed, restrictions, within
from modellint.targets.deployment import Deployment

T = TypeVar("T")
_DEQUANTIZE = having(Trait.DEQUANTIZE)
_CONVERTERS = having(Trait.QUANTIZE, Trait.DEQUANTIZE)
OWN_DOMAINS = ("", "ai.onnx", "tflite")
"""Domains of the operators that tables name without a domain."""
_FLOATS = frozenset({"float16", "float32", "bfloat16", "float64"})


class NodeJudge(Facts):
    """A model for a deployment, before the tables of its runtime."""

    def __init__(
        self, model: Model, deployment: Deployment, placing: Placing, table: Support
    ) -> None:
        self._model = model
        self._deployment = deployment
        self._placing = placing
        self._table = table
        self._known: dict[object, Any] = {}

    @property
    def model(self) -> Model:
        return self._model

    def under(self, deployment: Deployment) -> NodeJudge:
        """Return the same for another deployment on the runtime."""
        return type(self)(self._model, deployment, self._placing, self._table)

    def analysis(self, analyse: Callable[[Model, Deployment], T]) -> T:
        if analyse not in self._known:
            self._known[analyse] = analyse(self._model, self._deployment)
        found: T = self._known[analyse]
        return found

    @cached_property
    def _forms(self) -> Mapping[str, list[Mapping[str, Any]]]:
        return restrictions(self._deployment.runtime or "", self._deployment.runtime_version)

    @cached_property
    def _removed(self) -> frozenset[str]:
        return removed(self._deployment.runtime or "", self._deployment.runtime_version)

    @cached_property
    def _within(self) -> Mapping[str, str]:
        return within(self._deployment.runtime or "", self._deployment.runtime_version)

    def runs(self, node: Node) -> bool:
        """Return False for a node that the runtime computes or removes when it loads the model."""
        return node.op_type not in self._removed and not self.analysis(folding).is_folded(node)

    def refusal(self, node: Node) -> NotTaken | None:
        """Return why the accelerator does not take a node on its own; None if it does."""
        opset = opset_of(node) if not node.domain else None
        if opset is not None and opset < self._placing.oldest_opset:
            return NotTaken("operator", f"is of opset {opset}, which is too old for the provider")
        if node.op_type in _CONVERTERS:
            return self._open_dims(node) or self._scale(node)
        if self._table.takes(_key(node)) is False or _key(node) not in self._table.operators:
            taken_as = self._within.get(_key(node))
            if taken_as is None or not INSIDE[taken_as](node):
                return NotTaken("operator", "is not supported")
            return self._open_dims(node)
        return (
            self._open_dims(node) or self._type(node) or self._form(node) or self._precision(node)
        )

    def _open_dims(self, node: Node) -> NotTaken | None:
        if not self._placing.static_only:
            return None
        for value in (*node.inputs, *node.outputs):
            if value is not None and not is_static(self.shape(value)):
                return NotTaken("open-dims", f"has a dim that is not fixed, in '{value.name}'")
        return None

    def _type(self, node: Node) -> NotTaken | None:
        entry = self._table.operators[_key(node)]
        value = node.input(entry.get("at", 0))
        dtype = self.dtype(value) if value is not None else None
        if dtype is None or dtype.name not in entry.get("not", ()):
            return None
        return NotTaken("type", f"does not take {dtype.name}, only {', '.join(entry['types'])}")

    def _form(self, node: Node) -> NotTaken | None:
        for form in self._forms.get(_key(node), ()):
            words = refused_form(self, node, form)
            if words:
                return NotTaken("form", f"is not supported with {words}")
        return None

    def _scale(self, node: Node) -> NotTaken | None:
        """Conversions outside weights are taken with one stored scale."""
        scale = node.input(1)
        if scale is None or not self.is_frozen(scale):
            return NotTaken("form", "is not supported with a computed scale")
        if math.prod(dim for dim in self.shape(scale) or () if isinstance(dim, int)) > 1:
            return NotTaken("form", "is not supported with a scale per channel, except on weights")
        return None

    def _precision(self, node: Node) -> NotTaken | None:
        """A device without units for floats takes what is between Q/DQ pairs."""
        target = self._deployment.target
        if target is None or not target.computes_only_integers or is_between_pairs(node):
            return None
        value = node.output()
        if value is None or value.dtype is None or value.dtype.name not in _FLOATS:
            return None
        return NotTaken("precision", f"computes in {value.dtype.name}, the device in integers only")


def is_between_pairs(node: Node) -> bool:
    """Return True if a node reads only dequantized values, and its results are quantized."""
    if node.op_type in having(Trait.QUANTIZE) or node.op_type in _DEQUANTIZE:
        return True
    reads = [value for value in node.inputs if value is not None and not value.is_constant]
    writes = [value for value in node.outputs if value is not None]
    return (
        bool(reads)
        and all(v.producer is not None and v.producer.op_type in _DEQUANTIZE for v in reads)
        and all(use.node.op_type in having(Trait.QUANTIZE) for v in writes for use in v.consumers)
        and any(v.consumers for v in writes)
    )


def dequantizes_weight(node: Node, is_frozen: Callable[[Value], bool]) -> bool:
    """Return True for a DQ of a constant, which goes where the node that reads it goes."""
    value = node.input(0)
    return node.op_type in _DEQUANTIZE and value is not None and is_frozen(value)


def _key(node: Node) -> str:
    return node.op_type if node.domain in OWN_DOMAINS else node.qualified_op
