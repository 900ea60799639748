"""Shape inference on a model without its large payloads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from modellint.base.expressions import late
from modellint.formats.onnx.deadly import Danger, danger_of
from modellint.formats.onnx.lists import ListLengths, Lists
from modellint.formats.onnx.names import named_graphs
from modellint.formats.onnx.standins import is_microsofts, needs_standins, use_standins
from modellint.formats.onnx.types import type_of
from modellint.model import (
    Contradiction,
    DType,
    Graph,
    Inference,
    Model,
    Shape,
)
from modellint.native import messages
from modellint.native.inference import DiedError, infer_shapes, infer_shapes_apart

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import GraphProto, ModelProto, NodeProto

MOST_CALLS = 100_000
"""Limit on function calls: nested functions can multiply, and inference walks every call."""
MOST_LOOKED_UP = 1 << 24
"""Limit on functions times calls: for each call, onnx goes through all functions."""
STANDARD_DOMAINS = frozenset(
    {
        "",
        "ai.onnx",
        "ai.onnx.ml",
        "ai.onnx.preview",
        "ai.onnx.preview.training",
        "ai.onnx.training",
    }
)
_WHERE = late(r"\(op_type:(?P<op>[^,)]*)(?:, node name:(?P<node>[^)]*))?\)")
_LEFT_OUT = "Cannot parse data from external tensors"
_RECORDED = "Inferred shape and existing shape differ"
_UNSAID = (
    " null",
    " Null",
    "No opset import",
    "Cannot infer",
    "Cannot parse",
    "already exist",
    "missing",
    "type info",
    "Type info",
    "type case mismatch",
    "must be specified for a Constant",  # in the body of a standard operator with a default
)
"""Messages of inference about missing information, which are not contradictions."""

_ONNX_TYPES = {"<f4": 1, "<i4": 6, "<i8": 7, "|b1": 9}
_TENSOR = 4  # AttributeProto.TENSOR

Types = dict[tuple[str, str], tuple[DType | None, Shape | None]]


class Inferrer:
    """Shape inference of a model, for any number of deployments."""

    def __init__(self, model: Model, proto: ModelProto, stripped: bytes | None) -> None:
        self.model = model
        self.proto = proto
        self.stripped = stripped
        self._lengths = ListLengths(model)
        self._measured: dict[bytes, Lists] = {}
        self._danger: Danger | None = None

    def __call__(
        self,
        inputs: Mapping[str, Shape],
        constants: Mapping[str, NDArray[Any]] | None = None,
        *,
        strict: bool = False,
        unrecorded: bool = False,
    ) -> Inference:
        if self.model.died:
            return Inference({}, self.model.died)
        if call_cycle(self.model) is not None:
            return Inference({}, "a function calls itself")
        calls = count_calls(self.model)
        if calls > MOST_CALLS:
            return Inference({}, f"functions call each other more than {MOST_CALLS} times")
        if calls * len(self.proto.functions) > MOST_LOOKED_UP:
            return Inference({}, f"{len(self.proto.functions)} functions are too many to follow")
        if strict and any(graph.sparse for graph in self.model.graphs()):
            return Inference({})  # onnx takes a sparse initializer for a scalar, and complains
        unrecorded = unrecorded or bool(inputs or constants)
        if unrecorded or (not strict and self._standins_tell_more):
            serialized = self._deployed(inputs, constants or {}, unrecorded=unrecorded)
        else:
            serialized = self._serialized()
        if not strict:
            serialized += self._added_imports
        try:
            lists = self._lists(serialized, inputs)
            inferred = self._infer(serialized, inputs, strict=strict, lists=lists)
        except DiedError as death:
            self.model.died = str(death)
            return Inference({}, self.model.died)
        except Exception as error:  # onnx raises its own, the standard ones and protobuf's
            return _failure(str(error))
        if strict and self._standins_tell_more:
            return Inference({})  # no contradiction; stand-ins, which are not strict, tell more
        types: Types = {}
        _collect(self.model.graph, inferred.graph, types)
        return Inference(types)

    @cached_property
    def _needs_standins(self) -> bool:
        return needs_standins(self.model)

    @cached_property
    def _standins_tell_more(self) -> bool:
        """Return True if inference says more with stand-ins, whatever the deployment."""
        domains = self._imported | self._missing
        return self._needs_standins and any(map(is_microsofts, domains))

    @cached_property
    def _imported(self) -> frozenset[str]:
        return frozenset(entry.domain for entry in self.proto.opset_import)

    @cached_property
    def _missing(self) -> frozenset[str]:
        """Return the domains that are used but not imported, for which onnx infers nothing."""
        used = frozenset(node.domain for node in self.model.nodes())
        return used - self._imported - STANDARD_DOMAINS

    @cached_property
    def _added_imports(self) -> bytes:
        """Return what imports them too, at the end of a model."""
        if not self._missing:
            return b""
        proto = messages().ModelProto()
        for domain in sorted(self._missing):
            proto.opset_import.add(domain=domain, version=1)
        return bytes(proto.SerializeToString())

    def _infer(
        self, serialized: bytes, inputs: Mapping[str, Shape], *, strict: bool, lists: Lists
    ) -> ModelProto:
        """Ask onnx about nothing that it is known not to survive, and in doubt another process."""
        if self._danger is None:
            self._danger = danger_of(self.model, self.proto, self._serialized())
        apart = lists is Lists.UNKNOWN or self._danger.is_apart(inputs)
        infer = infer_shapes_apart if apart else infer_shapes
        propagates = lists is not Lists.LONG
        cleaned = self._danger.cleaned(self._in_order(serialized))
        try:
            answer = infer(cleaned, strict=strict, propagates=propagates)
        except DiedError:
            self._danger = self._danger.after_death()
            if self._danger is None:
                raise
            return self._infer(serialized, inputs, strict=strict, lists=lists)
        inferred: ModelProto = messages().ModelProto.FromString(answer)
        return inferred

    @cached_property
    def _order(self) -> list[int] | None:
        """Return the nodes' places in topological order; None if the file has them so."""
        graph = self.model.graph
        return None if graph.ordered == graph.nodes else [node.index for node in graph.ordered]

    def _in_order(self, serialized: bytes) -> bytes:
        """Return the model with sorted nodes: onnx infers nothing from what comes later."""
        if self._order is None:
            return serialized
        proto = messages().ModelProto.FromString(serialized)
        nodes = list(proto.graph.node)
        del proto.graph.node[:]
        proto.graph.node.extend(nodes[place] for place in self._order)
        return bytes(proto.SerializeToString())

    def _lists(self, serialized: bytes, inputs: Mapping[str, Shape]) -> Lists:
        """Return whether onnx may propagate data: in another process if that is not known."""
        known = self._lengths.before(inputs)
        if known is not None:
            return known
        if serialized not in self._measured:
            inferred = self._infer(serialized, inputs, strict=False, lists=Lists.LONG)
            self._measured[serialized] = self._lengths.after(inferred.graph)
        return self._measured[serialized]

    def _serialized(self) -> bytes:
        if self.stripped is None:
            self.stripped = bytes(self.proto.SerializeToString())
        return self.stripped

    def _deployed(
        self,
        inputs: Mapping[str, Shape],
        constants: Mapping[str, NDArray[Any]],
        *,
        unrecorded: bool,
    ) -> bytes:
        """Return the model with new input shapes, and without types recorded for the old ones."""
        proto = messages().ModelProto.FromString(self._serialized())
        for info in proto.graph.input:
            shape = inputs.get(info.name)
            if shape is not None and info.type.HasField("tensor_type"):
                dims = info.type.tensor_type.shape.dim
                del dims[:]
                for dim in shape:
                    entry = dims.add()
                    if isinstance(dim, int):
                        entry.dim_value = dim
                    elif dim is not None:
                        entry.dim_param = dim
        if self._needs_standins:
            use_standins(proto)
        if unrecorded:
            for info in proto.graph.output:
                if info.type.HasField("tensor_type"):
                    info.type.tensor_type.ClearField("shape")
            _forget_types(self.model.graph, proto.graph)
        nodes = proto.graph.node
        for name, known in constants.items():
            producer = self.model.graph.values[name].producer
            if producer is not None and len(producer.outputs) == 1:
                _make_constant(nodes[producer.index], known)
        return bytes(proto.SerializeToString())


