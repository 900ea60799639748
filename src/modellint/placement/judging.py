"""Decision which nodes an accelerator supports, by the tables of its runtime."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

from modellint.analysis.cost.traffic import nbytes
from modellint.analysis.folding import folding
from modellint.analysis.fusion import Norms
from modellint.analysis.shapes import DeployedTypes
from modellint.forms.facts import Facts
from modellint.forms.forms import opset_of, refused_form
from modellint.model import Model, Node, Value, is_static, small_constant
from modellint.operators import Trait, having
from modellint.placement.added import AddedNodes
from modellint.placement.epochs import epochs
from modellint.placement.flattened import flattened
from modellint.placement.inside import INSIDE
from modellint.placement.pairs import is_between_pairs
from modellint.placement.pieces import OperatorPiece
from modellint.placement.placed import Boundary, NotTaken
from modellint.placement.reshapes import shape_makers
from modellint.placement.unions import unions
from modellint.placement.waves import waves
from modellint.runtimes import find_runtime
from modellint.runtimes.placing import Placing
from modellint.runtimes.support import Support, moved, refused, removed, restrictions, within
from modellint.targets.deployment import Deployment

T = TypeVar("T")
_QUANTIZE, _DEQUANTIZE = having(Trait.QUANTIZE), having(Trait.DEQUANTIZE)
_CASTS = having(Trait.CAST)
_CONVERTERS = having(Trait.QUANTIZE, Trait.DEQUANTIZE)
OWN_DOMAINS = ("", "ai.onnx", "tflite")
"""Domains of the operators that tables name without a domain."""
_NORMALIZATIONS = {"layer": "LayerNormalization"}
_PADS = _WEIGHTED = frozenset({"Conv", "ConvTranspose"})
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

    @property
    def version(self) -> str:
        """Return the release of the runtime that its table describes."""
        return self._table.version

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
        asked = self._deployment
        return restrictions(asked.runtime or "", asked.runtime_version, self._placing.forms)

    @cached_property
    def _removed(self) -> frozenset[str]:
        asked = self._deployment
        return removed(asked.runtime or "", asked.runtime_version, self._placing.forms)

    @cached_property
    def _moved(self) -> frozenset[str]:
        return moved(self._deployment.runtime or "", self._deployment.runtime_version)

    @cached_property
    def _refused(self) -> frozenset[str]:
        return refused(self._deployment.runtime or "", self._deployment.runtime_version)

    @cached_property
    def _within(self) -> Mapping[str, str]:
        return within(self._deployment.runtime or "", self._deployment.runtime_version)

    def key(self, node: Node) -> str:
        """Return the name of a node's operator in tables."""
        return node.op_type if node.domain in OWN_DOMAINS else node.qualified_op

    def is_frozen(self, value: Value) -> bool:
        """Return True for constants, quantized ones too."""
        maker = value.producer
        if maker is not None and maker.op_type in _DEQUANTIZE and self._placing.converts:
            stored = maker.input(0)
            return stored is not None and super().is_frozen(stored)
        return super().is_frozen(value)

    def runs(self, node: Node) -> bool:
        """Return False for a node that the runtime computes or removes when it loads the model."""
        is_computed = self.analysis(folding).is_folded(node) or id(node) in self._shape_makers
        return not is_computed and not self.removes(node)

    @cached_property
    def _shape_makers(self) -> frozenset[int]:
        return shape_makers(self)

    def steps(self) -> tuple[Node, ...]:
        """Return the nodes as they are when the runtime places them, in order."""
        return self._added.steps(filter(self.runs, self._model.graph.ordered))

    @cached_property
    def _added(self) -> AddedNodes:
        """Return what the runtime adds to the nodes: Reshapes around products in floats, of
        ONNX Runtime's, where they are placed apart."""
        if not self._moved or not self._lacks_floats:
            return AddedNodes()
        running = filter(self.runs, self._model.graph.ordered)
        return flattened(self, (node for node in running if self._precision(node)))

    def removes(self, node: Node) -> bool:
        """Return True for a node that is gone by the time the runtime places nodes."""
        return (
            node.op_type in self._removed
            or self._changes_nothing(node)
            or is_padding_of_next(node)
            or self._normalizes_weights(node)
        )

    def _normalizes_weights(self, node: Node) -> bool:
        """Return True for a BatchNormalization that is folded into the weights before it."""
        source = node.input(0)
        maker = source.producer if node.op_type == "BatchNormalization" and source else None
        if source is None or maker is None or maker.op_type not in _WEIGHTED:
            return False
        numbers = (*maker.inputs[1:], *node.inputs[1:])
        return source.sole_consumer is node and all(
            value is None or self.is_frozen(value) for value in numbers
        )

    def _changes_nothing(self, node: Node) -> bool:
        """Return True for a Cast to the same type and an Expand to the same shape."""
        source, result = node.input(0), node.output()
        if source is None or result is None or result.is_output:
            return False
        if node.op_type in _CASTS:
            return self.dtype(source) is not None and self.dtype(source) == self.dtype(result)
        shape = self.shape(source) if node.op_type == "Expand" else None
        return shape is not None and is_static(shape) and shape == self.shape(result)

    @cached_property
    def _fused(self) -> Mapping[int, str]:
        """Return the operators that ONNX Runtime turns nodes into before it places them."""
        return {
            id(node): _NORMALIZATIONS[norm.kind]
            for norm in self.analysis(Norms).found
            if norm.kind in _NORMALIZATIONS and not norm.blockers
            for node in norm.nodes
        }

    def follows_its_reader(self, node: Node) -> bool:
        """Return True for a DQ of a constant, which goes where the node that reads it goes."""
        value = node.output()
        return node.op_type in _DEQUANTIZE and value is not None and self.is_frozen(value)

    def parts(self, nodes: Sequence[Node], is_taken: Callable[[Node], bool]) -> list[list[Node]]:
        """Return the groups that the runtime forms from the supported nodes."""
        if self._placing.grouping == "epochs":
            return epochs(nodes, is_taken)
        if self._placing.grouping == "unions":
            return unions(nodes, is_taken, self.removes, self.pieces_of)
        return waves(nodes, is_taken, self.removes, self._added)

    def pieces_of(self, node: Node) -> Sequence[OperatorPiece]:
        """Return what a node is decomposed into before nodes are placed; nothing if it is not."""
        return ()

    def boundaries(
        self, nodes: Sequence[Node], refusals: Mapping[int, NotTaken]
    ) -> Iterator[Boundary]:
        """Iterate over values that cross from one unit to another, each once."""
        units = {
            id(node): self._placing.fallback if id(node) in refusals else self._placing.unit
            for node in nodes
        }
        for node in nodes:
            unit = units[id(node)]
            for value in filter(None, node.outputs):
                readers = (use.node for use in value.consumers)
                reader = next((each for each in readers if units.get(id(each), unit) != unit), None)
                if reader is not None:
                    cause = reader if id(reader) in refusals else node
                    yield self.boundary(value, unit, units[id(reader)], cause, refusals[id(cause)])

    def boundary(
        self, value: Value, source: str, reader: str, node: Node, refusal: NotTaken
    ) -> Boundary:
        size = nbytes(value, self.analysis(DeployedTypes), self._deployment.precision)
        return Boundary(value, source, reader, size, node, refusal)

    def refusal(self, node: Node) -> NotTaken | None:
        """Return why the accelerator does not support a node on its own; None if it does."""
        if node in self._added:
            return None
        too_old = self._too_old(node)
        if too_old is not None:
            return too_old
        if node.op_type in self._refused:
            return NotTaken("refused", "is rejected, so the model cannot be built")
        if node.op_type in _CONVERTERS and self._placing.converts:
            return self._open_dims(node) or self._scale(node) or self._left_unit(node)
        whole = self._fused.get(id(node), "")
        is_whole_taken = self._table.takes(whole) if whole else None
        if is_whole_taken is not None:
            refused = NotTaken("operator", f"is fused into {whole}, which is not supported")
            return self._open_dims(node) if is_whole_taken else refused
        if (
            self._table.takes(self.key(node)) is False
            or self.key(node) not in self._table.operators
        ):
            taken_as = self._within.get(self.key(node))
            if taken_as is None or not INSIDE[taken_as](node):
                return NotTaken("operator", "is not supported")
            return self._open_dims(node) or self._whole_in_floats(node)
        return (
            self._open_dims(node)
            or self._rank(node)
            or self._type(node)
            or self._form(node)
            or self._precision(node)
        )

    def _too_old(self, node: Node) -> NotTaken | None:
        opset = opset_of(node) if not node.domain else None
        if opset is None or opset >= self._placing.oldest_opset:
            return None
        return NotTaken("operator", f"is of opset {opset}, which is too old for the provider")

    def _open_dims(self, node: Node) -> NotTaken | None:
        if not self._placing.static_only:
            return None
        for value in (*node.inputs, *node.outputs):
            if value is not None and value.type_name != "tensor":
                return NotTaken(
                    "type", f"is not supported with '{value.name}', which is not a tensor"
                )
            if value is not None and not is_static(self.shape(value)):
                return NotTaken("open-dims", f"has a dim that is not fixed, in '{value.name}'")
        return None

    def _rank(self, node: Node) -> NotTaken | None:
        highest = self._placing.highest_rank
        for value in node.inputs if highest else ():
            shape = self.shape(value) if value is not None else None
            if shape is not None and len(shape) > highest:
                return NotTaken("form", f"is not supported with an input of rank {len(shape)}")
        return None

    def _type(self, node: Node) -> NotTaken | None:
        entry = self._table.operators[self.key(node)]
        value = node.input(entry.get("at", 0))
        dtype = self.dtype(value) if value is not None else None
        if dtype is None or dtype.name not in entry.get("not", ()):
            return None
        return NotTaken("type", f"does not support {dtype.name}, only {', '.join(entry['types'])}")

    def _form(self, node: Node) -> NotTaken | None:
        for form in self._forms_of(node):
            words = refused_form(self, node, form) if self._is_meant(form) else ""
            if words and form.get("whole"):
                return NotTaken("refused", f"is not built with {words}")
            if words:
                return NotTaken("form", f"is not supported with {words}")
        return None

    def _is_meant(self, form: Mapping[str, Any]) -> bool:
        """Return True unless the form is refused on other devices only."""
        target = self._deployment.target_id
        is_listed = "targets" not in form or target in form["targets"]
        return is_listed and target not in form.get("not-targets", ())

    def _left_unit(self, node: Node) -> NotTaken | None:
        """Conversions go with the node that they are for, if the form of its pairs is refused."""
        is_last = node.op_type in _QUANTIZE
        value = node.input(0) if is_last else node.output()
        if value is None:
            return None
        owner = value.producer if is_last else value.sole_consumer
        forms = self._forms_of(owner) if owner is not None else ()
        if owner is None or not any(
            form.get("unit") and self._is_meant(form) and refused_form(self, owner, form)
            for form in forms
        ):
            return None
        return NotTaken("neighbor", f"is of a pair around '{owner.label}'")

    def _forms_of(self, node: Node) -> Sequence[Mapping[str, Any]]:
        return self._forms.get(self.key(node), ())

    def _scale(self, node: Node) -> NotTaken | None:
        """Conversions outside weights are supported with one stored scale."""
        scale = node.input(1)
        if scale is None or not self.is_frozen(scale):
            return NotTaken("form", "is not supported with a computed scale")
        if math.prod(dim for dim in self.shape(scale) or () if isinstance(dim, int)) > 1:
            return NotTaken("form", "is not supported with a scale per channel, except on weights")
        return None

    @cached_property
    def _lacks_floats(self) -> bool:
        """Return True for a device without units for floats, unless the runtime quantizes."""
        target, runtime = self._deployment.target, find_runtime(self._deployment.runtime)
        is_converted = runtime is not None and runtime.quantizes
        return target is not None and target.computes_only_integers and not is_converted

    def _whole_in_floats(self, node: Node) -> NotTaken | None:
        """A larger operator that takes a node in computes in floats, if it is not quantized."""
        if not self._lacks_floats or is_between_pairs(node):
            return None
        return NotTaken(
            "precision", "is part of a larger one in floats, the device has integers only"
        )

    def _precision(self, node: Node) -> NotTaken | None:
        """A device without float units runs the nodes between Q/DQ pairs."""
        if not self._lacks_floats or is_between_pairs(node):
            return None
        if self.key(node) in self._moved:
            return None
        value = node.output()
        if value is None or value.dtype is None or value.dtype.name not in _FLOATS:
            return None
        return NotTaken(
            "precision", f"computes in {value.dtype.name}, but the device only in integers"
        )


def is_padding_of_next(node: Node) -> bool:
    """Return True for a Pad with zeros that ONNX Runtime makes a part of the next node."""
    result, value = node.output(), node.input(2)
    if node.op_type != "Pad" or node.get_str("mode", "constant") != "constant" or result is None:
        return False
    reader, filled = result.sole_consumer, small_constant(value)
    has_zeros = value is None or (filled is not None and not filled.any())
    return has_zeros and reader is not None and reader.op_type in _PADS