def _make_constant(node: NodeProto, elements: NDArray[Any]) -> None:
    """Replace a node by its result."""
    data_type = _ONNX_TYPES.get(elements.dtype.str)
    if data_type is None:
        return
    node.op_type, node.domain = "Constant", ""
    del node.input[:]
    del node.attribute[:]
    attribute = node.attribute.add()
    attribute.name, attribute.type = "value", _TENSOR
    attribute.t.data_type = data_type
    attribute.t.dims.extend(elements.shape)
    attribute.t.raw_data = elements.tobytes()


def _forget_types(graph: Graph, proto: GraphProto) -> None:
    """Drop recorded types that inference can recompute, which excludes unknown operators."""
    kept_names = {
        name for node in proto.node if node.domain not in STANDARD_DOMAINS for name in node.output
    }
    kept = [info for info in proto.value_info if info.name in kept_names]
    del proto.value_info[:]
    proto.value_info.extend(kept)
    for subgraph, inner in _subgraphs(graph, proto):
        _forget_types(subgraph, inner)


def _failure(message: str) -> Inference:
    """Return a failure, unless it is due to the removed data."""
    if _LEFT_OUT in message:
        return Inference({})
    return Inference({}, message.strip(), _contradiction(message))


def _contradiction(message: str) -> Contradiction | None:
    """Return the first of a list of errors, one per line, each with the nodes that lead to it."""
    for line in message.splitlines():
        place = _WHERE.match(line, max(line.rfind("(op_type:"), 0))  # the innermost comes last
        if place is None:
            continue
        detail = line[place.end() :].rpartition("Error]")[2].strip(" :")
        if not detail or any(words in detail for words in _UNSAID):
            continue
        op_type, node = place["op"].strip(), (place["node"] or "").strip()
        return Contradiction(op_type, node, detail, recorded=_RECORDED in detail)
    return None


def _collect(graph: Graph, proto: GraphProto, types: Types) -> None:
    path = graph.path
    for infos in (proto.value_info, proto.input, proto.output):
        for info in infos:
            kind = type_of(info.type)
            types[path, info.name] = kind.dtype, kind.shape
    for subgraph, inner in _subgraphs(graph, proto):
        _collect(subgraph, inner, types)


def _subgraphs(graph: Graph, proto: GraphProto) -> Iterator[tuple[Graph, GraphProto]]:
    """Iterate over the subgraphs of a graph, each with its protobuf."""
    for node in graph.nodes:
        if node.subgraphs:
            named = named_graphs(proto.node[node.index])
            for subgraph, (_, inner) in zip(node.subgraphs.values(), named, strict=False):
                yield subgraph, inner


def call_cycle(model: Model) -> str | None:
    """Return a function that calls itself, directly or indirectly."""
    if not model.functions:
        return None
    callees = _callees(model)
    finished: set[int] = set()
    for body in model.functions.values():
        active = {id(body): body}
        stack: list[tuple[Graph, Iterator[Graph]]] = [(body, iter(callees[id(body)]))]
        while stack:
            current, rest = stack[-1]
            callee = next((item for item in rest if id(item) not in finished), None)
            if callee is None:
                finished.add(id(current))
                active.pop(id(current), None)
                stack.pop()
            elif id(callee) in active:
                return callee.called
            else:
                active[id(callee)] = callee
                stack.append((callee, iter(callees[id(callee)])))
    return None


def count_calls(model: Model) -> int:
    """Count the function calls of a model without cycles."""
    if not model.functions:
        return 0
    callees = _callees(model)
    calls: dict[int, int] = {}
    pending = list(model.functions.values())
    while pending:
        body = pending[-1]
        unknown = {id(item): item for item in callees[id(body)] if id(item) not in calls}
        if unknown:
            pending.extend(unknown.values())
        elif id(pending.pop()) not in calls:
            calls[id(body)] = 1 + sum(calls[id(item)] for item in callees[id(body)])
    called = map(model.function_of, model.nodes())
    return sum(calls[id(body)] for body in called if body is not None)


def _callees(model: Model) -> dict[int, list[Graph]]:
    """Return the functions that each function's body calls, once per call."""
    return {
        id(body): [
            callee
            for graph in body.walk()
            for node in graph.nodes
            if (callee := model.function_of(node)) is not None
        ]
        for body in model.functions.values()
    }
